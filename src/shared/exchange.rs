//! What one read of an exchange brings, decoded to records: the same on whichever thread reads.

use std::cell::RefCell;

use bytes::BufMut;

use super::response_decoder::ResponseDecoder;
use crate::codec::Event;
use crate::records::decoding::{self, Body};
use crate::records::{self, event};

/// Bytes asked of the kernel at once, and the most that JavaScript sees of a body at once: as Node.
pub const READ_SIZE: usize = 64 * 1024;

thread_local! {
    /// Every read lands here and is decoded before the next one, so one buffer serves all connections.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// Lends this thread's buffer for reads.
pub fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| read(scratch))
}

/// What one read brought.
pub enum Progress {
    /// Bytes, all of them decoded and passed on.
    Read,
    /// The same, as many as several reads bring, and there may be more at once.
    ReadBody,
    /// Bytes that end in another protocol: what follows the head.
    Upgraded(Vec<u8>),
    /// Bytes that are not HTTP; the error has been passed on.
    Broken,
    /// Bytes on a connection that waits for no response, or behind the one that it waited for. They are
    /// counted, and forgotten.
    Unsolicited,
    /// The peer ended its stream.
    Ended,
}

/// The exchange that a read belongs to.
pub struct Exchange<'a> {
    /// A response is awaited or under way.
    pub armed: &'a mut bool,
    /// The decoder of this connection.
    pub decoder: &'a mut ResponseDecoder,
    /// Total of the bytes that the kernel has taken by now.
    pub written: u64,
}

/// Appends the events of one read.
pub fn decode_packet(page: &mut Vec<u8>, packet: &[u8], id: u32, state: Exchange<'_>) -> Progress {
    push_read(page, id, packet.len(), state.written);
    decode_into(page, packet, id, state)
}

/// Appends the record that tells of one read.
pub fn push_read(page: &mut Vec<u8>, id: u32, length: usize, written: u64) {
    // JavaScript knows the total but for what has been on its way lately, so its lower half will do.
    records::push_with(page, event::READ, 0, id, |page| {
        page.put_u32_le(length as u32);
        page.put_u32_le(written as u32);
    });
}

/// Appends the events of a packet; an empty one asks for what the bytes before it completed.
pub fn decode_into(page: &mut Vec<u8>, packet: &[u8], id: u32, state: Exchange<'_>) -> Progress {
    let Exchange {
        armed,
        decoder: response,
        ..
    } = state;
    let mut keeps = response.peer_keeps_connection;
    let decoder = response.get();
    let mut parsed = 0;
    loop {
        match decoder.decode(packet.get(parsed..).unwrap_or_default()) {
            Err(error) => {
                decoding::encode_error(page, id, &error, parsed, packet);
                return Progress::Broken;
            }
            Ok((_, None)) => break,
            Ok((n, Some(found))) => {
                decoding::encode(page, id, &found, Body::Inline);
                parsed += n;
                match found {
                    Event::Head(head) if head.upgrade => {
                        return Progress::Upgraded(
                            packet.get(parsed..).unwrap_or_default().to_vec(),
                        );
                    }
                    Event::Head(head) => {
                        *armed = true;
                        keeps = head.keep_alive;
                    }
                    // What follows in the same packet is still decoded, as Node does: a second
                    // response or garbage there is the peer's fault and must be told.
                    Event::End(_) => *armed = false,
                    _ => {}
                }
            }
        }
    }
    let is_idle = decoder.is_idle();
    response.peer_keeps_connection = keeps;
    if *armed {
        Progress::Read
    } else if is_idle {
        response.give_back();
        Progress::Read
    } else {
        // The beginning of a message behind the last one: nobody has asked for it.
        Progress::Unsolicited
    }
}
