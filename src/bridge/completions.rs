//! From the I/O thread to JavaScript: pages of event records, and at most one pending wake.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Pages kept for reuse, so that a steady stream allocates nothing.
const SPARE_PAGES: usize = 8;
/// A spare page larger than this is freed instead of kept.
const SPARE_PAGE_LIMIT: usize = 256 * 1024;

#[derive(Default)]
struct Shared {
    pages: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// A wake has been asked for and the queue has not been seen empty since.
    pending: bool,
    throttled: bool,
    closed: bool,
}

/// What a call of [`Completions::drain`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Drained {
    /// So many bytes were copied; there may be more.
    Copied(usize),
    /// The next page needs this many bytes of room.
    NeedsRoom(usize),
    /// Nothing is left, and the next page will cause a wake.
    Empty,
}

/// The completion queue of one JavaScript-side bridge.
pub struct Completions {
    shared: Mutex<Shared>,
    wake: Box<dyn Fn() + Send + Sync>,
    epoch: AtomicU64,
    /// Counters of the I/O thread for `stats()`.
    pub counters: Counters,
}

/// Counted on the I/O thread, read by `stats()`.
#[derive(Default)]
pub struct Counters {
    /// Connections that were established.
    pub connections_opened: AtomicU64,
    /// Connections found dead before a request and replaced underneath the same socket.
    pub stale_replaced: AtomicU64,
    /// Bytes read from the kernel.
    pub bytes_in: AtomicU64,
    /// Bytes written to the kernel.
    pub bytes_out: AtomicU64,
}

impl Counters {
    /// Adds to one of the counters.
    pub fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Ordering::Relaxed);
    }
}

impl Completions {
    /// A queue that calls `wake` when it has something for a reader that is not reading.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            shared: Mutex::default(),
            wake: Box::new(wake),
            epoch: AtomicU64::new(0),
            counters: Counters::default(),
        }
    }

    /// Appends a page of whole records and leaves an empty one in its place.
    pub fn publish(&self, page: &mut Vec<u8>) {
        if page.is_empty() {
            return;
        }
        let mut shared = self.lock();
        if shared.closed {
            page.clear();
            return;
        }
        let empty = shared.spare.pop().unwrap_or_default();
        shared.pages.push_back(std::mem::replace(page, empty));
        let wake = !std::mem::replace(&mut shared.pending, true);
        // Outside of the lock: the woken thread will want it at once.
        drop(shared);
        if wake {
            (self.wake)();
        }
    }

    /// Copies the next pages into `into`, as many as fit whole.
    pub fn drain(&self, into: &mut [u8]) -> Drained {
        let mut copied = 0;
        loop {
            let page = {
                let mut shared = self.lock();
                match shared.pages.front().map(Vec::len) {
                    None if copied > 0 => return Drained::Copied(copied),
                    None => {
                        shared.pending = false;
                        return Drained::Empty;
                    }
                    Some(length) if length > into.len() - copied => {
                        return if copied > 0 {
                            Drained::Copied(copied)
                        } else {
                            Drained::NeedsRoom(length)
                        };
                    }
                    Some(_) => shared.pages.pop_front().unwrap_or_default(),
                }
            };
            if let Some(room) = into.get_mut(copied..copied + page.len()) {
                room.copy_from_slice(&page);
            }
            copied += page.len();
            self.recycle(page);
        }
    }

    /// Notes that JavaScript has taken what there was. Gives `true` when the I/O thread has stopped
    /// reading because of this queue and must be told.
    pub fn note_drained(&self) -> bool {
        self.epoch.fetch_add(1, Ordering::Relaxed);
        std::mem::take(&mut self.lock().throttled)
    }

    /// Asks for a wake although one may be pending: the reader left before the queue was empty.
    pub fn wake_again(&self) {
        (self.wake)();
    }

    /// Counts how often JavaScript has emptied the queue: what a connection put in before the
    /// current value has been taken.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Notes that a connection waits for the reader. Gives `false` when it need not: everything
    /// was taken in the meantime.
    pub fn throttle(&self) -> bool {
        let mut shared = self.lock();
        shared.throttled = !shared.pages.is_empty();
        shared.throttled
    }

    /// Throws away what is queued and whatever comes: the environment is ending.
    pub fn close(&self) {
        let mut shared = self.lock();
        shared.closed = true;
        shared.pages.clear();
        shared.spare.clear();
    }

    fn recycle(&self, mut page: Vec<u8>) {
        page.clear();
        if page.capacity() <= SPARE_PAGE_LIMIT {
            let mut shared = self.lock();
            if shared.spare.len() < SPARE_PAGES {
                shared.spare.push(page);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // The critical sections cannot panic half-way, so a poisoned lock guards sound data.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn queue() -> (Completions, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let wake = move || {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        (Completions::new(wake), wakes)
    }

    #[test]
    fn many_pages_cause_one_wake_until_the_queue_was_seen_empty() {
        let (queue, wakes) = queue();
        for _ in 0..10 {
            queue.publish(&mut vec![1; 12]);
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        let mut room = [0; 1024];
        assert_eq!(queue.drain(&mut room), Drained::Copied(120));
        queue.publish(&mut vec![1; 12]);
        assert_eq!(
            wakes.load(Ordering::SeqCst),
            1,
            "the reader is still reading"
        );
        assert_eq!(queue.drain(&mut room), Drained::Copied(12));
        assert_eq!(queue.drain(&mut room), Drained::Empty);
        queue.publish(&mut vec![1; 12]);
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn an_empty_page_is_not_published() {
        let (queue, wakes) = queue();
        queue.publish(&mut Vec::new());
        assert_eq!(wakes.load(Ordering::SeqCst), 0);
        assert_eq!(queue.drain(&mut []), Drained::Empty);
    }

    #[test]
    fn a_page_is_never_split() {
        let (queue, _) = queue();
        queue.publish(&mut vec![1; 60]);
        queue.publish(&mut vec![2; 60]);
        let mut room = [0; 100];
        assert_eq!(queue.drain(&mut room), Drained::Copied(60));
        assert_eq!(queue.drain(&mut room[..10]), Drained::NeedsRoom(60));
        assert_eq!(queue.drain(&mut room), Drained::Copied(60));
    }

    #[test]
    fn a_closed_queue_swallows_pages_and_wakes_nobody() {
        let (queue, wakes) = queue();
        queue.close();
        let mut page = vec![1; 12];
        queue.publish(&mut page);
        assert!(page.is_empty());
        assert_eq!(wakes.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_throttled_connection_is_reported_once() {
        let (queue, _) = queue();
        assert!(
            !queue.throttle(),
            "nothing is queued, so there is nothing to wait for"
        );
        queue.publish(&mut vec![1; 12]);
        assert!(queue.throttle());
        assert!(queue.note_drained());
        assert!(!queue.note_drained());
    }
}
