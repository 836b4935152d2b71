//! One connection: its state, and the task that waits for its socket.
//!
//! ```text
//!            connect            REQUEST on a dead, reused connection
//!  Waiting ──────────> Connecting ──────────> Open <───┐
//!     │                    │   ▲               │ │ └────┘
//!     │                    │   └───────────────┘ │
//!     │                    ▼                     ▼
//!     └───────> Lost (failed, ended, given away) ──close──> Closed
//! ```
//!
//! Only JavaScript closes a connection; until it does, a lost one stays as it is, so that an id
//! never means two connections.

use std::cell::RefCell;
use std::io;
use std::os::fd::{IntoRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::connect::{ConnectError, Connecting, Target};
use super::events;
use super::outlet::{Outlet, time_since_poll};
use super::reader::{self, Armed, Progress};
use super::socket_options::SocketOptions;
use super::stream::Stream;
use super::write_queue::{Flushed, WriteQueue};
use crate::bridge::completions::Counters;
use crate::bridge::records::{self, event};
use crate::codec::{Decoder, DecoderOptions, Dialect, Leniency};

/// Reads in a row before other connections get their turn.
const READS_A_TURN: usize = 4;
/// The runtime's last look at all sockets is good enough for a request that is sent within this time;
/// after that, the connection itself is looked at once more.
const FRESH: Duration = Duration::from_micros(500);

enum Phase {
    Waiting,
    Connecting(Connecting),
    Open(Stream),
    /// Nothing more is read or written; the stream, if any, is kept for its descriptor.
    Lost(Option<Stream>),
    Closed,
}

struct State {
    phase: Phase,
    target: Option<Target>,
    bound: Option<RawFd>,
    options: SocketOptions,
    decoder: Decoder,
    armed: bool,
    writes: WriteQueue,
    /// Bytes taken by the kernel since connecting, over all requests.
    written: u64,
    /// Value of `written` when the last request was armed: equal means that nothing of it is out.
    written_before_request: u64,
    /// Totals at which JavaScript wants to hear of it.
    acknowledge: std::collections::VecDeque<u64>,
    queued: u64,
    requests: u64,
    /// The connection has been replaced for the request that is armed. Once is enough: a peer that
    /// closes every connection is not asked forever.
    replaced: bool,
    paused: bool,
    read_ended: bool,
    shutdown: bool,
    /// Asked to give the descriptor away, and what was read beyond the head.
    release: Option<Vec<u8>>,
    /// The round in which it last waited for JavaScript.
    round: u64,
    waker: Option<Waker>,
}

/// A connection, shared by its task and the registry.
pub struct Connection {
    id: u32,
    outlet: Rc<Outlet>,
    state: RefCell<State>,
}

impl Connection {
    /// A connection that does nothing yet.
    pub fn new(id: u32, outlet: Rc<Outlet>) -> Rc<Self> {
        let options = DecoderOptions {
            lenient: Leniency::None,
            max_header_size: 16 * 1024,
            dialect: Dialect::default(),
        };
        Rc::new(Self {
            id,
            outlet,
            state: RefCell::new(State {
                phase: Phase::Waiting,
                target: None,
                bound: None,
                options: SocketOptions::default(),
                decoder: Decoder::new(options),
                armed: false,
                writes: WriteQueue::default(),
                written: 0,
                written_before_request: 0,
                acknowledge: std::collections::VecDeque::new(),
                queued: 0,
                requests: 0,
                replaced: false,
                paused: false,
                read_ended: false,
                shutdown: false,
                release: None,
                round: 0,
                waker: None,
            }),
        })
    }

    /// Waits for the socket until the connection is closed.
    pub async fn run(self: Rc<Self>) {
        std::future::poll_fn(|context| self.poll(context)).await;
    }

    /// Starts connecting.
    pub fn connect(&self, target: Target, bound: Option<RawFd>) {
        let mut state = self.state.borrow_mut();
        state.target = Some(target);
        state.bound = bound;
        self.start_connect(&mut state);
    }

    /// Fails without trying, for an address that is none.
    pub fn refuse(&self, errno: i32) {
        self.connect_failed(
            &mut self.state.borrow_mut(),
            &ConnectError {
                errno,
                at_once: true,
            },
        );
    }

    /// Arms the decoder. A connection that died while it was idle is replaced first: nothing of the
    /// request is out, so that is safe for every method.
    pub fn request(&self, flags: u32, max_header_size: u32, llhttp: u32) {
        let (options, method) = events::decoder_settings(flags, max_header_size, llhttp);
        let mut state = self.state.borrow_mut();
        state.decoder.reset(options, method);
        state.armed = true;
        state.written_before_request = state.written;
        state.requests += 1;
        state.replaced = false;
        if state.requests > 1 && state.is_stale() {
            self.replace(&mut state);
        }
    }

    /// Appends bytes; [`Self::flush`] sends them.
    pub fn write(&self, bytes: &[u8], acknowledge: bool) {
        let mut state = self.state.borrow_mut();
        state.writes.push(bytes);
        state.note_queued(bytes.len(), acknowledge);
    }

    /// As [`Self::write`], without a copy.
    pub fn write_owned(&self, bytes: Vec<u8>, acknowledge: bool) {
        let mut state = self.state.borrow_mut();
        let length = bytes.len();
        state.writes.push_owned(bytes);
        state.note_queued(length, acknowledge);
    }

    /// Ends the writing side after everything queued.
    pub fn shutdown(&self) {
        self.state.borrow_mut().shutdown = true;
        self.flush();
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
        if let Phase::Open(stream) = &state.phase {
            let mut changed = SocketOptions::default();
            change(&mut changed);
            changed.apply(stream);
        }
    }

    /// Gives the descriptor away once everything queued is out. Not in the middle of a response: what
    /// the decoder knows of it cannot be given.
    pub fn release(&self) {
        let mut state = self.state.borrow_mut();
        if state.armed && !state.decoder.is_idle() {
            return;
        }
        state.release.get_or_insert_default();
        drop(state);
        self.flush();
    }

    /// Closes at once.
    pub fn close(&self, reset: bool) {
        let mut state = self.state.borrow_mut();
        if let (true, Phase::Open(stream) | Phase::Lost(Some(stream))) = (reset, &state.phase) {
            stream.reset_on_close();
        }
        state.phase = Phase::Closed;
        state.writes.clear();
        state.wake();
        self.emit(event::CLOSED, 0, &[]);
    }

    /// Sends what is queued, as far as the kernel takes it, and what waits for that.
    pub fn flush(&self) {
        let mut state = self.state.borrow_mut();
        if self.flush_state(&mut state) == Flushed::Blocked {
            state.wake();
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        state.keep_waker(context);
        if let Phase::Connecting(connecting) = &mut state.phase {
            match connecting.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => self.connected(&mut state),
                Poll::Ready(Err(error)) => self.connect_failed(&mut state, &error),
            }
        }
        while self.flush_state(&mut state) == Flushed::Blocked {
            let Phase::Open(stream) = &state.phase else {
                break;
            };
            if stream.poll_write_ready(context).is_pending() {
                break;
            }
        }
        self.poll_reads(&mut state, context);
        if matches!(state.phase, Phase::Closed) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn poll_reads(&self, state: &mut State, context: &mut Context<'_>) {
        for _ in 0..READS_A_TURN {
            if state.paused || state.read_ended || self.must_wait_for_reader(state, context) {
                return;
            }
            let State {
                phase: Phase::Open(stream),
                armed,
                decoder,
                ..
            } = state
            else {
                return;
            };
            let armed = Armed { armed, decoder };
            match reader::poll_read(stream, context, self.id, &self.outlet, armed) {
                Poll::Pending => return,
                Poll::Ready(Ok(progress)) => self.progress(state, progress),
                Poll::Ready(Err(error)) => self.read_failed(state, &error),
            }
        }
        // More may wait; let other connections read first.
        context.waker().wake_by_ref();
    }

    fn progress(&self, state: &mut State, progress: Progress) {
        match progress {
            Progress::Read => {}
            Progress::Upgraded(rest) => {
                state.read_ended = true;
                state.armed = false;
                state.release = Some(rest);
                self.flush_state(state);
            }
            Progress::Broken => state.read_ended = true,
            Progress::Unsolicited => {
                state.read_ended = true;
                self.emit(event::EOF, event::IDLE | event::UNSOLICITED, &[]);
            }
            Progress::Ended => {
                state.read_ended = true;
                let State { armed, decoder, .. } = state;
                reader::end(self.id, &self.outlet, Armed { armed, decoder });
            }
        }
    }

    fn read_failed(&self, state: &mut State, error: &io::Error) {
        state.read_ended = true;
        let flags = if state.armed { 0 } else { event::IDLE };
        self.emit(event::READ_ERROR, flags, &[&errno(error).to_le_bytes()]);
    }

    /// Bounds what JavaScript has not taken yet.
    fn must_wait_for_reader(&self, state: &mut State, context: &Context<'_>) -> bool {
        self.outlet.throttle(context.waker(), &mut state.round)
    }

    fn flush_state(&self, state: &mut State) -> Flushed {
        let State {
            phase: Phase::Open(stream),
            writes,
            written,
            ..
        } = state
        else {
            return Flushed::All;
        };
        let before = *written;
        let outcome = writes.flush(stream, written);
        Counters::add(
            &self.outlet.completions().counters.bytes_out,
            (*written - before) as usize,
        );
        match outcome {
            Ok(flushed) => {
                self.acknowledge(state);
                if flushed == Flushed::All {
                    self.after_writes(state);
                }
                flushed
            }
            Err(error) => {
                self.write_failed(state, &error);
                Flushed::All
            }
        }
    }

    fn acknowledge(&self, state: &mut State) {
        let mut due = false;
        while state
            .acknowledge
            .front()
            .is_some_and(|total| *total <= state.written)
        {
            state.acknowledge.pop_front();
            due = true;
        }
        if due {
            self.emit(event::WRITTEN, 0, &[&(state.written as f64).to_le_bytes()]);
        }
    }

    /// Everything queued is out: what waited for that happens now.
    fn after_writes(&self, state: &mut State) {
        let Phase::Open(stream) = &state.phase else {
            return;
        };
        if std::mem::take(&mut state.shutdown) {
            let errno = stream
                .shutdown_write()
                .err()
                .map_or(0, |error| errno(&error));
            self.emit(event::SHUTDOWN_DONE, 0, &[&errno.to_le_bytes()]);
        }
        if state.release.is_some() {
            match stream.duplicate() {
                Ok(descriptor) => {
                    let rest = state.release.take().unwrap_or_default();
                    state.read_ended = true;
                    let descriptor = descriptor.into_raw_fd().to_le_bytes();
                    let written = (state.written as f64).to_le_bytes();
                    self.emit(event::RELEASED, 0, &[&descriptor, &[0; 4], &written, &rest]);
                }
                Err(error) => {
                    state.release = None;
                    self.read_failed(state, &error);
                }
            }
        }
    }

    fn write_failed(&self, state: &mut State, error: &io::Error) {
        let nothing_is_out = state.written == state.written_before_request;
        if state.requests > 1 && state.armed && nothing_is_out && !state.replaced {
            self.replace(state);
            return;
        }
        // An answer may have come before the peer closed: it goes first.
        // A no-op waker is enough, because reading stops with this.
        let mut context = Context::from_waker(Waker::noop());
        if !state.paused {
            self.poll_reads(state, &mut context);
        }
        state.writes.clear();
        state.acknowledge.clear();
        self.emit(event::WRITE_ERROR, 0, &[&errno(error).to_le_bytes()]);
        state.read_ended = true;
        let phase = std::mem::replace(&mut state.phase, Phase::Closed);
        state.phase = match phase {
            Phase::Open(stream) => Phase::Lost(Some(stream)),
            other => other,
        };
    }

    /// Connects again underneath the same socket: the peer had closed an idle connection.
    fn replace(&self, state: &mut State) {
        Counters::add(&self.outlet.completions().counters.stale_replaced, 1);
        state.read_ended = false;
        state.bound = None;
        state.written_before_request = state.written;
        state.replaced = true;
        self.start_connect(state);
    }

    fn start_connect(&self, state: &mut State) {
        let Some(target) = &state.target else { return };
        match Connecting::start(target, state.bound.take()) {
            Ok(connecting) => {
                state.phase = Phase::Connecting(connecting);
                state.wake();
            }
            Err(error) => self.connect_failed(state, &error),
        }
    }

    fn connected(&self, state: &mut State) {
        let Phase::Connecting(connecting) = std::mem::replace(&mut state.phase, Phase::Waiting)
        else {
            return;
        };
        let stream = connecting.into_stream();
        state.options.apply(&stream);
        let (port, address) = stream.local_address();
        let descriptor = stream.descriptor().to_le_bytes();
        Counters::add(&self.outlet.completions().counters.connections_opened, 1);
        let flags = if state.replaced { event::AGAIN } else { 0 };
        self.emit(
            event::CONNECTED,
            flags,
            &[
                &descriptor,
                &u32::from(port).to_le_bytes(),
                address.as_bytes(),
            ],
        );
        state.phase = Phase::Open(stream);
    }

    fn connect_failed(&self, state: &mut State, error: &ConnectError) {
        state.phase = Phase::Lost(None);
        state.writes.clear();
        let flags = if error.at_once { event::AT_ONCE } else { 0 };
        self.emit(event::CONNECT_FAILED, flags, &[&error.errno.to_le_bytes()]);
    }

    fn emit(&self, opcode: u32, flags: u32, payload: &[&[u8]]) {
        self.outlet
            .append(|page| records::push(page, opcode, flags, self.id, payload));
    }
}

impl State {
    /// Whether an idle connection has died, as far as the kernel knows at this moment.
    fn is_stale(&self) -> bool {
        let Phase::Open(stream) = &self.phase else {
            return false;
        };
        let Some(waker) = &self.waker else {
            return false;
        };
        // An event that the task has not seen yet costs nothing to find out; only then, or when the
        // runtime's look is old, is the kernel asked.
        let mut context = Context::from_waker(waker);
        let noticed = stream.poll_read_ready(&mut context).is_ready();
        self.read_ended || ((noticed || time_since_poll() > FRESH) && stream.has_unread_input())
    }

    fn note_queued(&mut self, length: usize, acknowledge: bool) {
        self.queued += length as u64;
        if acknowledge {
            self.acknowledge.push_back(self.queued);
        }
    }

    fn keep_waker(&mut self, context: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
