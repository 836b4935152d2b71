//! The membership of a bridge in the event loop of JavaScript: it serves the borrowed connections, and the wakes
//! of the I/O thread. The JavaScript thread runs the code here.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use napi::bindgen_prelude::*;

use super::borrowed_connections::BorrowedConnections;
use super::busy_wait::BusyWait;
use crate::javascript::async_context::AsyncContext;
use crate::javascript::event_loop::{EventLoop, Listener};
use crate::javascript::guard::guarded;
use crate::javascript::notifier::Notifier;
use crate::shared::completions::Completions;
use crate::shared::mailbox::Mailbox;

/// The parts of a borrower, which the event loop calls too.
struct Inner {
    context: Rc<AsyncContext>,
    /// The borrowed connections, until the environment ends.
    connections: RefCell<Option<BorrowedConnections>>,
    event_loop: RefCell<Option<EventLoop>>,
    busy_wait: BusyWait,
    /// The machine has another processor, which can work while this one waits.
    waits_busily: bool,
    notifier: Arc<Notifier>,
}

/// The borrowed connections of one bridge, in the event loop of its JavaScript thread.
pub struct Borrower(Rc<Inner>);

impl Borrower {
    /// Joins the event loop. Gives `None` in a process without libuv. Runs no JavaScript: the caller may be in
    /// the middle of a change.
    ///
    /// # Errors
    /// The error of the system, libuv or Node-API, for example when the environment is ending.
    pub fn start(
        env: &Env,
        completions: Arc<Completions>,
        mailbox: Arc<Mailbox>,
        notifier: Arc<Notifier>,
        context: Rc<AsyncContext>,
    ) -> Result<Option<Self>> {
        let connections = BorrowedConnections::new(completions, mailbox)
            .map_err(|error| Error::from_reason(error.to_string()))?;
        let descriptor = connections.descriptor();
        let borrower = Self(Rc::new(Inner {
            context,
            connections: RefCell::new(Some(connections)),
            event_loop: RefCell::new(None),
            busy_wait: BusyWait::default(),
            waits_busily: std::thread::available_parallelism().is_ok_and(|n| n.get() > 1),
            notifier,
        }));
        let event_loop = EventLoop::watch(env, descriptor, Box::new(borrower.0.clone()))?;
        let watches = event_loop.is_some();
        *borrower.0.event_loop.borrow_mut() = event_loop;
        if watches {
            // Not before the loop watches. If this fails, the threadsafe function still wakes.
            let _ = borrower.with(|connections| connections.hear_io_thread());
        }
        Ok(watches.then_some(borrower))
    }

    /// Calls `work` with the borrowed connections, unless the environment is ending.
    pub fn with<T>(&self, work: impl FnOnce(&mut BorrowedConnections) -> T) -> Option<T> {
        self.0.connections.borrow_mut().as_mut().map(work)
    }

    /// Begins a busy wait, if requests have gone out and one is worth it.
    pub fn expect_response(&self) {
        let Inner {
            connections,
            event_loop,
            busy_wait,
            waits_busily,
            ..
        } = &*self.0;
        let is_waiting = connections
            .borrow()
            .as_ref()
            .is_some_and(BorrowedConnections::is_waiting);
        if *waits_busily
            && is_waiting
            && busy_wait.begin(Instant::now())
            && let Some(event_loop) = &*event_loop.borrow()
        {
            event_loop.stay_awake();
        }
    }
}

impl Drop for Borrower {
    fn drop(&mut self) {
        // The event loop has a share of the parts, which goes with its handles. A finalizer of the bridge runs this.
        guarded(|| self.0.end());
    }
}

impl Inner {
    /// Closes the handles and the borrowed connections.
    fn end(&self) {
        // The handles first: they watch a descriptor of the connections.
        drop(self.event_loop.take());
        drop(self.connections.take());
    }
}

impl Listener for Rc<Inner> {
    fn on_readable(&self) {
        // The cell is free again before JavaScript runs, which comes back for the next request.
        let news = self
            .connections
            .borrow_mut()
            .as_mut()
            .map(BorrowedConnections::look);
        let news = news.unwrap_or_default();
        if news.answered {
            self.busy_wait.succeed();
        }
        if news.any() {
            // SAFETY: libuv calls this from the event loop, outside of any other call.
            unsafe { self.notifier.call(&self.context) };
        }
    }

    fn on_idle(&self) -> bool {
        !self.busy_wait.is_over(Instant::now())
    }

    fn on_end(&self) {
        self.end();
    }
}
