//! The class `Bridge`, which `lib/bridge/bridge.js` calls. The JavaScript thread runs it: it converts arguments
//! and hands them on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::async_context::{self, AsyncContext};
use super::batch_memory;
use super::body_memory::BodyMemory;
use super::freed_memory;
use super::lending::batch_kind::BatchKind;
use super::lending::borrowed_connections::BorrowedConnections;
use super::lending::borrower::Borrower;
use super::lending::load::Load;
use super::lending::share::{Share, Spent, worked};
use super::link::Link;
use super::notifier::Notifier;
use super::tls::JsTlsConnection;
use crate::io::IoThread;
use crate::records;
use crate::shared::completions::{Completions, Drained};
use crate::shared::libuv;
use crate::shared::mailbox::{Mailbox, Message};
use crate::shared::write_buffers::{BUFFER_SIZE, WriteBuffers};

/// Pause of [`Bridge::settle`] between two questions to the I/O thread.
const SETTLE_PAUSE: Duration = Duration::from_millis(1);

/// Time for which an answer is awaited; the I/O thread answers at once, unless it is lost.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// One end of a connection.
#[napi(object)]
pub struct LocalAddress {
    /// The numeric address, in the form in which Node prints it.
    pub address: String,
    /// The port, 0 to 65535.
    pub port: u32,
}

/// The end of the two queues that one loaded module has. Belongs to the JavaScript thread.
#[napi]
pub struct Bridge {
    link: Link,
    completions: Arc<Completions>,
    notifier: Arc<Notifier>,
    context: Rc<AsyncContext>,
    body_memory: BodyMemory,
    write_buffers: WriteBuffers,
    load: RefCell<Load>,
    share: RefCell<Share>,
    membership: RefCell<Membership>,
    doorbells: Cell<u64>,
    /// Messages that the I/O thread gets together with those of the next ring or doorbell.
    left: RefCell<Vec<Message>>,
    /// The notifier holds the event loop.
    held: Rc<Cell<bool>>,
}

/// Membership of a bridge in the event loop, without which it borrows no connection.
#[derive(Default)]
enum Membership {
    /// The bridge has had no reason to join.
    #[default]
    Unneeded,
    /// The bridge cannot join, or the I/O thread is lost.
    Impossible,
    /// The bridge has joined.
    Joined(Borrower),
}

#[napi]
impl Bridge {
    /// Starts the I/O thread, if this JavaScript thread has none, and a queue on it. `on_events` is called
    /// with the number of the turn of the event loop, or 0, when the queue may hold events. While it answers `true`, it is called again as soon as due
    /// ticks and promise jobs have run.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, on_events: Function<u32, bool>) -> Result<Self> {
        // Now, and not when it is needed: this calls listeners of `async_hooks`, which may send requests.
        let held = Rc::new(Cell::new(false));
        let resource = async_context::resource(&env, held.clone())?;
        let context = Rc::new(AsyncContext::new(&env, &resource)?);
        let notifier = Notifier::new(&env, &on_events, &resource)?;
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
            share: RefCell::default(),
            membership: RefCell::default(),
            doorbells: Cell::new(0),
            left: RefCell::default(),
            held,
        })
    }

    /// Rings the doorbell: hands the first `length` bytes of the staging buffer to the I/O thread, behind what was left
    /// for it, or sends the requests in them on borrowed connections.
    #[napi(catch_unwind)]
    pub fn doorbell(&self, env: Env, staging: &[u8], length: u32) {
        let bytes = staging.get(..length as usize).unwrap_or(staging);
        let kind = self.note_doorbell(&env, bytes);
        if let Membership::Joined(borrower) = &*self.membership.borrow() {
            let mut left = self.left.borrow_mut();
            let most = self.most_borrowed();
            borrower.with(|borrowed| borrowed.hand_over(bytes, kind, most, &mut left));
            if self.load.borrow().is_light() {
                borrower.expect_response();
            }
            return;
        }
        self.leave_batch(bytes);
        self.send_left();
    }

    /// Leaves bytes for a connection, around the staging buffer and behind the first `length` bytes of it. The next `ring`
    /// or `doorbell` hands them over.
    ///
    /// The I/O thread gets all at once, however often it wakes in the meantime. It would send a header block before its
    /// body, and a peer that answers that and closes would make the write of the body fail.
    #[napi(catch_unwind)]
    pub fn write(
        &self,
        env: Env,
        connection: u32,
        bytes: &[u8],
        acknowledge: bool,
        staging: &[u8],
        length: u32,
    ) {
        // For the wakes, as in `lay_body`.
        self.join_event_loop(&env);
        if length > 0 {
            let staged = staging.get(..length as usize).unwrap_or(staging);
            self.note_doorbell(&env, staged);
            self.leave_batch(staged);
        }
        let mut pieces = bytes.chunks(BUFFER_SIZE).peekable();
        while let Some(piece) = pieces.next() {
            let write = Message::Write {
                completions: self.completions.clone(),
                connection,
                bytes: self.write_buffers.copy(piece),
                acknowledge: acknowledge && pieces.peek().is_none(),
            };
            self.leave([connection], write);
        }
    }

    /// Gives a connection TLS, before it connects.
    #[napi(catch_unwind)]
    pub fn secure(&self, connection: u32, tls: &JsTlsConnection) {
        let message = Message::Secure(self.completions.clone(), connection, tls.shared());
        self.link.with_mailbox(|mailbox| mailbox.leave([message]));
    }

    /// Hands over what was left for the I/O thread, and wakes it for that.
    #[napi(catch_unwind)]
    pub fn ring(&self) {
        self.send_left();
        self.link.with_mailbox(Mailbox::ring);
    }

    /// Asks the I/O thread for the local end of a connection that it is making. Gives `None` if there is none.
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

    /// Waits until the kernel has all bytes that were handed over, for so many milliseconds at most. The process
    /// is about to end without another turn of the event loop.
    #[napi(catch_unwind)]
    pub fn settle(&self, milliseconds: u32) {
        let deadline = Instant::now() + Duration::from_millis(milliseconds.into());
        loop {
            let (answer, outcome) = sync_channel(1);
            self.send(Message::Settle(self.completions.clone(), answer));
            let left = deadline.saturating_duration_since(Instant::now());
            // Without an answer the I/O thread is lost, or the time is up.
            if outcome.recv_timeout(left).unwrap_or(true) {
                return;
            }
            std::thread::sleep(SETTLE_PAUSE.min(left));
        }
    }

    /// Gives the milliseconds of the clock that `TIME` events have.
    #[napi(catch_unwind)]
    pub fn now(&self) -> f64 {
        libuv::now()
    }

    /// Copies event records to `slab`. Gives the number of bytes copied, 0 when the queue is empty, or the
    /// negative size of the next page when that does not fit.
    #[napi(catch_unwind)]
    pub fn drain(&self, mut slab: BufferSlice) -> i64 {
        let outcome = self.completions.drain(&mut slab);
        // After the drain: for an offer from now on, the I/O thread finds the queue seen empty, and wakes.
        if let Membership::Joined(borrower) = &*self.membership.borrow() {
            borrower.with(BorrowedConnections::borrow_offered);
        }
        match outcome {
            Drained::Copied { bytes, resume } => {
                freed_memory::note_events(bytes);
                if resume {
                    self.send(Message::Drained(self.completions.clone()));
                }
                bytes as i64
            }
            Drained::TooLarge(bytes) => -(bytes as i64),
            Drained::Empty => 0,
        }
    }

    /// Lays a buffer out for a piece of a large body, in a place that is empty or that a `BODY` event has told
    /// of. The caller may use the old buffer from now on, and the new one when a `BODY` event tells of it.
    ///
    /// # Errors
    /// The buffer has not the size of a piece, or the place is in use.
    #[napi(catch_unwind)]
    pub fn lay_body(&self, env: Env, index: u32, buffer: Unknown) -> Result<()> {
        // For the wakes, of which there will be many.
        self.join_event_loop(&env);
        self.body_memory
            .lay(&env, &self.completions.body_buffers, index, &buffer)?;
        self.resume_reading();
        Ok(())
    }

    /// Lays the buffer that a `BODY` event has told of out again.
    #[napi(catch_unwind)]
    pub fn reuse_body(&self, index: u32) {
        self.completions.body_buffers.reuse(index as usize);
        self.resume_reading();
    }

    /// Takes all buffers for bodies back, if none is in use. Gives `true` if it has.
    #[napi(catch_unwind)]
    pub fn take_back_bodies(&self, env: Env) -> bool {
        let free = self.completions.body_buffers.take_back();
        if free {
            self.body_memory.let_go(&env);
        }
        free
    }

    /// Takes the descriptor that a `RELEASED` event has told of. Gives -1 if there is none.
    #[napi(catch_unwind)]
    pub fn take_descriptor(&self, connection: u32) -> i32 {
        self.completions.give_descriptor(connection).unwrap_or(-1)
    }

    /// Asks for another call of the listener in a later turn of the event loop, after a drain that stopped early.
    /// The caller is not that listener.
    #[napi(catch_unwind)]
    pub fn wake(&self) {
        self.completions.wake_again();
    }

    /// Holds the event loop, or lets it end.
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

    /// Keeps the listener, and all that it refers to, from being collected, or no longer: a program may forget a
    /// copy of the module without closing it (`jest.resetModules()`).
    #[napi(catch_unwind)]
    pub fn keep(&self, env: Env, keep: bool) -> Result<()> {
        self.notifier.keep(&env, keep)
    }

    /// Gives the counters, for `stats()`.
    #[napi(catch_unwind)]
    pub fn counters(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let counters = &self.completions.counters;
        Counters {
            connections_opened: get(&counters.connections_opened),
            stale_replaced: get(&counters.stale_replaced),
            bytes_in: get(&counters.bytes_in),
            bytes_out: get(&counters.bytes_out),
            doorbells: self.doorbells.get() as f64,
            direct: get(&counters.direct),
        }
    }

    /// Closes the borrowed connections, and forgets the buffers that were laid out: the I/O thread is lost.
    #[napi(catch_unwind)]
    pub fn abandon(&self, env: Env) {
        // The lost thread reads no more.
        self.body_memory.let_go(&env);
        *self.membership.borrow_mut() = Membership::Impossible;
        self.left.take();
        self.completions.offers.close();
        self.completions.drop_sockets();
    }

    /// Asks the I/O thread to lend as many connections as the JavaScript thread borrows at most.
    fn choose_lending(&self, env: &Env) {
        let wanted = self.most_borrowed();
        if wanted > 0 {
            self.join_event_loop(env);
        }
        let is_member = matches!(*self.membership.borrow(), Membership::Joined(_));
        self.completions
            .offers
            .want(if is_member { wanted } else { 0 });
    }

    /// Gives the number of connections that the JavaScript thread borrows at most.
    fn most_borrowed(&self) -> usize {
        match self.load.borrow().is_light() {
            true => usize::MAX,
            false => self.share.borrow().connections(),
        }
    }

    /// Adapts the share of connections that the JavaScript thread borrows under a heavy load.
    fn adapt_share(&self) {
        let mut share = self.share.borrow_mut();
        let now = Instant::now();
        let mut borrowed = 0;
        if let Membership::Joined(borrower) = &*self.membership.borrow() {
            borrower.with(|connections| {
                borrowed = connections.number();
                if connections.take_cut_short() {
                    share.pause(now);
                }
            });
        }
        self.link.with_mailbox(|mailbox| {
            share.adapt(now, borrowed, || Spent {
                worked: worked(),
                slept: mailbox.sleep.total(),
            });
        });
    }

    /// Joins the event loop, once.
    fn join_event_loop(&self, env: &Env) {
        let mut membership = self.membership.borrow_mut();
        if matches!(*membership, Membership::Unneeded) {
            let (completions, notifier) = (self.completions.clone(), self.notifier.clone());
            let context = self.context.clone();
            let started = self.link.mailbox().and_then(|mailbox| {
                Borrower::start(env, completions, mailbox, notifier, context)
                    .ok()
                    .flatten()
            });
            *membership = started.map_or(Membership::Impossible, Membership::Joined);
        }
    }

    /// Tells the I/O thread when connections have waited for JavaScript, and it has taken enough.
    fn resume_reading(&self) {
        if self.completions.take_resume() {
            self.send(Message::Drained(self.completions.clone()));
        }
    }

    /// Gives the queue.
    pub(super) fn completions(&self) -> &Completions {
        &self.completions
    }

    /// Accounts for a batch that is handed over, and determines its kind.
    fn note_doorbell(&self, env: &Env, batch: &[u8]) -> BatchKind {
        self.doorbells.set(self.doorbells.get() + 1);
        let kind = BatchKind::of(batch);
        self.load.borrow_mut().weigh(&kind);
        if matches!(kind, BatchKind::Many(_)) {
            self.adapt_share();
        }
        self.choose_lending(env);
        kind
    }

    /// Leaves a batch for the I/O thread.
    fn leave_batch(&self, batch: &[u8]) {
        let message = Message::Batch(self.completions.clone(), batch_memory::copy(batch));
        self.leave(
            records::iter(batch).map(|record| record.connection),
            message,
        );
    }

    /// Leaves a message about these connections for the I/O thread.
    fn leave(&self, connections: impl IntoIterator<Item = u32>, message: Message) {
        let mut left = self.left.borrow_mut();
        match &*self.membership.borrow() {
            Membership::Joined(borrower) => {
                borrower.with(|borrowed| borrowed.leave(connections, message, &mut left));
            }
            _ => {
                self.completions.offers.announce();
                left.push(message);
            }
        }
    }

    /// Hands over what was left for the I/O thread.
    fn send_left(&self) {
        let left = self.left.take();
        if !left.is_empty() {
            self.link.with_mailbox(|mailbox| mailbox.send_all(left));
        }
    }

    /// Hands a message over, behind what was left.
    fn send(&self, message: Message) {
        self.send_left();
        self.link.with_mailbox(|mailbox| mailbox.send(message));
    }
}

/// Counters since start.
#[napi(object)]
pub struct Counters {
    /// Connections that were established.
    pub connections_opened: f64,
    /// Dead connections that were replaced underneath a request.
    pub stale_replaced: f64,
    /// Bytes read from the kernel.
    pub bytes_in: f64,
    /// Bytes written to the kernel.
    pub bytes_out: f64,
    /// Doorbells rung.
    pub doorbells: f64,
    /// Requests that the JavaScript thread exchanged on a borrowed connection.
    pub direct: f64,
}
