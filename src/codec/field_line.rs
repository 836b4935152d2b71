//! Field lines, `field-name ":" OWS field-value OWS` (RFC 9112 section 5), and the empty line that ends them.
//!
//! The reader serves the header and the trailer section. It puts names and values straight into the field block, and
//! their facts about framing into the message's flags. Obsolete line folding (section 5.2) is an error. In lenient mode
//! the reader joins the lines as they stand, without the line end between them.

use super::cursor::{self, Cursor, Step};
use super::error::{DecodeError, ErrorKind};
use super::field_role::FieldRole;
use super::fields::FieldBlock;
use super::framing::Message;
use super::limits::HeaderBudget;
use super::rules::Rules;
use super::scan::{self, is_blank};
use super::usual_line;

/// Part of a field line that the reader reads next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// First byte of a field line or of the empty line.
    #[default]
    LineStart,
    Name,
    /// Spaces between the name of a framing field and its colon, in lenient mode only.
    NameSpaces,
    /// Blanks before a value.
    ValueBlanks,
    /// LF after a CR in place of a value.
    EmptyValueCr,
    /// First byte after a whole line end in place of a value.
    EmptyValueEnd,
    Value,
    ContentLengthDigits,
    ContentLengthBlanks,
    /// LF after a value.
    ValueLf,
    /// First byte after the whole line; a blank there continues the value.
    ValueEnd,
    /// LF of the empty line.
    LastLf,
}

/// Reader of field lines.
#[derive(Debug, Default)]
pub(super) struct FieldLines {
    state: State,
    role: FieldRole,
    /// Offset in the value at which its current line begins.
    line_start: usize,
    /// Number of bytes of the name or value under way that the budget is not charged for yet.
    uncharged: usize,
}

/// Parts of the decoder that a reader of fields reads and writes.
pub(super) struct Context<'d> {
    pub(super) block: &'d mut FieldBlock,
    pub(super) message: &'d mut Message,
    pub(super) budget: &'d mut HeaderBudget,
    pub(super) rules: &'d Rules,
}

impl FieldLines {
    /// Begins another section.
    pub(super) fn restart(&mut self) {
        self.state = State::LineStart;
        self.uncharged = 0;
    }

    /// Reads on; returns Done after the empty line.
    pub(super) fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<Step, DecodeError> {
        while let Some(byte) = cursor.peek() {
            self.state = match self.state {
                State::LineStart if usual_line::take(cursor, context) => State::LineStart,
                State::LineStart => match line_start(byte, cursor, context.rules)? {
                    Some(state) => state,
                    None => return Ok(Step::Done),
                },
                State::Name => self.name(cursor, context)?,
                State::NameSpaces => self.name_spaces(byte, cursor, context)?,
                State::ValueBlanks => self.value_blanks(byte, cursor, context)?,
                State::EmptyValueCr => empty_value_cr(byte, cursor, context.rules)?,
                State::EmptyValueEnd => self.empty_value_end(byte, cursor, context)?,
                State::Value => self.value(cursor, context)?,
                State::ContentLengthDigits => self.content_length_digits(byte, cursor, context)?,
                State::ContentLengthBlanks => self.content_length_blanks(byte, cursor, context)?,
                State::ValueLf => value_lf(byte, cursor)?,
                State::ValueEnd => self.value_end(byte, cursor, context)?,
                State::LastLf => {
                    if byte == b'\n' {
                        cursor.skip();
                    } else if !context.rules.insecure {
                        return fail(ErrorKind::Strict, "Expected LF after headers", cursor);
                    }
                    return Ok(Step::Done);
                }
            };
        }
        self.charge(cursor, context)?;
        Ok(Step::NeedInput)
    }

    /// Charges the budget for the name or value that ends here, or for the part of it that the input has.
    #[inline]
    fn charge(
        &mut self,
        cursor: &Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), DecodeError> {
        let count = std::mem::take(&mut self.uncharged);
        context.budget.charge(count, cursor.position())
    }

    /// Takes bytes of the name or value under way.
    #[inline]
    fn collect(&mut self, run: &[u8], context: &mut Context<'_>) {
        context.block.push(run);
        self.uncharged += run.len();
    }

    fn name(
        &mut self,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        self.collect(cursor.take_while(&scan::TOKEN), context);
        let Some(byte) = cursor.peek() else {
            return Ok(State::Name);
        };
        self.role = FieldRole::of(context.block.part_from(0));
        if byte == b':' {
            return self.name_end(cursor, context);
        }
        // Whitespace here has hidden a framing field from one parser and not from another: RFC 9112 section 5.1.
        if byte != b' ' || self.role == FieldRole::Plain {
            return fail(
                ErrorKind::InvalidHeaderToken,
                "Invalid header token",
                cursor,
            );
        }
        if context.rules.insecure {
            return Ok(State::NameSpaces);
        }
        cursor.skip();
        self.charge(cursor, context)?;
        fail(
            ErrorKind::InvalidHeaderToken,
            "Invalid header field char",
            cursor,
        )
    }

    /// Adds the spaces to the name, as Node does.
    fn name_spaces(
        &mut self,
        byte: u8,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        match byte {
            b' ' => {
                self.collect(cursor.take(1), context);
                Ok(State::NameSpaces)
            }
            b':' => self.name_end(cursor, context),
            _ => Ok(State::Name),
        }
    }

    fn name_end(
        &mut self,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        cursor.skip();
        self.charge(cursor, context)?;
        context.block.end_name();
        self.line_start = 0;
        // A message with both has two ends, and parsers disagree which one counts: RFC 9112 section 6.3, item 3.
        let flags = &context.message.flags;
        if !context.rules.insecure {
            if self.role == FieldRole::TransferEncoding && flags.content_length {
                let reason = "Transfer-Encoding can't be present with Content-Length";
                return fail(ErrorKind::InvalidTransferEncoding, reason, cursor);
            }
            if self.role == FieldRole::ContentLength && flags.transfer_encoding {
                let reason = "Content-Length can't be present with Transfer-Encoding";
                return fail(ErrorKind::InvalidContentLength, reason, cursor);
            }
        }
        Ok(State::ValueBlanks)
    }

    fn value_blanks(
        &mut self,
        byte: u8,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return self.value_line_start(cursor, context);
        }
        cursor.skip();
        match byte {
            b'\r' => Ok(State::EmptyValueCr),
            b'\n' if context.rules.insecure => Ok(State::EmptyValueEnd),
            b'\n' => fail(
                ErrorKind::InvalidHeaderToken,
                "Invalid header value char",
                cursor,
            ),
            _ => Ok(State::ValueBlanks),
        }
    }

    fn empty_value_end(
        &mut self,
        byte: u8,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        if is_blank(byte) {
            cursor.skip();
            if context.rules.insecure {
                return Ok(State::ValueBlanks);
            }
            return fail(
                ErrorKind::InvalidHeaderToken,
                "Invalid header value char",
                cursor,
            );
        }
        if self.role == FieldRole::ContentLength {
            return fail(
                ErrorKind::InvalidContentLength,
                "Empty Content-Length",
                cursor,
            );
        }
        let must_have_value = context.rules.dialect.empty_transfer_encoding_fails;
        if self.role == FieldRole::TransferEncoding && must_have_value {
            let reason = "Empty Transfer-Encoding";
            return fail(ErrorKind::InvalidTransferEncoding, reason, cursor);
        }
        context.block.end_value();
        Ok(State::LineStart)
    }

    /// Begins a value, or a folded line of it, at its first byte.
    fn value_line_start(
        &mut self,
        cursor: &Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        if self.role != FieldRole::ContentLength {
            return Ok(State::Value);
        }
        // RFC 9112 section 6.3, item 5, lets a client take equal values as one; llhttp, and so Node, does not.
        if context.message.flags.content_length {
            return fail(
                ErrorKind::UnexpectedContentLength,
                "Duplicate Content-Length",
                cursor,
            );
        }
        Ok(State::ContentLengthDigits)
    }

    fn value(
        &mut self,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        self.collect(cursor.take_while(context.rules.field_value), context);
        match cursor.peek() {
            None => Ok(State::Value),
            Some(b'\r' | b'\n') => {
                if self.role != FieldRole::Plain {
                    let line = context.block.part_from(self.line_start);
                    cursor::count_work(line.len());
                    self.role =
                        self.role
                            .read_line(line, &mut context.message.flags, context.rules);
                }
                self.value_line_end(cursor, context)
            }
            Some(_) => {
                self.charge(cursor, context)?;
                fail(
                    ErrorKind::InvalidHeaderToken,
                    "Invalid header value char",
                    cursor,
                )
            }
        }
    }

    fn content_length_digits(
        &mut self,
        byte: u8,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        if !byte.is_ascii_digit() {
            return Ok(State::ContentLengthBlanks);
        }
        self.collect(cursor.take(1), context);
        let length = &mut context.message.content_length;
        let longer = length
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(u64::from(byte - b'0')));
        let Some(longer) = longer else {
            self.charge(cursor, context)?;
            return fail(
                ErrorKind::InvalidContentLength,
                "Content-Length overflow",
                cursor,
            );
        };
        *length = longer;
        Ok(State::ContentLengthDigits)
    }

    fn content_length_blanks(
        &mut self,
        byte: u8,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        match byte {
            b'\t' if !context.rules.dialect.tab_after_content_length => {}
            b' ' | b'\t' => {
                self.collect(cursor.take(1), context);
                return Ok(State::ContentLengthBlanks);
            }
            b'\r' | b'\n' => {
                context.message.flags.content_length = true;
                return self.value_line_end(cursor, context);
            }
            _ => {}
        }
        self.charge(cursor, context)?;
        fail(
            ErrorKind::InvalidContentLength,
            "Invalid character in Content-Length",
            cursor,
        )
    }

    /// Ends the line of a value at its CR or LF.
    fn value_line_end(
        &mut self,
        cursor: &mut Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        if cursor.peek() == Some(b'\r') {
            cursor.skip();
            self.charge(cursor, context)?;
            return Ok(State::ValueLf);
        }
        self.charge(cursor, context)?;
        if !context.rules.insecure {
            return fail(
                ErrorKind::CrExpected,
                "Missing expected CR after header value",
                cursor,
            );
        }
        Ok(State::ValueLf)
    }

    fn value_end(
        &mut self,
        byte: u8,
        cursor: &Cursor<'_>,
        context: &mut Context<'_>,
    ) -> Result<State, DecodeError> {
        if !is_blank(byte) {
            self.role.conclude(&mut context.message.flags);
            context.block.end_value();
            return Ok(State::LineStart);
        }
        if !context.rules.insecure {
            return fail(
                ErrorKind::InvalidHeaderToken,
                "Unexpected whitespace after header value",
                cursor,
            );
        }
        if self.role == FieldRole::Chunked {
            self.role = FieldRole::Plain;
        }
        self.line_start = context.block.part_length();
        self.value_line_start(cursor, context)
    }
}

/// Returns the state for the first byte of a line; None at the end of the section.
fn line_start(
    byte: u8,
    cursor: &mut Cursor<'_>,
    rules: &Rules,
) -> Result<Option<State>, DecodeError> {
    match byte {
        b'\r' => {
            cursor.skip();
            Ok(Some(State::LastLf))
        }
        b'\n' => {
            cursor.skip();
            if rules.insecure {
                return Ok(None);
            }
            fail(
                ErrorKind::InvalidHeaderToken,
                "Invalid header field char",
                cursor,
            )
        }
        b':' => fail(
            ErrorKind::InvalidHeaderToken,
            "Invalid header token",
            cursor,
        ),
        _ => Ok(Some(State::Name)),
    }
}

fn empty_value_cr(byte: u8, cursor: &mut Cursor<'_>, rules: &Rules) -> Result<State, DecodeError> {
    if byte == b'\n' {
        cursor.skip();
    } else if !rules.insecure {
        return fail(ErrorKind::Strict, "Expected LF after CR", cursor);
    }
    Ok(State::EmptyValueEnd)
}

fn value_lf(byte: u8, cursor: &mut Cursor<'_>) -> Result<State, DecodeError> {
    if byte != b'\n' {
        return fail(
            ErrorKind::LfExpected,
            "Missing expected LF after header value",
            cursor,
        );
    }
    cursor.skip();
    Ok(State::ValueEnd)
}

fn fail<T>(kind: ErrorKind, reason: &'static str, cursor: &Cursor<'_>) -> Result<T, DecodeError> {
    Err(DecodeError::new(kind, reason, cursor.position()))
}
