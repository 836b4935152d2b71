//! Roles of the fields that concern framing: Connection, Content-Length, Transfer-Encoding and Upgrade.
//!
//! A role reads a value line by line, when a line is complete. Only a Content-Length can be wrong: if it may be,
//! `field_line` reads it byte by byte.

use super::framing::{Flags, Message};
use super::rules::Rules;
use super::scan::{is_blank, is_text};

/// Role of a field in framing. Its name gives the first role; the lines of its value change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FieldRole {
    /// The field says nothing about framing.
    #[default]
    Plain,
    /// Connection or Proxy-Connection, with no known option pending.
    Connection,
    /// Connection or Proxy-Connection; this option counts when the value or the list item is complete.
    ConnectionOption(ConnectionOption),
    /// Content-Length.
    ContentLength,
    /// Transfer-Encoding, before its value.
    TransferEncoding,
    /// Transfer-Encoding; `chunked` is the last coding so far.
    Chunked,
    /// Upgrade, before its value.
    Upgrade,
}

/// Options of a Connection field that concern framing.
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

    /// Returns the option with which `bytes` begins, and the bytes after it.
    fn strip(bytes: &[u8]) -> Option<(Self, &[u8])> {
        Self::NAMES
            .into_iter()
            .find_map(|(option, name)| Some((option, strip_ignoring_case(bytes, name)?)))
    }
}

impl FieldRole {
    /// Returns the role of a field; its name is a token.
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

    /// Reads a whole value of one line, with the blanks at its end. Returns false, and changes nothing, if the value is
    /// wrong or may be: the states of `field_line` must read it.
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

    /// Reads a line of the value, without its line end; returns the role for the next line.
    ///
    /// Only lenient mode joins folded lines to a value of more than one.
    pub(super) fn read_line(self, line: &[u8], flags: &mut Flags, rules: &Rules) -> Self {
        match self {
            Self::Connection => read_connection(line, flags, rules),
            Self::TransferEncoding => read_transfer_encoding(line, flags),
            Self::Upgrade => {
                flags.upgrade = true;
                Self::Plain
            }
            // llhttp does not look into a folded line after `chunked`, so `chunked` was not the end of the list.
            other => other,
        }
    }

    /// Ends the field: the last item of its value counts.
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

/// Reads `Connection = #connection-option` (RFC 9110 section 7.6.1) as tolerantly as llhttp. Items may be empty. An
/// option counts only if nothing but blanks follows it in its item.
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

/// Reads `Transfer-Encoding = #transfer-coding` (RFC 9112 section 6.1). Several such fields are one list, so the last
/// coding of an earlier field is no longer the last.
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

/// Returns the bytes after the next comma. None if the end comes before a comma, or a byte that no list item can hold.
/// Only the relaxed and lenient modes let such a byte pass; the rest of its line says nothing.
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

/// Appends decimal digits to a number. None if another byte is among them or the number does not fit.
fn append_digits(number: u64, digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(number, |number, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Tells whether a token is `expected`, whatever the case of its letters; both have the same length. Compares the first
/// and the last eight bytes at once, because that is faster than a loop over bytes.
#[inline(always)]
fn is_token<const N: usize>(token: &[u8], expected: &[u8; N]) -> bool {
    // This bit sets apart nothing but the case of letters, among the bytes of a token.
    const CASE_BITS: u64 = u64::from_le_bytes([0x20; 8]);
    let lower = |eight: &[u8; 8]| u64::from_le_bytes(*eight) | CASE_BITS;
    let ends = |bytes: &[u8]| Some((lower(bytes.first_chunk()?), lower(bytes.last_chunk()?)));
    match N {
        ..8 => token.eq_ignore_ascii_case(expected),
        8..=16 => ends(token) == ends(expected),
        _ => ends(token) == ends(expected) && token.eq_ignore_ascii_case(expected),
    }
}
