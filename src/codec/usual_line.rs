//! The short way for a usual field line: whole in the input, with a value, not folded, and within the budget.
//!
//! It takes such a line in one step, and the states of `field_line` take it in eight. It leaves every other line to
//! those states, and they alone report errors. It serves the heads that are not for `whole_head`, and the trailers.

use super::cursor::{self, Cursor};
use super::field_line::Context;
use super::field_role::FieldRole;
use super::rules::Rules;
use super::scan::{self, is_blank};

/// Takes the next line if it is a usual one. Returns false, and changes nothing, if it is not.
#[inline]
pub(super) fn take(cursor: &mut Cursor<'_>, context: &mut Context<'_>) -> bool {
    let Some(line) = UsualLine::find(cursor.rest(), context.rules) else {
        return false;
    };
    let count = line.name.len() + line.value.len();
    let role = FieldRole::of(line.name);
    if count >= context.budget.left()
        || role != FieldRole::Plain && !role.read_value(line.value, context.message, context.rules)
    {
        return false;
    }
    context.budget.spend(count);
    context.block.push_field(line.name, line.value);
    cursor.take(line.length);
    true
}

/// A whole field line that the next line does not continue.
struct UsualLine<'a> {
    name: &'a [u8],
    /// The value with the blanks at its end, which count in the budget.
    value: &'a [u8],
    /// Length in bytes of the line with its line end.
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
