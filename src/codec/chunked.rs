//! Framing of the chunked transfer coding: sizes, extensions and the line end after the data (RFC 9112 section 7.1).
//!
//! The decoder reads the data, and `field_line` the trailer section. The reader here checks extensions and throws them
//! away. A size must fit into 64 bits; no digit is ever dropped, and no sign, prefix or blank may stand around it.

use super::cursor::{Cursor, Step};
use super::error::{DecodeError, ErrorKind};
use super::limits::ExtensionBudget;
use super::rules::Rules;
use super::scan;

/// Part of the framing that the reader reads next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// First digit of a size.
    #[default]
    FirstDigit,
    Digits,
    AfterSize,
    /// First byte after a semicolon.
    ExtensionStart,
    ExtensionName,
    ExtensionValue,
    Quoted,
    /// Byte after a backslash in a quoted string.
    QuotedPair,
    /// Byte after a quoted string.
    QuotedEnd,
    /// LF of the size line.
    SizeLf,
    /// CR after the data.
    DataEnd,
    /// LF after that CR.
    DataLf,
}

/// Reader of all bytes that frame chunks.
#[derive(Debug, Default)]
pub(super) struct ChunkFrame {
    state: State,
    budget: ExtensionBudget,
    /// Number of bytes of the extension name or value under way that the budget is not charged for yet.
    uncharged: usize,
}

impl ChunkFrame {
    /// Begins another body.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Tells the reader that the data of a chunk is read; the framing of the next chunk follows.
    pub(super) fn data_read(&mut self) {
        self.state = State::DataEnd;
    }

    /// Reads on; returns Done after the line of a size, which is then in `size`. The last chunk has size 0.
    pub(super) fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        size: &mut u64,
        rules: &Rules,
    ) -> Result<Step, DecodeError> {
        while let Some(byte) = cursor.peek() {
            self.state = match self.state {
                State::FirstDigit => first_digit(byte, cursor, size)?,
                State::Digits => more_digits(byte, cursor, size)?,
                State::AfterSize => after_size(byte, cursor, rules)?,
                State::ExtensionStart => extension_start(byte, cursor)?,
                State::ExtensionName => self.extension_name(cursor, rules)?,
                State::ExtensionValue => self.extension_value(cursor, rules)?,
                State::Quoted => self.quoted(cursor)?,
                State::QuotedPair => self.quoted_pair(byte, cursor)?,
                State::QuotedEnd => quoted_end(byte, cursor, rules)?,
                State::SizeLf => {
                    if byte == b'\n' {
                        cursor.skip();
                    } else if !rules.insecure {
                        return fail(ErrorKind::Strict, "Expected LF after chunk size", cursor);
                    }
                    self.budget.restart();
                    return Ok(Step::Done);
                }
                State::DataEnd | State::DataLf => self.data_end(byte, cursor, rules)?,
            };
        }
        self.charge(cursor)?;
        Ok(Step::NeedInput)
    }

    fn charge(&mut self, cursor: &Cursor<'_>) -> Result<(), DecodeError> {
        let count = std::mem::take(&mut self.uncharged);
        self.budget.charge(count, cursor.position())
    }

    fn extension_name(
        &mut self,
        cursor: &mut Cursor<'_>,
        rules: &Rules,
    ) -> Result<State, DecodeError> {
        self.uncharged += cursor.take_while(&scan::TOKEN).len();
        match cursor.peek() {
            None => Ok(State::ExtensionName),
            Some(b'=') => {
                cursor.skip();
                self.charge(cursor)?;
                Ok(State::ExtensionValue)
            }
            Some(byte) => self.extension_part_end(
                byte,
                cursor,
                rules,
                "Missing expected CR after chunk extension name",
                "Invalid character in chunk extensions name",
            ),
        }
    }

    /// Reads a token, which may end with a quoted string: llhttp does not look where the quoted string begins.
    fn extension_value(
        &mut self,
        cursor: &mut Cursor<'_>,
        rules: &Rules,
    ) -> Result<State, DecodeError> {
        self.uncharged += cursor.take_while(&scan::TOKEN).len();
        match cursor.peek() {
            None => Ok(State::ExtensionValue),
            Some(b'"') => {
                self.uncharged += cursor.take(1).len();
                Ok(State::Quoted)
            }
            Some(byte) => self.extension_part_end(
                byte,
                cursor,
                rules,
                "Missing expected CR after chunk extension value",
                "Invalid character in chunk extensions value",
            ),
        }
    }

    fn extension_part_end(
        &mut self,
        byte: u8,
        cursor: &mut Cursor<'_>,
        rules: &Rules,
        missing_cr: &'static str,
        invalid: &'static str,
    ) -> Result<State, DecodeError> {
        if byte == b'\n' {
            self.charge(cursor)?;
            return if rules.insecure {
                Ok(State::SizeLf)
            } else {
                fail(ErrorKind::CrExpected, missing_cr, cursor)
            };
        }
        cursor.skip();
        self.charge(cursor)?;
        match byte {
            b';' => Ok(State::ExtensionStart),
            b'\r' => Ok(State::SizeLf),
            _ => fail(ErrorKind::Strict, invalid, cursor),
        }
    }

    fn quoted(&mut self, cursor: &mut Cursor<'_>) -> Result<State, DecodeError> {
        self.uncharged += cursor.take_while(&scan::QUOTED_TEXT).len();
        let Some(byte) = cursor.peek() else {
            return Ok(State::Quoted);
        };
        cursor.skip();
        match byte {
            b'"' => {
                self.uncharged += 1;
                self.charge(cursor)?;
                Ok(State::QuotedEnd)
            }
            b'\\' => {
                self.uncharged += 1;
                Ok(State::QuotedPair)
            }
            _ => {
                self.charge(cursor)?;
                fail(
                    ErrorKind::Strict,
                    "Invalid character in chunk extensions quoted value",
                    cursor,
                )
            }
        }
    }

    fn quoted_pair(&mut self, byte: u8, cursor: &mut Cursor<'_>) -> Result<State, DecodeError> {
        cursor.skip();
        if !scan::is_text(byte) {
            self.charge(cursor)?;
            return fail(
                ErrorKind::Strict,
                "Invalid quoted-pair in chunk extensions quoted value",
                cursor,
            );
        }
        self.uncharged += 1;
        Ok(State::Quoted)
    }

    fn data_end(
        &mut self,
        byte: u8,
        cursor: &mut Cursor<'_>,
        rules: &Rules,
    ) -> Result<State, DecodeError> {
        if byte == b'\r' && self.state == State::DataEnd {
            cursor.skip();
            return Ok(State::DataLf);
        }
        if byte == b'\n' {
            cursor.skip();
            if self.state == State::DataEnd && !rules.insecure {
                return fail(
                    ErrorKind::CrExpected,
                    "Missing expected CR after chunk data",
                    cursor,
                );
            }
        } else if !rules.insecure {
            return fail(ErrorKind::Strict, "Expected LF after chunk data", cursor);
        }
        Ok(State::FirstDigit)
    }
}

fn first_digit(byte: u8, cursor: &mut Cursor<'_>, size: &mut u64) -> Result<State, DecodeError> {
    let Some(digit) = hexadecimal(byte) else {
        return fail(
            ErrorKind::InvalidChunkSize,
            "Invalid character in chunk size",
            cursor,
        );
    };
    cursor.skip();
    *size = digit;
    Ok(State::Digits)
}

fn more_digits(byte: u8, cursor: &mut Cursor<'_>, size: &mut u64) -> Result<State, DecodeError> {
    let Some(digit) = hexadecimal(byte) else {
        return Ok(State::AfterSize);
    };
    cursor.skip();
    let longer = size
        .checked_mul(16)
        .and_then(|shifted| shifted.checked_add(digit));
    let Some(longer) = longer else {
        return fail(ErrorKind::InvalidChunkSize, "Chunk size overflow", cursor);
    };
    *size = longer;
    Ok(State::Digits)
}

fn after_size(byte: u8, cursor: &mut Cursor<'_>, rules: &Rules) -> Result<State, DecodeError> {
    const INVALID: &str = "Invalid character in chunk size";
    if !matches!(byte, b'\r' | b'\n' | b';' | b' ' | b'\t') {
        return fail(ErrorKind::InvalidChunkSize, INVALID, cursor);
    }
    cursor.skip();
    match byte {
        b'\r' => Ok(State::SizeLf),
        b';' => Ok(State::ExtensionStart),
        // The next LF is the LF of this line, if one follows.
        b'\n' if rules.insecure => Ok(State::SizeLf),
        b'\n' => fail(
            ErrorKind::CrExpected,
            "Missing expected CR after chunk size",
            cursor,
        ),
        _ if rules.insecure => Ok(State::AfterSize),
        _ => fail(ErrorKind::InvalidChunkSize, INVALID, cursor),
    }
}

fn extension_start(byte: u8, cursor: &mut Cursor<'_>) -> Result<State, DecodeError> {
    if matches!(byte, b' ' | b'\r') {
        cursor.skip();
        return fail(
            ErrorKind::Strict,
            "Invalid character in chunk extensions",
            cursor,
        );
    }
    Ok(State::ExtensionName)
}

fn quoted_end(byte: u8, cursor: &mut Cursor<'_>, rules: &Rules) -> Result<State, DecodeError> {
    match byte {
        b';' => {
            cursor.skip();
            Ok(State::ExtensionStart)
        }
        b'\r' => {
            cursor.skip();
            Ok(State::SizeLf)
        }
        b'\n' if rules.insecure => Ok(State::SizeLf),
        b'\n' => fail(
            ErrorKind::CrExpected,
            "Missing expected CR after chunk extension value",
            cursor,
        ),
        _ => fail(
            ErrorKind::Strict,
            "Invalid character in chunk extensions quote value",
            cursor,
        ),
    }
}

fn hexadecimal(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

fn fail<T>(kind: ErrorKind, reason: &'static str, cursor: &Cursor<'_>) -> Result<T, DecodeError> {
    Err(DecodeError::new(kind, reason, cursor.position()))
}
