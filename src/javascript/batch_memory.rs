//! Memory for batches of commands. The JavaScript thread cuts each batch from a run of memory, and the I/O thread
//! drops the batch when it has carried the commands out. When all batches of a run are dropped, it is used again.
//!
//! So a doorbell allocates nothing, and the I/O thread frees no memory of another thread.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

/// Bytes of one run; a longer batch has memory of its own.
const RUN_SIZE: usize = 32 * 1024;

thread_local! {
    static RUNS: RefCell<Runs> = RefCell::default();
}

/// Copies a batch into the memory of the calling JavaScript thread.
pub fn copy(batch: &[u8]) -> Bytes {
    RUNS.with_borrow_mut(|runs| runs.copy(batch))
}

/// Two runs, both empty between two calls. While batches are cut from the one, the I/O thread carries out
/// those of the other.
#[derive(Default)]
struct Runs {
    current: BytesMut,
    other: BytesMut,
}

impl Runs {
    fn copy(&mut self, batch: &[u8]) -> Bytes {
        if batch.len() > RUN_SIZE {
            return Bytes::copy_from_slice(batch);
        }
        if batch.len() > self.current.capacity() {
            std::mem::swap(&mut self.current, &mut self.other);
            // The I/O thread may still have some of it. The last batch frees it then.
            if !self.current.try_reclaim(RUN_SIZE) {
                self.current = BytesMut::with_capacity(RUN_SIZE);
            }
        }
        self.current.extend_from_slice(batch);
        self.current.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn batches_that_were_carried_out_leave_their_memory_to_the_next() {
        let mut runs = Runs::default();
        let mut places = HashSet::new();
        for n in 0..100u8 {
            let batch = runs.copy(&[n; RUN_SIZE / 4]);
            assert_eq!(batch, [n; RUN_SIZE / 4][..]);
            places.insert(batch.as_ptr().addr());
            std::thread::spawn(|| drop(batch)).join().unwrap();
        }
        assert_eq!(places.len(), 8, "four batches in each of two runs");
    }

    #[test]
    fn a_batch_that_is_not_carried_out_yet_stays_as_it_is() {
        let mut runs = Runs::default();
        let held: Vec<_> = (0..100u8).map(|n| runs.copy(&[n; 5000])).collect();
        for (n, batch) in (0..).zip(held) {
            assert_eq!(batch, [n; 5000][..]);
        }
    }

    #[test]
    fn a_batch_that_is_longer_than_a_run_is_whole() {
        let mut runs = Runs::default();
        let batch = vec![7; RUN_SIZE + 1];
        assert_eq!(runs.copy(&batch), batch);
        assert_eq!(runs.copy(&batch[1..]), batch[1..]);
    }
}
