//! The records of one read: both threads decode by the same code, each what it has read itself.

use std::cell::RefCell;
use std::mem::MaybeUninit;

use bytes::BufMut;

use super::response_decoder::ResponseDecoder;
use crate::codec::Event;
use crate::records::decoding::{self, Body};
use crate::records::{self, event};
use crate::tls::Notes;

/// Bytes that one read asks the kernel for, and that a user gets of a body at once, at most: as in Node.
pub const READ_SIZE: usize = 64 * 1024;

thread_local! {
    /// The buffer of this thread's reads. Each is decoded before the next, so all connections share it.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
    /// The buffer of this thread's ciphertext. Each read is decrypted before the next, so all connections share it.
    static CIPHERTEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls `read` with this thread's buffer.
pub fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| read(scratch))
}

/// Calls `read` with this thread's buffer for ciphertext, of `size` bytes: the same at each call of a thread.
pub fn with_ciphertext<T>(size: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
    CIPHERTEXT.with_borrow_mut(|buffer| {
        // Only a thread with TLS needs one.
        buffer.resize(size, 0);
        read(buffer)
    })
}

/// Gives a buffer as room to be filled with plaintext.
pub fn as_room(buffer: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: OpenSSL writes initialised bytes only, so the buffer stays initialised.
    unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) }
}

/// End of a packet that makes its decoding panic; only tests send it.
#[cfg(test)]
pub const PANIC: &[u8] = b"a test asks for a panic";

/// Outcome of one read.
pub enum Progress {
    /// Bytes came, and all of them are decoded.
    Read,
    /// Bytes came, as [`Self::Read`], as many as several reads bring; more may be there at once.
    ReadBody,
    /// Bytes came that end HTTP on this connection. These followed the head.
    Upgraded(Vec<u8>),
    /// Bytes came that are not HTTP; a record tells of the error.
    Broken,
    /// Bytes came that no request asked for, before a request or behind a response. They are counted and
    /// forgotten.
    Unsolicited,
    /// The peer ended its stream.
    Ended,
    /// The JavaScript thread panicked while it read: the connection is lost.
    Panicked,
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

/// Appends the records of one read: `READ`, and the events of its bytes.
pub fn decode_packet(page: &mut Vec<u8>, packet: &[u8], id: u32, state: Exchange<'_>) -> Progress {
    push_read(page, id, packet.len(), state.written);
    decode_into(page, packet, id, state)
}

/// Appends the `READ` record of one read. `length` is its size in bytes.
pub fn push_read(page: &mut Vec<u8>, id: u32, length: usize, written: u64) {
    // The lower half of the total is enough: JavaScript knows how much it has handed over.
    records::push_with(page, event::READ, 0, id, |page| {
        page.put_u32_le(length as u32);
        page.put_u32_le(written as u32);
    });
}

/// Appends the records of what OpenSSL's callbacks have noted: `SECRET` and `SESSION`.
pub fn push_notes(page: &mut Vec<u8>, id: u32, notes: &mut Notes) {
    for line in notes.secrets.drain(..) {
        records::push(page, event::SECRET, 0, id, &[&line]);
    }
    for session in notes.sessions.drain(..) {
        let length = (session.id.len() as u32).to_le_bytes();
        let payload: &[&[u8]] = &[&length, &session.id, &session.der];
        records::push(page, event::SESSION, 0, id, payload);
    }
}

/// Appends the events of a packet. An empty packet gives the end that earlier bytes have completed.
pub fn decode_into(page: &mut Vec<u8>, packet: &[u8], id: u32, state: Exchange<'_>) -> Progress {
    let Exchange {
        armed,
        decoder: response,
        ..
    } = state;
    #[cfg(test)]
    assert!(!packet.ends_with(PANIC), "a test asked for this panic");
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
                    // The rest of the packet is still decoded, as Node does: a second
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
        // The beginning of a message behind the last one, which no request asked for.
        Progress::Unsolicited
    }
}
