//! Where connections put their events: a page of the I/O thread's own, published in bulk.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::shared::completions::{Completions, HIGH_WATER_MARK};

/// A page is published as soon as it holds this much, so that JavaScript works while more is read.
const PUBLISH_AT: usize = 32 * 1024;
/// A thread that is never idle publishes after so many pieces of work: a runtime with tasks to run
/// does not park.
const PUBLISH_AFTER: u32 = 12;

thread_local! {
    /// Outlets with something to publish. A plain list: one for each loaded module, mostly one.
    static DIRTY: RefCell<Vec<Rc<Outlet>>> = const { RefCell::new(Vec::new()) };
    /// Pieces of work done since everything was published.
    static UNPUBLISHED_WORK: Cell<u32> = const { Cell::new(0) };
}

/// The I/O thread's end of one completion queue.
pub struct Outlet {
    completions: Arc<Completions>,
    page: RefCell<Vec<u8>>,
    dirty: Cell<bool>,
    /// JavaScript has to take what is offered to it.
    offers: Cell<bool>,
    /// Connections that read on once JavaScript has taken most of the queue.
    waiting: RefCell<Vec<Waker>>,
    /// Counts how often they were let on, from 1.
    round: Cell<u64>,
}

impl Outlet {
    /// The end of `completions` on this thread.
    pub fn new(completions: Arc<Completions>) -> Rc<Self> {
        Rc::new(Self {
            completions,
            page: RefCell::default(),
            dirty: Cell::new(false),
            offers: Cell::new(false),
            waiting: RefCell::default(),
            round: Cell::new(1),
        })
    }

    /// Lets `fill` append whole records to the page.
    pub fn append<T>(self: &Rc<Self>, fill: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.append_up_to(PUBLISH_AT, fill)
    }

    /// As [`Self::append`], for what comes so fast that a wake for each piece would cost more than
    /// it brings: the page is published when it holds `publish_at`.
    pub fn append_up_to<T>(
        self: &Rc<Self>,
        publish_at: usize,
        fill: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> T {
        let mut page = self.page.borrow_mut();
        let mut records = Undo {
            to: Some(page.len()),
            page: &mut page,
        };
        let result = fill(records.page);
        records.to = None;
        drop(records);
        if page.len() >= publish_at {
            self.completions.publish(&mut page);
        } else if !page.is_empty() {
            self.note_dirty();
        }
        result
    }

    /// Publishes the page at once.
    pub fn publish(&self) {
        self.completions.publish(&mut self.page.borrow_mut());
    }

    /// Notes that a connection is offered: JavaScript comes for it when the page is published, which it
    /// is then also if it is empty.
    pub fn note_offer(self: &Rc<Self>) {
        self.offers.set(true);
        self.note_dirty();
    }

    fn note_dirty(self: &Rc<Self>) {
        if !self.dirty.replace(true) {
            DIRTY.with_borrow_mut(|dirty| dirty.push(self.clone()));
        }
    }

    /// Makes a connection wait while JavaScript has enough to do. `round` is the connection's own, so
    /// that it waits only once however often it is polled. Gives `false` when it need not wait.
    pub fn throttle(&self, waker: &Waker, round: &mut u64) -> bool {
        if self.page.borrow().len() + self.completions.queued() < HIGH_WATER_MARK {
            return false;
        }
        self.publish();
        if !self.completions.throttle() {
            return false;
        }
        if std::mem::replace(round, self.round.get()) != self.round.get() {
            self.waiting.borrow_mut().push(waker.clone());
        }
        true
    }

    /// Lets the waiting connections read on, those first that have waited longest.
    pub fn drained(&self) {
        self.round.set(self.round.get() + 1);
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// The queue behind it.
    pub fn completions(&self) -> &Arc<Completions> {
        &self.completions
    }
}

/// Takes back what was appended to a page: a panic must not leave half a record there.
struct Undo<'a> {
    page: &'a mut Vec<u8>,
    to: Option<usize>,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Some(length) = self.to {
            self.page.truncate(length);
        }
    }
}

thread_local! {
    static LAST_POLL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Notes that the runtime has just asked the kernel for what is new on all sockets.
pub fn note_poll() {
    LAST_POLL.set(Some(Instant::now()));
}

/// How long ago that was.
pub fn time_since_poll() -> Duration {
    LAST_POLL.get().map_or(Duration::MAX, |last| last.elapsed())
}

/// Notes that a task was polled or a message carried out; publishes when it is time.
pub fn note_work() {
    let done = UNPUBLISHED_WORK.get() + 1;
    UNPUBLISHED_WORK.set(done);
    if done >= PUBLISH_AFTER {
        flush_all();
    }
}

/// Publishes every page. Called when the thread has nothing left to do and is about to sleep.
pub fn flush_all() {
    UNPUBLISHED_WORK.set(0);
    DIRTY.with_borrow_mut(|dirty| {
        for outlet in dirty.drain(..) {
            outlet.dirty.set(false);
            outlet.publish();
            if outlet.offers.take() {
                outlet.completions.wake_reader();
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// An outlet, and how often its reader was woken.
    fn outlet() -> (Rc<Outlet>, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let completions = Completions::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        (Outlet::new(Arc::new(completions)), wakes)
    }

    #[test]
    fn a_large_page_is_published_at_once_and_a_small_one_when_the_thread_sleeps() {
        let (outlet, wakes) = outlet();
        outlet.append(|page| page.extend_from_slice(&[0; 12]));
        assert_eq!(wakes.load(Ordering::SeqCst), 0);
        flush_all();
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        assert_eq!(outlet.completions().queued(), 12);
        outlet.append(|page| page.resize(PUBLISH_AT, 0));
        assert_eq!(outlet.completions().queued(), 12 + PUBLISH_AT);
        flush_all();
        assert_eq!(outlet.completions().queued(), 12 + PUBLISH_AT);
    }

    #[test]
    fn a_thread_that_never_sleeps_publishes_too() {
        let (outlet, wakes) = outlet();
        outlet.append(|page| page.extend_from_slice(&[0; 12]));
        for _ in 1..PUBLISH_AFTER {
            note_work();
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 0);
        note_work();
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        assert_eq!(UNPUBLISHED_WORK.get(), 0);
    }

    #[test]
    fn several_outlets_are_published_together() {
        let outlets = [outlet(), outlet()];
        for (outlet, _) in &outlets {
            outlet.append(|page| page.extend_from_slice(&[0; 12]));
            outlet.append(|page| page.extend_from_slice(&[0; 12]));
        }
        flush_all();
        for (outlet, wakes) in &outlets {
            assert_eq!(wakes.load(Ordering::SeqCst), 1);
            assert_eq!(outlet.completions().queued(), 24);
        }
    }

    #[test]
    fn a_connection_that_is_polled_often_waits_once() {
        let (outlet, _) = outlet();
        let mut round = 0;
        assert!(!outlet.throttle(Waker::noop(), &mut round));
        outlet.append(|page| page.resize(HIGH_WATER_MARK - 1, 0));
        assert!(!outlet.throttle(Waker::noop(), &mut round));
        outlet.append(|page| page.push(0));
        for _ in 0..5 {
            assert!(
                outlet.throttle(Waker::noop(), &mut round),
                "unpublished bytes count too"
            );
        }
        assert_eq!(outlet.waiting.borrow().len(), 1);
        outlet.drained();
        assert!(outlet.waiting.borrow().is_empty());
        assert!(outlet.throttle(Waker::noop(), &mut round));
        assert_eq!(outlet.waiting.borrow().len(), 1, "it waits again");
    }
}
