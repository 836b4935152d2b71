//! The way of a short head that one call has whole: httparse parses it.
//!
//! httparse tolerates some bytes that llhttp refuses. This file looks for those bytes behind httparse, and refuses a
//! head in any doubt. The incremental readers (`status_line`, `field_line`) then read that head from its first byte. So
//! the codes and offsets of errors come from them alone.

use std::mem::MaybeUninit;
use std::sync::LazyLock;

use httparse::{Header, ParserConfig, Response, Status};
use memchr::memmem::Finder;

use super::cursor::{self, Cursor};
use super::field_line::Context;
use super::field_role::FieldRole;
use super::scan::is_blank;
use super::status_line::StatusLine;

/// Length in bytes of the longest head that httparse gets; the lead of the incremental readers grows with the length.
/// The search for the end of a head stops there, so that a head in several packets costs next to nothing more.
const MAX_LENGTH: usize = 512;

/// Number of fields for which the stack has room; httparse refuses a head with more.
const MAX_FIELDS: usize = 64;

/// Length in bytes of a status line up to its code: httparse accepts `HTTP/1.0` and `HTTP/1.1` only.
const CODE_END: usize = b"HTTP/1.1 200".len();

/// Finds the empty line after the last field. A search made once is cheaper than a search made for each head.
static HEAD_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// Takes the head at the cursor, which is not at a line end. Returns false, and changes nothing, if the head is for the
/// incremental readers.
pub(super) fn take(
    cursor: &mut Cursor<'_>,
    status_line: &mut StatusLine,
    context: &mut Context<'_>,
) -> bool {
    if context.rules.insecure {
        return false;
    }
    let before = *context.message;
    let Some(length) = read(cursor.rest(), status_line, context) else {
        *context.message = before;
        status_line.restart();
        context.block.clear();
        return false;
    };
    cursor.take(length);
    true
}

/// Reads the head at the start of `input` and returns its length in bytes. None may leave a part of the head in the
/// message, the status line and the block.
fn read(input: &[u8], status_line: &mut StatusLine, context: &mut Context<'_>) -> Option<usize> {
    // A head costs less of the budget than its length, because line ends and colons are free.
    let limit = MAX_LENGTH.min(context.budget.left());
    let window = input.get(..limit).unwrap_or(input);
    cursor::count_work(window.len());
    let length = HEAD_END.find(window)? + HEAD_END.needle().len();
    let head = window.get(..length)?;

    cursor::count_work(length);
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = Response::new(&mut []);
    let status = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, head, &mut fields)
        .ok()?;
    // The head that httparse sees is shorter where bare LFs end lines.
    if status != Status::Complete(length) {
        return None;
    }
    context.message.version_major = 1;
    context.message.version_minor = response.version?;
    context.message.status = response.code?;
    status_line.set_reason(reason_phrase(head)?);
    for field in response.headers.iter() {
        read_field(field, head, context)?;
    }
    Some(length)
}

/// Returns the reason phrase, which httparse hides if it has obs-text. None if a bare LF ends the line.
fn reason_phrase(head: &[u8]) -> Option<&[u8]> {
    let after_code = head.get(CODE_END..)?;
    let (line, _) = after_code.split_at_checked(memchr::memchr(b'\n', after_code)?)?;
    let line = line.strip_suffix(b"\r")?;
    Some(line.strip_prefix(b" ").unwrap_or(line))
}

/// Reads a field that httparse has found in `head`.
#[inline]
fn read_field(field: &Header<'_>, head: &[u8], context: &mut Context<'_>) -> Option<()> {
    let name = field.name.as_bytes();
    let from_name = head.get(offset_in(head, name)..)?;
    let from_value = head.get(offset_in(head, field.value)..)?;
    let role = FieldRole::of(name);
    let value = from_value.get(..value_length(from_value, field.value.len())?)?;
    if role != FieldRole::Plain && !role.read_value(value, context.message, context.rules) {
        return None;
    }
    context.block.push_start(from_name, name.len());
    context.block.end_name();
    context.block.push_start(from_value, field.value.len());
    context.block.end_value();
    Some(())
}

/// Returns the length of a value with the blanks at its end; without those it is `trimmed`. None if no CR follows:
/// httparse lets a bare LF end the line.
#[inline]
fn value_length(from_value: &[u8], trimmed: usize) -> Option<usize> {
    let mut length = trimmed;
    loop {
        match *from_value.get(length)? {
            b'\r' => return Some(length),
            byte if is_blank(byte) => length += 1,
            _ => return None,
        }
    }
}

/// Returns where `part`, a slice of `whole`, begins in it.
#[inline]
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr())
}
