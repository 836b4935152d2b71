//! The outlet of events. Connections append them to a page of the I/O thread, which is published in bulk.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use crate::shared::completions::{Completions, HIGH_WATER_MARK};
use crate::shared::page;

/// Bytes from which a page is published at once, so that JavaScript works while more is read.
const PUBLISH_AT: usize = 32 * 1024;
/// Pieces of work after which every page is published, for a thread that is never idle: a runtime with
/// tasks to run does not park.
const PUBLISH_AFTER: u32 = 12;

thread_local! {
    /// Outlets with something to publish. Each loaded module has one, so there is mostly one.
    static DIRTY: RefCell<Vec<Rc<Outlet>>> = const { RefCell::new(Vec::new()) };
    /// Pieces of work done since everything was published.
    static UNPUBLISHED_WORK: Cell<u32> = const { Cell::new(0) };
}

/// The I/O thread's end of one completion queue.
pub struct Outlet {
    completions: Arc<Completions>,
    page: RefCell<Vec<u8>>,
    dirty: Cell<bool>,
    /// A connection is offered that JavaScript has to come for.
    offers: Cell<bool>,
    /// Tasks of connections that read on once JavaScript has taken most of the queue.
    waiting: RefCell<Vec<Waker>>,
    /// Number of times, from 1, that waiting connections were let on.
    round: Cell<u64>,
}

impl Outlet {
    /// Makes the end of `completions` on this thread.
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

    /// Does the same as [`Self::append`], but publishes the page only when it holds `publish_at` bytes. It is
    /// meant for bytes that come so fast that a wake for each piece would cost more than it brings.
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
        let result = page::append(records.page, fill);
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

    /// Notes that a connection is offered. JavaScript is woken for it with the next page, even an empty one.
    pub fn note_offer(self: &Rc<Self>) {
        self.offers.set(true);
        self.note_dirty();
    }

    fn note_dirty(self: &Rc<Self>) {
        if !self.dirty.replace(true) {
            DIRTY.with_borrow_mut(|dirty| dirty.push(self.clone()));
        }
    }

    /// Makes a connection wait while JavaScript has enough to do. Returns false when it need not wait.
    /// `round` is the connection's own, so that it waits once, however often it is polled.
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

    /// Lets the waiting connections read on, in the order in which they began to wait.
    pub fn drained(&self) {
        self.round.set(self.round.get() + 1);
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// Gives the queue behind the outlet.
    pub fn completions(&self) -> &Arc<Completions> {
        &self.completions
    }
}

/// Guard that takes back what was appended to a page: a panic must not leave half a record there.
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

/// Notes that a task was polled or a message carried out, and publishes when it is time.
pub fn note_work() {
    let done = UNPUBLISHED_WORK.get() + 1;
    UNPUBLISHED_WORK.set(done);
    if done >= PUBLISH_AFTER {
        flush_all();
    }
}

/// Publishes every page. The thread does so when it is about to sleep.
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
    use crate::records::HEADER_SIZE;

    /// Bytes of the record with which a page begins.
    const TIME_SIZE: usize = HEADER_SIZE + 8;

    /// Makes an outlet, with the number of times that its reader was woken.
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
        assert_eq!(outlet.completions().queued(), TIME_SIZE + 12);
        outlet.append(|page| page.resize(PUBLISH_AT, 0));
        assert_eq!(outlet.completions().queued(), TIME_SIZE + 12 + PUBLISH_AT);
        flush_all();
        assert_eq!(outlet.completions().queued(), TIME_SIZE + 12 + PUBLISH_AT);
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
            assert_eq!(outlet.completions().queued(), TIME_SIZE + 24);
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
