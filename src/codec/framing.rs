//! Framing of a message: the facts in its head, and the decision where the message ends.
//!
//! The same facts decide whether the connection outlives the message, and whether the bytes after it are HTTP at all.

/// Facts about framing that the fields of a message have stated.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// `Connection: keep-alive` was a field.
    pub(super) keep_alive: bool,
    /// `Connection: close` was a field.
    pub(super) close: bool,
    /// `Connection: upgrade` was a field.
    pub(super) connection_upgrade: bool,
    /// An Upgrade field had a value.
    pub(super) upgrade: bool,
    /// A Content-Length was a field.
    pub(super) content_length: bool,
    /// A Transfer-Encoding had a value.
    pub(super) transfer_encoding: bool,
    /// The last transfer coding was `chunked`.
    pub(super) chunked: bool,
    /// No body comes, because the request was HEAD or the response is interim.
    pub(super) no_body: bool,
}

/// Delimiter of the body of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// The message ends with its head.
    None,
    /// The message ends with its head, and so does HTTP on this connection, at least in this packet.
    SwitchProtocols,
    /// The body is chunks, and a trailer section ends it.
    Chunked,
    /// The body has as many bytes as Content-Length says, at least one.
    Length,
    /// The body is all bytes until the peer ends the stream.
    UntilClose,
}

/// Facts about the message under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Message {
    pub(super) status: u16,
    pub(super) version_major: u8,
    pub(super) version_minor: u8,
    pub(super) flags: Flags,
    /// Content-Length in bytes; inside a body, the bytes that are left of it or of the chunk.
    ///
    /// The number can outlive the message in lenient mode, after a response to HEAD that should have been the last. The
    /// decoder appends the digits of the next Content-Length to it, as Node's parser does.
    pub(super) content_length: u64,
}

impl Message {
    /// Tells whether the head asks to switch protocols and the status grants it (RFC 9110 section 7.8).
    pub(super) const fn switches_protocols(&self) -> bool {
        self.status == 101 && self.flags.upgrade && self.flags.connection_upgrade
    }

    /// Tells whether another message can follow on the connection (RFC 9112 section 9.3).
    pub(super) const fn keeps_alive(&self) -> bool {
        let wanted = if self.version_major > 0 && self.version_minor > 0 {
            !self.flags.close
        } else {
            self.flags.keep_alive
        };
        wanted && !self.ends_with_stream()
    }

    /// Tells whether only the end of the stream ends the message.
    const fn ends_with_stream(&self) -> bool {
        let flags = &self.flags;
        if self.status / 100 == 1 || matches!(self.status, 204 | 304) || flags.no_body {
            return false;
        }
        !flags.chunked && (flags.transfer_encoding || !flags.content_length)
    }

    /// Decides the framing of the body, in the order of RFC 9112 section 6.3.
    pub(super) const fn body_framing(&self, switched: bool) -> BodyFraming {
        let flags = &self.flags;
        // 2 (before 1, because no message follows). A successful CONNECT and a granted upgrade; Node stops after any
        //   101, granted or not.
        if switched || self.status == 101 {
            return BodyFraming::SwitchProtocols;
        }
        // 1. No body after HEAD, 1xx, 204 and 304. The unassigned 1xx have `no_body`.
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
