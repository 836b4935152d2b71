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
//! writing   Open ──shutdown──> ShutdownDue ──everything is written──> Open
//!             │                     │
//!             └─────────────────────┴──write error──> Failed ──told──> Open, in the phase Lost
//! ```
//!
//! What the runtime knows of a stream that was lent is a stage of the [`Stream`].

use std::task::Waker;
use std::time::Duration;

use super::connect::{Connecting, Target};
use super::outlet::time_since_poll;
use super::socket_options::SocketOptions;
use super::stream::Stream;
use super::write_queue::WriteQueue;
use crate::codec::{DecoderOptions, RequestMethod};
use crate::shared::response_decoder::ResponseDecoder;

/// Age up to which the runtime's last look at all sockets is good enough for a request. Beyond it, the
/// connection itself is looked at once more.
pub const FRESH: Duration = Duration::from_micros(500);

/// Phase of a connection on its way from nothing to closed.
pub enum Phase {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeStage {
    /// The connection has carried no request since it was made, or since it was taken back idle. The
    /// I/O thread has to see its news before it is lent again.
    Unused,
    /// A response is awaited or under way.
    Armed(Carrier),
    /// The last exchange is over.
    Done,
}

/// Kind of the connection that carries the armed request; decides whether another may take its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The connection was made for the request.
    Fresh,
    /// The connection stood before the request, so it may have died while it was idle.
    Reused,
    /// The connection has replaced one that had died. Once is enough: a peer that closes every
    /// connection is not asked for ever.
    Replaced,
}

/// Stage of the reading side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The peer has sent nothing but what it was asked for.
    Open,
    /// The peer has sent unsolicited bytes, so no other request may use the connection. An upload may
    /// still be under way: what comes is read, so that the end is noticed, and forgotten.
    Spoiled,
    /// Nothing more is to be read: the stream has ended, failed, been upgraded, or is not HTTP.
    Ended,
}

/// Stage of the writing side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// Bytes are written as they come.
    Open,
    /// A half-close follows once everything queued is written; JavaScript hears of it if `acknowledge`.
    ShutdownDue { acknowledge: bool },
    /// A write has failed with this error number. JavaScript hears of it once everything is read that
    /// the peer had sent before.
    Failed(i32),
}

/// State of one connection.
pub struct State {
    pub phase: Phase,
    pub exchange: ExchangeStage,
    pub reading: Reading,
    pub writing: Writing,
    /// JavaScript wants to read nothing for now; holds for a replacement too.
    pub paused: bool,
    /// Bytes read beyond the head, once the descriptor is to be given away.
    pub release: Option<Vec<u8>>,
    /// Place to connect to, also for a replacement.
    pub target: Option<Target>,
    pub options: SocketOptions,
    pub decoder: ResponseDecoder,
    pub writes: WriteQueue,
    /// Round of the outlet in which the connection last waited for JavaScript.
    pub round: u64,
    pub waker: Option<Waker>,
}

impl ExchangeStage {
    /// Returns true while a response is awaited or under way.
    pub fn is_armed(self) -> bool {
        matches!(self, Self::Armed(_))
    }

    /// Ends the exchange under way. Tells whether there was one.
    pub fn finish(&mut self) -> bool {
        let was_armed = self.is_armed();
        if was_armed {
            *self = Self::Done;
        }
        was_armed
    }
}

impl Writing {
    /// Takes the half-close that is due, if any. Gives whether JavaScript wants to hear of it.
    pub fn take_shutdown(&mut self) -> Option<bool> {
        let Self::ShutdownDue { acknowledge } = *self else {
            return None;
        };
        *self = Self::Open;
        Some(acknowledge)
    }
}

/// The transitions.
impl State {
    /// Makes the state of a connection of which nothing is known.
    pub fn new() -> Self {
        Self {
            phase: Phase::Waiting,
            exchange: ExchangeStage::Unused,
            reading: Reading::Open,
            writing: Writing::Open,
            paused: false,
            release: None,
            target: None,
            options: SocketOptions::default(),
            decoder: ResponseDecoder::default(),
            writes: WriteQueue::default(),
            round: 0,
            waker: None,
        }
    }

    /// Arms the decoder for the response to a request whose bytes follow.
    pub fn begin_exchange(&mut self, options: DecoderOptions, method: RequestMethod) {
        self.decoder.arm(options, method);
        self.exchange = ExchangeStage::Armed(match self.phase {
            Phase::Open(_) => Carrier::Reused,
            _ => Carrier::Fresh,
        });
        self.writes.begin_request();
    }

    /// Ends HTTP on the connection, whose descriptor is due to be given away with the bytes in `rest`.
    pub fn upgrade(&mut self, rest: Vec<u8>) {
        self.reading = Reading::Ended;
        self.exchange.finish();
        self.release = Some(rest);
    }

    /// Notes unsolicited bytes. Tells whether they are the first.
    pub fn spoil(&mut self) -> bool {
        let is_first = self.reading != Reading::Spoiled;
        if self.reading == Reading::Open {
            self.reading = Reading::Spoiled;
        }
        is_first
    }

    /// Plans a half-close behind everything queued, unless writing has failed.
    pub fn plan_shutdown(&mut self, acknowledge: bool) {
        if !matches!(self.writing, Writing::Failed(_)) {
            self.writing = Writing::ShutdownDue { acknowledge };
        }
    }

    /// Stops writing after an error; what is queued is dropped.
    pub fn fail_writing(&mut self, errno: i32) {
        self.writes.clear();
        self.writing = Writing::Failed(errno);
    }

    /// Takes the error number of a failed write, with which an open connection is lost. A closed one has
    /// nothing to tell: its id may be another connection's already.
    pub fn take_write_error(&mut self) -> Option<i32> {
        let Writing::Failed(errno) = self.writing else {
            return None;
        };
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

    /// Forgets the connection that has died, for another that takes its place for the armed request.
    pub fn begin_replacement(&mut self) {
        self.phase = Phase::Waiting;
        self.exchange = ExchangeStage::Armed(Carrier::Replaced);
        self.reading = Reading::Open;
        self.writes.forget_earlier_requests();
    }

    /// Drops what was to be sent, of a connection that has failed.
    pub fn lose(&mut self) {
        self.phase = Phase::Lost(None);
        self.writes.clear();
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

    /// Takes the connection back. `armed` says that a response is awaited or under way; of the bytes that
    /// the JavaScript thread has sent, the last `sent` are those of its last request.
    pub fn end_lend(
        &mut self,
        stream: Option<Stream>,
        decoder: ResponseDecoder,
        armed: bool,
        sent_before: usize,
        sent: usize,
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
}

/// The questions.
impl State {
    /// Tells whether nothing of the armed request is out, on a connection that stood before it. The peer
    /// owes nothing then: whatever comes from it shows that the connection is no good, and another one
    /// can take its place.
    pub fn is_replaceable(&self) -> bool {
        self.exchange == ExchangeStage::Armed(Carrier::Reused) && self.writes.request_is_untouched()
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

    /// Tells whether an idle connection has died, as far as the kernel knows at this moment.
    pub fn is_stale(&self) -> bool {
        let Phase::Open(stream) = &self.phase else {
            return false;
        };
        // The task may not have seen yet what the runtime has noticed. Only when the runtime's look
        // is old has the kernel to be asked in any case.
        self.reading != Reading::Open
            || if stream.is_unseen() || time_since_poll() > FRESH {
                stream.has_unread_input()
            } else {
                stream.has_noticed_input()
            }
    }

    /// Tells whether the descriptor can be given away now: not in the middle of a response, because what
    /// the decoder knows of it cannot be given.
    pub fn can_release(&self) -> bool {
        self.release.is_some() && (!self.exchange.is_armed() || self.decoder.is_idle())
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

    /// Tells whether bytes of the peer may wait unread; asks the kernel only if the runtime has noticed
    /// something. Then a close is a reset, in front of which a half-close is still an end.
    pub fn has_unread(&self) -> bool {
        let Phase::Open(stream) = &self.phase else {
            return false;
        };
        self.reading != Reading::Ended && (stream.is_unseen() || stream.has_noticed_bytes())
    }

    /// Returns true while bytes wait until the kernel takes more.
    pub fn has_unsent(&self) -> bool {
        matches!(self.phase, Phase::Open(_)) && !self.writes.is_empty()
    }

    /// Makes the task run.
    pub fn wake(&self) {
        // A task that has not run yet has no waker, and will run.
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
