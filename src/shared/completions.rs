//! The queue from the I/O thread to the JavaScript thread: **pages** of event records, and at most one
//! pending wake.
//!
//! The I/O thread publishes pages; the JavaScript thread drains them into its **slab**, in each **turn** of the
//! event loop in which it is woken. A page is a `Vec<u8>`: it has one owner at a time, is copied whole, and
//! goes round.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::body_buffers::BodyBuffers;
use super::given_descriptor::GivenDescriptor;
use super::offers::Offers;
use super::sync::{AtomicUsize, Mutex, MutexGuard};
use super::wake::Wake;

/// Drained pages that are kept: a steady stream then allocates nothing, and writes to memory that is warm.
const SPARE_PAGES: usize = 8;
/// Bytes that the kept pages may have together; a page beyond is freed.
const SPARE_BYTES: usize = 1024 * 1024;
/// Bytes up to which queued pages are merged into one: the queue then takes about as much memory as it has
/// bytes, however slowly they trickle in.
const MERGED_PAGE_LIMIT: usize = 32 * 1024;
/// Queued bytes from which no connection reads from the kernel.
pub const HIGH_WATER_MARK: usize = 512 * 1024;
/// Queued bytes at which connections read on; not 0, so that both threads always have something to do.
const LOW_WATER_MARK: usize = HIGH_WATER_MARK / 2;

/// The state that the lock guards.
#[derive(Default)]
struct Shared {
    pages: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// A wake was asked for, and the JavaScript thread has not found the queue empty since.
    pending: bool,
    /// Connections wait for the low-water mark.
    throttled: bool,
    /// Descriptors for JavaScript to take, by connection. They stay here, because a record in a page that
    /// is thrown away cannot close the descriptor that it names.
    descriptors: HashMap<u32, OwnedFd>,
    /// The last of them that JavaScript has taken.
    given: Option<GivenDescriptor>,
    /// Sockets that JavaScript has made for connections, by the numbers that its commands have for them. They stay
    /// here, because JavaScript may be terminated before it has handed a command over.
    sockets: HashMap<RawFd, OwnedFd>,
    closed: bool,
}

/// Outcome of [`Completions::drain`].
#[derive(Debug, PartialEq, Eq)]
pub enum Drained {
    /// Whole pages were copied; there may be more.
    Copied {
        /// Bytes copied.
        bytes: usize,
        /// Connections wait for this, and the I/O thread must be told.
        resume: bool,
    },
    /// The next page has this many bytes, more than the room.
    TooLarge(usize),
    /// No page is left, and the next one will cause a wake.
    Empty,
}

/// The queue of one bridge. Each method says which thread calls it.
pub struct Completions {
    shared: Mutex<Shared>,
    /// Bytes in the queue; changed only under the lock.
    queued: AtomicUsize,
    /// The way to wake the JavaScript thread.
    pub wake: Wake,
    /// Connections that the JavaScript thread may borrow.
    pub offers: Offers,
    /// Buffers that large bodies are read into.
    pub body_buffers: BodyBuffers,
    /// Counters for `stats()`.
    pub counters: Counters,
}

/// Counters since start, named as in `stats()`. Both threads count.
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
    /// Requests that the JavaScript thread exchanged on a borrowed connection.
    pub direct: AtomicU64,
}

impl Counters {
    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

impl Completions {
    /// Makes a queue that calls `wake` for a page that the JavaScript thread would not find by itself.
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

    /// Appends a page of whole records, leaves an empty one in its place, and wakes the JavaScript thread
    /// unless a wake is pending. The I/O thread calls this.
    pub fn publish(&self, page: &mut Vec<u8>) {
        let Some(mut shared) = self.put(page) else {
            return;
        };
        let wake = !std::mem::replace(&mut shared.pending, true);
        // Outside of the lock, which the woken thread wants at once.
        drop(shared);
        if wake {
            self.wake.wake();
        }
    }

    /// Wakes the JavaScript thread although the queue may be empty: a connection is offered. The I/O thread
    /// calls this.
    pub fn wake_reader(&self) {
        let wake = {
            let mut shared = self.lock();
            !shared.closed && !std::mem::replace(&mut shared.pending, true)
        };
        if wake {
            self.wake.wake();
        }
    }

    /// Appends a page without a wake. The JavaScript thread calls this, and drains afterwards.
    pub fn publish_here(&self, page: &mut Vec<u8>) {
        drop(self.put(page));
    }

    /// Queues a page. Gives the state, still locked, unless the page is empty or the queue is closed.
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

    /// Copies the next pages into `into`, as many as fit whole. The JavaScript thread calls this.
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

    /// Wakes the JavaScript thread although a wake may be pending: it left before the queue was empty. The
    /// JavaScript thread calls this.
    pub fn wake_again(&self) {
        self.wake.wake();
    }

    /// Gives the number of bytes that the JavaScript thread has not taken. Both threads call this.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed) + self.body_buffers.filled()
    }

    /// Tells whether connections wait for the JavaScript thread, which has taken enough by now: then it must
    /// tell the I/O thread. The JavaScript thread calls this.
    pub fn take_resume(&self) -> bool {
        self.resumes(&mut self.lock())
    }

    fn resumes(&self, shared: &mut Shared) -> bool {
        self.queued() <= LOW_WATER_MARK && std::mem::take(&mut shared.throttled)
    }

    /// Notes that a connection waits until the JavaScript thread has taken enough. Gives `false` when the
    /// connection need not wait. The I/O thread calls this.
    pub fn throttle(&self) -> bool {
        let mut shared = self.lock();
        let wait = self.queued() >= HIGH_WATER_MARK;
        shared.throttled |= wait;
        wait
    }

    /// Keeps a descriptor until JavaScript takes it. The I/O thread calls this.
    pub fn keep_descriptor(&self, connection: u32, descriptor: OwnedFd) {
        let mut shared = self.lock();
        if !shared.closed {
            shared.descriptors.insert(connection, descriptor);
        }
    }

    /// Takes the descriptor that is kept for a connection. Both threads call this.
    pub fn take_descriptor(&self, connection: u32) -> Option<OwnedFd> {
        self.lock().descriptors.remove(&connection)
    }

    /// Gives JavaScript the descriptor that is kept for a connection, as a number. The JavaScript thread calls this.
    pub fn give_descriptor(&self, connection: u32) -> Option<RawFd> {
        let mut shared = self.lock();
        let descriptor = shared.descriptors.remove(&connection)?;
        let (number, given) = GivenDescriptor::give(descriptor);
        shared.given = given;
        Some(number)
    }

    /// Closes the descriptor that JavaScript was given last, if its thread was terminated before libuv had it. The
    /// JavaScript thread calls this.
    ///
    /// # Safety
    /// The environment has ended, and libuv has closed its handles.
    pub unsafe fn close_lost_descriptor(&self) {
        if let Some(given) = self.lock().given.take() {
            // SAFETY: as the caller promises.
            unsafe { given.close() };
        }
    }

    /// Keeps a socket that JavaScript has made until a connection, or JavaScript, takes it. Gives its number. The
    /// JavaScript thread calls this.
    pub fn keep_socket(&self, socket: OwnedFd) -> RawFd {
        let number = socket.as_raw_fd();
        let mut shared = self.lock();
        if !shared.closed {
            shared.sockets.insert(number, socket);
        }
        number
    }

    /// Takes the socket with a number. Both threads call this.
    pub fn take_socket(&self, number: RawFd) -> Option<OwnedFd> {
        self.lock().sockets.remove(&number)
    }

    /// Closes the sockets that no connection has taken: what JavaScript has not handed over is lost. The JavaScript
    /// thread calls this.
    pub fn drop_sockets(&self) {
        self.lock().sockets.clear();
    }

    /// Throws away all pages, now and later: the environment is ending. The JavaScript thread calls this.
    pub fn close(&self) {
        // Before the lock is held: the I/O thread takes the two in the other order.
        self.offers.close();
        let mut shared = self.lock();
        shared.closed = true;
        shared.pages.clear();
        shared.spare.clear();
        shared.descriptors.clear();
        shared.sockets.clear();
        self.queued.store(0, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // The critical sections cannot panic half-way, so a poisoned lock guards sound data.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Keeps a drained page, if it is not too much.
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
    fn a_closed_queue_swallows_pages_and_wakes_no_thread() {
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
            "no connection waits"
        );
    }

    #[test]
    fn a_connection_that_need_not_wait_leaves_those_that_wait_their_wake() {
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
