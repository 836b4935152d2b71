//! The short way for a field line as nearly all are: whole in the input, with a value, not folded, not about the length
//! of the body, and within the budget.
//!
//! It takes such a line in one step, as the states of `field_line` take it in eight. Any other line it leaves to them,
//! who know what to say about it; the tests cut every response at every byte, which shows that the two ways agree.

use super::cursor::{self, Cursor};
use super::field_line::Context;
use super::field_role::FieldRole;
use super::rules::Rules;
use super::scan::{self, is_blank};

/// Takes the next line if it is a usual one.
#[inline]
pub(super) fn take(cursor: &mut Cursor<'_>, context: &mut Context<'_>) -> bool {
    let Some(line) = UsualLine::find(cursor.rest(), context.rules) else {
        return false;
    };
    let role = FieldRole::of(line.name);
    if matches!(role, FieldRole::ContentLength | FieldRole::TransferEncoding) {
        return false;
    }
    if !context
        .budget
        .charge_if_within(line.name.len() + line.value.len())
    {
        return false;
    }
    if role != FieldRole::Plain {
        let flags = &mut context.message.flags;
        role.read_line(line.value, flags, context.rules)
            .conclude(flags);
    }
    context.block.push_field(line.name, line.value);
    cursor.take(line.length);
    true
}

/// A whole field line that the next line does not continue.
struct UsualLine<'a> {
    name: &'a [u8],
    /// With the blanks at its end, which count in the budget.
    value: &'a [u8],
    /// With the line end.
    length: usize,
}

impl<'a> UsualLine<'a> {
    #[inline]
    fn find(bytes: &'a [u8], rules: &Rules) -> Option<Self> {
        let (name, rest) = bytes.split_at_checked(scan::TOKEN.run_length(bytes))?;
        let rest = rest.strip_prefix(b":")?;
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let (value, rest) = rest.split_at_checked(rules.field_value.run_length(rest))?;
        cursor::count_work(bytes.len() - rest.len());
        let rest = rest.strip_prefix(b"\r\n")?;
        let usual = !name.is_empty() && !is_blank(*value.first()?) && !is_blank(*rest.first()?);
        let length = bytes.len() - rest.len();
        usual.then_some(Self {
            name,
            value,
            length,
        })
    }
}
