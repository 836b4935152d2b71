//! What can be wrong with a response: the `HPE_*` codes of Node's parser.
//!
//! One variant per code that a response can cause. The codes that only requests, paused parsers or throwing
//! callbacks cause have no variant, because this decoder has none of the three.

use std::fmt;

/// The kind of a decoding error; [`ErrorKind::code`] is what JavaScript sees as `err.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The message does not begin with a known protocol name.
    InvalidConstant,
    /// The version is not two digits and a dot, or not one that is spoken.
    InvalidVersion,
    /// The status code is not three digits.
    InvalidStatus,
    /// A CR without its LF, or a byte in a chunk extension that does not belong there.
    Strict,
    /// A bare LF where CRLF is required.
    CrExpected,
    /// A CR after a header value that is not followed by LF.
    LfExpected,
    /// A space before the first header field.
    UnexpectedSpace,
    /// A byte in a field name or value that does not belong there.
    InvalidHeaderToken,
    /// A Content-Length that is no number, is empty, or stands beside Transfer-Encoding.
    InvalidContentLength,
    /// A second Content-Length, whatever its value.
    UnexpectedContentLength,
    /// A Transfer-Encoding beside a Content-Length.
    InvalidTransferEncoding,
    /// A chunk size that is no number or does not fit into 64 bits.
    InvalidChunkSize,
    /// The stream ended in the middle of a message.
    InvalidEofState,
    /// Bytes after a message that announced `Connection: close`.
    ClosedConnection,
    /// Header names and values together reached the limit.
    HeaderOverflow,
    /// The extensions of one chunk together passed the limit.
    ChunkExtensionsOverflow,
}

impl ErrorKind {
    /// Every variant, in the order of declaration.
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

    /// The code that Node puts on the error.
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

/// A response that cannot be decoded. Errors are sticky: every later call gives the same one, with offset 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Which code.
    pub kind: ErrorKind,
    /// The text that Node gives as `err.reason`.
    pub reason: &'static str,
    /// How many bytes of this call's input were consumed before the error.
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
