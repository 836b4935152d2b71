//! The records of one read: both threads decode by the same code, each what it has read itself.

use std::cell::RefCell;
use std::mem::MaybeUninit;

use bytes::BufMut;

use super::body_buffers::{BodyBuffers, Claim};
use super::response_decoder::ResponseDecoder;
use crate::codec::Event;
use crate::records::decoding::{self, Body};
use crate::records::{self, event};
use crate::tls::Notes;

/// Bytes that one read asks the kernel for, and that a user gets of a body at once, at most: as in Node.
pub const READ_SIZE: usize = 64 * 1024;

/// Bytes of a piece of body from which it goes into a buffer of JavaScript's, if one is free, instead of the page. To
/// claim a buffer costs less than the copy from the page to the slab, which it saves the JavaScript thread.
/// `lib/bridge/body-buffers.js` has it too, to lay buffers out.
pub const LARGE_PIECE: usize = 16 * 1024;

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

/// Pieces of body that lie in buffers of JavaScript's. The page only names them.
struct Held<'a> {
    /// None on a thread that makes no use of the buffers.
    buffers: Option<&'a BodyBuffers>,
    pieces: Vec<(Claim<'a>, usize)>,
}

impl<'a> Held<'a> {
    /// Makes a list without pieces.
    fn new(buffers: Option<&'a BodyBuffers>) -> Self {
        Self {
            buffers,
            pieces: Vec::new(),
        }
    }

    /// Copies a large piece into a buffer and appends its record. Returns false if it has to go into the page.
    fn take(&mut self, page: &mut Vec<u8>, id: u32, piece: &[u8]) -> bool {
        if piece.len() < LARGE_PIECE {
            return false;
        }
        let Some(mut claim) = self.buffers.and_then(|buffers| buffers.claim(1).pop()) else {
            return false;
        };
        let Some(room) = claim.bytes().get_mut(..piece.len()) else {
            return false;
        };
        for (place, byte) in room.iter_mut().zip(piece) {
            place.write(*byte);
        }
        push_body(page, id, &claim, piece.len());
        self.pieces.push((claim, piece.len()));
        true
    }

    /// Leaves the buffers to JavaScript, once all records are there: a panic takes these back, and JavaScript would
    /// never take the buffers then.
    fn fill(self) {
        for (claim, length) in self.pieces {
            claim.fill(length);
        }
    }
}

/// Appends the `BODY` record of a piece in a buffer.
pub fn push_body(page: &mut Vec<u8>, id: u32, claim: &Claim<'_>, length: usize) {
    records::push_with(page, event::BODY, 0, id, |page| {
        page.put_u32_le(claim.index() as u32);
        page.put_u32_le(length as u32);
    });
}

/// Appends the records of one read: `READ`, and the events of its bytes. Large pieces of body go into `buffers`.
pub fn decode_packet(
    page: &mut Vec<u8>,
    packet: &[u8],
    id: u32,
    state: Exchange<'_>,
    buffers: Option<&BodyBuffers>,
) -> Progress {
    push_read(page, id, packet.len(), state.written);
    let mut held = Held::new(buffers);
    let progress = decode_events(page, packet, id, state, &mut held);
    held.fill();
    progress
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

/// Appends the end that earlier bytes have completed.
pub fn decode_end(page: &mut Vec<u8>, id: u32, state: Exchange<'_>) {
    decode_events(page, &[], id, state, &mut Held::new(None));
}

/// Appends the events of a packet.
fn decode_events(
    page: &mut Vec<u8>,
    packet: &[u8],
    id: u32,
    state: Exchange<'_>,
    held: &mut Held<'_>,
) -> Progress {
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
                if !matches!(found, Event::Data(piece) if held.take(page, id, piece)) {
                    decoding::encode(page, id, &found, Body::Inline);
                }
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

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;

    use super::*;
    use crate::shared::body_buffers::Memory;

    /// Decodes a response with this body in one packet, and gives the opcodes of its records.
    fn opcodes(body: &[u8], buffers: Option<&BodyBuffers>) -> Vec<u32> {
        let mut packet = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        packet.push_str(std::str::from_utf8(body).unwrap());
        let mut page = Vec::new();
        let mut decoder = ResponseDecoder::default();
        let state = Exchange {
            armed: &mut true,
            decoder: &mut decoder,
            written: 0,
        };
        decode_packet(&mut page, packet.as_bytes(), 7, state, buffers);
        records::iter(&page).map(|record| record.opcode).collect()
    }

    #[test]
    fn a_large_piece_goes_into_a_buffer_while_one_is_free() {
        let buffers = BodyBuffers::default();
        let memory = Box::leak(vec![0; READ_SIZE].into_boxed_slice());
        // SAFETY: the memory is leaked, and is read below only once the buffer is filled.
        let laid = unsafe { Memory::new(NonNull::new(memory.as_mut_ptr()).unwrap()) };
        assert!(buffers.lay(0, laid));

        let small = vec![b's'; LARGE_PIECE - 1];
        let inline = [event::READ, event::HEAD, event::DATA, event::END];
        assert_eq!(opcodes(&small, Some(&buffers)), inline);
        let large = vec![b'l'; LARGE_PIECE];
        let named = [event::READ, event::HEAD, event::BODY, event::END];
        assert_eq!(opcodes(&large, Some(&buffers)), named);
        assert_eq!(buffers.filled(), LARGE_PIECE);
        assert_eq!(memory[..LARGE_PIECE], large);
        assert_eq!(opcodes(&large, Some(&buffers)), inline, "none is free");
        buffers.reuse(0);
        assert_eq!(opcodes(&large, Some(&buffers)), named);
        assert_eq!(opcodes(&large, None), inline);
    }
}
