//! Reading position in the bytes of one call.
//!
//! Every reader of the codec moves forward only, and looks at a byte a fixed number of times at most. So decoding is
//! linear in the input, however the network cuts it.

use super::scan::ByteSet;

/// Answer of a reader after it has looked at the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The input is used up and the reader is not at its end.
    NeedInput,
    /// The reader is at its end; the cursor stands after the part that it reads.
    Done,
}

/// Input of one call, with the number of bytes that are consumed.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    /// Returns the number of consumed bytes.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// Returns the next byte, if there is one.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.input.get(self.position).copied()
    }

    /// Returns the bytes that are not consumed yet.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or_default()
    }

    /// Consumes up to `count` bytes and returns them.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let rest = self.rest();
        let taken = rest.get(..count).unwrap_or(rest);
        self.position += taken.len();
        count_work(taken.len());
        taken
    }

    /// Consumes one byte.
    #[inline]
    pub(super) fn skip(&mut self) {
        self.take(1);
    }

    /// Consumes and returns the longest run of bytes that are all in `set`.
    #[inline]
    pub(super) fn take_while(&mut self, set: &ByteSet) -> &'a [u8] {
        self.take(set.run_length(self.rest()))
    }
}

/// Counts bytes looked at, so that a test can prove linear time without a clock.
#[cfg(not(test))]
#[inline(always)]
pub(super) const fn count_work(_bytes: usize) {}

#[cfg(test)]
pub(super) fn count_work(bytes: usize) {
    super::tests::work::add(bytes);
}
