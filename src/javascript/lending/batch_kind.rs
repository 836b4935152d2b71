//! Kinds of batches of commands.

use std::ops::Range;

use crate::records::{self, command};

/// More requests than this in one batch are better sent by the I/O thread, beside JavaScript.
pub(super) const FEW: usize = 8;
/// Longer requests are left to the I/O thread, which does not keep JavaScript waiting.
pub(super) const MAX_REQUEST: usize = 16 * 1024;

/// What a batch of commands is to those who decide where it goes.
#[derive(Debug, PartialEq, Eq)]
pub enum BatchKind {
    /// A few requests, complete and not long, and nothing else: the connection of each, and where in the
    /// batch it is.
    Few(Vec<(u32, Range<usize>)>),
    /// Many requests, and perhaps more.
    Many,
    /// Anything else.
    Other,
}

impl BatchKind {
    /// Looks through a batch.
    pub fn of(batch: &[u8]) -> Self {
        let mut requests: Vec<(u32, Range<usize>)> = Vec::new();
        let mut count = 0;
        let mut plain = true;
        let mut start = 0;
        for record in records::iter(batch) {
            let end = start + records::HEADER_SIZE + record.payload.len().next_multiple_of(4);
            if record.opcode == command::REQUEST {
                count += 1;
                if count > FEW {
                    return Self::Many;
                }
                plain &= !requests.iter().any(|(id, _)| *id == record.connection);
                requests.push((record.connection, start..end));
            } else {
                plain &= record.opcode == command::WRITE && record.flags == 0;
                match requests.last_mut() {
                    Some((connection, range)) if *connection == record.connection => {
                        range.end = end
                    }
                    _ => plain = false,
                }
            }
            start = end;
        }
        plain &= requests.iter().all(|(_, range)| range.len() <= MAX_REQUEST);
        if plain && count > 0 {
            Self::Few(requests)
        } else {
            Self::Other
        }
    }
}
