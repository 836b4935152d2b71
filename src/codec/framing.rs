//! Where a message ends: what its head says about framing, and the decision drawn from it.
//!
//! Also the two questions that hang on the same facts: whether the connection outlives the message, and whether the
//! bytes after it are HTTP at all.

/// What the fields of a message said, as far as it concerns framing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// `Connection: keep-alive`
    pub(super) keep_alive: bool,
    /// `Connection: close`
    pub(super) close: bool,
    /// `Connection: upgrade`
    pub(super) connection_upgrade: bool,
    /// An Upgrade field with a value.
    pub(super) upgrade: bool,
    /// A Content-Length.
    pub(super) content_length: bool,
    /// A Transfer-Encoding with a value.
    pub(super) transfer_encoding: bool,
    /// `chunked` is the last transfer coding.
    pub(super) chunked: bool,
    /// The client knows that no body comes: the request was HEAD, or the response is interim.
    pub(super) no_body: bool,
}

/// How the body of a message is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// The message ends with its head.
    None,
    /// The message ends with its head, and so does HTTP on this connection, at least in this packet.
    SwitchProtocols,
    /// Chunks and a trailer section.
    Chunked,
    /// Content-Length bytes, at least one.
    Length,
    /// All bytes until the peer ends the stream.
    UntilClose,
}

/// The facts about the message under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Message {
    pub(super) status: u16,
    pub(super) version_major: u8,
    pub(super) version_minor: u8,
    pub(super) flags: Flags,
    /// The Content-Length; inside a body what is left of it, or of the chunk.
    ///
    /// It outlives the message: in lenient mode, after a response that should have been the last and whose body was
    /// not read (HEAD), the digits of the next Content-Length are appended to it, in Node's parser as in this one.
    pub(super) content_length: u64,
}

impl Message {
    /// Whether the head asks to switch protocols and the status grants it (RFC 9110 section 7.8).
    pub(super) const fn switches_protocols(&self) -> bool {
        self.status == 101 && self.flags.upgrade && self.flags.connection_upgrade
    }

    /// Whether another message can follow on the connection (RFC 9112 section 9.3).
    pub(super) const fn keeps_alive(&self) -> bool {
        let wanted = if self.version_major > 0 && self.version_minor > 0 {
            !self.flags.close
        } else {
            self.flags.keep_alive
        };
        wanted && !self.ends_with_stream()
    }

    /// Whether only the end of the stream ends the message.
    const fn ends_with_stream(&self) -> bool {
        let flags = &self.flags;
        if self.status / 100 == 1 || matches!(self.status, 204 | 304) || flags.no_body {
            return false;
        }
        !flags.chunked && (flags.transfer_encoding || !flags.content_length)
    }

    /// The message body length, in the order of RFC 9112 section 6.3.
    pub(super) const fn body_framing(&self, switched: bool) -> BodyFraming {
        let flags = &self.flags;
        // 2 (before 1, because nothing of what comes after is a message). A successful CONNECT and a granted upgrade;
        //   Node stops after any 101, granted or not.
        if switched || self.status == 101 {
            return BodyFraming::SwitchProtocols;
        }
        // 1. No body after HEAD, 1xx, 204 and 304. The unassigned 1xx are without one through `no_body`.
        if flags.no_body || matches!(self.status, 100 | 102 | 103 | 204 | 304) {
            return BodyFraming::None;
        }
        // 3. Both Transfer-Encoding and Content-Length: an error when the second of them was read. In lenient mode
        //    Transfer-Encoding wins, as in 4.
        // 4. Transfer-Encoding: chunks if `chunked` comes last, else until close.
        if flags.chunked {
            return BodyFraming::Chunked;
        }
        if flags.transfer_encoding {
            return BodyFraming::UntilClose;
        }
        // 5. An invalid Content-Length: an error when it was read, and so is a second one, even an equal one.
        // 6. A valid Content-Length.
        if flags.content_length {
            return if self.content_length == 0 {
                BodyFraming::None
            } else {
                BodyFraming::Length
            };
        }
        // 7. is about requests.
        // 8. Until close.
        if self.ends_with_stream() {
            BodyFraming::UntilClose
        } else {
            BodyFraming::None
        }
    }
}
