//! Memory for long writes. The JavaScript thread fills a buffer, and the I/O thread drops the bytes when
//! the kernel has taken them. The last drop returns the memory, which is used again while it is warm.
//!
//! The allocator would take the memory back from the other thread, give it to the kernel, and fault it in
//! again as an upload ebbs and flows.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;

use super::sync::Mutex;

/// Bytes of one buffer; a longer write is cut into pieces of this size, which all fit into a buffer.
pub const BUFFER_SIZE: usize = 64 * 1024;
/// Bytes from which a write goes into a buffer; a shorter one has memory of just its size.
const BUFFER_FROM: usize = 16 * 1024;
/// Spare buffers that are kept, at most: about as many as one fast connection has under way.
const KEPT: usize = 16;

/// The long writes of one bridge. The JavaScript thread owns it; the bytes that it gives may be dropped by
/// any thread.
#[derive(Default)]
pub struct WriteBuffers(Arc<Spare>);

impl WriteBuffers {
    /// Copies bytes, at most [`BUFFER_SIZE`] of them.
    pub fn copy(&self, bytes: &[u8]) -> Bytes {
        if bytes.len() < BUFFER_FROM || bytes.len() > BUFFER_SIZE {
            return Bytes::copy_from_slice(bytes);
        }
        let mut memory = self.0.take();
        memory.extend_from_slice(bytes);
        Bytes::from_owner(Buffer {
            memory,
            spare: self.0.clone(),
        })
    }
}

/// Memory that waits to be filled again, all of it empty and of [`BUFFER_SIZE`]. Both threads use it.
#[derive(Default)]
struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    fn take(&self) -> Vec<u8> {
        let memory = self.with(Vec::pop);
        memory.unwrap_or_else(|| Vec::with_capacity(BUFFER_SIZE))
    }

    fn give_back(&self, mut memory: Vec<u8>) {
        memory.clear();
        self.with(|spare| {
            if spare.len() < KEPT {
                spare.push(memory);
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        // Nothing can panic half-way, so a poisoned lock guards sound data.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The owner of the memory behind some [`Bytes`].
struct Buffer {
    memory: Vec<u8>,
    spare: Arc<Spare>,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.spare.give_back(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(buffers: &WriteBuffers) -> usize {
        buffers.0.with(|spare| spare.len())
    }

    #[test]
    fn what_was_sent_is_filled_again() {
        let buffers = WriteBuffers::default();
        let first = buffers.copy(&[1; BUFFER_SIZE]);
        let memory = first.as_ptr();
        std::thread::spawn(|| drop(first)).join().unwrap();
        let second = buffers.copy(&[2; BUFFER_FROM]);
        assert_eq!(second, [2; BUFFER_FROM][..]);
        assert!(std::ptr::eq(second.as_ptr(), memory));
    }

    #[test]
    fn a_buffer_that_is_half_sent_is_returned_whole() {
        let buffers = WriteBuffers::default();
        let mut bytes = buffers.copy(&[1; BUFFER_SIZE]);
        let rest = bytes.split_off(BUFFER_SIZE / 2);
        drop(bytes);
        assert_eq!(kept(&buffers), 0, "the other half is still to be sent");
        drop(rest);
        assert_eq!(kept(&buffers), 1);
        assert_eq!(buffers.copy(&[2; BUFFER_SIZE]), [2; BUFFER_SIZE][..]);
    }

    #[test]
    fn two_writes_have_different_memory() {
        let buffers = WriteBuffers::default();
        let first = buffers.copy(&[1; BUFFER_SIZE]);
        let second = buffers.copy(&[2; BUFFER_SIZE]);
        assert_eq!(first, [1; BUFFER_SIZE][..]);
        assert_eq!(second, [2; BUFFER_SIZE][..]);
    }

    #[test]
    fn short_writes_take_no_buffer() {
        let buffers = WriteBuffers::default();
        let bytes = buffers.copy(&[1; BUFFER_FROM - 1]);
        assert_eq!(bytes, [1; BUFFER_FROM - 1][..]);
        drop(bytes);
        assert_eq!(kept(&buffers), 0);
    }

    #[test]
    fn bytes_outlive_the_bridge_that_made_them() {
        let buffers = WriteBuffers::default();
        let bytes = buffers.copy(&[1; BUFFER_SIZE]);
        drop(buffers);
        assert_eq!(bytes, [1; BUFFER_SIZE][..]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let buffers = WriteBuffers::default();
        let sent: Vec<_> = (0..2 * KEPT)
            .map(|_| buffers.copy(&[1; BUFFER_SIZE]))
            .collect();
        drop(sent);
        assert_eq!(kept(&buffers), KEPT);
    }
}
