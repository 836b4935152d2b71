//! The queue of bytes on their way to the kernel, and the account of them.
//!
//! All totals count from the beginning of the connection as JavaScript knows it: they go on when a
//! stale connection is replaced underneath.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes, BytesMut};

use super::stream::Stream;

/// Bytes up to which small writes are gathered, so that a header block and its body go out in one.
const GATHER: usize = 16 * 1024;
/// Slices handed to one vectored write. Those of 4 MiB, which is about what a kernel takes at once, go out in one: a
/// peer that answers the beginning and closes makes the write of the rest fail.
const MAX_SLICES: usize = 64;
/// Slices of most writes, for which no larger list is made.
const FEW_SLICES: usize = 4;
/// Buffers that a thread keeps for the next small writes, of whatever connection.
const SPARE_BUFFERS: usize = 8;

thread_local! {
    /// Empty buffers of the thread. All connections take from here, so an idle one holds none.
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Outcome of a flush.
#[derive(Debug, PartialEq, Eq)]
pub enum Flushed {
    /// The kernel has everything.
    All,
    /// The kernel's buffer is full.
    Blocked,
    /// The kernel has all ciphertext, and the rest waits until the peer of TLS is verified.
    Held,
}

/// Queue of the unsent bytes of one connection.
#[derive(Default)]
pub struct WriteQueue {
    unsent: Unsent,
    /// Total of the bytes given to this queue.
    queued: u64,
    /// Total of the bytes taken by the kernel.
    written: u64,
    /// Bytes that are ciphertext, of which the kernel has not taken all.
    encrypted: u64,
    /// Total of the bytes queued when the last request began.
    request_start: u64,
    /// Totals at which JavaScript wants to hear of the bytes written.
    acknowledge: VecDeque<u64>,
}

impl WriteQueue {
    /// Appends a copy of the bytes.
    pub fn push(&mut self, bytes: &[u8], acknowledge: bool) {
        self.unsent.push_copy(bytes);
        self.note_queued(bytes.len(), acknowledge);
    }

    /// Appends the bytes themselves.
    pub fn push_owned(&mut self, bytes: Bytes, acknowledge: bool) {
        let length = bytes.len();
        self.unsent.push_owned(bytes);
        self.note_queued(length, acknowledge);
    }

    /// Counts bytes that went to the kernel around this queue, which was empty.
    pub fn note_sent(&mut self, length: u64) {
        self.queued += length;
        self.written += length;
    }

    /// Counts bytes that went around this queue, which was empty, and are ciphertext now.
    pub fn note_ciphertext(&mut self, length: u64) {
        self.queued += length;
        self.encrypted += length;
    }

    /// Returns true while the kernel has everything.
    pub fn is_empty(&self) -> bool {
        !self.unsent.has_remaining() && self.encrypted == 0
    }

    /// Gives the next bytes to encrypt; none when all are ciphertext.
    pub fn plaintext(&self) -> &[u8] {
        self.unsent.chunk()
    }

    /// Gives the number of the bytes that are still to be encrypted.
    pub fn plaintext_left(&self) -> u64 {
        (self.queued - self.written).saturating_sub(self.encrypted)
    }

    /// Notes that the next `n` bytes are ciphertext.
    pub fn note_encrypted(&mut self, n: usize) {
        self.unsent.advance(n);
        self.encrypted += n as u64;
    }

    /// Notes that the kernel has all ciphertext.
    pub fn note_ciphertext_sent(&mut self) {
        self.written += std::mem::take(&mut self.encrypted);
    }

    /// Begins a request, to which belongs what is appended from now on.
    pub fn begin_request(&mut self) {
        self.request_start = self.queued;
    }

    /// Tells whether not one byte of the last request is out.
    pub fn request_is_untouched(&self) -> bool {
        self.written + self.encrypted <= self.request_start
    }

    /// Tells whether the last request has bytes to send.
    pub fn has_request_bytes(&self) -> bool {
        self.queued > self.request_start
    }

    /// Drops what was queued before the last request began. Its own connection is gone; on a new one the
    /// peer would take it for the beginning of the request. It counts as written.
    pub fn forget_earlier_requests(&mut self) {
        let unsent = self.unsent.remaining() as u64;
        let of_request = self.queued - self.request_start;
        // The bytes lie in memory, so their number fits.
        self.unsent
            .advance(unsent.saturating_sub(of_request) as usize);
        self.encrypted = 0;
        self.written = self.written.max(self.request_start);
    }

    /// Forgets everything, for a connection that is lost. Ciphertext counts as written: the kernel may have some of it,
    /// and the peer then has seen a part of the request.
    pub fn clear(&mut self) {
        self.unsent = Unsent::default();
        self.written += std::mem::take(&mut self.encrypted);
        self.acknowledge.clear();
    }

    /// Forgets everything, for a descriptor that is given away although a write has failed. All counts as written.
    pub fn give_up(&mut self) {
        self.clear();
        self.written = self.queued;
    }

    /// Gives the total of the bytes taken by the kernel.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Gives the total written, if it has reached one that JavaScript waits for.
    pub fn take_acknowledgement(&mut self) -> Option<u64> {
        let mut due = None;
        while self
            .acknowledge
            .front()
            .is_some_and(|total| *total <= self.written)
        {
            self.acknowledge.pop_front();
            due = Some(self.written);
        }
        due
    }

    /// Writes until the queue is empty or the kernel's buffer is full. Bytes that went out before an
    /// error count as written.
    pub fn flush(&mut self, stream: &mut Stream) -> io::Result<Flushed> {
        while self.unsent.has_remaining() {
            let outcome = if self.unsent.0.len() <= FEW_SLICES {
                self.unsent.write_once::<FEW_SLICES>(stream)
            } else {
                self.unsent.write_once::<MAX_SLICES>(stream)
            };
            match outcome {
                Ok(n) => {
                    self.written += n as u64;
                    self.unsent.advance(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Flushed::Blocked);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Flushed::All)
    }

    fn note_queued(&mut self, length: usize, acknowledge: bool) {
        self.queued += length as u64;
        if acknowledge {
            self.acknowledge.push_back(self.queued);
        }
    }
}

/// The unsent bytes themselves, in order; no chunk is empty.
#[derive(Default)]
struct Unsent(VecDeque<Chunk>);

/// Some unsent bytes that lie next to each other.
enum Chunk {
    /// Copies of small writes, in a buffer of the thread.
    Gathered(BytesMut),
    /// A long write, whose memory goes back to the JavaScript thread when the chunk is dropped.
    Owned(Bytes),
}

impl Unsent {
    fn push_copy(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match self.0.back_mut() {
            Some(Chunk::Gathered(last)) if last.len() + bytes.len() <= GATHER => {
                last.extend_from_slice(bytes);
            }
            _ => {
                let mut buffer = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
                buffer.extend_from_slice(bytes);
                self.0.push_back(Chunk::Gathered(buffer));
            }
        }
    }

    fn push_owned(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.0.push_back(Chunk::Owned(bytes));
        }
    }

    /// Writes the first chunks, at most `SLICES` of them, in one call of the kernel.
    fn write_once<const SLICES: usize>(&self, stream: &mut Stream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.chunks_vectored(&mut slices);
        stream.write_vectored(slices.get(..count).unwrap_or_default())
    }
}

impl Buf for Unsent {
    fn remaining(&self) -> usize {
        self.0.iter().map(Chunk::remaining).sum()
    }

    fn has_remaining(&self) -> bool {
        !self.0.is_empty()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], Chunk::chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.0) {
            *slice = IoSlice::new(chunk.chunk());
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut n: usize) {
        while let Some(first) = self.0.front_mut() {
            let length = first.remaining();
            if n < length {
                first.advance(n);
                return;
            }
            n -= length;
            // Not advanced to its end: so the buffer is filled again from its beginning.
            if let Some(Chunk::Gathered(buffer)) = self.0.pop_front() {
                keep(buffer);
            }
        }
        self.0 = VecDeque::new();
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.chunk().len()
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    fn advance(&mut self, n: usize) {
        match self {
            Self::Gathered(bytes) => bytes.advance(n),
            Self::Owned(bytes) => bytes.advance(n),
        }
    }
}

/// Keeps a buffer for the next small writes, unless it has become large or enough are kept.
fn keep(mut buffer: BytesMut) {
    buffer.clear();
    // Its capacity does not count what was sent of it in parts; what can be reclaimed does.
    let is_large = buffer.try_reclaim(GATHER + 1);
    SPARE.with_borrow_mut(|spare| {
        if !is_large && spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(unsent: &Unsent) -> Vec<Vec<u8>> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = unsent.chunks_vectored(&mut slices);
        slices[..count].iter().map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn a_request_that_is_ciphertext_in_part_is_touched_also_when_all_is_forgotten() {
        let mut writes = WriteQueue::default();
        writes.push(b"earlier", false);
        writes.note_encrypted(7);
        writes.begin_request();
        writes.push(b"request", false);
        assert!(writes.request_is_untouched());
        writes.note_encrypted(1);
        assert!(!writes.request_is_untouched());
        writes.clear();
        assert!(!writes.request_is_untouched());
    }

    #[test]
    fn what_is_still_to_be_encrypted_is_what_is_neither_ciphertext_nor_out() {
        let mut writes = WriteQueue::default();
        writes.note_sent(5);
        writes.push(b"head", false);
        writes.push_owned(Bytes::from_static(b"body"), false);
        assert_eq!(writes.plaintext_left(), 8);
        writes.note_encrypted(3);
        assert_eq!(writes.plaintext_left(), 5);
        writes.note_ciphertext_sent();
        assert_eq!(writes.plaintext_left(), 5);
        writes.note_encrypted(5);
        assert_eq!(writes.plaintext_left(), 0);
    }

    #[test]
    fn small_writes_are_gathered_and_long_ones_are_not_copied() {
        let mut unsent = Unsent::default();
        let long = Bytes::from(vec![7; 3]);
        let memory = long.as_ptr();
        unsent.push_copy(b"head");
        unsent.push_copy(b"body");
        unsent.push_owned(long);
        unsent.push_copy(b"next");
        assert_eq!(
            slices(&unsent),
            [b"headbody" as &[u8], &[7; 3], b"next"].map(<[u8]>::to_vec)
        );
        assert_eq!(unsent.remaining(), 15);
        unsent.advance(8);
        assert!(std::ptr::eq(unsent.chunk().as_ptr(), memory));
    }

    #[test]
    fn any_number_of_bytes_may_be_taken_at_once() {
        let all: Vec<u8> = (0..60).collect();
        for step in 1..=60 {
            let mut unsent = Unsent::default();
            for (n, piece) in all.chunks(7).enumerate() {
                if n % 2 == 0 {
                    unsent.push_copy(piece);
                } else {
                    unsent.push_owned(Bytes::copy_from_slice(piece));
                }
            }
            let mut rest = &all[..];
            while unsent.has_remaining() {
                assert_eq!(slices(&unsent).concat(), rest);
                let n = step.min(rest.len());
                unsent.advance(n);
                rest = &rest[n..];
            }
            assert!(rest.is_empty(), "in steps of {step}");
        }
    }

    #[test]
    fn no_more_slices_are_given_than_there_is_room_for() {
        let mut unsent = Unsent::default();
        for n in 0..=MAX_SLICES as u8 {
            unsent.push_owned(Bytes::copy_from_slice(&[n]));
        }
        assert_eq!(slices(&unsent).len(), MAX_SLICES);
        unsent.advance(MAX_SLICES);
        assert_eq!(slices(&unsent), [[MAX_SLICES as u8]]);
    }

    #[test]
    fn an_empty_write_leaves_nothing_to_send() {
        let mut unsent = Unsent::default();
        unsent.push_copy(b"");
        unsent.push_owned(Bytes::new());
        assert!(!unsent.has_remaining());
    }

    #[test]
    fn a_buffer_that_was_sent_is_filled_again_from_its_beginning() {
        let mut unsent = Unsent::default();
        unsent.push_copy(b"the first");
        let memory = unsent.chunk().as_ptr();
        unsent.advance(9);
        unsent.push_copy(b"the next");
        assert!(std::ptr::eq(unsent.chunk().as_ptr(), memory));
        assert_eq!(unsent.chunk(), b"the next");
    }

    #[test]
    fn a_large_buffer_is_not_kept_and_the_number_kept_is_bounded() {
        let kept = || SPARE.with_borrow(Vec::len);
        let mut unsent = Unsent::default();
        unsent.push_copy(&[1; GATHER + 1]);
        unsent.advance(GATHER);
        unsent.advance(1);
        assert_eq!(kept(), 0);
        for _ in 0..2 * SPARE_BUFFERS {
            unsent.push_copy(&[1; GATHER]);
        }
        unsent.advance(2 * SPARE_BUFFERS * GATHER);
        assert_eq!(kept(), SPARE_BUFFERS);
    }
}
