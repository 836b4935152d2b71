//! Buffers of JavaScript's that the I/O thread reads large bodies into.
//!
//! A user gets each piece of a body in memory of its own. A piece that goes through a page is copied twice:
//! out of the page, and out of the slab. A buffer saves both copies: the JavaScript thread **lays it out**
//! beforehand, the kernel fills it, and a `BODY` record says which one it is.
//!
//! A buffer has one owner at a time. The JavaScript thread lays it out (free), the I/O thread claims and
//! fills it, and the JavaScript thread takes it and lays another in its place. `BodyMemory` keeps the buffer
//! alive, and out of reach of all other code, until then.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::exchange::READ_SIZE;
use super::sync::{AtomicUsize, Mutex, MutexGuard};

/// The buffers of one bridge, by their places. Each method says which thread calls it.
#[derive(Default)]
pub struct BodyBuffers {
    places: Mutex<Vec<Place>>,
    /// Bytes in filled buffers; changed only under the lock.
    filled: AtomicUsize,
}

/// Stage of the buffer in one place.
#[derive(Default)]
enum Place {
    /// No buffer is laid out.
    #[default]
    Empty,
    /// The I/O thread may claim the buffer.
    Free(Memory),
    /// The I/O thread reads into the buffer.
    Claimed,
    /// A `BODY` record tells JavaScript of the buffer, and of this many bytes in it.
    Filled(Memory, usize),
}

/// The start of [`READ_SIZE`] bytes.
#[derive(Clone, Copy)]
pub struct Memory(NonNull<u8>);

// SAFETY: memory belongs to no thread; the caller of `Memory::new` has promised that no other code uses it.
unsafe impl Send for Memory {}

impl Memory {
    /// Names the memory at this address.
    ///
    /// # Safety
    /// [`READ_SIZE`] bytes there stay valid, and no other code reads or writes them. This holds until the place of
    /// the buffer is filled, or [`BodyBuffers::take_back`] finds it free, or the I/O thread has ended.
    pub unsafe fn new(start: NonNull<u8>) -> Self {
        Self(start)
    }
}

impl BodyBuffers {
    /// Lays a buffer out in a place that is empty or filled; a filled buffer is its owner's from now on. Gives
    /// `false`, and does nothing, if the place is in use. The JavaScript thread calls this.
    pub fn lay(&self, index: usize, memory: Memory) -> bool {
        let mut places = self.lock();
        if index >= places.len() {
            places.resize_with(index + 1, Place::default);
        }
        let Some(place) = places.get_mut(index) else {
            return false;
        };
        match *place {
            Place::Empty => {}
            Place::Filled(_, length) => {
                self.filled.fetch_sub(length, Ordering::Relaxed);
            }
            Place::Free(_) | Place::Claimed => return false,
        }
        *place = Place::Free(memory);
        true
    }

    /// Makes a filled buffer free again. The JavaScript thread calls this.
    pub fn reuse(&self, index: usize) {
        if let Some(place) = self.lock().get_mut(index)
            && let Place::Filled(memory, length) = *place
        {
            self.filled.fetch_sub(length, Ordering::Relaxed);
            *place = Place::Free(memory);
        }
    }

    /// Takes all buffers back, if all are free; gives whether they were. The JavaScript thread calls this.
    pub fn take_back(&self) -> bool {
        let mut places = self.lock();
        let all = places.iter().all(|place| matches!(place, Place::Free(_)));
        if all {
            places.clear();
        }
        all
    }

    /// Claims up to `most` free buffers. The I/O thread calls this.
    pub fn claim(&self, most: usize) -> Vec<Claim<'_>> {
        let mut places = self.lock();
        let mut claims = Vec::new();
        for (index, place) in places.iter_mut().enumerate() {
            if claims.len() == most {
                break;
            }
            if let Place::Free(memory) = *place {
                *place = Place::Claimed;
                claims.push(Claim {
                    buffers: self,
                    index,
                    memory,
                    length: None,
                });
            }
        }
        claims
    }

    /// Gives the number of bytes that the JavaScript thread has not taken. Both threads call this.
    pub fn filled(&self) -> usize {
        self.filled.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        // Nothing can panic half-way, so a poisoned lock guards sound data.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim of the I/O thread to one buffer; dropped without [`Self::fill`], it leaves the buffer free.
pub struct Claim<'a> {
    buffers: &'a BodyBuffers,
    index: usize,
    memory: Memory,
    length: Option<usize>,
}

impl Claim<'_> {
    /// Gives the place, which the `BODY` record says.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Gives the memory that the kernel may write.
    pub fn bytes(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: `READ_SIZE` bytes are there, and only this claim uses them: its place says `Claimed`, which
        // no other call claims, lays or takes back.
        unsafe { std::slice::from_raw_parts_mut(self.memory.0.as_ptr().cast(), READ_SIZE) }
    }

    /// Leaves the first `length` bytes to the JavaScript thread.
    pub fn fill(mut self, length: usize) {
        self.length = Some(length);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.buffers.lock().get_mut(self.index) {
            *place = match self.length {
                Some(length) => {
                    self.buffers.filled.fetch_add(length, Ordering::Relaxed);
                    Place::Filled(self.memory, length)
                }
                None => Place::Free(self.memory),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes memory that lives as long as the test process.
    fn memory() -> Memory {
        let start = Box::leak(vec![0u8; READ_SIZE].into_boxed_slice()).as_mut_ptr();
        // SAFETY: the memory is leaked, and no other code knows of it.
        unsafe { Memory::new(NonNull::new(start).unwrap()) }
    }

    #[test]
    fn a_filled_buffer_is_not_claimed_until_another_is_laid_in_its_place() {
        let buffers = BodyBuffers::default();
        assert!(buffers.lay(0, memory()));
        assert!(!buffers.lay(0, memory()), "it is free, and stays");
        let mut claims = buffers.claim(4);
        assert_eq!(claims.len(), 1);
        assert!(buffers.claim(4).is_empty());
        assert!(!buffers.lay(0, memory()), "it is being read into");
        let mut claim = claims.pop().unwrap();
        claim.bytes()[0].write(7);
        claim.fill(100);
        assert_eq!(buffers.filled(), 100);
        assert!(buffers.claim(4).is_empty());
        assert!(!buffers.take_back());
        assert!(buffers.lay(0, memory()));
        assert_eq!(buffers.filled(), 0);
        assert_eq!(buffers.claim(4).len(), 1);
    }

    #[test]
    fn a_claim_that_is_not_filled_and_a_buffer_that_is_reused_are_free_again() {
        let buffers = BodyBuffers::default();
        for index in 0..3 {
            assert!(buffers.lay(index, memory()));
        }
        drop(buffers.claim(2));
        let mut claims = buffers.claim(8);
        assert_eq!(
            claims.iter().map(Claim::index).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        claims.remove(1).fill(READ_SIZE);
        drop(claims);
        assert_eq!(buffers.claim(8).len(), 2);
        buffers.reuse(1);
        assert_eq!(buffers.filled(), 0);
        buffers.reuse(1);
        buffers.reuse(9);
        assert_eq!(buffers.claim(8).len(), 3);
        assert!(buffers.take_back());
        assert!(buffers.claim(8).is_empty());
    }
}
