//! Kinds of batches of commands. Pure; the JavaScript thread calls it for each doorbell.

use std::ops::Range;

use crate::records::{self, command};

/// Requests in a batch up to which the load counts as light: the JavaScript thread sends those. Of more requests the
/// I/O thread sends what is not on borrowed connections, beside JavaScript.
pub(super) const FEW: usize = 8;
/// Bytes of one request's records up to which the JavaScript thread sends it; a longer one would keep it from
/// running JavaScript.
pub(super) const MAX_REQUEST: usize = 16 * 1024;

/// Kind of a batch of commands; decides which thread sends it.
#[derive(Debug, PartialEq, Eq)]
pub enum BatchKind {
    /// A few requests, complete and short, and nothing else: the connection of each, and its place in the
    /// batch.
    Few(Vec<(u32, Range<usize>)>),
    /// Many requests. The same of each if all are short, and nothing else is in the batch; else none.
    Many(Vec<(u32, Range<usize>)>),
    /// Any other batch.
    Other,
}

impl BatchKind {
    /// Determines the kind of a batch.
    pub fn of(batch: &[u8]) -> Self {
        let mut requests: Vec<(u32, Range<usize>)> = Vec::new();
        let mut count = 0;
        let mut plain = true;
        let mut start = 0;
        for record in records::iter(batch) {
            let end = start + records::HEADER_SIZE + record.payload.len().next_multiple_of(4);
            if record.opcode == command::REQUEST {
                count += 1;
                // The sender of many requests looks whether each connection is idle.
                plain &= count > FEW || !requests.iter().any(|(id, _)| *id == record.connection);
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
        if count > FEW {
            Self::Many(if plain { requests } else { Vec::new() })
        } else if plain && count > 0 {
            Self::Few(requests)
        } else {
            Self::Other
        }
    }
}
