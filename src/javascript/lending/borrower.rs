//! When JavaScript borrows connections, and how its event loop serves them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use napi::bindgen_prelude::*;

use super::borrowed_connections::BorrowedConnections;
use super::busy_wait::BusyWait;
use crate::javascript::async_context::AsyncContext;
use crate::javascript::event_loop::{EventLoop, Listener};
use crate::javascript::notifier::Notifier;
use crate::shared::completions::Completions;
use crate::shared::mailbox::Mailbox;

struct Inner {
    context: Rc<AsyncContext>,
    connections: RefCell<Option<BorrowedConnections>>,
    event_loop: RefCell<Option<EventLoop>>,
    busy_wait: BusyWait,
    /// Another processor can work while this one looks.
    may_wait: bool,
    notifier: Arc<Notifier>,
}

/// Borrowed connections in the event loop of their JavaScript thread.
pub struct Borrower(Rc<Inner>);

impl Borrower {
    /// Joins the event loop. Gives `None` where that is not possible. Runs no JavaScript: whoever asks may
    /// be in the middle of something.
    ///
    /// # Errors
    /// Whatever the system, libuv or Node-API answers, for example when the environment is ending.
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
            may_wait: std::thread::available_parallelism().is_ok_and(|n| n.get() > 1),
            notifier,
        }));
        let event_loop = EventLoop::watch(env, descriptor, Box::new(borrower.0.clone()))?;
        let watches = event_loop.is_some();
        *borrower.0.event_loop.borrow_mut() = event_loop;
        if watches {
            // Not before it is watched. If it cannot be, the threadsafe function still does it.
            let _ = borrower.with(|connections| connections.hear_io_thread());
        }
        Ok(watches.then_some(borrower))
    }

    /// Does something with what is borrowed, unless the environment is ending.
    pub fn with<T>(&self, work: impl FnOnce(&mut BorrowedConnections) -> T) -> Option<T> {
        self.0.connections.borrow_mut().as_mut().map(work)
    }

    /// Requests have gone out: looks for the first response before the loop sleeps.
    pub fn expect(&self) {
        let Inner {
            connections,
            event_loop,
            busy_wait,
            may_wait,
            ..
        } = &*self.0;
        let is_waiting = connections
            .borrow()
            .as_ref()
            .is_some_and(BorrowedConnections::is_waiting);
        if *may_wait
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
        // The event loop has a share of it, which goes with the handles.
        self.0.end();
    }
}

impl Inner {
    fn end(&self) {
        // The handles first: they watch a descriptor of the other.
        drop(self.event_loop.take());
        drop(self.connections.take());
    }
}

impl Listener for Rc<Inner> {
    fn on_readable(&self) {
        // Borrowed for no longer than this, because JavaScript comes back for the next request.
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
            // SAFETY: libuv has called.
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
