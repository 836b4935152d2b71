//! The connection: the commands that reach it, and the task that waits for its socket.
//!
//! The stages and their transitions are in `state.rs`. The task goes through this table:
//!
//! | The kernel has | becomes | JavaScript hears |
//! |---|---|---|
//! | connected | phase `Open` | `CONNECTED`, after a replacement with `AGAIN` |
//! | failed to connect | phase `Lost` | `CONNECT_FAILED` |
//! | taken everything queued | half-close and release, if due | `SHUTDOWN_DONE`, `RELEASED` |
//! | failed to write | writing `Failed`, then phase `Lost` | `WRITE_ERROR`, once all is read |
//! | bytes of a response | exchange `Done` with its last one | what is decoded |
//! | a head that upgrades | exchange `Done`, reading `Ended`, release due | the head |
//! | bytes that are not HTTP | reading `Ended` | `PARSE_ERROR` |
//! | unsolicited bytes | reading `Spoiled` | `EOF` with `UNSOLICITED`, once |
//! | the end of the stream | exchange `Done`, reading `Ended` | `EOF` |
//! | failed to read | reading `Ended` | `READ_ERROR` |
//!
//! A connection that stood before its request is only watched until the first byte of that is out. Bytes,
//! an end or a failure before then show that it has died. It is replaced when there is a byte to send.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::connect::{ConnectError, Prepared, Target};
use super::outlet::{Outlet, note_work};
use super::reader;
use super::socket_options::SocketOptions;
use super::state::State;
use super::stream::Stream;
use super::turns::Turns;
use super::write_queue::Flushed;
use crate::records::decoding;
use crate::records::{self, event};
use crate::shared::completions::Counters;
use crate::shared::detached::Detached;
use crate::shared::exchange::{Exchange, Progress};

/// Reads of one connection in a row before others get their turn.
const READS_A_TURN: usize = 4;

/// Reason for which reading has stopped.
#[derive(PartialEq, Eq)]
enum Reads {
    /// Nothing more is there, or JavaScript wants no more.
    Done,
    /// More may be there. The task goes on at its next turn, or when JavaScript has taken some.
    Deferred,
}

/// Connection of the I/O thread; its task and the registry share it.
pub struct Connection {
    pub(super) id: u32,
    pub(super) outlet: Rc<Outlet>,
    pub(super) state: RefCell<State>,
    /// The registry has it in its list of connections to flush.
    pub unsent: Cell<bool>,
    #[cfg(test)]
    panics: Cell<bool>,
}

/// The commands.
impl Connection {
    /// Makes a connection that does nothing yet.
    pub fn new(id: u32, outlet: Rc<Outlet>) -> Rc<Self> {
        Rc::new(Self {
            id,
            outlet,
            state: RefCell::new(State::new()),
            unsent: Cell::new(false),
            #[cfg(test)]
            panics: Cell::new(false),
        })
    }

    /// Starts connecting, by the prepared socket.
    pub fn connect(&self, target: Target, prepared: Prepared) {
        let mut state = self.state.borrow_mut();
        if state.is_waiting() {
            state.target = Some(target);
            self.start_connect(&mut state, prepared);
        }
    }

    /// Takes over a connection that libuv has made to this target, and that nobody has read or written.
    pub fn adopt(&self, detached: Detached, target: Target) {
        let mut state = self.state.borrow_mut();
        if !state.is_waiting() {
            return;
        }
        state.target = Some(target);
        match Stream::attach(detached) {
            Ok(stream) => {
                Counters::add(&self.outlet.completions().counters.connections_opened, 1);
                state.adopt(stream);
            }
            Err(error) => self.read_failed(&mut state, &error, 0),
        }
    }

    /// Takes the socket with this number, which JavaScript has made for the connection.
    pub fn take_socket(&self, number: u32) -> Option<OwnedFd> {
        let completions = self.outlet.completions();
        completions.take_socket(number.cast_signed())
    }

    /// Fails to connect without trying, because the address is none.
    pub fn refuse(&self, errno: i32) {
        let error = ConnectError {
            errno,
            at_once: true,
        };
        self.connect_failed(&mut self.state.borrow_mut(), &error);
    }

    /// Arms the decoder for the response to a request whose bytes follow.
    pub fn request(&self, flags: u32, max_header_size: u32, llhttp: u32) {
        let (options, method) = decoding::decoder_settings(flags, max_header_size, llhttp);
        self.state.borrow_mut().begin_exchange(options, method);
    }

    /// Appends bytes, of which the first `sent` are out already; [`Self::flush`] sends the others.
    pub fn write(&self, bytes: &[u8], sent: usize, acknowledge: bool) {
        let (done, rest) = bytes.split_at(sent.min(bytes.len()));
        let writes = &mut self.state.borrow_mut().writes;
        writes.note_sent(done.len() as u64);
        writes.push(rest, acknowledge);
    }

    /// Does the same as [`Self::write`], without a copy.
    pub fn write_owned(&self, bytes: Bytes, acknowledge: bool) {
        let writes = &mut self.state.borrow_mut().writes;
        writes.push_owned(bytes, acknowledge);
    }

    /// Plans a half-close behind everything queued; [`Self::flush`] does it.
    pub fn shutdown(&self, acknowledge: bool) {
        self.state.borrow_mut().plan_shutdown(acknowledge);
    }

    /// Stops or continues reading.
    pub fn pause(&self, paused: bool) {
        let mut state = self.state.borrow_mut();
        state.paused = paused;
        if !paused {
            state.wake();
        }
    }

    /// Changes socket options, now or when connected.
    pub fn set_options(&self, change: impl Fn(&mut SocketOptions)) {
        let mut state = self.state.borrow_mut();
        change(&mut state.options);
        if let Some(stream) = state.stream() {
            let mut changed = SocketOptions::default();
            change(&mut changed);
            changed.apply(stream);
        }
    }

    /// Lets no other connection take the place of this one.
    pub fn pin(&self) {
        self.state.borrow_mut().target = None;
    }

    /// Gives the descriptor away once everything queued is out and no response is under way.
    pub fn release(&self) {
        self.state.borrow_mut().plan_release();
        self.flush();
    }

    /// Sends what is queued, as far as the kernel takes it, and closes at once.
    pub fn close(&self, reset: bool) {
        let mut state = self.state.borrow_mut();
        if !reset && !state.has_unread() && state.tls.is_none() {
            // To the peer, the close does the same as a half-close that is still due. JavaScript does not
            // ask any more whether that is done. A descriptor that was given away is half-closed by libuv.
            state.take_shutdown();
        }
        self.flush_state(&mut state);
        state.close(reset);
        // JavaScript does not want a descriptor that it has not taken before it closed.
        drop(self.outlet.completions().take_descriptor(self.id));
        self.emit(event::CLOSED, 0, &[]);
    }

    /// Sends what is queued, as far as the kernel takes it, and does what has waited for that.
    pub fn flush(&self) {
        self.unsent.set(false);
        let mut state = self.state.borrow_mut();
        if self.flush_state(&mut state) == Flushed::Blocked {
            state.wake();
        }
        self.lend(&mut state);
    }

    /// Asks the state a question. Gives the default after a panic in the middle of a change.
    pub fn ask<T: Default>(&self, question: impl FnOnce(&State) -> T) -> T {
        let state = self.state.try_borrow();
        state.map(|state| question(&state)).unwrap_or_default()
    }

    /// Makes the task panic, for a test.
    #[cfg(test)]
    pub fn panic_in_task(&self) {
        self.panics.set(true);
        self.state.borrow().wake();
    }

    /// Gives the connection up after a panic, which may have left anything in its state.
    pub fn fail(&self) {
        if let Ok(mut state) = self.state.try_borrow_mut() {
            state.lose();
        }
        self.emit(event::FAILED, 0, &[]);
    }
}

/// The task.
impl Connection {
    /// Waits for the socket until the connection is closed.
    pub async fn run(self: Rc<Self>) {
        let mut turns = Turns::default();
        std::future::poll_fn(|context| {
            let outcome = self.poll(context, &mut turns);
            turns.pass_on();
            outcome
        })
        .await;
    }

    fn poll(&self, context: &mut Context<'_>, turns: &mut Turns) -> Poll<()> {
        note_work();
        #[cfg(test)]
        assert!(!self.panics.get(), "a test asked for this panic");
        let mut state = self.state.borrow_mut();
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        if self.poll_connect(&mut state, context).is_pending() {
            return Poll::Pending;
        }
        if state.tls.is_some() && self.poll_handshake(&mut state, context, turns).is_pending() {
            return Poll::Pending;
        }
        // Reads first, as libuv: a peer that has answered and closed makes a write fail. What a handshake could not write
        // says less than what comes of the peer.
        if self.poll_reads(&mut state, context) == Reads::Done
            && state.tls.as_ref().is_none_or(|tls| tls.is_open())
            && let Some(errno) = state.take_write_error()
        {
            self.emit(event::WRITE_ERROR, 0, &[&errno.to_le_bytes()]);
        }
        self.poll_writes(&mut state, context);
        self.lend(&mut state);
        if state.is_closed() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn poll_connect(&self, state: &mut State, context: &mut Context<'_>) -> Poll<()> {
        match std::task::ready!(state.poll_connect(context)) {
            Ok(false) => {}
            Ok(true) => self.connected(state),
            Err(error) => self.connect_failed(state, &error),
        }
        Poll::Ready(())
    }

    pub(super) fn poll_writes(&self, state: &mut State, context: &mut Context<'_>) {
        while self.flush_state(state) == Flushed::Blocked {
            if state.poll_write_ready(context).is_pending() {
                return;
            }
        }
    }

    fn poll_reads(&self, state: &mut State, context: &mut Context<'_>) -> Reads {
        for _ in 0..READS_A_TURN {
            if state.has_ended() || (state.paused && !self.hears_end(state, context)) {
                return Reads::Done;
            }
            if self.outlet.throttle(context.waker(), &mut state.round) {
                return Reads::Deferred;
            }
            if state.is_replaceable() && state.tls.is_none() {
                self.watch(state, context);
                return Reads::Done;
            }
            if state.tls.is_some() {
                match self.poll_read_tls(state, context) {
                    Poll::Pending => return Reads::Done,
                    Poll::Ready(false) => continue,
                    Poll::Ready(true) => break,
                }
            }
            let mut armed = state.is_armed();
            let Some((stream, decoder, written)) = state.reader() else {
                return Reads::Done;
            };
            let exchange = Exchange {
                armed: &mut armed,
                decoder,
                written,
            };
            let outcome = reader::poll_read(stream, context, self.id, &self.outlet, exchange);
            if !armed {
                state.end_exchange();
            }
            match outcome {
                Poll::Pending => return Reads::Done,
                // That was as much as a whole turn of others.
                Poll::Ready(Ok(Progress::ReadBody)) => {
                    self.progress(state, Progress::Read);
                    break;
                }
                Poll::Ready(Ok(progress)) => self.progress(state, progress),
                Poll::Ready(Err(error)) => self.read_failed(state, &error, idle_flag(state)),
            }
        }
        // More may wait; let other connections read first.
        context.waker().wake_by_ref();
        Reads::Deferred
    }

    /// Acts on the outcome of a read.
    pub(super) fn progress(&self, state: &mut State, progress: Progress) {
        match progress {
            Progress::Read | Progress::ReadBody => {
                if state.can_release() {
                    self.flush_state(state);
                }
            }
            Progress::Upgraded(rest) => {
                state.upgrade(rest);
                match state.write_error() {
                    Some(errno) => self.release_unwritten(state, errno),
                    None => drop(self.flush_state(state)),
                }
            }
            Progress::Broken => state.end_reading(),
            Progress::Panicked => {
                state.lose();
                self.emit(event::FAILED, 0, &[]);
            }
            Progress::Unsolicited => {
                if state.spoil() {
                    self.emit(event::EOF, event::IDLE | event::UNSOLICITED, &[]);
                }
            }
            Progress::Ended => {
                state.end_reading();
                // After a write has reported a reset, that looks like an end here. It is none: a body that
                // the end would complete has been cut.
                if state.write_error() != Some(libc::ECONNRESET) {
                    let was_armed = state.end_exchange();
                    reader::end(self.id, &self.outlet, was_armed, &mut state.decoder);
                }
            }
        }
    }

    /// Ends the reading side after an error.
    pub(super) fn read_failed(&self, state: &mut State, error: &io::Error, flags: u32) {
        state.end_reading();
        let written = (state.writes.written() as u32).to_le_bytes();
        let errno = errno(error).to_le_bytes();
        self.emit(event::READ_ERROR, flags, &[&errno, &written]);
    }

    /// Sends what is queued, on another connection if this one has died before the armed request.
    pub(super) fn flush_state(&self, state: &mut State) -> Flushed {
        if state.is_replaceable() && state.writes.has_request_bytes() {
            if state.tls.is_some() && !state.has_ended() && state.has_unread_input() {
                self.look_through_tls(state);
            }
            if state.is_replaceable() && state.is_stale() {
                self.replace(state);
            }
        }
        let before = state.writes.written();
        let Some(outcome) = state.flush() else {
            return Flushed::All;
        };
        let sent = state.writes.written() - before;
        Counters::add(&self.outlet.completions().counters.bytes_out, sent);
        if let Some(total) = state.writes.take_acknowledgement() {
            self.emit(event::WRITTEN, 0, &[&(total as f64).to_le_bytes()]);
        }
        match outcome {
            Ok(Flushed::All) => self.after_writes(state),
            Ok(other) => return other,
            Err(error) => self.write_failed(state, &error),
        }
        Flushed::All
    }

    /// Does what has waited until everything queued is written.
    fn after_writes(&self, state: &mut State) {
        if let Some(acknowledge) = state.take_shutdown()
            && let Some(stream) = state.stream()
        {
            let outcome = stream.shutdown_write();
            if acknowledge {
                let errno = outcome.err().map_or(0, |error| errno(&error));
                self.emit(event::SHUTDOWN_DONE, 0, &[&errno.to_le_bytes()]);
            }
        }
        self.give_descriptor(state, 0);
    }

    /// Gives the descriptor away, if that is due. `write_error` is the error number with which the last write has failed.
    fn give_descriptor(&self, state: &mut State, write_error: i32) {
        if let Some(rest) = state.take_release()
            && let Some(stream) = state.stream()
        {
            match stream.duplicate() {
                Ok(descriptor) => {
                    state.give_away();
                    let completions = self.outlet.completions();
                    completions.keep_descriptor(self.id, descriptor);
                    let written = (state.writes.written() as f64).to_le_bytes();
                    let flags = write_error.unsigned_abs();
                    self.emit(event::RELEASED, flags, &[&written, &rest]);
                }
                Err(error) => self.read_failed(state, &error, 0),
            }
        }
    }

    fn write_failed(&self, state: &mut State, error: &io::Error) {
        if state.is_replaceable() {
            self.replace(state);
            return;
        }
        // A response may have come before the peer closed: the task passes it on first.
        state.fail_writing(errno(error));
        self.release_unwritten(state, errno(error));
        state.wake();
    }

    /// Gives the descriptor away behind an upgrade, although a write has failed: JavaScript has the head, and is told
    /// both.
    fn release_unwritten(&self, state: &mut State, errno: i32) {
        if state.give_up_writing() {
            self.give_descriptor(state, errno);
        }
    }

    /// Connects again underneath the same socket, because the peer had closed an idle connection. A pinned one is
    /// lost instead.
    fn replace(&self, state: &mut State) {
        if state.target.is_none() {
            state.lose();
            let error = io::Error::from_raw_os_error(libc::ECONNRESET);
            self.read_failed(state, &error, 0);
            return;
        }
        Counters::add(&self.outlet.completions().counters.stale_replaced, 1);
        state.begin_replacement();
        if state.tls.is_some() {
            // Only JavaScript can make TLS anew.
            self.emit(event::STALE, 0, &[]);
        } else {
            self.start_connect(state, Prepared::Nothing);
        }
    }

    pub(super) fn start_connect(&self, state: &mut State, prepared: Prepared) {
        if let Err(error) = state.begin_connect(prepared) {
            self.connect_failed(state, &error);
        }
    }

    fn connected(&self, state: &mut State) {
        let Some(stream) = state.stream() else {
            return;
        };
        state.options.apply(stream);
        let (port, address) = stream.local_address();
        let descriptor = stream.descriptor().to_le_bytes();
        Counters::add(&self.outlet.completions().counters.connections_opened, 1);
        let flags = if state.is_replaced() { event::AGAIN } else { 0 };
        let port = u32::from(port).to_le_bytes();
        self.emit(
            event::CONNECTED,
            flags,
            &[&descriptor, &port, address.as_bytes()],
        );
    }

    fn connect_failed(&self, state: &mut State, error: &ConnectError) {
        state.lose();
        let flags = if error.at_once { event::AT_ONCE } else { 0 };
        self.emit(event::CONNECT_FAILED, flags, &[&error.errno.to_le_bytes()]);
    }

    pub(super) fn emit(&self, opcode: u32, flags: u32, payload: &[&[u8]]) {
        self.outlet
            .append(|page| records::push(page, opcode, flags, self.id, payload));
    }
}

/// Gives the flag `IDLE` for an event that ends the connection, unless a response is awaited or under way.
pub(super) fn idle_flag(state: &State) -> u32 {
    if state.is_armed() { 0 } else { event::IDLE }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
