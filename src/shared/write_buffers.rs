//! Memory for the bytes that JavaScript writes: filled on its thread, emptied on the I/O thread, and used
//! again while it is warm.
//!
//! The allocator would take it back from a thread that did not ask for it, and hand it to the kernel and
//! fault it in again as an upload ebbs and flows.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A longer write is cut into pieces of this size, so that every buffer can be used again.
pub const BUFFER_SIZE: usize = 64 * 1024;
/// Smaller writes have memory of their own, of just their size.
const BUFFER_FROM: usize = 16 * 1024;
/// What is kept, at most: about as much as one fast connection has under way.
const KEPT: usize = 16;

/// The buffers of one bridge that wait to be used again.
#[derive(Default)]
pub struct WriteBuffers(Mutex<Vec<Vec<u8>>>);

impl WriteBuffers {
    /// A copy of `bytes`, at most [`BUFFER_SIZE`] of them.
    pub fn copy(&self, bytes: &[u8]) -> Vec<u8> {
        if bytes.len() < BUFFER_FROM || bytes.len() > BUFFER_SIZE {
            return bytes.to_vec();
        }
        let spare = self.lock().pop();
        let mut buffer = spare.unwrap_or_else(|| Vec::with_capacity(BUFFER_SIZE));
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// Takes back what has been sent.
    pub fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() != BUFFER_SIZE {
            return;
        }
        buffer.clear();
        let mut kept = self.lock();
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        // Nothing can panic half-way, so a poisoned lock guards sound data.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_filled_again() {
        let buffers = WriteBuffers::default();
        let first = buffers.copy(&[1; BUFFER_SIZE]);
        let memory = first.as_ptr();
        buffers.give_back(first);
        let second = buffers.copy(&[2; BUFFER_FROM]);
        assert_eq!(second, [2; BUFFER_FROM]);
        assert!(std::ptr::eq(second.as_ptr(), memory));
    }

    #[test]
    fn a_buffer_is_nobody_elses_until_it_is_given_back() {
        let buffers = WriteBuffers::default();
        let first = buffers.copy(&[1; BUFFER_SIZE]);
        let second = buffers.copy(&[2; BUFFER_SIZE]);
        assert_eq!(first, [1; BUFFER_SIZE]);
        assert_eq!(second, [2; BUFFER_SIZE]);
    }

    #[test]
    fn small_writes_take_no_more_than_they_need() {
        let buffers = WriteBuffers::default();
        let small = buffers.copy(&[1; BUFFER_FROM - 1]);
        assert_eq!(small.capacity(), BUFFER_FROM - 1);
        buffers.give_back(small);
        assert!(buffers.lock().is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let buffers = WriteBuffers::default();
        let sent: Vec<_> = (0..2 * KEPT)
            .map(|_| buffers.copy(&[1; BUFFER_SIZE]))
            .collect();
        for buffer in sent {
            buffers.give_back(buffer);
        }
        assert_eq!(buffers.lock().len(), KEPT);
    }
}
