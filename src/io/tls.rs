//! TLS of one connection: between its decoder and its socket.
//!
//! ```text
//! Waiting ──SHAKE_HANDS──> Handshaking ──complete──> Verifying ──VERIFIED──> Open ──another handshake──> Verifying
//!                               │                                             │
//!                               └──────────────────protocol error─────────────┴──> Failed
//! ```
//!
//! Nothing of a request is encrypted, and nothing of a response is read, unless JavaScript has verified the peer.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use tokio::io::ReadBuf;

use super::connect::Prepared;
use super::connection::{Connection, idle_flag};
use super::outlet::{Outlet, flush_all};
use super::reader::{BODY_PIECES, pass_packet, pass_pieces};
use super::state::State;
use super::stream::Stream;
use super::turns::Turns;
use super::write_queue::{Flushed, WriteQueue};
use crate::records::{self, event};
use crate::shared::body_buffers::Claim;
use crate::shared::completions::Counters;
use crate::shared::exchange::{
    Exchange, Progress, READ_SIZE, as_room, push_notes, push_read, with_ciphertext, with_scratch,
};
use crate::shared::lent_tls::LentTls;
use crate::shared::peer_end::has_peer_ended;
use crate::tls::{Engine, Stop, TlsConnection, TlsError, Written};

/// Bytes of ciphertext from which no more is made before the kernel has taken some, unless little is left.
const CIPHERTEXT: usize = 64 * 1024;
/// The same for the beginning of a request, which takes longer to encrypt than to send: a peer that answers what it has
/// and closes makes the write of the rest fail.
const FIRST_CIPHERTEXT: usize = 4 * 1024 * 1024;
/// Bytes that encryption adds to those of a record, or less; not of all suites of TLS 1.2, where the memory grows.
const RECORD_OVERHEAD: usize = 64;
/// Bytes that are encrypted at once: those of four records.
const PIECE: usize = 64 * 1024;
/// Bytes that are encrypted as soon as the kernel has been asked about the peer, or behind any number of others: those of
/// one record.
const SOON: usize = 16 * 1024;
/// Bytes of ciphertext that one read asks the kernel for: as many as one read of a large body brings.
const PACKET: usize = BODY_PIECES * READ_SIZE;

/// Stage of TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// JavaScript has not asked for a handshake.
    Waiting,
    /// The first handshake has not begun, or is under way.
    Handshaking { begun: bool },
    /// JavaScript has to verify the peer.
    Verifying,
    /// Bytes are encrypted and decrypted.
    Open,
    /// Nothing more can be said.
    Failed,
}

/// TLS of one connection.
pub struct Tls {
    connection: Arc<TlsConnection>,
    stage: Stage,
    /// JavaScript has verified the peer of the first handshake.
    stood: bool,
    /// Ciphertext on its way to the kernel, and the number of its bytes that the kernel has.
    out: Vec<u8>,
    sent: usize,
    /// This side is closed.
    closed: bool,
}

impl Tls {
    /// Makes it ready for a handshake.
    pub fn new(connection: Arc<TlsConnection>) -> Box<Self> {
        Box::new(Self {
            connection,
            stage: Stage::Waiting,
            stood: false,
            out: Vec::new(),
            sent: 0,
            closed: false,
        })
    }

    /// Lets the first handshake begin, or begins another one that JavaScript has asked for. Gives the error of that.
    fn shake_hands_when_due(&mut self) -> Option<TlsError> {
        match self.stage {
            Stage::Waiting => self.stage = Stage::Handshaking { begun: false },
            Stage::Open => {
                if let Stop::Failed(error) = self.connection.lock()?.handshake(&[]) {
                    return Some(error);
                }
            }
            _ => {}
        }
        None
    }

    /// Notes that JavaScript has verified the peer.
    pub fn verified(&mut self) {
        if self.stage == Stage::Verifying {
            self.stage = Stage::Open;
            self.stood = true;
        }
    }

    /// Returns true once JavaScript has verified the peer of the first handshake.
    pub fn has_stood(&self) -> bool {
        self.stood
    }

    /// Notes why a read has stopped: behind another handshake JavaScript has to verify the peer again.
    pub fn note_stop(&mut self, stop: &Stop) {
        if matches!(stop, Stop::Secured) {
            self.stage = Stage::Verifying;
        }
    }

    /// Returns true while the peer is verified. Before that Node may not have its `SSL` back: it would not hear of a
    /// handshake that is complete, and not verify the peer.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Makes it ready to be lent, if the peer is verified and nothing is under way.
    pub fn lend(&self) -> Option<LentTls> {
        let is_quiet = self.stage == Stage::Open
            && !self.closed
            && self.out.is_empty()
            && self
                .connection
                .lock()
                .is_some_and(|engine| engine.is_quiet());
        is_quiet.then(|| LentTls::new(self.connection.clone()))
    }

    /// Takes ciphertext that the JavaScript thread could not send.
    pub fn keep_ciphertext(&mut self, ciphertext: Vec<u8>) {
        self.out = ciphertext;
        self.sent = 0;
    }

    /// Encrypts what is queued and sends it. `closes` says that this side ends behind it. `looks` says that another
    /// connection can take the place of this one, and that the kernel has just been asked about the peer. Where time passes
    /// before the ciphertext is there, it is asked again; it is an error if the peer has ended, and nothing is sent.
    pub fn flush(
        &mut self,
        stream: &mut Stream,
        writes: &mut WriteQueue,
        closes: bool,
        looks: bool,
    ) -> io::Result<Flushed> {
        let mut all_is_out = false;
        loop {
            if self.send(stream)? == Flushed::Blocked {
                return Ok(Flushed::Blocked);
            }
            writes.note_ciphertext_sent();
            if all_is_out {
                return Ok(Flushed::All);
            }
            // Node has its `SSL` back: the connection is about to close.
            let Some((mut engine, was_free)) = self.connection.lock_timely() else {
                return Ok(Flushed::Held);
            };
            let is_held = if self.stage == Stage::Open {
                // The lock may have taken its time, and much plaintext does.
                let looks = looks && (!was_free || writes.plaintext().len() > SOON);
                encrypt(&mut engine, writes, || {
                    looks && has_peer_ended(stream.as_fd())
                })?
            } else {
                !writes.is_empty()
            };
            all_is_out = !is_held && writes.plaintext().is_empty();
            if closes && all_is_out && !self.closed {
                self.closed = true;
                engine.close();
            }
            if engine.out().is_empty() {
                return Ok(if is_held { Flushed::Held } else { Flushed::All });
            }
            self.out.clear();
            self.sent = 0;
            std::mem::swap(&mut self.out, engine.out());
        }
    }

    /// Drops what OpenSSL has to say after this side has ended, such as the rest of a handshake. The kernel would refuse it,
    /// and that would be no news: what comes of the peer is. libuv tells nobody either, where no write waits.
    pub fn hush(&mut self) -> Flushed {
        let Some(mut engine) = self.connection.lock() else {
            return Flushed::Held;
        };
        engine.out().clear();
        Flushed::All
    }

    /// Sends the ciphertext that is there.
    fn send(&mut self, stream: &mut Stream) -> io::Result<Flushed> {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match stream.write_vectored(&[IoSlice::new(rest)]) {
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Flushed::Blocked);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // An idle connection holds no buffer.
        self.out = Vec::new();
        self.sent = 0;
        Ok(Flushed::All)
    }

    /// Takes the next step of the first handshake, once the peer has said something. An end is as good as an alert that
    /// closes.
    fn shake_hands(
        &mut self,
        stream: &mut Stream,
        context: &mut Context<'_>,
        outlet: &Rc<Outlet>,
    ) -> Poll<io::Result<Stop>> {
        let first = !std::mem::replace(&mut self.stage, Stage::Handshaking { begun: true }).begun();
        with_ciphertext(PACKET, |buffer| {
            let mut buffer = ReadBuf::new(buffer);
            if !first {
                std::task::ready!(stream.poll_read(context, &mut buffer))?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Ok(Stop::Closed));
                }
                let n = buffer.filled().len() as u64;
                Counters::add(&outlet.completions().counters.bytes_in, n);
            }
            let Some(mut engine) = self.connection.lock() else {
                return Poll::Pending;
            };
            let stop = engine.handshake(buffer.filled());
            match stop {
                Stop::Secured => self.stage = Stage::Verifying,
                Stop::Failed(_) => self.stage = Stage::Failed,
                _ => {}
            }
            Poll::Ready(Ok(stop))
        })
    }

    /// Reads once and passes on what was read. `looks` says that also what the runtime has not noticed counts: a request
    /// is about to go out.
    fn poll_read(
        &mut self,
        stream: &mut Stream,
        context: &mut Context<'_>,
        id: u32,
        outlet: &Rc<Outlet>,
        state: Exchange<'_>,
        looks: bool,
    ) -> Poll<io::Result<(Progress, Stop)>> {
        with_ciphertext(PACKET, |buffer| {
            let mut buffer = ReadBuf::new(buffer);
            let has_more = self
                .connection
                .lock()
                .is_some_and(|engine| engine.has_more());
            if !has_more {
                std::task::ready!(if looks {
                    stream.poll_read_unnoticed(context, &mut buffer)
                } else {
                    stream.poll_read(context, &mut buffer)
                })?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Ok((Progress::Ended, Stop::Dry)));
                }
                let n = buffer.filled().len() as u64;
                Counters::add(&outlet.completions().counters.bytes_in, n);
            }
            // What is nothing but body may come in larger pieces than records are.
            let ahead = match *state.armed {
                true => usize::try_from(state.decoder.plain_body_ahead()).unwrap_or(usize::MAX),
                false => 0,
            };
            if ahead >= READ_SIZE {
                let most = BODY_PIECES.min(ahead / READ_SIZE);
                let claims = outlet.completions().body_buffers.claim(most);
                if !claims.is_empty() {
                    return self.read_body(claims, buffer.filled(), id, outlet, state);
                }
            }
            let Some(mut engine) = self.connection.lock() else {
                return Poll::Pending;
            };
            with_scratch(|scratch| {
                let (n, stop) = engine.read(buffer.filled(), as_room(scratch), ahead);
                pass_notes(&mut engine, id, outlet);
                drop(engine);
                let packet = scratch.get(..n).unwrap_or_default();
                let progress = if packet.is_empty() {
                    Progress::Read
                } else if *state.armed {
                    pass_packet(packet, id, outlet, state)
                } else {
                    outlet.append(|page| push_read(page, id, packet.len(), state.written));
                    Progress::Unsolicited
                };
                Poll::Ready(Ok((progress, stop)))
            })
        })
    }

    /// Decrypts plain body into buffers that JavaScript has laid out.
    fn read_body(
        &mut self,
        mut claims: Vec<Claim<'_>>,
        packet: &[u8],
        id: u32,
        outlet: &Rc<Outlet>,
        state: Exchange<'_>,
    ) -> Poll<io::Result<(Progress, Stop)>> {
        let Some(mut engine) = self.connection.lock() else {
            return Poll::Pending;
        };
        let mut n = 0;
        let mut stop = Stop::Full;
        let mut packet = packet;
        for claim in &mut claims {
            let (got, why) = engine.read(std::mem::take(&mut packet), claim.bytes(), READ_SIZE);
            n += got;
            stop = why;
            // Every buffer but the last is full.
            if got < READ_SIZE {
                break;
            }
        }
        pass_notes(&mut engine, id, outlet);
        drop(engine);
        if n > 0 {
            pass_pieces(claims, n, id, outlet, state);
        }
        let progress = match stop {
            Stop::Full if n >= READ_SIZE => Progress::ReadBody,
            _ => Progress::Read,
        };
        Poll::Ready(Ok((progress, stop)))
    }
}

impl Stage {
    fn begun(self) -> bool {
        self != Self::Handshaking { begun: false }
    }
}

/// Encrypts what is queued, as far as there is room for ciphertext. Tells whether a handshake holds it back. It is an error
/// if the connection `is_over` by the time at which the first bytes of a request are ciphertext: they count as untouched.
fn encrypt(
    engine: &mut Engine,
    writes: &mut WriteQueue,
    is_over: impl Fn() -> bool,
) -> io::Result<bool> {
    let most = if writes.request_is_untouched() {
        FIRST_CIPHERTEXT
    } else {
        CIPHERTEXT
    };
    let left = usize::try_from(writes.plaintext_left()).unwrap_or(most);
    if left > PIECE {
        // It does not grow, which would copy it, when it has all its room at once.
        let bytes = left.min(most + PIECE);
        engine
            .out()
            .reserve(bytes + bytes.div_ceil(SOON) * RECORD_OVERHEAD);
    }
    while engine.out().len() < most || writes.plaintext_left() <= SOON as u64 {
        let plaintext = writes.plaintext();
        let piece = plaintext.get(..PIECE).unwrap_or(plaintext);
        if piece.is_empty() {
            break;
        }
        match engine.write(piece) {
            Written::All => {
                let n = piece.len();
                if writes.request_is_untouched() && is_over() {
                    return Err(io::Error::from_raw_os_error(libc::ECONNRESET));
                }
                writes.note_encrypted(n);
            }
            Written::Held => return Ok(true),
            Written::Failed(_) => return Err(io::Error::from_raw_os_error(libc::EPROTO)),
        }
    }
    Ok(false)
}

/// Passes on what OpenSSL's callbacks have noted.
fn pass_notes(engine: &mut Engine, id: u32, outlet: &Rc<Outlet>) {
    let notes = engine.notes();
    if notes.secrets.is_empty() && notes.sessions.is_empty() {
        return;
    }
    outlet.append(|page| push_notes(page, id, notes));
}

/// The part of the task that has to do with TLS.
impl Connection {
    /// Puts TLS between decoder and socket. The connection does not connect yet.
    pub fn secure(&self, connection: Arc<TlsConnection>) {
        let mut state = self.state.borrow_mut();
        if state.is_waiting() {
            state.tls = Some(Tls::new(connection));
        }
    }

    /// Begins the handshake as soon as the connection stands, or another one.
    pub fn shake_hands(&self) {
        let mut state = self.state.borrow_mut();
        let failed = state
            .tls
            .as_mut()
            .and_then(|tls| tls.shake_hands_when_due());
        if let Some(error) = failed {
            self.tls_failed(&mut state, &error, 0);
        }
        state.wake();
    }

    /// Sends and reads from now on: JavaScript has verified the peer.
    pub fn verified(&self) {
        let mut state = self.state.borrow_mut();
        if let Some(tls) = &mut state.tls {
            tls.verified();
        }
        state.wake();
    }

    /// Waits until the first handshake is over. A connection that ends before was never idle, whether a request is armed or
    /// not: JavaScript may have one on its way.
    pub(super) fn poll_handshake(
        &self,
        state: &mut State,
        context: &mut Context<'_>,
        turns: &mut Turns,
    ) -> Poll<()> {
        loop {
            // Once the descriptor is given away, Node goes on with the handshake.
            if state.has_ended() {
                return Poll::Ready(());
            }
            let Some((stream, tls, ..)) = state.tls_reader() else {
                return Poll::Ready(());
            };
            match tls.stage {
                Stage::Waiting => return Poll::Pending,
                Stage::Handshaking { .. } => {}
                _ => return Poll::Ready(()),
            }
            let is_first = !tls.stage.begun();
            // Without news of the peer there is no step to take.
            if !is_first && stream.poll_read_ready(context).is_pending() || !turns.take(context) {
                return Poll::Pending;
            }
            // Nothing waits for the step that JavaScript could have.
            flush_all();
            let step = tls.shake_hands(stream, context, &self.outlet);
            if step.is_ready() {
                self.pass_tls_notes(state);
                // Also an alert.
                self.poll_writes(state, context);
            }
            match std::task::ready!(step) {
                Ok(Stop::Full | Stop::Dry) => {}
                Ok(Stop::Secured) => {
                    self.emit(event::SECURED, 0, &[]);
                    flush_all();
                }
                Ok(Stop::Closed) => {
                    state.end_reading();
                    state.end_exchange();
                    self.emit(event::EOF, 0, &[]);
                    return Poll::Ready(());
                }
                Ok(Stop::Failed(error)) => {
                    let flags = if is_first { event::AT_ONCE } else { 0 };
                    self.tls_failed(state, &error, flags);
                }
                Err(error) => {
                    self.read_failed(state, &error, 0);
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Reads once through TLS. Gives whether that was as much as a whole turn.
    pub(super) fn poll_read_tls(&self, state: &mut State, context: &mut Context<'_>) -> Poll<bool> {
        // The peer owes nothing before a request is out.
        let is_replaceable = state.is_replaceable();
        let mut armed = state.is_armed() && !is_replaceable;
        let Some((stream, tls, decoder, written)) = state.tls_reader() else {
            return Poll::Pending;
        };
        if tls.stage != Stage::Open {
            return Poll::Pending;
        }
        let exchange = Exchange {
            armed: &mut armed,
            decoder,
            written,
        };
        let outcome = tls.poll_read(
            stream,
            context,
            self.id,
            &self.outlet,
            exchange,
            is_replaceable,
        );
        let mut is_whole_turn = false;
        let outcome = std::task::ready!(outcome);
        // At once, whatever came with it: nothing more is read, and Node does not get the `SSL` back, before the peer is
        // verified.
        if let Ok((_, stop)) = &outcome {
            tls.note_stop(stop);
        }
        if is_replaceable {
            if !matches!(outcome, Ok((Progress::Read, Stop::Full | Stop::Dry))) {
                state.end_reading();
            }
            self.flush_state(state);
            return Poll::Ready(false);
        }
        if !armed {
            state.end_exchange();
        }
        match outcome {
            Err(error) => {
                let flags = idle_flag(state);
                self.read_failed(state, &error, flags);
            }
            Ok((progress, stop)) => {
                is_whole_turn = matches!(progress, Progress::ReadBody);
                self.progress_through_tls(state, progress, stop);
                // An answer to a new key, or to another handshake.
                self.poll_writes(state, context);
            }
        }
        Poll::Ready(is_whole_turn)
    }

    /// Acts on the outcome of a read through TLS.
    pub(super) fn progress_through_tls(&self, state: &mut State, progress: Progress, stop: Stop) {
        self.progress(state, progress);
        match stop {
            Stop::Full | Stop::Dry => {}
            Stop::Closed if state.has_ended() => {}
            Stop::Closed => self.progress(state, Progress::Ended),
            Stop::Secured => self.emit(event::SECURED, 0, &[]),
            Stop::Failed(error) => {
                // The alert first.
                self.flush_state(state);
                self.tls_failed(state, &error, 0);
            }
        }
    }

    /// Reads what has come on an idle connection: a new key or a session is no harm, anything else is.
    pub(super) fn look_through_tls(&self, state: &mut State) {
        let mut context = Context::from_waker(Waker::noop());
        while !state.has_ended()
            && state.is_replaceable()
            && state.has_unread_input()
            && self.poll_read_tls(state, &mut context).is_ready()
        {}
        // The runtime has this waker now.
        state.wake();
    }

    /// Goes on with new TLS, which JavaScript has made, in place of a connection that had died.
    pub fn reconnect(&self) {
        let mut state = self.state.borrow_mut();
        if state.is_waiting() {
            self.start_connect(&mut state, Prepared::Nothing);
        }
    }

    fn pass_tls_notes(&self, state: &mut State) {
        if let Some(mut engine) = state.tls.as_ref().and_then(|tls| tls.connection.lock()) {
            pass_notes(&mut engine, self.id, &self.outlet);
        }
    }

    /// Ends reading after an error of the protocol.
    fn tls_failed(&self, state: &mut State, error: &TlsError, flags: u32) {
        if let Some(tls) = &mut state.tls {
            tls.stage = Stage::Failed;
        }
        state.end_reading();
        self.outlet.append(|page| {
            records::push_with(page, event::TLS_ERROR, flags, self.id, |page| {
                page.put_u32_le(error.library.len() as u32);
                page.put_u32_le(error.reason.len() as u32);
                page.put_slice(&error.library);
                page.put_slice(&error.reason);
                page.put_slice(&error.message);
            });
        });
    }
}
