//! How much a peer may make a client read before it gets a message: Node's two limits, counted as Node counts.

use super::error::{DecodeError, ErrorKind};

/// Bytes of extensions that one chunk may carry. Node's figure, against CVE-2024-22019.
pub(super) const MAX_CHUNK_EXTENSION_BYTES: u64 = 16_384;

/// Counts the bytes of reason phrase, field names and field values; line ends, colons and the blanks before a value
/// are free.
///
/// A run is charged where it ends, or where the input ends: an overflow is reported at that point and not at the very
/// byte, which is what Node's `bytesParsed` shows too.
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

    /// A new head, chunk or trailer section begins.
    pub(super) const fn restart(&mut self) {
        self.used = 0;
    }

    /// Charges `count` bytes; `offset` is what the error reports if that reaches the limit.
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

/// Counts the extension bytes of one chunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ExtensionBudget {
    used: u64,
}

impl ExtensionBudget {
    /// A new chunk or a new message begins.
    pub(super) const fn restart(&mut self) {
        self.used = 0;
    }

    /// Charges `count` bytes; `offset` is what the error reports if that passes the limit.
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
