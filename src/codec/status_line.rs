//! The status line: `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112 section 4).
//!
//! The reader tolerates what llhttp tolerates: RTSP and ICE in place of HTTP, no space after the code, and any byte but
//! CR and LF in the reason phrase.

use super::cursor::{Cursor, Step};
use super::error::{DecodeError, ErrorKind};
use super::framing::Message;
use super::limits::HeaderBudget;
use super::rules::Rules;
use super::scan;

/// Beginning of most responses, which the reader takes in one step.
const USUAL_START: &[u8] = b"HTTP/1.1 ";

/// Part of the status line that the reader reads next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// First byte.
    #[default]
    Start,
    /// Rest of the protocol name, which the variant holds.
    Protocol(&'static [u8]),
    Slash,
    Major,
    Dot,
    Minor,
    SpaceAfterVersion,
    /// Status digit of this number, 0 to 2.
    Digit(u8),
    AfterCode,
    Reason,
    /// LF after the CR.
    LineEnd,
    /// First byte after the line, where a space is an error of its own.
    FirstFieldByte,
}

/// Reader of status lines.
#[derive(Debug, Default)]
pub(super) struct StatusLine {
    state: State,
    reason: Vec<u8>,
}

impl StatusLine {
    /// Begins another message.
    pub(super) fn restart(&mut self) {
        self.state = State::Start;
        self.reason.clear();
    }

    /// Sets the reason phrase of a status line that `whole_head` has read.
    pub(super) fn set_reason(&mut self, reason: &[u8]) {
        self.reason.extend_from_slice(reason);
    }

    /// Returns the reason phrase.
    pub(super) fn reason(&self) -> &[u8] {
        &self.reason
    }

    /// Reads on; returns Done before the first byte of the first field or of the empty line that ends the head.
    pub(super) fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        message: &mut Message,
        budget: &mut HeaderBudget,
        rules: &Rules,
    ) -> Result<Step, DecodeError> {
        if self.state == State::Start && cursor.rest().starts_with(USUAL_START) {
            cursor.take(USUAL_START.len());
            message.version_major = 1;
            message.version_minor = 1;
            message.status = 0;
            self.state = State::Digit(0);
        }
        while let Some(byte) = cursor.peek() {
            self.state = match self.state {
                State::Start | State::Protocol(_) | State::Slash => self.protocol(byte, cursor)?,
                State::Major | State::Dot | State::Minor | State::SpaceAfterVersion => {
                    self.version(byte, cursor, message, rules)?
                }
                State::Digit(index) => status_digit(index, byte, cursor, message)?,
                State::AfterCode => after_code(byte, cursor, rules)?,
                State::Reason => self.reason_phrase(cursor, budget, rules)?,
                State::LineEnd => line_end(byte, cursor, rules)?,
                State::FirstFieldByte => {
                    if byte == b' ' {
                        cursor.skip();
                        if !rules.insecure {
                            let reason = "Unexpected space after start line";
                            return fail(ErrorKind::UnexpectedSpace, reason, cursor);
                        }
                    }
                    return Ok(Step::Done);
                }
            };
        }
        Ok(Step::NeedInput)
    }

    fn protocol(&self, byte: u8, cursor: &mut Cursor<'_>) -> Result<State, DecodeError> {
        let (expected, next) = match self.state {
            State::Start => match byte {
                b'H' => (byte, State::Protocol(b"TTP")),
                b'R' => (byte, State::Protocol(b"TSP")),
                b'I' => (byte, State::Protocol(b"CE")),
                _ => (b'H', State::Start),
            },
            State::Protocol([expected]) => (*expected, State::Slash),
            State::Protocol([expected, rest @ ..]) => (*expected, State::Protocol(rest)),
            _ => (b'/', State::Major),
        };
        if byte != expected {
            return fail(
                ErrorKind::InvalidConstant,
                "Expected HTTP/, RTSP/ or ICE/",
                cursor,
            );
        }
        cursor.skip();
        Ok(next)
    }

    fn version(
        &self,
        byte: u8,
        cursor: &mut Cursor<'_>,
        message: &mut Message,
        rules: &Rules,
    ) -> Result<State, DecodeError> {
        let digit = decimal(byte);
        let (next, otherwise) = match (self.state, digit) {
            (State::Major, Some(major)) => {
                message.version_major = major;
                (Some(State::Dot), "")
            }
            (State::Major, None) => (None, "Invalid major version"),
            (State::Dot, _) => ((byte == b'.').then_some(State::Minor), "Expected dot"),
            (State::Minor, Some(minor)) => {
                message.version_minor = minor;
                (Some(State::SpaceAfterVersion), "")
            }
            (State::Minor, None) => (None, "Invalid minor version"),
            _ => (
                (byte == b' ').then_some(State::Digit(0)),
                "Expected space after version",
            ),
        };
        let Some(next) = next else {
            return fail(ErrorKind::InvalidVersion, otherwise, cursor);
        };
        cursor.skip();
        if next == State::SpaceAfterVersion && !rules.insecure {
            let version = (message.version_major, message.version_minor);
            if !matches!(version, (0, 9) | (1, 0 | 1) | (2, 0)) {
                return fail(ErrorKind::InvalidVersion, "Invalid HTTP version", cursor);
            }
        }
        message.status = 0;
        Ok(next)
    }

    fn reason_phrase(
        &mut self,
        cursor: &mut Cursor<'_>,
        budget: &mut HeaderBudget,
        rules: &Rules,
    ) -> Result<State, DecodeError> {
        let run = cursor.take_while(&scan::UNTIL_LINE_END);
        self.reason.extend_from_slice(run);
        let Some(end) = cursor.peek() else {
            budget.charge(run.len(), cursor.position())?;
            return Ok(State::Reason);
        };
        cursor.skip();
        budget.charge(run.len(), cursor.position())?;
        if end == b'\r' {
            return Ok(State::LineEnd);
        }
        if !rules.insecure {
            return fail(
                ErrorKind::CrExpected,
                "Missing expected CR after response line",
                cursor,
            );
        }
        Ok(State::FirstFieldByte)
    }
}

fn status_digit(
    index: u8,
    byte: u8,
    cursor: &mut Cursor<'_>,
    message: &mut Message,
) -> Result<State, DecodeError> {
    let Some(digit) = decimal(byte) else {
        return fail(ErrorKind::InvalidStatus, "Invalid status code", cursor);
    };
    cursor.skip();
    // Three digits: at most 999.
    message.status = message.status * 10 + u16::from(digit);
    Ok(if index < 2 {
        State::Digit(index + 1)
    } else {
        State::AfterCode
    })
}

fn after_code(byte: u8, cursor: &mut Cursor<'_>, rules: &Rules) -> Result<State, DecodeError> {
    let next = match byte {
        b' ' => Some(State::Reason),
        b'\r' => Some(State::LineEnd),
        b'\n' if rules.insecure => Some(State::FirstFieldByte),
        _ => None,
    };
    if next.is_some() || byte == b'\n' {
        cursor.skip();
    }
    let reason = "Invalid response status";
    next.ok_or_else(|| DecodeError::new(ErrorKind::InvalidStatus, reason, cursor.position()))
}

fn line_end(byte: u8, cursor: &mut Cursor<'_>, rules: &Rules) -> Result<State, DecodeError> {
    if byte == b'\n' || (byte == b'\r' && rules.dialect.cr_cr_ends_status_line) {
        cursor.skip();
    } else if !rules.insecure {
        return fail(ErrorKind::Strict, "Expected LF after CR", cursor);
    }
    Ok(State::FirstFieldByte)
}

const fn decimal(byte: u8) -> Option<u8> {
    if byte.is_ascii_digit() {
        Some(byte - b'0')
    } else {
        None
    }
}

fn fail<T>(kind: ErrorKind, reason: &'static str, cursor: &Cursor<'_>) -> Result<T, DecodeError> {
    Err(DecodeError::new(kind, reason, cursor.position()))
}
