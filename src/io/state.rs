//! State of one connection: the stages of its parts, and every transition between them.
//!
//! The phase says where the connection is on its way:
//!
//! ```text
//!            connect                connected               lend, if idle
//!  Waiting ──────────> Connecting ────────────> Open <───────────────────────> Lent
//!     │                  │    ▲                 │  │          take back
//!     │                  │    └──── replace ────┘  │
//!     │                  ▼                         ▼
//!     └─────────────> Lost (failed to connect, to write, panicked) ──close──> Closed
//! ```
//!
//! A connection that libuv has made goes from `Waiting` to `Open` at once (adopt).
//!
//! Only JavaScript closes a connection, in any phase. Until then a lost one stays as it is, so that an id
//! never means two connections. Three parts of the state have stages of their own:
//!
//! ```text
//! exchange  Unused ──request──> Armed(Fresh | Reused) ──end of response or stream, upgrade──> Done
//!                                  │   ▲                                                       │
//!                                  │   └───────────────────────request─────────────────────────┘
//!                                  └──replace──> Armed(Replaced), which goes on as the other two
//!           any ──take back──> Armed(Reused) with a response under way, else Unused
//!
//! reading   Open ──unsolicited bytes──> Spoiled
//!             │                            │
//!             └────────────────────────────┴──end, error, upgrade, not HTTP──> Ended
//!           any ──replace──> Open
//!
//! writing   Open ──shutdown──> ShutdownDue ──everything is written──> Shut
//!             │                     │                                  │
//!             └─────────────────────┴───────────write error────────────┴──> Failed
//!           Shut ──replace──> Open
//!           Failed ──replace, or told and Lost──> Open, or ShutdownDue if one was planned meanwhile
//! ```
//!
//! The [`Stream`] has stages of its own, for what the runtime knows of it.

use std::io;
use std::task::{Context, Poll, Waker};

use super::connect::{ConnectError, Connecting, Prepared, Target};
use super::socket_options::SocketOptions;
use super::stream::Stream;
use super::tls::Tls;
use super::write_queue::{Flushed, WriteQueue};
use crate::codec::{DecoderOptions, RequestMethod};
use crate::shared::response_decoder::ResponseDecoder;

/// Phase of a connection on its way from nothing to closed.
enum Phase {
    /// The connection has no socket yet.
    Waiting,
    /// The kernel is connecting.
    Connecting(Connecting),
    /// The connection stands.
    Open(Stream),
    /// The connection stands, and the JavaScript thread has it.
    Lent,
    /// Nothing more is read or written; the stream, if any, is kept so that it can be reset.
    Lost(Option<Stream>),
    /// JavaScript has closed the connection.
    Closed,
}

/// Stage of the exchange, which is a request and its response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ExchangeStage {
    /// The connection has carried no request since it was made, or since it was taken back idle. The
    /// I/O thread has to see its news before it is lent again.
    Unused,
    /// A response is awaited or under way.
    Armed(Carrier),
    /// The last exchange is over.
    Done,
}

/// Kind of the connection that carries the armed request; decides whether another may take its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    /// The connection was made for the request.
    Fresh,
    /// The connection stood before the request, so it may have died while it was idle.
    Reused,
    /// The connection has replaced one that had died. Once is enough: a peer that closes every
    /// connection is not asked for ever.
    Replaced,
}

/// Stage of the reading side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The peer has sent nothing but what it was asked for.
    Open,
    /// The peer has sent unsolicited bytes, so no other request may use the connection. An upload may
    /// still be under way: what comes is read, so that the end is noticed, and forgotten.
    Spoiled,
    /// Nothing more is to be read: the stream has ended, failed, been upgraded, or is not HTTP.
    Ended,
}

/// Stage of the writing side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// Bytes are written as they come.
    Open,
    /// A half-close follows once everything queued is written; JavaScript hears of it if `acknowledge`.
    ShutdownDue { acknowledge: bool },
    /// This side has ended.
    Shut,
    /// A write has failed with this error number. JavaScript hears of it once everything is read that
    /// the peer had sent before.
    Failed {
        /// The error number of the write.
        errno: i32,
        /// A half-close that was planned since, and whether JavaScript wants to hear of it.
        planned: Option<bool>,
    },
}

/// State of one connection. The stages are private, so only the methods here change them.
pub struct State {
    phase: Phase,
    exchange: ExchangeStage,
    reading: Reading,
    writing: Writing,
    /// Bytes read beyond the head, once the descriptor is to be given away.
    release: Option<Vec<u8>>,
    /// The head of a response has ended HTTP, and JavaScript knows that.
    upgraded: bool,
    /// JavaScript wants to read nothing for now; holds for a replacement too.
    pub paused: bool,
    /// Place to connect to, also for a replacement; none for a connection that may not be replaced.
    pub target: Option<Target>,
    pub options: SocketOptions,
    pub decoder: ResponseDecoder,
    pub writes: WriteQueue,
    /// TLS between decoder and kernel, if the connection has it.
    pub tls: Option<Box<Tls>>,
    /// Round of the outlet in which the connection last waited for JavaScript.
    pub round: u64,
    pub waker: Option<Waker>,
}

/// The phases.
impl State {
    /// Makes the state of a connection of which nothing is known.
    pub fn new() -> Self {
        Self {
            phase: Phase::Waiting,
            exchange: ExchangeStage::Unused,
            reading: Reading::Open,
            writing: Writing::Open,
            release: None,
            upgraded: false,
            paused: false,
            target: None,
            options: SocketOptions::default(),
            decoder: ResponseDecoder::default(),
            writes: WriteQueue::default(),
            tls: None,
            round: 0,
            waker: None,
        }
    }

    /// Returns true until the first connect.
    pub fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting)
    }

    /// Starts to connect to the target, if there is one, by the prepared socket.
    pub fn begin_connect(&mut self, prepared: Prepared) -> Result<(), ConnectError> {
        if let Some(target) = &mut self.target {
            self.phase = Phase::Connecting(Connecting::start(target, prepared)?);
            self.wake();
        }
        Ok(())
    }

    /// Opens the connection with a stream that is connected already. What the kernel has been told of it holds for
    /// a replacement too.
    pub fn adopt(&mut self, stream: Stream) {
        self.options = SocketOptions::of(&stream);
        self.phase = Phase::Open(stream);
        self.wake();
    }

    /// Waits for the outcome of a connect, which opens the connection. Gives whether there was one.
    pub fn poll_connect(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, ConnectError>> {
        let Phase::Connecting(connecting) = &mut self.phase else {
            return Poll::Ready(Ok(false));
        };
        std::task::ready!(connecting.poll(context))?;
        if let Phase::Connecting(connecting) = std::mem::replace(&mut self.phase, Phase::Waiting) {
            self.phase = Phase::Open(connecting.into_stream());
        }
        Poll::Ready(Ok(true))
    }

    /// Gives the stream of an open connection.
    pub fn stream(&self) -> Option<&Stream> {
        match &self.phase {
            Phase::Open(stream) => Some(stream),
            _ => None,
        }
    }

    /// Gives what a read of an open connection takes: the stream, the decoder and the bytes written.
    pub fn reader(&mut self) -> Option<(&mut Stream, &mut ResponseDecoder, u64)> {
        match &mut self.phase {
            Phase::Open(stream) => Some((stream, &mut self.decoder, self.writes.written())),
            _ => None,
        }
    }

    /// Gives what a read of an open connection with TLS takes: also its TLS.
    pub fn tls_reader(&mut self) -> Option<(&mut Stream, &mut Tls, &mut ResponseDecoder, u64)> {
        match (&mut self.phase, &mut self.tls) {
            (Phase::Open(stream), Some(tls)) => {
                Some((stream, tls, &mut self.decoder, self.writes.written()))
            }
            _ => None,
        }
    }

    /// Gives the local port and address, which the kernel knows as soon as it connects. Both are empty
    /// before that.
    pub fn local_address(&self) -> (u16, String) {
        match &self.phase {
            Phase::Connecting(connecting) => connecting.stream().local_address(),
            Phase::Open(stream) => stream.local_address(),
            _ => Default::default(),
        }
    }

    /// Prepares for another connection, which takes the place of a dead one for the armed request.
    pub fn begin_replacement(&mut self) {
        if let (Phase::Open(stream), Some(target)) = (&self.phase, &self.target)
            && target.has_fixed_port()
        {
            // The same pair of addresses is free again only when both ends have forgotten it.
            stream.reset_on_close();
        }
        self.phase = Phase::Waiting;
        self.exchange = ExchangeStage::Armed(Carrier::Replaced);
        self.reading = Reading::Open;
        self.writing = match self.writing {
            // The bytes that could not be written were of an earlier request; a half-close is behind this one.
            Writing::Failed {
                planned: Some(acknowledge),
                ..
            } => Writing::ShutdownDue { acknowledge },
            Writing::Failed { planned: None, .. } | Writing::Shut => Writing::Open,
            other => other,
        };
        self.writes.forget_earlier_requests();
    }

    /// Takes the stream, the decoder and the total of the bytes written, to lend them to the JavaScript
    /// thread. Only an idle connection is lent.
    pub fn begin_lend(&mut self) -> Option<(Stream, ResponseDecoder, u64)> {
        let Phase::Open(stream) = std::mem::replace(&mut self.phase, Phase::Lent) else {
            return None;
        };
        let decoder = std::mem::take(&mut self.decoder);
        Some((stream, decoder, self.writes.written()))
    }

    /// Returns true while the JavaScript thread has the connection.
    pub fn is_lent(&self) -> bool {
        matches!(self.phase, Phase::Lent)
    }

    /// Takes the connection back. `armed` says that a response is awaited or under way; of the bytes that
    /// the JavaScript thread has sent, the last `sent` are those of its last request.
    pub fn end_lend(
        &mut self,
        stream: Option<Stream>,
        decoder: ResponseDecoder,
        armed: bool,
        sent_before: u64,
        sent: u64,
    ) {
        self.phase = stream.map_or(Phase::Lost(None), Phase::Open);
        self.decoder = decoder;
        self.exchange = if armed {
            ExchangeStage::Armed(Carrier::Reused)
        } else {
            ExchangeStage::Unused
        };
        self.writes.note_sent(sent_before);
        self.writes.begin_request();
        self.writes.note_sent(sent);
    }

    /// Takes ciphertext that the JavaScript thread could not send: that of its last request, of `length` bytes.
    pub fn keep_ciphertext(&mut self, ciphertext: Vec<u8>, length: u64) {
        if let Some(tls) = &mut self.tls {
            tls.keep_ciphertext(ciphertext);
            self.writes.note_ciphertext(length);
        }
    }

    /// Gives the connection up, and drops what was to be sent.
    pub fn lose(&mut self) {
        self.phase = Phase::Lost(None);
        self.writes.clear();
    }

    /// Closes the connection, on request by a reset.
    pub fn close(&mut self, reset: bool) {
        if let (true, Phase::Open(stream) | Phase::Lost(Some(stream))) = (reset, &self.phase) {
            stream.reset_on_close();
        }
        self.phase = Phase::Closed;
        self.writes.clear();
        self.wake();
    }

    /// Returns true once JavaScript has closed the connection.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Makes the task run.
    pub fn wake(&self) {
        // A task that has not run yet has no waker, and will run.
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

/// The exchange.
impl State {
    /// Arms the decoder for the response to a request whose bytes follow.
    pub fn begin_exchange(&mut self, options: DecoderOptions, method: RequestMethod) {
        self.decoder.arm(options, method);
        let stands = self.tls.as_ref().is_none_or(|tls| tls.has_stood());
        self.exchange = ExchangeStage::Armed(match self.phase {
            Phase::Open(_) if stands => Carrier::Reused,
            _ => Carrier::Fresh,
        });
        self.writes.begin_request();
    }

    /// Returns true while a response is awaited or under way.
    pub fn is_armed(&self) -> bool {
        matches!(self.exchange, ExchangeStage::Armed(_))
    }

    /// Returns true while the armed request is on a connection that has replaced a dead one.
    pub fn is_replaced(&self) -> bool {
        self.exchange == ExchangeStage::Armed(Carrier::Replaced)
    }

    /// Tells whether nothing of the armed request is out, on a connection that stood before it. The peer
    /// owes nothing then: whatever comes from it shows that the connection is no good, and another one
    /// can take its place. Not so if the user has ended the socket in front of the request, which is never sent then:
    /// JavaScript has to hear of what comes.
    pub fn is_replaceable(&self) -> bool {
        self.exchange == ExchangeStage::Armed(Carrier::Reused)
            && self.writing != Writing::Shut
            && self.writes.request_is_untouched()
    }

    /// Ends the exchange under way. Tells whether there was one.
    pub fn end_exchange(&mut self) -> bool {
        let was_armed = self.is_armed();
        if was_armed {
            self.exchange = ExchangeStage::Done;
        }
        was_armed
    }

    /// Returns true while the connection stands, in good order, and waits for its next request.
    pub fn is_idle(&self) -> bool {
        self.exchange == ExchangeStage::Done
            && self.reading == Reading::Open
            && self.writing == Writing::Open
            && self.decoder.peer_keeps_connection
            && matches!(self.phase, Phase::Open(_))
            && !self.paused
            && self.release.is_none()
            && self.writes.is_empty()
    }
}

/// The reading side.
impl State {
    /// Notes that nothing more is to be read.
    pub fn end_reading(&mut self) {
        self.reading = Reading::Ended;
    }

    /// Returns true once nothing more is to be read.
    pub fn has_ended(&self) -> bool {
        self.reading == Reading::Ended
    }

    /// Notes unsolicited bytes. Tells whether they are the first.
    pub fn spoil(&mut self) -> bool {
        let is_first = self.reading != Reading::Spoiled;
        if self.reading == Reading::Open {
            self.reading = Reading::Spoiled;
        }
        is_first
    }

    /// Tells whether the open connection has died while it was idle, as far as the kernel knows now. That is asked in
    /// any case: the runtime may have looked before the peer closed.
    pub fn is_stale(&self) -> bool {
        let Phase::Open(stream) = &self.phase else {
            return false;
        };
        // With TLS, what has come may be harmless, and was read for that.
        self.reading != Reading::Open || (self.tls.is_none() && stream.has_unread_input())
    }

    /// Tells whether the kernel has something on an open connection that the task has not read.
    pub fn has_unread_input(&self) -> bool {
        matches!(&self.phase, Phase::Open(stream) if stream.has_unread_input())
    }

    /// Tells whether bytes of the peer may wait unread; asks the kernel only if the runtime has noticed
    /// something. Then a close is a reset, in front of which a half-close is still an end.
    pub fn has_unread(&self) -> bool {
        let Phase::Open(stream) = &self.phase else {
            return false;
        };
        self.reading != Reading::Ended && (stream.is_unseen() || stream.has_noticed_bytes())
    }
}

/// The writing side, and what follows everything written.
impl State {
    /// Writes what is queued, as far as the kernel takes it. Gives nothing unless the connection is open
    /// and writing has not failed.
    pub fn flush(&mut self) -> Option<io::Result<Flushed>> {
        let looks = self.exchange == ExchangeStage::Armed(Carrier::Reused);
        match (&mut self.phase, self.writing) {
            (_, Writing::Failed { .. }) => None,
            (Phase::Open(stream), writing) => Some(match &mut self.tls {
                None => self.writes.flush(stream),
                Some(tls) if writing == Writing::Shut && self.writes.is_empty() => Ok(tls.hush()),
                Some(tls) => {
                    let closes = writing != Writing::Open;
                    tls.flush(stream, &mut self.writes, closes, looks)
                }
            }),
            _ => None,
        }
    }

    /// Waits until an open connection may take more.
    pub fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.phase {
            Phase::Open(stream) => stream.poll_write_ready(context).map(drop),
            _ => Poll::Pending,
        }
    }

    /// Returns true while bytes wait until the kernel takes more.
    pub fn has_unsent(&self) -> bool {
        matches!(self.phase, Phase::Open(_)) && !self.writes.is_empty()
    }

    /// Plans a half-close behind everything queued. After a failed write it waits for a replacement.
    pub fn plan_shutdown(&mut self, acknowledge: bool) {
        match &mut self.writing {
            Writing::Failed { planned, .. } => *planned = Some(acknowledge),
            writing => *writing = Writing::ShutdownDue { acknowledge },
        }
    }

    /// Takes the half-close that is due, if any. Gives whether JavaScript wants to hear of it.
    pub fn take_shutdown(&mut self) -> Option<bool> {
        let Writing::ShutdownDue { acknowledge } = self.writing else {
            return None;
        };
        self.writing = Writing::Shut;
        Some(acknowledge)
    }

    /// Stops writing after an error, and drops what is queued. The peer may have answered before: the runtime need not
    /// have noticed that yet, so the reads that remain ask the kernel.
    pub fn fail_writing(&mut self, errno: i32) {
        if let Phase::Open(stream) = &mut self.phase {
            stream.ask_kernel();
        }
        self.writes.clear();
        self.writing = Writing::Failed {
            errno,
            planned: None,
        };
    }

    /// Gives the error number of a write that has failed, until it is taken.
    pub fn write_error(&self) -> Option<i32> {
        match self.writing {
            Writing::Failed { errno, .. } => Some(errno),
            _ => None,
        }
    }

    /// Takes the error number of a failed write, with which an open connection is lost. A closed one has
    /// nothing to tell: its id may be another connection's already.
    pub fn take_write_error(&mut self) -> Option<i32> {
        let errno = self.write_error()?;
        match std::mem::replace(&mut self.phase, Phase::Lost(None)) {
            Phase::Open(stream) => {
                self.phase = Phase::Lost(Some(stream));
                self.reading = Reading::Ended;
                self.writing = Writing::Open;
                Some(errno)
            }
            other => {
                self.phase = other;
                None
            }
        }
    }

    /// Plans to give the descriptor away.
    pub fn plan_release(&mut self) {
        self.release.get_or_insert_default();
    }

    /// Ends HTTP on the connection, and plans to give the descriptor away with the bytes in `rest`.
    pub fn upgrade(&mut self, rest: Vec<u8>) {
        self.reading = Reading::Ended;
        self.end_exchange();
        self.upgraded = true;
        self.release = Some(rest);
    }

    /// Gives up what is queued behind an upgrade, after a failed write: the descriptor need not wait for it. JavaScript may
    /// have been offered the descriptor before, and have written more. Tells whether there has been an upgrade.
    pub fn give_up_writing(&mut self) -> bool {
        if self.upgraded {
            self.plan_release();
            self.writes.give_up();
            self.writing = Writing::Open;
        }
        self.upgraded
    }

    /// Notes that the descriptor is given away: JavaScript reads from it, so no other may take its place.
    pub fn give_away(&mut self) {
        self.reading = Reading::Ended;
        if self.is_armed() {
            self.exchange = ExchangeStage::Armed(Carrier::Fresh);
        }
    }

    /// Tells whether the descriptor is to be released and can be now. It cannot in the middle of a response,
    /// because the state of the decoder cannot go along, nor before the peer of TLS is verified.
    pub fn can_release(&self) -> bool {
        self.release.is_some()
            && (!self.is_armed() || self.decoder.is_idle())
            && self.tls.as_ref().is_none_or(|tls| tls.is_open())
    }

    /// Takes the bytes to be given away with the descriptor, if that can be done now.
    pub fn take_release(&mut self) -> Option<Vec<u8>> {
        if self.can_release() {
            self.release.take()
        } else {
            None
        }
    }
}
