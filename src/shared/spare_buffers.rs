//! Empty buffers that a thread keeps for the next small writes, of whatever connection.
//!
//! All connections of a thread take from here, so an idle one holds none.

use std::cell::RefCell;

use bytes::BytesMut;

/// Bytes that a buffer has at most when it is kept; a larger one is freed.
pub const LARGEST: usize = 16 * 1024;
/// Number of buffers that a thread keeps.
const KEPT: usize = 8;

thread_local! {
    /// The empty buffers of the thread.
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Takes an empty buffer.
pub fn take() -> BytesMut {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps a buffer for the next small writes, unless it has become large or enough are kept.
pub fn give_back(mut buffer: BytesMut) {
    buffer.clear();
    // Its capacity does not count what was sent of it in parts; what can be reclaimed does.
    let is_large = buffer.try_reclaim(LARGEST + 1);
    SPARE.with_borrow_mut(|spare| {
        if !is_large && spare.len() < KEPT {
            spare.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> usize {
        SPARE.with_borrow(Vec::len)
    }

    #[test]
    fn a_buffer_is_filled_again_from_its_beginning() {
        let mut buffer = take();
        buffer.extend_from_slice(b"the first");
        let memory = buffer.as_ptr();
        give_back(buffer);
        let mut buffer = take();
        buffer.extend_from_slice(b"the next");
        assert!(std::ptr::eq(buffer.as_ptr(), memory));
        assert_eq!(&buffer[..], b"the next");
    }

    #[test]
    fn a_large_buffer_is_not_kept_and_the_number_kept_is_bounded() {
        give_back(BytesMut::with_capacity(LARGEST + 1));
        assert_eq!(kept(), 0);
        for _ in 0..2 * KEPT {
            give_back(BytesMut::with_capacity(LARGEST));
        }
        assert_eq!(kept(), KEPT);
    }
}
