//! Bytes on their way to the kernel, and the account of them.
//!
//! All totals count from the beginning of the connection as JavaScript knows it: they go on when a
//! stale connection is replaced underneath.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use super::stream::Stream;

/// Small writes are gathered up to this size, so that a header block and its body go out in one.
const GATHER: usize = 16 * 1024;
/// Slices handed to one vectored write.
const MAX_SLICES: usize = 16;

/// Buffers that are kept for the next writes, of whatever connection.
const SPARE_BUFFERS: usize = 8;

thread_local! {
    /// An idle connection holds no buffer: all of a thread take from here.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// What is left after a write.
#[derive(Debug, PartialEq, Eq)]
pub enum Flushed {
    /// The kernel has everything.
    All,
    /// The kernel's buffer is full.
    Blocked,
}

/// A run of unsent bytes.
enum Chunk {
    /// Copies of small writes.
    Gathered(Vec<u8>),
    /// A long write; its memory returns to its maker when this is dropped.
    Owned(Bytes),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// The unsent bytes of one connection, in order.
#[derive(Default)]
pub struct WriteQueue {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that the kernel has already.
    sent_of_first: usize,
    /// Total of the bytes given to this queue.
    queued: u64,
    /// Total of the bytes taken by the kernel.
    written: u64,
    /// Where the request that was armed last begins.
    request_start: u64,
    /// Totals at which JavaScript wants to hear of it.
    acknowledge: VecDeque<u64>,
}

impl WriteQueue {
    /// Appends a copy of the bytes.
    pub fn push(&mut self, bytes: &[u8], acknowledge: bool) {
        if !bytes.is_empty() {
            match self.chunks.back_mut() {
                Some(Chunk::Gathered(last)) if last.len() + bytes.len() <= GATHER => {
                    last.extend_from_slice(bytes)
                }
                _ => {
                    let mut chunk = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
                    chunk.extend_from_slice(bytes);
                    self.chunks.push_back(Chunk::Gathered(chunk));
                }
            }
        }
        self.note_queued(bytes.len(), acknowledge);
    }

    /// Appends the bytes themselves.
    pub fn push_owned(&mut self, bytes: Bytes, acknowledge: bool) {
        let length = bytes.len();
        if length > 0 {
            self.chunks.push_back(Chunk::Owned(bytes));
        }
        self.note_queued(length, acknowledge);
    }

    /// Counts bytes that went to the kernel around this queue, which was empty.
    pub fn note_sent(&mut self, length: usize) {
        self.queued += length as u64;
        self.written += length as u64;
    }

    /// Whether the kernel has everything.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// What is appended from now on belongs to a new request.
    pub fn begin_request(&mut self) {
        self.request_start = self.queued;
    }

    /// Whether not one byte of the request that began last is out.
    pub fn request_is_untouched(&self) -> bool {
        self.written <= self.request_start
    }

    /// Whether the request that began last has bytes to send.
    pub fn has_request_bytes(&self) -> bool {
        self.queued > self.request_start
    }

    /// Drops what was queued before the request that began last. Its own connection is gone; on a new
    /// one the peer would take it for the beginning of the request.
    pub fn forget_earlier_requests(&mut self) {
        let left = self.request_start.saturating_sub(self.written);
        // What is left lies in memory, so it fits.
        self.advance(left as usize);
        self.written += left;
    }

    /// Forgets everything, for a connection that is lost.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.sent_of_first = 0;
        self.acknowledge.clear();
    }

    /// Total of the bytes taken by the kernel.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The total written, if it has reached one that JavaScript waits for.
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

    /// Writes until the queue is empty or the kernel's buffer is full. What went out before an error
    /// counts as written.
    pub fn flush(&mut self, stream: &mut Stream) -> io::Result<Flushed> {
        while !self.chunks.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slot, chunk) in slices.iter_mut().zip(&self.chunks) {
                let skip = if count == 0 { self.sent_of_first } else { 0 };
                *slot = IoSlice::new(chunk.bytes().get(skip..).unwrap_or_default());
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            match stream.write_vectored(slices) {
                Ok(n) => {
                    self.written += n as u64;
                    self.advance(n);
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

    fn advance(&mut self, mut n: usize) {
        while let Some(first) = self.chunks.front() {
            let left = first.bytes().len() - self.sent_of_first;
            if n < left {
                self.sent_of_first += n;
                return;
            }
            n -= left;
            self.sent_of_first = 0;
            if let Some(Chunk::Gathered(done)) = self.chunks.pop_front() {
                keep(done);
            }
        }
        self.chunks = VecDeque::new();
    }
}

fn keep(mut buffer: Vec<u8>) {
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_BUFFERS && buffer.capacity() <= GATHER {
            buffer.clear();
            spare.push(buffer);
        }
    });
}
