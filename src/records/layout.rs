//! The record layout that both queues share. Pure: any thread may call it.
//!
//! A record is a header of three little-endian `u32` words, then its payload, padded with zeros to four
//! bytes. So every header is aligned for the `Int32Array` through which JavaScript reads it:
//!
//! | word | meaning |
//! |---|---|
//! | 0 | opcode in bits 0..8, flags in bits 8..32 |
//! | 1 | connection id, chosen by JavaScript |
//! | 2 | payload length in bytes, without the padding |
//!
//! `lib/bridge/records.js` declares the same numbers; `__test__/bridge/records.test.js` proves that they agree.

#[cfg(target_endian = "big")]
compile_error!(
    "JavaScript reads the records with typed arrays, which have the byte order of the machine"
);

use bytes::{Buf, BufMut};

/// Bytes of a record header.
pub const HEADER_SIZE: usize = 12;
/// Offset of the payload's length in a header, in bytes.
const LENGTH_OFFSET: usize = 8;

/// Connection id of a `FAILED` event that concerns every connection.
pub const EVERY_CONNECTION: u32 = u32::MAX;
/// Connection id of a `TIME` event.
pub const NO_CONNECTION: u32 = u32::MAX - 1;

/// Declares named numbers and a table of them for the test that compares both sides.
macro_rules! numbers {
    ($(#[$outer:meta])* $table:ident { $($(#[$doc:meta])* $name:ident = $value:expr,)* }) => {
        $($(#[$doc])* pub const $name: u32 = $value;)*
        $(#[$outer])*
        pub const $table: &[(&str, u32)] = &[$((stringify!($name), $name),)*];
    };
}

/// Commands, from the JavaScript thread to the I/O thread.
pub mod command {
    numbers! {
        /// Every command and command flag with its number.
        TABLE {
            /// Connect by TCP. Payload: port `u32`, descriptor of a bound socket `i32` or -1, address as text. Flag
            /// `STARTED`.
            CONNECT_TCP = 1,
            /// Connect to a Unix domain socket. Payload: the path.
            CONNECT_UNIX = 2,
            /// Arm the decoder for the response to a new request.
            /// Payload: maximal header size `u32`; the llhttp release to agree with, `u32` of
            /// major << 16 | minor << 8 | patch. Flags: `METHOD_*` and `LENIENT_*`.
            REQUEST = 3,
            /// Send the payload.
            WRITE = 4,
            /// Half-close after everything written before. Flag `ACKNOWLEDGE`.
            SHUTDOWN = 5,
            /// Stop reading.
            PAUSE = 6,
            /// Read again.
            RESUME = 7,
            /// `TCP_NODELAY`, flag `ENABLE` or none.
            NO_DELAY = 8,
            /// `SO_KEEPALIVE`, flag `ENABLE` or none. Payload: delay, interval in seconds and
            /// count, each `u32`, 0 for the system's own.
            KEEP_ALIVE = 9,
            /// Close; with flag `RESET`, by a TCP reset.
            CLOSE = 10,
            /// Give the descriptor to JavaScript once everything written before is out.
            RELEASE = 11,
            /// `IP_TOS` or `IPV6_TCLASS`. Payload: the value, `u32`.
            TYPE_OF_SERVICE = 12,
            /// Make no other connection in place of this one, should it have died while it was idle.
            PIN = 13,
            /// Take over a connection that stands. Payload: descriptor `i32`, port `u32`, address of the peer as
            /// text; with port 0, the path of its Unix domain socket.
            ADOPT = 14,
            /// The peer of a connection with TLS is verified: send what was written, and read.
            VERIFIED = 15,
            /// Begin the handshake of TLS as soon as the connection stands, or another one.
            SHAKE_HANDS = 16,
            /// Connect again, with new TLS, in answer to `STALE`.
            RECONNECT = 17,
            /// The request is a HEAD request: its response has no body.
            METHOD_HEAD = 1,
            /// The request is a CONNECT request: its response ends HTTP on this connection.
            METHOD_CONNECT = 2,
            /// The flags `LENIENT_*` begin at this bit.
            LENIENT_SHIFT = 2,
            /// Lenient in everything, as `insecureHTTPParser`.
            LENIENT_ALL = 1,
            /// Lenient in header values only, as `httpValidation: 'relaxed'`.
            LENIENT_HEADER_VALUE = 2,
            /// On `WRITE`: answer with `WRITTEN` once the kernel has all bytes. On `SHUTDOWN`: answer with
            /// `SHUTDOWN_DONE`.
            ACKNOWLEDGE = 1,
            /// On `NO_DELAY` and `KEEP_ALIVE`: switch on.
            ENABLE = 1,
            /// On `CONNECT_TCP`: the socket is not bound but connects already.
            STARTED = 1,
            /// On `CLOSE`: send a reset.
            RESET = 1,
        }
    }
}

/// Events, from the I/O thread to the JavaScript thread.
pub mod event {
    numbers! {
        /// Every event and event flag with its number.
        TABLE {
            /// The connection is established. Payload: descriptor `i32`, local port `u32`, local address
            /// as text. Flag `AGAIN`: it replaces one that was stale.
            CONNECTED = 1,
            /// Connecting failed. Payload: errno `i32`. Flag `AT_ONCE`: the kernel refused before
            /// it sent anything.
            CONNECT_FAILED = 2,
            /// The next events of this connection come from one read of the kernel's buffer.
            /// Payload: bytes read, `u32`; lower half of the total of bytes written since connecting, `u32`.
            READ = 3,
            /// An informational response. Payload as `HEAD`.
            INFORMATION = 4,
            /// The head of the final response. Payload: status `u16`, major `u8`, minor `u8`, length of
            /// the reason phrase `u32`, the reason phrase, the fields.
            HEAD = 5,
            /// A piece of the body. Payload: its bytes; with flag `REFERENCE`: offset and length,
            /// both `u32`, in the chunk given to the decoder.
            DATA = 6,
            /// The message is complete. Payload: trailer fields. Flag `FOLLOWED`: the beginning of
            /// another one came with it.
            END = 7,
            /// The decoder gave up. Payload: length of the code `u32`, of the reason `u32`,
            /// bytes parsed of the packet `u32`, the code, the reason, the packet.
            PARSE_ERROR = 8,
            /// The peer ended its stream. Flag `COMPLETES`: that ended the message's body.
            /// Flag `IDLE`: no request was armed.
            EOF = 9,
            /// Reading failed. Payload: errno `i32`, the lower half of the total of bytes written `u32`. Flag `IDLE` as
            /// above.
            READ_ERROR = 10,
            /// Writing failed. Payload: errno `i32`.
            WRITE_ERROR = 11,
            /// The kernel has taken this many bytes since connecting. Payload: `f64`.
            WRITTEN = 12,
            /// The half-close is done. Payload: errno `i32` or 0.
            SHUTDOWN_DONE = 13,
            /// JavaScript can take the descriptor. Payload: bytes written `f64`, the bytes already read. The flags are the
            /// error number with which a write behind an upgrade has failed, or 0.
            RELEASED = 14,
            /// No other event comes for this id, and JavaScript may use it again.
            CLOSED = 15,
            /// The I/O thread has failed; every connection on it is lost.
            FAILED = 16,
            /// A piece of the body, in a buffer that JavaScript has laid out. Payload: the place of that buffer
            /// and the number of bytes, both `u32`.
            BODY = 17,
            /// A handshake of TLS is complete. Nothing is sent or read before `VERIFIED`.
            SECURED = 18,
            /// A session of TLS for later connections. Payload: length of its identifier `u32`, the identifier, the
            /// session in DER.
            SESSION = 19,
            /// A line for a key log. Payload: the line, without a line feed.
            SECRET = 20,
            /// The peer has broken the protocol of TLS, or said that this side has. Payload: length of the name of the
            /// library `u32`, of the reason `u32`, the name, the reason, the message. Flag `AT_ONCE`: OpenSSL refused to begin.
            TLS_ERROR = 21,
            /// A connection with TLS has died before a request, nothing of which is out. It waits for new TLS and `RECONNECT`.
            STALE = 22,
            /// The records behind this one, up to the next of this kind, are of this time. Payload: milliseconds of
            /// libuv's clock, `f64`. It begins a page, and is about no connection.
            TIME = 23,
            /// On `INFORMATION` and `HEAD`: the connection may serve another request.
            KEEP_ALIVE = 1,
            /// On `HEAD`: the bytes that follow are another protocol.
            UPGRADE = 2,
            /// On `HEAD`: the response has a Keep-Alive field, which may say for how long.
            KEEP_ALIVE_FIELD = 4,
            /// On `CONNECTED`: a stale connection was replaced.
            AGAIN = 1,
            /// On `CONNECT_FAILED` and `TLS_ERROR`: no packet was sent.
            AT_ONCE = 1,
            /// On `DATA`: the payload is the place of the bytes.
            REFERENCE = 1,
            /// On `END` from the decoder of a stream: bytes that no request asked for came in the same chunk.
            FOLLOWED = 1,
            /// On `EOF`: a close-delimited body is complete.
            COMPLETES = 1,
            /// On `EOF` and `READ_ERROR`: between two requests.
            IDLE = 2,
            /// On `EOF` with `IDLE`: not the end came, but bytes that no request asked for.
            UNSOLICITED = 4,
        }
    }
}

/// Appends a header. The caller appends exactly `length` bytes of payload, and calls [`pad`].
pub fn begin(out: &mut Vec<u8>, opcode: u32, flags: u32, connection: u32, length: usize) {
    out.put_u32_le(opcode | flags << 8);
    out.put_u32_le(connection);
    out.put_u32_le(word(length));
}

/// Adds flags to the record whose header is at `at`.
pub fn add_flags(out: &mut [u8], at: usize, flags: u32) {
    change_word(out, at, |word| word | flags << 8);
}

/// Changes the word at `at`.
fn change_word(out: &mut [u8], at: usize, change: impl FnOnce(u32) -> u32) {
    if let Some(word) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *word = change(u32::from_le_bytes(*word)).to_le_bytes();
    }
}

/// Appends zeros up to the alignment of the next header.
pub fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Appends a whole record, whose payload is these parts.
pub fn push(out: &mut Vec<u8>, opcode: u32, flags: u32, connection: u32, payload: &[&[u8]]) {
    push_with(out, opcode, flags, connection, |out| {
        for part in payload {
            out.put_slice(part);
        }
    });
}

/// Appends a whole record; `fill` appends its payload.
pub fn push_with(
    out: &mut Vec<u8>,
    opcode: u32,
    flags: u32,
    connection: u32,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    begin(out, opcode, flags, connection, 0);
    fill(out);
    let length = out.len() - start - HEADER_SIZE;
    change_word(out, start + LENGTH_OFFSET, |_| word(length));
    pad(out);
}

/// Gives a number as a word, the largest word for one that is too large.
///
/// A payload is bounded by the largest read or header block, far below 4 GiB. Saturating rather than
/// wrapping keeps a broken bound from forging a record.
pub(super) fn word(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A record that was read.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Record<'a> {
    /// The command or the event.
    pub opcode: u32,
    /// Modifiers of the opcode.
    pub flags: u32,
    /// The id of the connection.
    pub connection: u32,
    /// The payload, without padding.
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Gives the word at `offset` of the payload, 0 if the payload is too short.
    pub fn u32_at(&self, offset: usize) -> u32 {
        self.rest(offset).try_get_u32_le().unwrap_or(0)
    }

    /// Gives the payload behind its first `offset` bytes.
    pub fn rest(&self, offset: usize) -> &'a [u8] {
        self.payload.get(offset..).unwrap_or_default()
    }
}

/// Gives the records of a batch or a page, up to the first that is cut short.
pub fn iter(batch: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        // `rest` stays at a record that is cut short, so that the end is the end.
        let mut after = rest;
        let word = after.try_get_u32_le().ok()?;
        let connection = after.try_get_u32_le().ok()?;
        let length = usize::try_from(after.try_get_u32_le().ok()?).ok()?;
        let payload = after.get(..length)?;
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Record {
            opcode: word & 0xff,
            flags: word >> 8,
            connection,
            payload,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_back_the_records_that_were_pushed() {
        let mut batch = Vec::new();
        push(&mut batch, 4, 1, 7, &[b"hello"]);
        push(&mut batch, 5, 0, 8, &[]);
        push(
            &mut batch,
            1,
            0xff_ffff,
            u32::MAX,
            &[&80u32.to_le_bytes(), b"::1"],
        );
        let records: Vec<_> = iter(&batch).collect();
        assert_eq!(records.len(), 3);
        assert_eq!(
            records[0],
            Record {
                opcode: 4,
                flags: 1,
                connection: 7,
                payload: b"hello"
            }
        );
        assert_eq!(records[1].payload, b"");
        assert_eq!(records[2].flags, 0xff_ffff);
        assert_eq!(records[2].u32_at(0), 80);
        assert_eq!(records[2].rest(4), b"::1");
    }

    #[test]
    fn every_record_starts_aligned() {
        for length in 0..9 {
            let mut batch = Vec::new();
            push(&mut batch, 4, 0, 1, &[&vec![1; length]]);
            assert_eq!(batch.len() % 4, 0);
        }
    }

    #[test]
    fn a_cut_batch_ends_at_the_last_whole_record() {
        let mut batch = Vec::new();
        push(&mut batch, 4, 0, 1, &[b"abcdefgh"]);
        push(&mut batch, 4, 0, 2, &[b"abcdefgh"]);
        for cut in 0..batch.len() {
            let whole = if cut >= 20 { 1 } else { 0 };
            assert_eq!(iter(&batch[..cut]).count(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_length_beyond_the_batch_is_not_read() {
        let mut batch = Vec::new();
        begin(&mut batch, 4, 0, 1, usize::MAX);
        assert_eq!(iter(&batch).count(), 0);
    }

    #[test]
    fn a_missing_word_reads_as_zero() {
        assert_eq!(
            Record {
                opcode: 1,
                flags: 0,
                connection: 0,
                payload: b"abc"
            }
            .u32_at(0),
            0
        );
        assert_eq!(
            Record {
                opcode: 1,
                flags: 0,
                connection: 0,
                payload: b"abc"
            }
            .rest(9),
            b""
        );
    }
}
