//! Errors of the decoder, with the `HPE_*` codes of Node's parser.
//!
//! Each code that a response can cause has a variant. The codes that only requests, paused parsers or throwing
//! callbacks cause have none, because this decoder has none of the three.

use std::fmt;

/// Kind of a decoding error; JavaScript sees [`ErrorKind::code`] as `err.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The message does not begin with a known protocol name.
    InvalidConstant,
    /// The version is not two digits and a dot, or not one of HTTP's.
    InvalidVersion,
    /// The status code is not three digits.
    InvalidStatus,
    /// A CR has no LF, or a chunk extension has a byte that does not belong there.
    Strict,
    /// A bare LF stands where CRLF must be.
    CrExpected,
    /// A CR after a header value has no LF.
    LfExpected,
    /// A space precedes the first header field.
    UnexpectedSpace,
    /// A field name or value has a byte that does not belong there.
    InvalidHeaderToken,
    /// A Content-Length is empty or no number, or comes after Transfer-Encoding.
    InvalidContentLength,
    /// A second Content-Length comes, whatever its value.
    UnexpectedContentLength,
    /// A Transfer-Encoding comes after Content-Length, or is empty.
    InvalidTransferEncoding,
    /// A chunk size is no number or does not fit into 64 bits.
    InvalidChunkSize,
    /// The peer ended the stream in the middle of a message.
    InvalidEofState,
    /// Bytes follow a message that announced `Connection: close`.
    ClosedConnection,
    /// Reason phrase, header names and values together reached the limit.
    HeaderOverflow,
    /// The extensions of one chunk together passed the limit.
    ChunkExtensionsOverflow,
}

impl ErrorKind {
    /// All variants, in the order of declaration.
    pub const ALL: [ErrorKind; 16] = [
        ErrorKind::InvalidConstant,
        ErrorKind::InvalidVersion,
        ErrorKind::InvalidStatus,
        ErrorKind::Strict,
        ErrorKind::CrExpected,
        ErrorKind::LfExpected,
        ErrorKind::UnexpectedSpace,
        ErrorKind::InvalidHeaderToken,
        ErrorKind::InvalidContentLength,
        ErrorKind::UnexpectedContentLength,
        ErrorKind::InvalidTransferEncoding,
        ErrorKind::InvalidChunkSize,
        ErrorKind::InvalidEofState,
        ErrorKind::ClosedConnection,
        ErrorKind::HeaderOverflow,
        ErrorKind::ChunkExtensionsOverflow,
    ];

    /// Returns the code that Node puts on the error.
    pub const fn code(self) -> &'static str {
        match self {
            ErrorKind::InvalidConstant => "HPE_INVALID_CONSTANT",
            ErrorKind::InvalidVersion => "HPE_INVALID_VERSION",
            ErrorKind::InvalidStatus => "HPE_INVALID_STATUS",
            ErrorKind::Strict => "HPE_STRICT",
            ErrorKind::CrExpected => "HPE_CR_EXPECTED",
            ErrorKind::LfExpected => "HPE_LF_EXPECTED",
            ErrorKind::UnexpectedSpace => "HPE_UNEXPECTED_SPACE",
            ErrorKind::InvalidHeaderToken => "HPE_INVALID_HEADER_TOKEN",
            ErrorKind::InvalidContentLength => "HPE_INVALID_CONTENT_LENGTH",
            ErrorKind::UnexpectedContentLength => "HPE_UNEXPECTED_CONTENT_LENGTH",
            ErrorKind::InvalidTransferEncoding => "HPE_INVALID_TRANSFER_ENCODING",
            ErrorKind::InvalidChunkSize => "HPE_INVALID_CHUNK_SIZE",
            ErrorKind::InvalidEofState => "HPE_INVALID_EOF_STATE",
            ErrorKind::ClosedConnection => "HPE_CLOSED_CONNECTION",
            ErrorKind::HeaderOverflow => "HPE_HEADER_OVERFLOW",
            ErrorKind::ChunkExtensionsOverflow => "HPE_CHUNK_EXTENSIONS_OVERFLOW",
        }
    }
}

/// Error in a response. It is sticky: every later call gives the same error, with offset 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Kind of the error, which has Node's code.
    pub kind: ErrorKind,
    /// Text that Node gives as `err.reason`.
    pub reason: &'static str,
    /// Number of bytes of this call's input that were consumed before the error.
    pub offset: usize,
}

impl DecodeError {
    pub(super) const fn new(kind: ErrorKind, reason: &'static str, offset: usize) -> Self {
        Self {
            kind,
            reason,
            offset,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parse Error: {}", self.reason)
    }
}

impl std::error::Error for DecodeError {}
