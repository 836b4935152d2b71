//! Bytes on their way to the kernel.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use super::stream::Stream;

/// Small writes are gathered up to this size, so that a header block and its body go out in one.
const GATHER: usize = 16 * 1024;
/// Slices handed to one vectored write.
const MAX_SLICES: usize = 16;

/// What is left after a write.
#[derive(Debug, PartialEq, Eq)]
pub enum Flushed {
    /// The kernel has everything.
    All,
    /// The kernel's buffer is full.
    Blocked,
}

/// The unsent bytes of one connection, in order.
#[derive(Default)]
pub struct WriteQueue {
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that the kernel has already.
    sent_of_first: usize,
    spare: Vec<u8>,
}

impl WriteQueue {
    /// Appends a copy of the bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match self.chunks.back_mut() {
            Some(last) if last.len() + bytes.len() <= GATHER => last.extend_from_slice(bytes),
            _ => {
                let mut chunk = std::mem::take(&mut self.spare);
                chunk.extend_from_slice(bytes);
                self.chunks.push_back(chunk);
            }
        }
    }

    /// Appends the bytes themselves.
    pub fn push_owned(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.chunks.push_back(bytes);
        }
    }

    /// Forgets everything, for a connection that is lost.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.sent_of_first = 0;
    }

    /// Writes until the queue is empty or the kernel's buffer is full; adds what went out to
    /// `written`, also when an error follows.
    pub fn flush(&mut self, stream: &Stream, written: &mut u64) -> io::Result<Flushed> {
        while !self.chunks.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slot, chunk) in slices.iter_mut().zip(&self.chunks) {
                let skip = if count == 0 { self.sent_of_first } else { 0 };
                *slot = IoSlice::new(chunk.get(skip..).unwrap_or_default());
                count += 1;
            }
            match stream.try_write_vectored(slices.get(..count).unwrap_or_default()) {
                Ok(n) => {
                    *written += n as u64;
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

    fn advance(&mut self, mut n: usize) {
        while let Some(first) = self.chunks.front() {
            let left = first.len() - self.sent_of_first;
            if n < left {
                self.sent_of_first += n;
                return;
            }
            n -= left;
            self.sent_of_first = 0;
            if let Some(mut done) = self.chunks.pop_front()
                && done.capacity() <= GATHER
            {
                done.clear();
                self.spare = done;
            }
        }
    }
}
