//! Events that the decoder reports, and the head of a message.
//!
//! They borrow from the decoder or from the input of the call, and are valid until the next call.

use super::fields::{Fields, Trailers};

/// Step in the life of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Head of an interim response (RFC 9110 section 15.2): 100 and 102 to 199.
    Information(Head<'a>),
    /// Head of the final response. A second one for the same request is the peer's double response.
    Head(Head<'a>),
    /// Bytes of the body: a slice of the input, never empty.
    Data(&'a [u8]),
    /// End of the final response, with its trailers.
    End(Trailers<'a>),
}

/// Status line and header fields of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Status code, 0 to 999.
    pub status: u16,
    /// Digit before the dot of the version.
    pub version_major: u8,
    /// Digit after the dot of the version.
    pub version_minor: u8,
    /// Reason phrase, as received.
    pub reason: &'a [u8],
    /// Header fields in the order of their arrival.
    pub fields: Fields<'a>,
    /// The connection can carry another request, as far as the head tells.
    pub keep_alive: bool,
    /// Everything after this head belongs to another protocol.
    pub upgrade: bool,
}
