//! When JavaScript borrows connections, and how its event loop serves them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use napi::bindgen_prelude::*;

use super::async_context::AsyncContext;
use super::direct::{Batch, Direct};
use super::event_loop::{EventLoop, Listener};
use super::notifier::Notifier;
use crate::shared::completions::Completions;
use crate::shared::mailbox::Mailbox;

/// Whether the load is light, by what batches there were.
#[derive(Default)]
pub struct Load(i32);

impl Load {
    /// So many more batches of few requests than of many, and it is.
    const LIGHT: i32 = 4;
    /// What was long ago does not count.
    const LIGHTEST: i32 = 16;
    const HEAVIEST: i32 = -48;
    /// What a batch of many weighs against it.
    const MANY: i32 = 16;

    /// Takes another batch into account.
    pub fn weigh(&mut self, batch: &Batch) {
        match batch {
            Batch::Few(_) => self.0 = (self.0 + 1).min(Self::LIGHTEST),
            Batch::Many => self.0 = (self.0 - Self::MANY).max(Self::HEAVIEST),
            Batch::Other => {}
        }
    }

    /// Whether few requests are in progress at a time.
    pub fn is_light(&self) -> bool {
        self.0 >= Self::LIGHT
    }
}

/// How long the event loop may look for a response before it sleeps.
///
/// Going to sleep and being woken costs as much of the processor as looking for tens of microseconds,
/// and delays the response by as much again. A peer that is farther away than that is found out, and
/// hardly ever waited for awake again.
#[derive(Default)]
struct Patience {
    until: Cell<Option<Instant>>,
    /// Requests for which it sleeps at once, before it tries again; and what is left of them.
    pause: Cell<u32>,
    left: Cell<u32>,
}

impl Patience {
    /// About what a wake-up costs.
    const LIMIT: Duration = Duration::from_micros(100);
    /// With a peer that takes longer, looking costs at most `LIMIT` for so many requests.
    const LONGEST_PAUSE: u32 = 512;

    /// A request is out. Gives whether to stay awake for its response.
    fn begin(&self, now: Instant) -> bool {
        if let Some(left) = self.left.get().checked_sub(1) {
            self.left.set(left);
            return false;
        }
        self.until.set(Some(now + Self::LIMIT));
        true
    }

    /// A response was there. Gives whether it was worth to stay awake.
    fn succeed(&self) {
        if self.until.take().is_some() {
            self.pause.set(0);
        }
    }

    /// Nothing was there. Gives whether that is enough.
    fn is_over(&self, now: Instant) -> bool {
        match self.until.get() {
            Some(until) if now < until => false,
            Some(_) => {
                self.until.set(None);
                let pause = (self.pause.get() * 2 + 1).min(Self::LONGEST_PAUSE);
                self.pause.set(pause);
                self.left.set(pause);
                true
            }
            None => true,
        }
    }
}

struct Inner {
    context: Rc<AsyncContext>,
    direct: RefCell<Option<Direct>>,
    event_loop: RefCell<Option<EventLoop>>,
    patience: Patience,
    /// Another processor can work while this one looks.
    may_wait: bool,
    notifier: Arc<Notifier>,
}

/// Borrowed connections in the event loop of their JavaScript thread.
pub struct Driver(Rc<Inner>);

impl Driver {
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
        let direct = Direct::new(completions, mailbox)
            .map_err(|error| Error::from_reason(error.to_string()))?;
        let descriptor = direct.descriptor();
        let driver = Self(Rc::new(Inner {
            context,
            direct: RefCell::new(Some(direct)),
            event_loop: RefCell::new(None),
            patience: Patience::default(),
            may_wait: std::thread::available_parallelism().is_ok_and(|n| n.get() > 1),
            notifier,
        }));
        let event_loop = EventLoop::watch(env, descriptor, Box::new(driver.0.clone()))?;
        let watches = event_loop.is_some();
        *driver.0.event_loop.borrow_mut() = event_loop;
        if watches {
            // Not before it is watched. If it cannot be, the threadsafe function still does it.
            let _ = driver.with(|direct| direct.hear_io_thread());
        }
        Ok(watches.then_some(driver))
    }

    /// Does something with what is borrowed, unless the environment is ending.
    pub fn with<T>(&self, work: impl FnOnce(&mut Direct) -> T) -> Option<T> {
        self.0.direct.borrow_mut().as_mut().map(work)
    }

    /// Requests have gone out: looks for the first response before the loop sleeps.
    pub fn expect(&self) {
        let Inner {
            direct,
            event_loop,
            patience,
            may_wait,
            ..
        } = &*self.0;
        let is_waiting = direct.borrow().as_ref().is_some_and(Direct::is_waiting);
        if *may_wait
            && is_waiting
            && patience.begin(Instant::now())
            && let Some(event_loop) = &*event_loop.borrow()
        {
            event_loop.stay_awake();
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The event loop has a share of it, which goes with the handles.
        self.0.end();
    }
}

impl Inner {
    fn end(&self) {
        // The handles first: they watch a descriptor of the other.
        drop(self.event_loop.take());
        drop(self.direct.take());
    }
}

impl Listener for Rc<Inner> {
    fn on_readable(&self) {
        // Borrowed for no longer than this, because JavaScript comes back for the next request.
        let news = self.direct.borrow_mut().as_mut().map(Direct::look);
        let news = news.unwrap_or_default();
        if news.answered {
            self.patience.succeed();
        }
        if news.any() {
            // SAFETY: libuv has called.
            unsafe { self.notifier.call(&self.context) };
        }
    }

    fn on_idle(&self) -> bool {
        !self.patience.is_over(Instant::now())
    }

    fn on_end(&self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_light_after_some_batches_of_few_requests_and_heavy_after_one_of_many() {
        let mut load = Load::default();
        let few = Batch::Few(Vec::new());
        for _ in 0..Load::LIGHT {
            assert!(!load.is_light());
            load.weigh(&few);
        }
        assert!(load.is_light());
        load.weigh(&Batch::Other);
        assert!(load.is_light());
        (0..100).for_each(|_| load.weigh(&few));
        load.weigh(&Batch::Many);
        assert!(!load.is_light());
        (0..100).for_each(|_| load.weigh(&Batch::Many));
        let again = (0..1000).find(|_| {
            load.weigh(&few);
            load.is_light()
        });
        assert_eq!(again, Some(51));
    }

    #[test]
    fn a_peer_that_answers_at_once_is_waited_for_each_time() {
        let patience = Patience::default();
        let now = Instant::now();
        for _ in 0..100 {
            assert!(patience.begin(now));
            assert!(!patience.is_over(now + Patience::LIMIT / 2));
            patience.succeed();
            assert!(patience.is_over(now), "nothing is awaited any more");
        }
    }

    #[test]
    fn a_peer_that_takes_longer_is_tried_more_and_more_rarely() {
        let patience = Patience::default();
        let now = Instant::now();
        let mut tries = 0;
        for _ in 0..100_000 {
            if patience.begin(now) {
                tries += 1;
                assert!(patience.is_over(now + Patience::LIMIT));
            }
        }
        assert!((190..220).contains(&tries), "{tries}");
        // It has come nearer.
        while !patience.begin(now) {}
        patience.succeed();
        assert!(patience.begin(now));
    }
}
