//! Tests that decoding takes linear time whatever the segmentation. They count the bytes looked at, and need no clock.

use super::codec::{Decoder, DecoderOptions, Leniency, RequestMethod};
use super::transcript;
use super::work;

const MEBIBYTE: usize = 1 << 20;

/// Number of bytes at which quadratic work shows by orders of magnitude.
const MANY: usize = 1 << 17;

/// Limit of looks for each byte of input. The decoder consumes every byte once. Before that, it may look whether a line
/// is a usual one, or search a short head for its end and parse it. After that, it may read the line for its framing.
const LOOKS_PER_BYTE: usize = 3;

fn work_of(bytes: &[u8], piece: usize, lenient: Leniency) -> usize {
    let options = DecoderOptions {
        max_header_size: 4 * MEBIBYTE,
        ..super::options(lenient)
    };
    let mut decoder = Decoder::new(options);
    let cuts: Vec<usize> = (piece..bytes.len()).step_by(piece).collect();
    work::during(|| {
        let transcript =
            transcript::decode(&mut decoder, bytes, &cuts, options, RequestMethod::Other);
        assert!(transcript.error.is_none(), "{:?}", transcript.error);
    })
}

fn assert_linear(bytes: &[u8], lenient: Leniency) {
    for piece in [1, 7, 1460, bytes.len()] {
        let work = work_of(bytes, piece, lenient);
        assert!(
            work >= bytes.len(),
            "the work of {} bytes was not counted: {work}",
            bytes.len()
        );
        assert!(
            work <= LOOKS_PER_BYTE * bytes.len(),
            "{} bytes in pieces of {piece} took {work}",
            bytes.len()
        );
    }
}

fn response(fields: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", fields, b"\r\n"].concat()
}

#[test]
fn a_value_of_a_mebibyte() {
    assert_linear(
        &response(&[b"X-Long: ", &b"v".repeat(MEBIBYTE)[..], b"\r\n"].concat()),
        Leniency::None,
    );
}

#[test]
fn a_long_name() {
    assert_linear(
        &response(&[&b"n".repeat(MANY)[..], b": v\r\n"].concat()),
        Leniency::None,
    );
}

#[test]
fn a_long_connection_field() {
    let options = b"close,".repeat(MANY / 6);
    assert_linear(
        &response(&[b"Connection: ", &options[..], b"\r\n"].concat()),
        Leniency::None,
    );
}

#[test]
fn many_blanks_after_a_value() {
    assert_linear(
        &response(&[b"X-Long: v", &b" ".repeat(MANY)[..], b"\r\n"].concat()),
        Leniency::None,
    );
}

#[test]
fn many_fields() {
    assert_linear(&response(&b"a: b\r\n".repeat(MANY / 8)), Leniency::None);
}

#[test]
fn a_value_folded_many_times() {
    assert_linear(
        &response(&[b"Connection: x", &b"\r\n ,y".repeat(MANY / 8)[..], b"\r\n"].concat()),
        Leniency::All,
    );
}

#[test]
fn a_long_reason_phrase() {
    let bytes = [
        b"HTTP/1.1 200 ",
        &b"r".repeat(MANY)[..],
        b"\r\nContent-Length: 0\r\n\r\n",
    ]
    .concat();
    assert_linear(&bytes, Leniency::None);
}

#[test]
fn many_chunks_of_one_byte() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bytes = [
        head,
        &b"1;a=\"b\"\r\nx\r\n".repeat(MANY / 8)[..],
        b"0\r\nT: u\r\n\r\n",
    ]
    .concat();
    assert_linear(&bytes, Leniency::None);
}
