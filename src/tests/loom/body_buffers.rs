//! A model of the buffers for large bodies: one thread at a time has the memory of each.

use std::ptr::NonNull;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::{EventLoop, check};
use crate::shared::body_buffers::Memory;
use crate::shared::exchange::READ_SIZE;

/// The memory of a buffer. Loom finds two threads that use it with nothing to order them.
struct Watched(UnsafeCell<Box<[u8]>>);

// SAFETY: loom fails a test in which two threads use the cell at the same time.
unsafe impl Sync for Watched {}
// SAFETY: as above.
unsafe impl Send for Watched {}

impl Watched {
    /// Uses the memory as its owner, for a moment.
    fn touch(&self) {
        self.0.with_mut(|_| ());
    }
}

#[test]
fn one_thread_at_a_time_has_a_buffer() {
    check(|| {
        let mut bytes = vec![0; READ_SIZE].into_boxed_slice();
        let start = NonNull::new(bytes.as_mut_ptr()).unwrap();
        let watched = Arc::new(Watched(UnsafeCell::new(bytes)));
        let completions = EventLoop::new().completions;
        // SAFETY: the memory lives longer than the two threads, and no other code writes to it.
        let memory = unsafe { Memory::new(start) };
        assert!(completions.body_buffers.lay(0, memory));
        let (queue, memory) = (completions.clone(), watched.clone());
        let io = thread::spawn(move || {
            for claim in queue.body_buffers.claim(1) {
                memory.touch();
                claim.fill(1);
            }
        });
        let buffers = &completions.body_buffers;
        if buffers.take_back() {
            watched.touch();
        } else if buffers.filled() > 0 {
            // JavaScript learns of it from a record of a page, which the lock of the queue orders.
            buffers.reuse(0);
            if buffers.take_back() {
                watched.touch();
            }
        }
        io.join().unwrap();
    });
}
