//! HTTP/1.1 responses from bytes: sans-IO, pure, and no unsafe.
//!
//! [`Decoder`] is a push parser. The caller hands in whatever the network delivered; the decoder consumes it and
//! reports [`Event`]s. It decides as llhttp decides inside Node's client, byte for byte: what is accepted, what is an
//! error, with which code and after how many bytes, and where a body ends. It keeps nothing but the head under way.

#![forbid(unsafe_code)]

mod chunked;
mod cursor;
mod decoder;
mod dialect;
mod error;
mod event;
mod field_line;
mod field_role;
mod fields;
mod framing;
mod limits;
mod rules;
mod scan;
mod status_line;
#[cfg(test)]
mod tests;

pub use decoder::{Decoder, RequestMethod};
pub use dialect::Dialect;
pub use error::{DecodeError, ErrorKind};
pub use event::{Event, Head};
pub use fields::{Fields, FieldsIter, Trailers};
pub use rules::{DecoderOptions, Leniency};
