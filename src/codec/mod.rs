//! The codec decodes HTTP/1.1 responses from bytes: sans-IO, pure, and no unsafe.
//!
//! [`Decoder`] is a push parser. The caller hands in the bytes that the network delivered. The decoder consumes them
//! and reports [`Event`]s. It decides as llhttp decides inside Node's client, byte for byte: about the bytes to accept,
//! the end of a body, and the code and offset of an error. It keeps nothing but the head under way.
//!
//! ```
//! use ferrequest::codec::{Decoder, DecoderOptions, Dialect, Event, Leniency, RequestMethod};
//!
//! let options =
//!     DecoderOptions { lenient: Leniency::None, max_header_size: 16_384, dialect: Dialect::default() };
//! let mut decoder = Decoder::new(options);
//! decoder.reset(options, RequestMethod::Other);
//!
//! let mut packet: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 1\r\n\r\n";
//! let mut seen = Vec::new();
//! while let (consumed, Some(event)) = decoder.decode(packet)? {
//!     packet = &packet[consumed..];
//!     seen.push(match event {
//!         Event::Information(head) => format!("interim {}", head.status),
//!         Event::Head(head) => format!("{} with {} field", head.status, head.fields.len()),
//!         Event::Data(data) => format!("{} bytes", data.len()),
//!         Event::End(trailers) => format!("end with {} trailer", trailers.len()),
//!     });
//! }
//! assert_eq!(seen, ["200 with 1 field", "5 bytes", "end with 1 trailer"]);
//! assert!(decoder.is_idle());
//! # Ok::<(), ferrequest::codec::DecodeError>(())
//! ```

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
mod usual_line;
mod whole_head;

pub use decoder::{Decoder, RequestMethod};
pub use dialect::Dialect;
pub use error::{DecodeError, ErrorKind};
pub use event::{Event, Head};
pub use fields::{Fields, FieldsIter, Trailers};
pub use rules::{DecoderOptions, Leniency};
