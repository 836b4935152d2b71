//! Memory of JavaScript's that the I/O thread reads large bodies into.
//!
//! What a user gets of a body has memory of its own. A piece that goes through a page is copied there
//! twice: out of the page, and out of the slab. Here JavaScript lays out buffers beforehand, the
//! kernel fills them, and a `BODY` record says which: nobody copies.
//!
//! A buffer has one owner at a time. JavaScript lays it (free), the I/O thread claims and fills it, and
//! JavaScript takes it and lays another in its place. Who lays it keeps it alive, and out of
//! everybody's reach, until then: see `Bridge::lay_body`.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::shared::exchange::READ_SIZE;

/// The buffers of one bridge, by their places.
#[derive(Default)]
pub struct BodyBuffers {
    places: Mutex<Vec<Place>>,
    /// Bytes in filled buffers. Changed only under the lock.
    filled: AtomicUsize,
}

/// Where a buffer is, or none.
#[derive(Default)]
enum Place {
    #[default]
    Empty,
    /// Nothing is in it that anybody wants.
    Free(Memory),
    /// The I/O thread reads into it.
    Claimed,
    /// JavaScript is told of it, with so many bytes.
    Filled(Memory, usize),
}

/// [`READ_SIZE`] bytes.
#[derive(Clone, Copy)]
pub struct Memory(NonNull<u8>);

// SAFETY: it is memory like any other; `Memory::new` has it that nobody else uses it.
unsafe impl Send for Memory {}

impl Memory {
    /// Memory at this address.
    ///
    /// # Safety
    /// From now on [`READ_SIZE`] bytes there stay valid, and nobody reads or writes them, until the place
    /// that it is laid in is filled, or found free by [`BodyBuffers::take_back`], or no thread reads any
    /// more.
    pub unsafe fn new(start: NonNull<u8>) -> Self {
        Self(start)
    }
}

impl BodyBuffers {
    /// Lays memory in a place which is empty, or filled: then that buffer is its owner's again. Gives
    /// `false`, and does nothing, if the place is in use.
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

    /// Lets a filled buffer be filled again.
    pub fn reuse(&self, index: usize) {
        if let Some(place) = self.lock().get_mut(index)
            && let Place::Filled(memory, length) = *place
        {
            self.filled.fetch_sub(length, Ordering::Relaxed);
            *place = Place::Free(memory);
        }
    }

    /// Gives all buffers back to their owner, if all are free.
    pub fn take_back(&self) -> bool {
        let mut places = self.lock();
        let all = places.iter().all(|place| matches!(place, Place::Free(_)));
        if all {
            places.clear();
        }
        all
    }

    /// Claims up to `most` free buffers.
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

    /// Bytes that wait to be taken.
    pub fn filled(&self) -> usize {
        self.filled.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        // Nothing can panic half-way, so a poisoned lock guards sound data.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer to be filled; free again if it is not.
pub struct Claim<'a> {
    buffers: &'a BodyBuffers,
    index: usize,
    memory: Memory,
    length: Option<usize>,
}

impl Claim<'_> {
    /// Its place, as the record tells it.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where the kernel may write.
    pub fn bytes(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: so many bytes are there, and a claim is the only one to use them: its place says
        // `Claimed`, which nobody else claims, lays or takes back.
        unsafe { std::slice::from_raw_parts_mut(self.memory.0.as_ptr().cast(), READ_SIZE) }
    }

    /// The first so many bytes are for JavaScript to take.
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

    /// Memory that lives as long as the test process.
    fn memory() -> Memory {
        let start = Box::leak(vec![0u8; READ_SIZE].into_boxed_slice()).as_mut_ptr();
        // SAFETY: it is leaked, and nobody else knows of it.
        unsafe { Memory::new(NonNull::new(start).unwrap()) }
    }

    #[test]
    fn what_is_filled_is_nobodys_until_another_is_laid_in_its_place() {
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
