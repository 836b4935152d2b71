//! Limits on the bytes that a peer may send before a message: Node's two, counted as Node counts them.

use super::error::{DecodeError, ErrorKind};

/// Bytes of extensions that one chunk may carry; more are an error. Node's figure, against CVE-2024-22019.
pub(super) const MAX_CHUNK_EXTENSION_BYTES: u64 = 16_384;

/// Budget of a head: the bytes of reason phrase, field names and field values. Line ends, colons and the blanks before
/// a value are free.
///
/// A reader charges a run of bytes where the run or the input ends. It reports an overflow there, and not at the byte
/// that reached the limit; Node's `bytesParsed` shows the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderBudget {
    used: u64,
    limit: u64,
}

impl HeaderBudget {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            used: 0,
            limit: limit as u64,
        }
    }

    /// Begins another head or trailer section.
    pub(super) const fn restart(&mut self) {
        self.used = 0;
    }

    /// Charges `count` bytes. Fails, with `offset`, if that reaches the limit.
    #[inline]
    pub(super) const fn charge(&mut self, count: usize, offset: usize) -> Result<(), DecodeError> {
        self.used = self.used.saturating_add(count as u64);
        if self.used >= self.limit {
            return Err(DecodeError::new(
                ErrorKind::HeaderOverflow,
                "Header overflow",
                offset,
            ));
        }
        Ok(())
    }

    /// Returns the number of bytes that reach the limit.
    #[inline]
    pub(super) fn left(&self) -> usize {
        usize::try_from(self.limit.saturating_sub(self.used)).unwrap_or(usize::MAX)
    }

    /// Charges `count` bytes, which are fewer than [`HeaderBudget::left`].
    #[inline]
    pub(super) const fn spend(&mut self, count: usize) {
        self.used = self.used.saturating_add(count as u64);
    }
}

/// Budget of one chunk: the bytes of its extensions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ExtensionBudget {
    used: u64,
}

impl ExtensionBudget {
    /// Begins another chunk.
    pub(super) const fn restart(&mut self) {
        self.used = 0;
    }

    /// Charges `count` bytes. Fails, with `offset`, if that passes the limit.
    pub(super) const fn charge(&mut self, count: usize, offset: usize) -> Result<(), DecodeError> {
        self.used = self.used.saturating_add(count as u64);
        if self.used > MAX_CHUNK_EXTENSION_BYTES {
            let reason = "Chunk extensions overflow";
            return Err(DecodeError::new(
                ErrorKind::ChunkExtensionsOverflow,
                reason,
                offset,
            ));
        }
        Ok(())
    }
}
