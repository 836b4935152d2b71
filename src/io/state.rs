//! What a connection knows about itself.

use std::task::Waker;
use std::time::Duration;

use super::connect::{Connecting, Target};
use super::outlet::time_since_poll;
use super::socket_options::SocketOptions;
use super::stream::Stream;
use super::write_queue::WriteQueue;
use crate::shared::response_decoder::ResponseDecoder;

/// The runtime's last look at all sockets is good enough for a request that is sent within this time;
/// after that, the connection itself is looked at once more.
pub const FRESH: Duration = Duration::from_micros(500);

/// Where a connection is on its way; the graph is in `connection.rs`.
pub enum Phase {
    /// No socket yet.
    Waiting,
    /// The kernel is connecting.
    Connecting(Connecting),
    /// It stands.
    Open(Stream),
    /// It stands, and the JavaScript thread has it.
    Lent,
    /// Nothing more is read or written; the stream, if any, is kept so that it can be reset.
    Lost(Option<Stream>),
    /// JavaScript has closed it.
    Closed,
}

/// A half-close that is to be done.
pub struct Shutdown {
    /// JavaScript wants to hear of it.
    pub acknowledge: bool,
}

/// The state of one connection.
pub struct State {
    pub phase: Phase,
    /// Where it goes, for a replacement.
    pub target: Option<Target>,
    pub options: SocketOptions,
    pub decoder: ResponseDecoder,
    /// A response is awaited or under way.
    pub armed: bool,
    /// The connection stood before the request that is armed, so it may have died while it was idle.
    pub reused: bool,
    /// It has carried a request, since it was given back if it was lent.
    pub used: bool,
    /// It was lent, and the runtime may not have looked at its stream since.
    pub unseen: bool,
    /// It was lent, and the runtime may not know yet that its stream is writable.
    pub attached: bool,
    /// It has been replaced for the request that is armed. Once is enough: a peer that closes every
    /// connection is not asked for ever.
    pub replaced: bool,
    pub writes: WriteQueue,
    /// The error number of a failed write, to be told once what the peer had sent before is read.
    pub write_error: Option<i32>,
    pub paused: bool,
    /// Nothing more is to be read: the peer has ended its stream, or sent what is not HTTP.
    pub read_ended: bool,
    /// The peer has sent what nobody asked for, so no other request may use it. An upload may still be
    /// under way: what comes is read, so that the end is noticed, and forgotten.
    pub spoiled: bool,
    /// Half-close once everything queued is out.
    pub shutdown: Option<Shutdown>,
    /// Asked to give the descriptor away, and what was read beyond the head.
    pub release: Option<Vec<u8>>,
    /// The round in which it last waited for JavaScript.
    pub round: u64,
    pub waker: Option<Waker>,
}

impl State {
    /// The state of a connection that nothing is known of.
    pub fn new() -> Self {
        Self {
            phase: Phase::Waiting,
            target: None,
            options: SocketOptions::default(),
            decoder: ResponseDecoder::default(),
            armed: false,
            reused: false,
            used: false,
            unseen: false,
            attached: false,
            replaced: false,
            writes: WriteQueue::default(),
            write_error: None,
            paused: false,
            read_ended: false,
            spoiled: false,
            shutdown: None,
            release: None,
            round: 0,
            waker: None,
        }
    }

    /// Whether nothing of the request that is armed is out, on a connection that stood before it. The
    /// peer owes nothing then: whatever comes from it shows that the connection is no good, and
    /// another one can take its place.
    pub fn is_replaceable(&self) -> bool {
        self.armed && self.reused && self.writes.request_is_untouched()
    }

    /// Whether it stands, in good order, and waits for its next request.
    pub fn is_idle(&self) -> bool {
        self.used
            && self.decoder.peer_keeps_connection
            && matches!(self.phase, Phase::Open(_))
            && !self.armed
            && !self.paused
            && !self.read_ended
            && !self.spoiled
            && self.shutdown.is_none()
            && self.write_error.is_none()
            && self.release.is_none()
            && self.writes.is_empty()
    }

    /// Whether an idle connection has died, as far as the kernel knows at this moment.
    pub fn is_stale(&self) -> bool {
        let Phase::Open(stream) = &self.phase else {
            return false;
        };
        // The task may not have seen yet what the runtime has noticed. Only when the runtime's look
        // is old has the kernel to be asked in any case.
        self.read_ended
            || self.spoiled
            || if self.unseen || time_since_poll() > FRESH {
                stream.has_unread_input()
            } else {
                stream.has_noticed_input()
            }
    }

    /// Whether the descriptor can be given away now: not in the middle of a response, because what
    /// the decoder knows of it cannot be given.
    pub fn can_release(&self) -> bool {
        self.release.is_some() && (!self.armed || self.decoder.is_idle())
    }

    /// Local port and address, which the kernel knows as soon as it connects; both empty before that.
    pub fn local_address(&self) -> (u16, String) {
        match &self.phase {
            Phase::Connecting(connecting) => connecting.stream().local_address(),
            Phase::Open(stream) => stream.local_address(),
            _ => Default::default(),
        }
    }

    /// Whether bytes of the peer may wait that nobody has read, asked of the kernel only if the runtime has
    /// noticed something. Then a close is a reset, in front of which a half-close is still an end.
    pub fn has_unread(&self) -> bool {
        let Phase::Open(stream) = &self.phase else {
            return false;
        };
        !self.read_ended && (self.unseen || stream.has_noticed_bytes())
    }

    /// Whether bytes wait until the kernel takes more.
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
