//! Models of what the two threads do at the same time, for loom: each runs in every order of the two.
//!
//! A model has the types of `shared` as they are. Only what waits is loom's: the event loop, and the runtime of
//! the I/O thread. A wait that nothing ends fails the test.

mod body_buffers;
mod completions;
mod lending;
mod mailbox;

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ::loom::model::Builder;
use ::loom::sync::Notify;

use crate::shared::completions::{Completions, Drained};
use crate::shared::detached::Detached;
use crate::shared::lent_connection::LentConnection;
use crate::shared::response_decoder::ResponseDecoder;

/// Times that a thread is interrupted at most where it need not wait. `LOOM_MAX_PREEMPTIONS` is another number.
const PREEMPTIONS: usize = 3;

/// Runs a model in every order.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(model);
}

/// The event loop of a JavaScript thread. It sleeps until the I/O thread wakes it.
#[derive(Clone)]
struct EventLoop {
    completions: Arc<Completions>,
    woken: Arc<Notify>,
}

/// The finds of a turn of the event loop.
#[derive(Default)]
struct Turn {
    bytes: Vec<u8>,
    offers: Vec<LentConnection>,
    /// The I/O thread has to be told that its connections may read on.
    resume: bool,
}

impl EventLoop {
    fn new() -> Self {
        let woken = Arc::new(Notify::new());
        let notify = woken.clone();
        Self {
            completions: Arc::new(Completions::new(move || notify.notify())),
            woken,
        }
    }

    /// Sleeps until a wake, and then takes all that is there, as `Bridge::drain` does.
    fn turn(&self) -> Turn {
        self.woken.wait();
        let mut turn = Turn::default();
        let mut room = vec![0; 64];
        loop {
            let outcome = self.completions.drain(&mut room);
            turn.offers.extend(self.completions.offers.take());
            match outcome {
                Drained::Copied { bytes, resume } => {
                    turn.bytes.extend_from_slice(&room[..bytes]);
                    turn.resume |= resume;
                }
                Drained::TooLarge(bytes) => room.resize(bytes, 0),
                Drained::Empty => return turn,
            }
        }
    }
}

/// Makes an idle connection, ready to be lent, and its peer.
fn connection(id: u32) -> (LentConnection, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let detached = Detached::Unix(ours);
    let decoder = ResponseDecoder::default();
    (LentConnection::new(id, detached, decoder, 0, None), peer)
}
