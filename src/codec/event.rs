//! What the decoder reports: events, and the head of a message.
//!
//! Everything here borrows, from the decoder or from the input of the call, and is valid until the next call.

use super::fields::{Fields, Trailers};

/// One step in the life of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An interim response (RFC 9110 section 15.2): 100 and 102 to 199.
    Information(Head<'a>),
    /// The head of the final response. A second one on the same request is the peer's double response.
    Head(Head<'a>),
    /// Some bytes of the body, never empty: a slice of the input.
    Data(&'a [u8]),
    /// The final response is complete.
    End(Trailers<'a>),
}

/// Status line and header fields of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The three digits of the status code, 0 to 999.
    pub status: u16,
    /// The digit before the dot of the version.
    pub version_major: u8,
    /// The digit after the dot of the version.
    pub version_minor: u8,
    /// The reason phrase, as received.
    pub reason: &'a [u8],
    /// The header fields in the order of their arrival.
    pub fields: Fields<'a>,
    /// Whether the connection can carry another request, as far as the head tells.
    pub keep_alive: bool,
    /// Whether everything after this head belongs to another protocol.
    pub upgrade: bool,
}
