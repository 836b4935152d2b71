//! The queue of bytes on their way to the kernel, and the account of them.
//!
//! All totals count from the beginning of the connection as JavaScript knows it: they go on when a
//! stale connection is replaced underneath.
//!
//! On request the queue keeps what is sent of the last request, so that it can go out again:
//!
//! ```text
//! begin_request ──> keeps ──response, half-close, too much, end──> keeps nothing
//!                     └──send_again──> unsent again, counted as written already
//! ```

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes, BytesMut};

use super::stream::Stream;
use crate::shared::spare_buffers;

/// Bytes up to which small writes are gathered, so that a header block and its body go out in one.
const GATHER: usize = spare_buffers::LARGEST;
/// Slices handed to one vectored write.
const MAX_SLICES: usize = 16;

/// Bytes up to which a sent request is kept. Beyond it, too much memory would wait for the peers that are slow to answer;
/// it is enough for the requests that are sent in one piece.
const MOST_KEPT: u64 = 64 * 1024;

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
    /// Bytes that are sent of the last request and kept; nothing if they are not to be kept.
    kept: Option<u64>,
    /// Bytes, the first unsent ones, that count as written since they were sent before.
    again: u64,
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

    /// Does the same as [`Self::note_sent`] for a whole request, and keeps it.
    pub fn note_request_sent(&mut self, bytes: BytesMut) {
        let length = bytes.len() as u64;
        self.begin_request(true);
        self.note_sent(length);
        self.unsent.push_sent(bytes);
        self.kept = Some(length);
    }

    /// Returns true while the kernel has everything.
    pub fn is_empty(&self) -> bool {
        !self.unsent.has_remaining() && self.encrypted == 0
    }

    /// Gives the next bytes to encrypt; none when all are ciphertext.
    pub fn plaintext(&self) -> &[u8] {
        self.unsent.chunk()
    }

    /// Notes that the next `n` bytes are ciphertext.
    pub fn note_encrypted(&mut self, n: usize) {
        self.advance(n);
        self.encrypted += n as u64;
    }

    /// Notes that the kernel has all ciphertext.
    pub fn note_ciphertext_sent(&mut self) {
        let encrypted = std::mem::take(&mut self.encrypted);
        self.note_written(encrypted);
    }

    /// Begins a request, to which belongs what is appended from now on. `keeps` says that what is sent of it is kept.
    pub fn begin_request(&mut self, keeps: bool) {
        self.request_start = self.queued;
        self.forget_sent();
        // What an earlier request has left would have to be told from this one.
        self.kept = (keeps && self.is_empty()).then_some(0);
    }

    /// Tells whether everything that is sent of the last request is kept.
    pub fn keeps_request(&self) -> bool {
        let sent = (self.written + self.encrypted).saturating_sub(self.request_start);
        sent > 0 && self.kept == Some(sent)
    }

    /// Forgets what is kept of the last request, and keeps nothing more of it.
    pub fn forget_sent(&mut self) {
        if self.kept.take().is_some_and(|kept| kept > 0) {
            self.unsent.forget_sent();
        }
    }

    /// Queues again what is kept of the last request, in front of the rest of it.
    pub fn send_again(&mut self) {
        if self.kept.take().is_some() {
            self.unsent.send_again();
            self.again = self.written.saturating_sub(self.request_start);
        }
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

    /// Forgets everything, for a connection that is lost.
    pub fn clear(&mut self) {
        self.unsent = Unsent::default();
        self.kept = None;
        self.again = 0;
        self.encrypted = 0;
        self.acknowledge.clear();
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
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = self.unsent.chunks_vectored(&mut slices);
            match stream.write_vectored(slices.get(..count).unwrap_or_default()) {
                Ok(n) => {
                    self.note_written(n as u64);
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

    /// Takes bytes that are sent from the queue, and keeps them if they are to be kept.
    fn advance(&mut self, n: usize) {
        match &mut self.kept {
            Some(kept) if *kept + n as u64 <= MOST_KEPT => {
                *kept += n as u64;
                self.unsent.keep(n);
            }
            _ => {
                self.forget_sent();
                self.unsent.advance(n);
            }
        }
    }

    fn note_written(&mut self, n: u64) {
        let again = n.min(self.again);
        self.again -= again;
        self.written += n - again;
    }

    fn note_queued(&mut self, length: usize, acknowledge: bool) {
        self.queued += length as u64;
        if acknowledge {
            self.acknowledge.push_back(self.queued);
        }
    }
}

/// The unsent bytes themselves, in order, behind those that are kept; no chunk is empty.
#[derive(Default)]
struct Unsent {
    chunks: VecDeque<Chunk>,
    /// Number of the first chunks that are sent and kept.
    sent: usize,
}

/// Some bytes that lie next to each other.
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
        let all_is_sent = !self.has_remaining();
        match self.chunks.back_mut() {
            Some(Chunk::Gathered(last)) if !all_is_sent && last.len() + bytes.len() <= GATHER => {
                last.extend_from_slice(bytes);
            }
            _ => {
                let mut buffer = spare_buffers::take();
                buffer.extend_from_slice(bytes);
                self.chunks.push_back(Chunk::Gathered(buffer));
            }
        }
    }

    fn push_owned(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.chunks.push_back(Chunk::Owned(bytes));
        }
    }

    /// Appends bytes that are sent and kept. There are no others.
    fn push_sent(&mut self, bytes: BytesMut) {
        if !bytes.is_empty() {
            self.chunks.push_back(Chunk::Gathered(bytes));
            self.sent = self.chunks.len();
        }
    }

    /// Takes the next `n` bytes as sent, and keeps them.
    fn keep(&mut self, mut n: usize) {
        while n > 0
            && let Some(chunk) = self.chunks.get_mut(self.sent)
        {
            let length = chunk.remaining();
            if n < length {
                let sent = chunk.split_to(n);
                self.chunks.insert(self.sent, sent);
            }
            n = n.saturating_sub(length);
            self.sent += 1;
        }
    }

    /// Takes what is kept as unsent.
    fn send_again(&mut self) {
        self.sent = 0;
    }

    /// Drops what is kept.
    fn forget_sent(&mut self) {
        for chunk in self.chunks.drain(..self.sent) {
            chunk.give_back();
        }
        self.sent = 0;
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
    }
}

/// The unsent bytes. They are only advanced while none are kept.
impl Buf for Unsent {
    fn remaining(&self) -> usize {
        self.chunks
            .iter()
            .skip(self.sent)
            .map(Chunk::remaining)
            .sum()
    }

    fn has_remaining(&self) -> bool {
        self.chunks.len() > self.sent
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.get(self.sent).map_or(&[], Chunk::chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(self.chunks.iter().skip(self.sent)) {
            *slice = IoSlice::new(chunk.chunk());
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut n: usize) {
        while let Some(first) = self.chunks.front_mut() {
            let length = first.remaining();
            if n < length {
                first.advance(n);
                return;
            }
            n -= length;
            if let Some(chunk) = self.chunks.pop_front() {
                chunk.give_back();
            }
        }
        self.chunks = VecDeque::new();
    }
}

impl Chunk {
    /// Takes the first `n` bytes, which are not all.
    fn split_to(&mut self, n: usize) -> Self {
        match self {
            Self::Gathered(bytes) => Self::Gathered(bytes.split_to(n)),
            Self::Owned(bytes) => Self::Owned(bytes.split_to(n)),
        }
    }

    /// Gives the memory back.
    fn give_back(self) {
        // Not advanced to its end: so the buffer is filled again from its beginning.
        if let Self::Gathered(buffer) = self {
            spare_buffers::give_back(buffer);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(unsent: &Unsent) -> Vec<Vec<u8>> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = unsent.chunks_vectored(&mut slices);
        slices[..count].iter().map(|slice| slice.to_vec()).collect()
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

    /// Makes a queue with a request of which `sent` bytes are encrypted and sent.
    fn sent(pieces: &[&[u8]], sent: usize, keeps: bool) -> WriteQueue {
        let mut queue = WriteQueue::default();
        queue.begin_request(keeps);
        for (n, piece) in pieces.iter().enumerate() {
            if n % 2 == 0 {
                queue.push(piece, false);
            } else {
                queue.push_owned(Bytes::copy_from_slice(piece), false);
            }
        }
        send(&mut queue, sent);
        queue
    }

    fn send(queue: &mut WriteQueue, mut n: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while n > 0 {
            let piece = queue.plaintext();
            let piece = piece[..piece.len().min(n)].to_vec();
            queue.note_encrypted(piece.len());
            n -= piece.len();
            bytes.extend(piece);
        }
        queue.note_ciphertext_sent();
        bytes
    }

    #[test]
    fn what_is_sent_of_a_request_is_sent_again_in_front_of_the_rest_and_counts_once() {
        let pieces: [&[u8]; 3] = [b"head", b"a body", b"its end"];
        let all = pieces.concat();
        for n in 1..=all.len() {
            let mut queue = sent(&pieces, n, true);
            assert!(queue.keeps_request(), "{n}");
            queue.send_again();
            queue.forget_earlier_requests();
            assert!(!queue.keeps_request());
            assert_eq!(queue.written(), n as u64);
            assert_eq!(send(&mut queue, 1), all[..1]);
            assert_eq!(queue.written(), n as u64);
            queue.push(b" and more", false);
            let rest = [&all[1..], b" and more"].concat();
            assert_eq!(send(&mut queue, rest.len()), rest);
            assert_eq!(queue.written(), (all.len() + 9) as u64);
            assert!(queue.is_empty());
        }
    }

    #[test]
    fn what_is_sent_is_not_filled_up() {
        let mut queue = sent(&[b"sent"], 4, true);
        queue.push(b"more", false);
        assert_eq!(queue.plaintext(), b"more");
        queue.send_again();
        assert_eq!(send(&mut queue, 8), b"sentmore");
    }

    #[test]
    fn nothing_is_kept_of_what_is_answered_too_large_or_behind_another_request() {
        let mut answered = sent(&[b"head", b"body"], 4, true);
        answered.forget_sent();
        assert_eq!(send(&mut answered, 4), b"body");
        assert!(!answered.keeps_request());

        let large = vec![7; MOST_KEPT as usize];
        assert!(sent(&[&large], large.len(), true).keeps_request());
        let mut too_large = sent(&[&large, b"!"], large.len() + 1, true);
        assert!(!too_large.keeps_request());
        assert_eq!(too_large.unsent.chunks.len(), 0);
        too_large.send_again();
        assert!(too_large.is_empty());

        let mut behind = sent(&[b"head", b"body"], 4, false);
        behind.begin_request(true);
        behind.push(b"next", false);
        assert_eq!(send(&mut behind, 8), b"bodynext");
        assert!(!behind.keeps_request());
    }

    #[test]
    fn a_request_that_was_sent_around_the_queue_is_kept_if_it_is_known() {
        let mut queue = WriteQueue::default();
        queue.note_request_sent(BytesMut::from(&b"head"[..]));
        assert!(queue.is_empty() && queue.keeps_request());
        queue.push(b"body", false);
        queue.send_again();
        assert_eq!(send(&mut queue, 8), b"headbody");
        assert_eq!(queue.written(), 8);

        queue.begin_request(true);
        queue.note_sent(4);
        assert!(!queue.keeps_request());
    }
}
