//! What single fields say about framing: Connection, Content-Length, Transfer-Encoding and Upgrade.
//!
//! Values are read line by line once a line is complete, in the block where they were collected. Only Content-Length
//! is read byte by byte (in `field_line`), because only it can be wrong.

use super::framing::{Flags, Message};
use super::rules::Rules;
use super::scan::{is_blank, is_text};

/// What a field says about framing, by its name and then, as its value is read, by the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FieldRole {
    /// Nothing.
    #[default]
    Plain,
    /// Connection or Proxy-Connection, no known option pending.
    Connection,
    /// The option that ended the value so far is this one; it counts once the value or its list item is complete.
    ConnectionOption(ConnectionOption),
    /// Content-Length
    ContentLength,
    /// Transfer-Encoding, no value yet.
    TransferEncoding,
    /// Transfer-Encoding whose last coding so far is `chunked`.
    Chunked,
    /// Upgrade, no value yet.
    Upgrade,
}

/// The options of a Connection field that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionOption {
    Close,
    KeepAlive,
    Upgrade,
}

impl ConnectionOption {
    const NAMES: [(Self, &'static [u8]); 3] = [
        (Self::Close, b"close"),
        (Self::KeepAlive, b"keep-alive"),
        (Self::Upgrade, b"upgrade"),
    ];

    /// The option that `bytes` begins with, and what follows it.
    fn strip(bytes: &[u8]) -> Option<(Self, &[u8])> {
        Self::NAMES
            .into_iter()
            .find_map(|(option, name)| Some((option, strip_ignoring_case(bytes, name)?)))
    }
}

impl FieldRole {
    /// The role of a field by its name, a token.
    #[inline(always)]
    pub(super) fn of(name: &[u8]) -> Self {
        match name.len() {
            7 if is_token(name, b"upgrade") => Self::Upgrade,
            10 if is_token(name, b"connection") => Self::Connection,
            14 if is_token(name, b"content-length") => Self::ContentLength,
            16 if is_token(name, b"proxy-connection") => Self::Connection,
            17 if is_token(name, b"transfer-encoding") => Self::TransferEncoding,
            _ => Self::Plain,
        }
    }

    /// Reads a whole value, with the blanks at its end and without a line end in it. Returns false, and changes
    /// nothing, if the value must be read byte by byte because it is wrong or may be.
    pub(super) fn read_value(self, value: &[u8], message: &mut Message, rules: &Rules) -> bool {
        let flags = &mut message.flags;
        match self {
            Self::Plain => {}
            Self::ContentLength => {
                if flags.content_length || flags.transfer_encoding || value.is_empty() {
                    return false;
                }
                let Some(length) = append_digits(message.content_length, value) else {
                    return false;
                };
                message.content_length = length;
                flags.content_length = true;
            }
            Self::TransferEncoding if flags.content_length || value.is_empty() => return false,
            _ if value.is_empty() => {}
            _ => self.read_line(value, flags, rules).conclude(flags),
        }
        true
    }

    /// One line of the field's value, without its line end; returns the role for what follows.
    ///
    /// A value has more than one line only where lenient mode joins folded lines.
    pub(super) fn read_line(self, line: &[u8], flags: &mut Flags, rules: &Rules) -> Self {
        match self {
            Self::Connection => read_connection(line, flags, rules),
            Self::TransferEncoding => read_transfer_encoding(line, flags),
            Self::Upgrade => {
                flags.upgrade = true;
                Self::Plain
            }
            // A folded line after `chunked` is not looked into, and so `chunked` was not the end of the list.
            other => other,
        }
    }

    /// The field is complete: what stood last in its value counts.
    pub(super) const fn conclude(self, flags: &mut Flags) {
        match self {
            Self::Chunked => flags.chunked = true,
            Self::ConnectionOption(ConnectionOption::Close) => flags.close = true,
            Self::ConnectionOption(ConnectionOption::KeepAlive) => flags.keep_alive = true,
            Self::ConnectionOption(ConnectionOption::Upgrade) => flags.connection_upgrade = true,
            _ => {}
        }
    }
}

/// `Connection = #connection-option` (RFC 9110 section 7.6.1), read as tolerantly as llhttp does: items may be empty,
/// and an option counts only if nothing but blanks follows it in its item.
fn read_connection(line: &[u8], flags: &mut Flags, rules: &Rules) -> FieldRole {
    let mut role = FieldRole::Connection;
    let mut rest = line;
    loop {
        rest = skip(rest, is_blank);
        if let Some((option, after)) = ConnectionOption::strip(rest) {
            let tab_is_blank = rules.dialect.tab_after_connection_option;
            rest = skip(after, |byte| {
                byte == b' ' || (byte == b'\t' && tab_is_blank)
            });
            let alone = matches!(rest.first(), None | Some(b','));
            role = if alone {
                FieldRole::ConnectionOption(option)
            } else {
                FieldRole::Plain
            };
        }
        let Some(after) = next_item(rest) else {
            return role;
        };
        rest = after;
        if let FieldRole::ConnectionOption(_) = role {
            role.conclude(flags);
            role = FieldRole::Connection;
        }
    }
}

/// `Transfer-Encoding = #transfer-coding` (RFC 9112 section 6.1). Several such fields are one list, so what an earlier
/// one ended with no longer comes last.
fn read_transfer_encoding(line: &[u8], flags: &mut Flags) -> FieldRole {
    flags.transfer_encoding = true;
    flags.chunked = false;
    let mut rest = line;
    loop {
        if let Some(after) = strip_ignoring_case(rest, b"chunked") {
            rest = skip(after, |byte| byte == b' ');
            if rest.is_empty() {
                return FieldRole::Chunked;
            }
        }
        let Some(after) = next_item(rest) else {
            return FieldRole::Plain;
        };
        rest = skip(after, is_blank);
    }
}

/// What follows the next comma. None if there is none before the end, or before a byte that no list item can hold
/// (which only the relaxed and lenient modes let pass): the rest of such a line says nothing.
fn next_item(rest: &[u8]) -> Option<&[u8]> {
    let end = rest
        .iter()
        .position(|&byte| byte == b',' || !is_text(byte))?;
    rest.get(end..)?.strip_prefix(b",")
}

fn strip_ignoring_case<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn skip(bytes: &[u8], what: impl Fn(u8) -> bool) -> &[u8] {
    let length = bytes
        .iter()
        .position(|&byte| !what(byte))
        .unwrap_or(bytes.len());
    bytes.get(length..).unwrap_or_default()
}

/// Appends decimal digits to a number; None if there is another byte or the number does not fit.
fn append_digits(number: u64, digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(number, |number, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Tells whether a token is `expected`, which is as long, whatever the case of its letters. Compares the first and the
/// last eight bytes at once: most fields are told apart there, and the loop over bytes is slower.
#[inline(always)]
fn is_token<const N: usize>(token: &[u8], expected: &[u8; N]) -> bool {
    // In a token, this bit sets apart nothing but the case of letters.
    const CASE_BITS: u64 = u64::from_le_bytes([0x20; 8]);
    let lower = |eight: &[u8; 8]| u64::from_le_bytes(*eight) | CASE_BITS;
    let ends = |bytes: &[u8]| Some((lower(bytes.first_chunk()?), lower(bytes.last_chunk()?)));
    match N {
        ..8 => token.eq_ignore_ascii_case(expected),
        8..=16 => ends(token) == ends(expected),
        _ => ends(token) == ends(expected) && token.eq_ignore_ascii_case(expected),
    }
}
