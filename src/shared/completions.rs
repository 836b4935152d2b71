//! From the I/O thread to JavaScript: pages of event records, and at most one pending wake.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::body_buffers::BodyBuffers;
use super::offers::Offers;
use super::wake::Wake;

/// Pages kept for reuse, so that a steady stream allocates nothing, and writes to memory that is warm.
const SPARE_PAGES: usize = 8;
/// What they may take together; a page that would make it more is freed instead.
const SPARE_BYTES: usize = 1024 * 1024;
/// Small pages that the reader has not come to yet become one, up to this size: what is queued
/// costs about as much memory as it has bytes, however slowly they trickle in.
const MERGED_PAGE_LIMIT: usize = 32 * 1024;
/// While this many bytes are queued, no connection reads from the kernel.
pub const HIGH_WATER_MARK: usize = 512 * 1024;
/// They read on when no more than this is left, so that both threads always have something to do.
const LOW_WATER_MARK: usize = HIGH_WATER_MARK / 2;

#[derive(Default)]
struct Shared {
    pages: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// A wake has been asked for and the queue has not been seen empty since.
    pending: bool,
    /// Connections wait for the low-water mark.
    throttled: bool,
    /// Descriptors for JavaScript to take, by connection. They stay here because a record in a page
    /// that nobody reads any more cannot close what it names.
    descriptors: HashMap<u32, OwnedFd>,
    closed: bool,
}

/// What a call of [`Completions::drain`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Drained {
    /// Whole pages were copied; there may be more.
    Copied {
        /// How many bytes.
        bytes: usize,
        /// Connections wait for this and must be told.
        resume: bool,
    },
    /// The next page is larger than the room: it has so many bytes.
    TooLarge(usize),
    /// Nothing is left, and the next page will cause a wake.
    Empty,
}

/// The completion queue of one JavaScript-side bridge.
pub struct Completions {
    shared: Mutex<Shared>,
    /// Bytes in the queue. Changed only under the lock.
    queued: AtomicUsize,
    /// How JavaScript is told that it has something.
    pub wake: Wake,
    /// Where connections are laid for JavaScript to borrow.
    pub offers: Offers,
    /// Memory that large bodies are read into.
    pub body_buffers: BodyBuffers,
    /// Counters of the I/O thread for `stats()`.
    pub counters: Counters,
}

/// Counted where it happens, read by `stats()`.
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
    /// Requests that JavaScript exchanged itself on a borrowed connection.
    pub direct: AtomicU64,
}

impl Counters {
    /// Adds to one of the counters.
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

impl Completions {
    /// A queue that calls `wake` when it has something for a reader that is not reading.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            shared: Mutex::default(),
            queued: AtomicUsize::new(0),
            wake: Wake::new(wake),
            offers: Offers::default(),
            body_buffers: BodyBuffers::default(),
            counters: Counters::default(),
        }
    }

    /// Appends a page of whole records and leaves an empty one in its place.
    pub fn publish(&self, page: &mut Vec<u8>) {
        let Some(mut shared) = self.put(page) else {
            return;
        };
        let wake = !std::mem::replace(&mut shared.pending, true);
        // Outside of the lock: the woken thread will want it at once.
        drop(shared);
        if wake {
            self.wake.wake();
        }
    }

    /// Makes the reader come although the queue may be empty: a connection is offered.
    pub fn wake_reader(&self) {
        let wake = {
            let mut shared = self.lock();
            !shared.closed && !std::mem::replace(&mut shared.pending, true)
        };
        if wake {
            self.wake.wake();
        }
    }

    /// As [`Self::publish`], by the reader itself, who is going to drain anyway.
    pub fn publish_here(&self, page: &mut Vec<u8>) {
        drop(self.put(page));
    }

    /// Queues a page. Gives the queue, still locked, unless there was nothing to put into it.
    fn put(&self, page: &mut Vec<u8>) -> Option<MutexGuard<'_, Shared>> {
        if page.is_empty() {
            return None;
        }
        let mut shared = self.lock();
        if shared.closed {
            page.clear();
            return None;
        }
        self.queued.fetch_add(page.len(), Ordering::Relaxed);
        match shared.pages.back_mut() {
            Some(last) if last.len() + page.len() <= MERGED_PAGE_LIMIT => last.append(page),
            _ => {
                let empty = shared.spare.pop().unwrap_or_default();
                shared.pages.push_back(std::mem::replace(page, empty));
            }
        }
        Some(shared)
    }

    /// Copies the next pages into `into`, as many as fit whole.
    pub fn drain(&self, into: &mut [u8]) -> Drained {
        let mut bytes = 0;
        let mut done = None;
        loop {
            let mut shared = self.lock();
            if let Some(page) = done.take() {
                shared.recycle(page);
            }
            let fits = match shared.pages.front() {
                Some(page) if page.len() > into.len() - bytes => Err(Drained::TooLarge(page.len())),
                Some(_) => Ok(shared.pages.pop_front().unwrap_or_default()),
                None => Err(Drained::Empty),
            };
            match fits {
                Ok(page) => {
                    self.queued.fetch_sub(page.len(), Ordering::Relaxed);
                    drop(shared);
                    if let Some(room) = into.get_mut(bytes..bytes + page.len()) {
                        room.copy_from_slice(&page);
                    }
                    bytes += page.len();
                    done = Some(page);
                }
                Err(_) if bytes > 0 => {
                    let resume = self.resumes(&mut shared);
                    return Drained::Copied { bytes, resume };
                }
                Err(outcome) => {
                    shared.pending &= outcome != Drained::Empty;
                    return outcome;
                }
            }
        }
    }

    /// Asks for a wake although one may be pending: the reader left before the queue was empty.
    pub fn wake_again(&self) {
        self.wake.wake();
    }

    /// Bytes that the reader has not taken.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed) + self.body_buffers.filled()
    }

    /// Whether connections wait for the reader, who has taken enough by now. They must be told.
    pub fn take_resume(&self) -> bool {
        self.resumes(&mut self.lock())
    }

    fn resumes(&self, shared: &mut Shared) -> bool {
        self.queued() <= LOW_WATER_MARK && std::mem::take(&mut shared.throttled)
    }

    /// Notes that a connection waits for the reader, who will say so when it is time. Gives `false`
    /// when the connection need not wait.
    pub fn throttle(&self) -> bool {
        let mut shared = self.lock();
        let wait = self.queued() >= HIGH_WATER_MARK;
        shared.throttled |= wait;
        wait
    }

    /// Keeps a descriptor until JavaScript takes it.
    pub fn keep_descriptor(&self, connection: u32, descriptor: OwnedFd) {
        let mut shared = self.lock();
        if !shared.closed {
            shared.descriptors.insert(connection, descriptor);
        }
    }

    /// Takes the descriptor that is kept for a connection.
    pub fn take_descriptor(&self, connection: u32) -> Option<OwnedFd> {
        self.lock().descriptors.remove(&connection)
    }

    /// Throws away what is queued and whatever comes: the environment is ending.
    pub fn close(&self) {
        // Before the lock is held: whoever offers holds the two in the other order.
        self.offers.close();
        let mut shared = self.lock();
        shared.closed = true;
        shared.pages.clear();
        shared.spare.clear();
        shared.descriptors.clear();
        self.queued.store(0, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // The critical sections cannot panic half-way, so a poisoned lock guards sound data.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn recycle(&mut self, mut page: Vec<u8>) {
        let kept: usize = self.spare.iter().map(Vec::capacity).sum();
        let fits = kept + page.capacity() <= SPARE_BYTES && self.spare.len() < SPARE_PAGES;
        if fits && !self.closed {
            page.clear();
            self.spare.push(page);
        }
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

    fn copied(bytes: usize) -> Drained {
        Drained::Copied {
            bytes,
            resume: false,
        }
    }

    #[test]
    fn many_pages_cause_one_wake_until_the_queue_was_seen_empty() {
        let (queue, wakes) = queue();
        for _ in 0..10 {
            queue.publish(&mut vec![1; 12]);
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        let mut room = [0; 1024];
        assert_eq!(queue.drain(&mut room), copied(120));
        queue.publish(&mut vec![1; 12]);
        assert_eq!(
            wakes.load(Ordering::SeqCst),
            1,
            "the reader is still reading"
        );
        assert_eq!(queue.drain(&mut room), copied(12));
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
        queue.publish(&mut vec![1; 40_000]);
        queue.publish(&mut vec![2; 40_000]);
        let mut room = [0; 60_000];
        assert_eq!(queue.drain(&mut room), copied(40_000));
        assert_eq!(queue.drain(&mut room[..10]), Drained::TooLarge(40_000));
        assert_eq!(queue.drain(&mut room), copied(40_000));
        assert!(room[..40_000].iter().all(|byte| *byte == 2));
    }

    #[test]
    fn small_pages_are_merged_in_their_order_and_leave_their_memory_to_the_writer() {
        let (queue, _) = queue();
        let mut page = Vec::with_capacity(4096);
        for n in 0..100u8 {
            page.extend_from_slice(&[n; 8]);
            queue.publish(&mut page);
        }
        assert_eq!(queue.lock().pages.len(), 1);
        let mut room = [0; 1024];
        assert_eq!(queue.drain(&mut room), copied(800));
        assert!(
            room.chunks(8)
                .zip(0..100u8)
                .all(|(chunk, n)| chunk == [n; 8])
        );
    }

    #[test]
    fn merging_stops_at_its_limit() {
        let (queue, _) = queue();
        for _ in 0..3 {
            queue.publish(&mut vec![1; MERGED_PAGE_LIMIT / 2]);
        }
        assert_eq!(queue.lock().pages.len(), 2);
    }

    #[test]
    fn drained_pages_are_used_again() {
        let (queue, _) = queue();
        let mut page = vec![1; 40_000];
        let memory = page.as_ptr();
        queue.publish(&mut page);
        queue.drain(&mut [0; 40_000]);
        page.push(1);
        queue.publish(&mut page);
        assert!(std::ptr::eq(page.as_ptr(), memory));
    }

    #[test]
    fn a_closed_queue_swallows_pages_and_wakes_nobody() {
        let (queue, wakes) = queue();
        queue.publish(&mut vec![1; HIGH_WATER_MARK]);
        assert!(queue.throttle());
        queue.close();
        let mut page = vec![1; 12];
        queue.publish(&mut page);
        assert!(page.is_empty());
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        assert_eq!(queue.drain(&mut [0; 100]), Drained::Empty);
        assert!(
            !queue.throttle(),
            "what waits for a closed queue would wait for ever"
        );
    }

    #[test]
    fn connections_wait_from_the_high_water_mark_until_the_low_one() {
        let (queue, _) = queue();
        for _ in 0..7 {
            queue.publish(&mut vec![1; HIGH_WATER_MARK / 8]);
        }
        assert!(!queue.throttle(), "there is room");
        queue.publish(&mut vec![1; HIGH_WATER_MARK / 8]);
        assert!(queue.throttle());
        let mut room = vec![0; HIGH_WATER_MARK / 8 * 3];
        let bytes = room.len();
        assert_eq!(
            queue.drain(&mut room),
            Drained::Copied {
                bytes,
                resume: false
            }
        );
        assert_eq!(
            queue.drain(&mut room),
            Drained::Copied {
                bytes,
                resume: true
            }
        );
        queue.publish(&mut vec![1; HIGH_WATER_MARK / 8]);
        assert_eq!(
            queue.drain(&mut room),
            Drained::Copied {
                bytes,
                resume: false
            },
            "nobody waits"
        );
    }

    #[test]
    fn one_that_need_not_wait_does_not_make_those_who_wait_forgotten() {
        let (queue, _) = queue();
        let bytes = HIGH_WATER_MARK / 2 + 8;
        let mut room = vec![0; bytes];
        queue.publish(&mut vec![1; bytes]);
        queue.publish(&mut vec![2; bytes]);
        assert!(queue.throttle());
        let resume = false;
        assert_eq!(queue.drain(&mut room), Drained::Copied { bytes, resume });
        assert!(!queue.throttle(), "another connection asks in between");
        let resume = true;
        assert_eq!(queue.drain(&mut room), Drained::Copied { bytes, resume });
    }

    #[test]
    fn a_page_that_is_too_large_waits_for_a_room_of_its_size() {
        let (queue, _) = queue();
        queue.publish(&mut vec![1; 40_000]);
        queue.publish(&mut vec![2; 300_000]);
        queue.publish(&mut vec![3; 12]);
        let mut room = vec![0; 300_000];
        assert_eq!(queue.drain(&mut room[..100_000]), copied(40_000));
        for _ in 0..2 {
            let small = &mut room[..100_000];
            assert_eq!(queue.drain(small), Drained::TooLarge(300_000));
        }
        assert_eq!(queue.drain(&mut room), copied(300_000));
        assert!(room.iter().all(|byte| *byte == 2));
        assert_eq!(queue.drain(&mut room), copied(12));
        assert_eq!(queue.queued(), 0);
    }

    #[test]
    fn large_pages_are_used_again_and_what_is_kept_of_them_is_bounded() {
        let (queue, _) = queue();
        let size = SPARE_BYTES / 3;
        let mut room = vec![0; size];
        let pages = [(); 5].map(|()| vec![1; size]);
        let memory = pages.each_ref().map(|page| page.as_ptr());
        for mut page in pages {
            queue.publish(&mut page);
        }
        while queue.drain(&mut room) != Drained::Empty {}
        assert_eq!(queue.lock().spare.len(), 3);
        let mut page = vec![1; 40_000];
        queue.publish(&mut page);
        assert!(
            memory.contains(&page.as_ptr()),
            "the next page has memory that was used before"
        );
    }
}
