//! Tests of errors: a response for each kind, in the order of declaration, and the state after an error.

use super::codec::{DecodeError, Decoder, ErrorKind, Leniency, RequestMethod};
use super::{MAX_HEADER_SIZE, check_decoder, options};

/// Returns the error in which `bytes` end; its offset counts from the event before it.
fn error_of(bytes: &[u8]) -> DecodeError {
    let transcript = check_decoder(bytes, options(Leniency::None), RequestMethod::Other);
    transcript
        .error
        .unwrap_or_else(|| panic!("no error: {transcript:?}"))
}

/// Makes a test for each kind; `all_kinds_have_a_test` proves that none is missing.
macro_rules! errors {
    ($($test:ident: $kind:ident, $offset:expr, $bytes:expr;)*) => {
        $(#[test]
        fn $test() {
            let error = error_of($bytes);
            assert_eq!((error.kind, error.offset), (ErrorKind::$kind, $offset), "{}", error.reason);
        })*

        #[test]
        fn all_kinds_have_a_test() {
            let tested = [$(ErrorKind::$kind),*];
            for kind in ErrorKind::ALL {
                assert!(tested.contains(&kind), "{kind:?}");
            }
        }
    };
}

errors! {
    invalid_constant: InvalidConstant, 0, b"SSH-2.0-OpenSSH_9.2\r\n";
    invalid_version: InvalidVersion, 8, b"HTTP/1.2 200 OK\r\n\r\n";
    invalid_status: InvalidStatus, 9, b"HTTP/1.1 OK\r\n\r\n";
    strict: Strict, 16, b"HTTP/1.1 200 OK\rX: y\r\n\r\n";
    cr_expected: CrExpected, 16, b"HTTP/1.1 200 OK\nX: y\r\n\r\n";
    lf_expected: LfExpected, 22, b"HTTP/1.1 200 OK\r\nX: y\rZ: a\r\n\r\n";
    unexpected_space: UnexpectedSpace, 18, b"HTTP/1.1 200 OK\r\n X: y\r\n\r\n";
    invalid_header_token: InvalidHeaderToken, 18, b"HTTP/1.1 200 OK\r\nX(: y\r\n\r\n";
    invalid_content_length: InvalidContentLength, 33, b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n";
    unexpected_content_length: UnexpectedContentLength, 52,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n";
    invalid_transfer_encoding: InvalidTransferEncoding, 54,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n";
    invalid_chunk_size: InvalidChunkSize, 0,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n";
    invalid_eof_state: InvalidEofState, 0, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
    closed_connection: ClosedConnection, 1,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\nx";
    header_overflow: HeaderOverflow, 17 + MAX_HEADER_SIZE + 1,
        &[b"HTTP/1.1 200 OK\r\n", &b"n".repeat(MAX_HEADER_SIZE)[..], b": v\r\n\r\n"].concat();
    chunk_extensions_overflow: ChunkExtensionsOverflow, 2 + 16_384 + 2,
        &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", &b"e".repeat(16_385)[..], b"\r\n"].concat();
}

#[test]
fn codes_are_those_of_node() {
    let codes = ErrorKind::ALL.map(ErrorKind::code);
    for (index, code) in codes.iter().enumerate() {
        assert!(code.starts_with("HPE_"), "{code}");
        assert!(!codes[..index].contains(code), "{code} twice");
    }
    assert_eq!(ErrorKind::LfExpected.code(), "HPE_LF_EXPECTED");
}

#[test]
fn the_message_is_that_of_node() {
    assert_eq!(
        error_of(b"\0").to_string(),
        "Parse Error: Expected HTTP/, RTSP/ or ICE/"
    );
}

#[test]
fn an_error_stays_until_the_reset() {
    let options = options(Leniency::None);
    let mut decoder = Decoder::new(options);
    let error = decoder.decode(b"HTTP/9.1 200 OK\r\n\r\n").unwrap_err();
    let again = DecodeError { offset: 0, ..error };
    assert_eq!((error.kind, error.offset), (ErrorKind::InvalidVersion, 8));
    assert_eq!(decoder.decode(b"HTTP/1.1 200 OK\r\n\r\n"), Err(again));
    assert_eq!(decoder.decode(b""), Err(again));
    assert_eq!(decoder.finish(), Err(again));
    assert!(!decoder.is_idle());
    decoder.reset(options, RequestMethod::Other);
    assert!(decoder.is_idle());
    assert_eq!(decoder.finish(), Ok(None));
    assert!(decoder.decode(b"HTTP/1.1 200 OK\r\n\r\n").is_ok());
}

#[test]
fn an_early_end_of_the_stream_stays_an_error() {
    let mut decoder = Decoder::new(options(Leniency::None));
    assert_eq!(decoder.decode(b"HTTP/1.1 2"), Ok((10, None)));
    let error = decoder.finish().unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::InvalidEofState, 0));
    assert_eq!(decoder.decode(b"00 OK\r\n\r\n"), Err(error));
}

#[test]
fn nul_in_a_relaxed_value_is_an_error_at_once() {
    // Some releases of Node 24 and 26 never return from this response.
    let options = options(Leniency::HeaderValueRelaxed);
    let transcript = check_decoder(
        b"HTTP/1.1 200 OK\r\nX: a\x01\0b\r\n\r\n",
        options,
        RequestMethod::Other,
    );
    let error = transcript
        .error
        .map(|error| (error.kind, error.offset, error.reason));
    assert_eq!(
        error,
        Some((
            ErrorKind::InvalidHeaderToken,
            22,
            "Invalid header value char"
        ))
    );
}

/// Returns the kind of the error in an endless repetition, and the number of bytes up to it.
fn bytes_until_error(start: &[u8], endless: u8) -> (ErrorKind, usize) {
    let mut decoder = Decoder::new(options(Leniency::None));
    let mut rest = start;
    while let (consumed, Some(_)) = decoder.decode(rest).unwrap() {
        rest = &rest[consumed..];
    }
    for count in 1..=10 * MAX_HEADER_SIZE {
        if let Err(error) = decoder.decode(&[endless]) {
            return (error.kind, count);
        }
    }
    panic!("no end to {}", start.escape_ascii());
}

#[test]
fn nothing_that_is_kept_or_counted_can_go_on_for_ever() {
    let heads: [(&[u8], u8, usize); 4] = [
        (b"HTTP/1.1 200 ", b'r', MAX_HEADER_SIZE),
        (b"HTTP/1.1 200 OK\r\n", b'n', MAX_HEADER_SIZE - 2),
        (b"HTTP/1.1 200 OK\r\nName: ", b'v', MAX_HEADER_SIZE - 6),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: ",
            b'0',
            MAX_HEADER_SIZE - 16,
        ),
    ];
    for (start, endless, count) in heads {
        let expected = (ErrorKind::HeaderOverflow, count);
        assert_eq!(
            bytes_until_error(start, endless),
            expected,
            "{}",
            start.escape_ascii()
        );
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (line, free) in [("1;", 0), ("1;a=", 1), ("1;a=\"", 2), ("1;aa;bb=cc;", 6)] {
        let expected = (ErrorKind::ChunkExtensionsOverflow, 16_385 - free);
        assert_eq!(
            bytes_until_error((chunked.to_owned() + line).as_bytes(), b'e'),
            expected,
            "{line}"
        );
    }
    let trailer = (chunked.to_owned() + "0\r\nName: ").into_bytes();
    assert_eq!(
        bytes_until_error(&trailer, b'v'),
        (ErrorKind::HeaderOverflow, MAX_HEADER_SIZE - 4)
    );
}
