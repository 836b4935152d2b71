//! The class `Bridge`, by which `lib/bridge/bridge.js` calls. Converts and hands on; decides nothing.

use std::cell::{Cell, RefCell};
use std::os::fd::IntoRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::async_context::AsyncContext;
use super::batch_memory;
use super::body_memory::BodyMemory;
use super::lending::batch_kind::BatchKind;
use super::lending::borrowed_connections::BorrowedConnections;
use super::lending::borrower::Borrower;
use super::lending::load::Load;
use super::link::Link;
use super::notifier::Notifier;
use crate::io::IoThread;
use crate::shared::completions::{Completions, Drained};
use crate::shared::mailbox::{Mailbox, Message};
use crate::shared::write_buffers::{BUFFER_SIZE, WriteBuffers};

/// Between two looks whether the kernel has taken more.
const SETTLE_PAUSE: Duration = Duration::from_millis(1);

/// The I/O thread answers at once, unless it is lost.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// One end of a connection.
#[napi(object)]
pub struct LocalAddress {
    /// As Node prints it.
    pub address: String,
    /// 0 to 65535.
    pub port: u32,
}

/// The JavaScript side's end of the two queues.
#[napi]
pub struct Bridge {
    link: Link,
    completions: Arc<Completions>,
    notifier: Arc<Notifier>,
    context: Rc<AsyncContext>,
    body_memory: BodyMemory,
    write_buffers: WriteBuffers,
    load: RefCell<Load>,
    borrower: RefCell<Borrowing>,
    batches: Cell<u64>,
    held: Cell<bool>,
}

/// Whether this bridge borrows connections.
#[derive(Default)]
enum Borrowing {
    /// There was no reason to yet.
    #[default]
    Unneeded,
    /// Its event loop does not let it.
    Impossible,
    Possible(Borrower),
}

#[napi]
impl Bridge {
    /// Starts the I/O thread, if this JavaScript thread has none, and a queue on it. `on_events` is
    /// called without arguments when there is something to drain.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, on_events: Function<(), ()>) -> Result<Self> {
        // Now, and not when it is needed: this tells `async_hooks`, which may come back for requests.
        let context = Rc::new(AsyncContext::new(&env)?);
        let notifier = Arc::new(Notifier::new(&env, &on_events)?);
        let waker = notifier.clone();
        let completions = Arc::new(Completions::new(move || waker.wake()));
        let link = IoThread::serving(&completions)
            .map_err(|error| Error::from_reason(error.to_string()))
            .and_then(|thread| Link::new(&env, thread, completions.clone(), notifier.clone()))
            .inspect_err(|_| notifier.close())?;
        Ok(Self {
            link,
            completions,
            notifier,
            context,
            body_memory: BodyMemory::default(),
            write_buffers: WriteBuffers::default(),
            load: RefCell::default(),
            borrower: RefCell::default(),
            batches: Cell::new(0),
            held: Cell::new(false),
        })
    }

    /// Hands the first `length` bytes of the staging buffer on: to the I/O thread, or, while there is
    /// little to do, straight to the peer.
    #[napi(catch_unwind)]
    pub fn doorbell(&self, env: Env, staging: &[u8], length: u32) {
        let bytes = staging.get(..length as usize).unwrap_or(staging);
        self.batches.set(self.batches.get() + 1);
        let kind = BatchKind::of(bytes);
        self.load.borrow_mut().weigh(&kind);
        self.choose_borrowing(&env);
        if let Borrowing::Possible(borrower) = &*self.borrower.borrow() {
            borrower.with(|borrowed| borrowed.hand_over(bytes, kind));
            borrower.expect();
            return;
        }
        self.completions.offers.announce();
        self.send(Message::Batch(
            self.completions.clone(),
            batch_memory::copy(bytes),
        ));
    }

    /// Leaves bytes for a connection with the I/O thread, around the staging buffer. The next `ring`
    /// or `doorbell` makes it send them.
    #[napi(catch_unwind)]
    pub fn write(&self, env: Env, connection: u32, bytes: &[u8], acknowledge: bool) {
        // As in `lay_body`.
        self.join_event_loop(&env);
        let mut pieces = bytes.chunks(BUFFER_SIZE).peekable();
        while let Some(piece) = pieces.next() {
            let write = Message::Write {
                completions: self.completions.clone(),
                connection,
                bytes: self.write_buffers.copy(piece),
                acknowledge: acknowledge && pieces.peek().is_none(),
            };
            if let Borrowing::Possible(borrower) = &*self.borrower.borrow() {
                borrower.with(|borrowed| borrowed.leave(connection, write));
            } else {
                self.completions.offers.announce();
                self.link.with_mailbox(|mailbox| mailbox.leave([write]));
            }
        }
    }

    /// Wakes the I/O thread for what was left with it.
    #[napi(catch_unwind)]
    pub fn ring(&self) {
        self.link.with_mailbox(Mailbox::ring);
    }

    /// Asks the I/O thread for the local end of a connection that is on its way; `None` if there is none.
    #[napi(catch_unwind)]
    pub fn local_address(&self, connection: u32) -> Option<LocalAddress> {
        let (answer, outcome) = sync_channel(1);
        let question = Message::LocalAddress(self.completions.clone(), connection, answer);
        self.send(question);
        let (port, address) = outcome.recv_timeout(ANSWER_WITHIN).ok()?;
        (!address.is_empty()).then_some(LocalAddress {
            address,
            port: port.into(),
        })
    }

    /// Waits until the kernel has all bytes that were handed over, for so long at most: the process is
    /// about to end without another turn of the event loop.
    #[napi(catch_unwind)]
    pub fn settle(&self, milliseconds: u32) {
        let deadline = Instant::now() + Duration::from_millis(milliseconds.into());
        loop {
            let (answer, outcome) = sync_channel(1);
            self.send(Message::Settle(self.completions.clone(), answer));
            let left = deadline.saturating_duration_since(Instant::now());
            // An answer that does not come is as good as one that says that it is done.
            if outcome.recv_timeout(left).unwrap_or(true) {
                return;
            }
            std::thread::sleep(SETTLE_PAUSE.min(left));
        }
    }

    /// Copies event records to `slab`. Gives the number of bytes copied; 0 when
    /// there is nothing; less than 0 when the next page does not fit, which has so many bytes.
    #[napi(catch_unwind)]
    pub fn drain(&self, mut slab: BufferSlice) -> i64 {
        let outcome = self.completions.drain(&mut slab);
        // Behind it: whoever offers from now on finds that the queue was seen empty, and wakes.
        if let Borrowing::Possible(borrower) = &*self.borrower.borrow() {
            borrower.with(BorrowedConnections::borrow_offered);
        }
        match outcome {
            Drained::Copied { bytes, resume } => {
                if resume {
                    self.send(Message::Drained(self.completions.clone()));
                }
                bytes as i64
            }
            Drained::TooLarge(bytes) => -(bytes as i64),
            Drained::Empty => 0,
        }
    }

    /// Lays memory for a piece of a large body in a place that is empty, or whose buffer has been told
    /// of by a `BODY` event: that one is the caller's from now on. The new one is nobody's until then.
    ///
    /// # Errors
    /// When the buffer is not of the size of a piece, or the place is in use.
    #[napi(catch_unwind)]
    pub fn lay_body(&self, env: Env, index: u32, buffer: Unknown) -> Result<()> {
        // For the wakes, of which there will be many.
        self.join_event_loop(&env);
        self.body_memory
            .lay(&env, &self.completions.body_buffers, index, &buffer)?;
        self.resume_reading();
        Ok(())
    }

    /// Lets a buffer that a `BODY` event has told of be filled again.
    #[napi(catch_unwind)]
    pub fn reuse_body(&self, index: u32) {
        self.completions.body_buffers.reuse(index as usize);
        self.resume_reading();
    }

    /// Takes all memory for bodies back, if none of it is in use. Gives whether it has.
    #[napi(catch_unwind)]
    pub fn take_back_bodies(&self, env: Env) -> bool {
        let free = self.completions.body_buffers.take_back();
        if free {
            self.body_memory.let_go(&env);
        }
        free
    }

    /// Takes the descriptor that a `RELEASED` event has told of. -1 if there is none.
    #[napi(catch_unwind)]
    pub fn take_descriptor(&self, connection: u32) -> i32 {
        let descriptor = self.completions.take_descriptor(connection);
        descriptor.map_or(-1, IntoRawFd::into_raw_fd)
    }

    /// Asks for another call of the listener, after a drain that stopped early.
    #[napi(catch_unwind)]
    pub fn wake(&self) {
        self.completions.wake_again();
    }

    /// Keeps the event loop alive, or lets it end.
    #[napi(catch_unwind)]
    pub fn hold(&self, env: Env, hold: bool) -> Result<()> {
        if self.held.replace(hold) == hold {
            return Ok(());
        }
        if hold {
            self.notifier.hold(&env)
        } else {
            self.notifier.let_go(&env)
        }
    }

    /// Keeps this object and what the listener needs from being collected, or lets them be: a module
    /// that is loaded again (`jest.resetModules()`) forgets its bridge without another word.
    #[napi(catch_unwind)]
    pub fn keep(&self, env: Env, keep: bool) -> Result<()> {
        self.notifier.keep(&env, keep)
    }

    /// Counters of the I/O thread since start.
    #[napi(catch_unwind)]
    pub fn counters(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let counters = &self.completions.counters;
        Counters {
            connections_opened: get(&counters.connections_opened),
            stale_replaced: get(&counters.stale_replaced),
            bytes_in: get(&counters.bytes_in),
            bytes_out: get(&counters.bytes_out),
            doorbells: self.batches.get() as f64,
            direct: get(&counters.direct),
        }
    }

    /// Closes what is borrowed, and lets go of what was laid out: the I/O thread is lost.
    #[napi(catch_unwind)]
    pub fn abandon(&self, env: Env) {
        // Nobody reads any more.
        self.body_memory.let_go(&env);
        *self.borrower.borrow_mut() = Borrowing::Impossible;
        self.completions.offers.close();
    }

    /// Asks for connections to borrow while the load is light.
    fn choose_borrowing(&self, env: &Env) {
        let light = self.load.borrow().is_light();
        if light {
            self.join_event_loop(env);
        }
        let wanted = light && matches!(*self.borrower.borrow(), Borrowing::Possible(_));
        self.completions.offers.want(wanted);
    }

    /// Joins the event loop of JavaScript, once.
    fn join_event_loop(&self, env: &Env) {
        let mut borrower = self.borrower.borrow_mut();
        if matches!(*borrower, Borrowing::Unneeded) {
            let (completions, notifier) = (self.completions.clone(), self.notifier.clone());
            let context = self.context.clone();
            let started = self.link.mailbox().and_then(|mailbox| {
                Borrower::start(env, completions, mailbox, notifier, context)
                    .ok()
                    .flatten()
            });
            *borrower = started.map_or(Borrowing::Impossible, Borrowing::Possible);
        }
    }

    /// Tells connections that have waited until JavaScript had taken enough.
    fn resume_reading(&self) {
        if self.completions.take_resume() {
            self.send(Message::Drained(self.completions.clone()));
        }
    }

    fn send(&self, message: Message) {
        self.link.with_mailbox(|mailbox| mailbox.send(message));
    }
}

/// Counted since start.
#[napi(object)]
pub struct Counters {
    /// Connections that were established.
    pub connections_opened: f64,
    /// Dead connections replaced underneath a request.
    pub stale_replaced: f64,
    /// Bytes read from the kernel.
    pub bytes_in: f64,
    /// Bytes written to the kernel.
    pub bytes_out: f64,
    /// Batches handed over.
    pub doorbells: f64,
    /// Requests exchanged by the JavaScript thread itself.
    pub direct: f64,
}
