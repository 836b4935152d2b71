//! Keeps with the process the memory that V8 frees.
//!
//! V8 frees the chunks of bodies in bulk, tens of MiB at once. glibc gives free memory at the end of its heap back to
//! the kernel when it exceeds a limit, 128 KiB at first. The next chunks then cost a page fault for every 4 KiB: up to
//! a quarter of the time of a response of 64 KiB. As soon as a program frees a block with a mapping of its own, glibc
//! raises the limit to twice the size of that block.

use std::hint::black_box;
use std::sync::Once;

/// Bytes of the block that is freed. At most twice as many free bytes stay with the process from then on.
const BLOCK: usize = 16 * 1024 * 1024;

/// Bytes of events in one drain from which bodies count as large.
const LARGE: usize = 64 * 1024;

/// Raises glibc's limit, once a process, when `bytes` of events are those of large bodies. No page of the block is
/// touched. Another library of C takes no notice, nor does glibc where the user has set its limits
/// (`MALLOC_TRIM_THRESHOLD_`).
pub fn note_events(bytes: usize) {
    static RAISED: Once = Once::new();
    if bytes >= LARGE {
        RAISED.call_once(|| {
            let mut block = Vec::<u8>::new();
            // A process with little room goes on without.
            let _ = block.try_reserve_exact(black_box(BLOCK));
            drop(black_box(block));
        });
    }
}
