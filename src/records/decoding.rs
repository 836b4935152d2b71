//! Records of decoder events, and decoder settings of `REQUEST` commands. Pure: any thread may call it.

use bytes::BufMut;

use super::layout::word;
use crate::codec::{DecodeError, DecoderOptions, Dialect, Event, Head, Leniency, RequestMethod};
use crate::records::{self, command, event};

/// Form in which a record says a piece of the body.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// The bytes.
    Inline,
    /// The place in this chunk, which JavaScript holds.
    ReferenceInto(&'a [u8]),
}

/// Appends the record of one event.
pub fn encode(out: &mut Vec<u8>, connection: u32, event: &Event<'_>, body: Body<'_>) {
    match event {
        Event::Information(head) => encode_head(out, event::INFORMATION, connection, head),
        Event::Head(head) => encode_head(out, event::HEAD, connection, head),
        Event::Data(bytes) => match body {
            Body::Inline => records::push(out, event::DATA, 0, connection, &[bytes]),
            Body::ReferenceInto(chunk) => {
                // The bytes are a slice of the chunk, so the difference of the addresses is their place.
                let offset = bytes.as_ptr().addr().wrapping_sub(chunk.as_ptr().addr());
                records::push_with(out, event::DATA, event::REFERENCE, connection, |out| {
                    out.put_u32_le(word(offset));
                    out.put_u32_le(word(bytes.len()));
                });
            }
        },
        Event::End(trailers) => {
            records::push(out, event::END, 0, connection, &[trailers.as_bytes()])
        }
    }
}

/// Appends an `INFORMATION` or a `HEAD`.
fn encode_head(out: &mut Vec<u8>, opcode: u32, connection: u32, head: &Head<'_>) {
    let mut flags = 0;
    if head.keep_alive {
        flags |= event::KEEP_ALIVE;
    }
    if head.upgrade {
        flags |= event::UPGRADE;
    }
    // The agent asks for this field of every response, and would need the whole header as strings otherwise.
    if head
        .fields
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(b"keep-alive"))
    {
        flags |= event::KEEP_ALIVE_FIELD;
    }
    records::push_with(out, opcode, flags, connection, |out| {
        out.put_u16_le(head.status);
        out.put_u8(head.version_major);
        out.put_u8(head.version_minor);
        out.put_u32_le(word(head.reason.len()));
        out.put_slice(head.reason);
        out.put_slice(head.fields.as_bytes());
    });
}

/// Appends a `PARSE_ERROR`; `parsed` counts the bytes of `packet` before this call of the decoder.
pub fn encode_error(
    out: &mut Vec<u8>,
    connection: u32,
    error: &DecodeError,
    parsed: usize,
    packet: &[u8],
) {
    let code = error.kind.code().as_bytes();
    let reason = error.reason.as_bytes();
    records::push_with(out, event::PARSE_ERROR, 0, connection, |out| {
        out.put_u32_le(word(code.len()));
        out.put_u32_le(word(reason.len()));
        out.put_u32_le(word(parsed + error.offset));
        out.put_slice(code);
        out.put_slice(reason);
        out.put_slice(packet);
    });
}

/// Gives the decoder settings that the numbers of a `REQUEST` command ask for.
pub fn decoder_settings(
    flags: u32,
    max_header_size: u32,
    llhttp: u32,
) -> (DecoderOptions, RequestMethod) {
    let method = if flags & command::METHOD_HEAD != 0 {
        RequestMethod::Head
    } else if flags & command::METHOD_CONNECT != 0 {
        RequestMethod::Connect
    } else {
        RequestMethod::Other
    };
    let lenient = match flags >> command::LENIENT_SHIFT {
        command::LENIENT_ALL => Leniency::All,
        command::LENIENT_HEADER_VALUE => Leniency::HeaderValueRelaxed,
        _ => Leniency::None,
    };
    let dialect = Dialect::from_llhttp(llhttp >> 16, llhttp >> 8 & 0xff, llhttp & 0xff);
    (
        DecoderOptions {
            lenient,
            max_header_size: max_header_size as usize,
            dialect,
        },
        method,
    )
}
