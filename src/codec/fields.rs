//! Block of the header or trailer fields of a message.
//!
//! A block is one run of bytes, `name LF value LF name LF value LF ...`. So a head goes to the JavaScript thread as one
//! piece, and JavaScript splits it with one `split('\n')`. Neither a name nor a value can contain LF: LF ends a line.

use super::scan::is_blank;

/// Bytes of its allocation that a block keeps between messages; it gives the rest back.
const KEPT_CAPACITY: usize = 16 * 1024;

/// Block under construction: a name, its value, the next name, ...
#[derive(Debug, Default)]
pub(super) struct FieldBlock {
    bytes: Vec<u8>,
    pairs: usize,
    /// Offset at which the name or value under construction begins.
    part: usize,
}

impl FieldBlock {
    /// Forgets all fields.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
        self.pairs = 0;
        self.part = 0;
    }

    /// Appends to the name or value under construction.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the name or value under construction, without its first `start` bytes.
    pub(super) fn part_from(&self, start: usize) -> &[u8] {
        self.bytes.get(self.part + start..).unwrap_or_default()
    }

    /// Returns the number of bytes of the name or value under construction.
    pub(super) fn part_length(&self) -> usize {
        self.bytes.len() - self.part
    }

    /// Ends the name; its value follows.
    #[inline]
    pub(super) fn end_name(&mut self) {
        self.end_part();
    }

    /// Ends the value: drops the blanks at its end (RFC 9110 section 5.5).
    #[inline]
    pub(super) fn end_value(&mut self) {
        // The LF after the name ends this loop at the latest.
        while self.bytes.last().is_some_and(|&last| is_blank(last)) {
            self.bytes.pop();
        }
        self.end_part();
        self.pairs += 1;
    }

    /// Appends a whole field.
    #[inline]
    pub(super) fn push_field(&mut self, name: &[u8], value: &[u8]) {
        self.push(name);
        self.end_name();
        self.push(value);
        self.end_value();
    }

    /// Appends the first `length` bytes. Copies some more, if they are there, and drops them again. A copy of 16 or 32
    /// bytes is a few instructions; a copy of any length is a call.
    #[inline(always)]
    pub(super) fn push_start(&mut self, bytes: &[u8], length: usize) {
        let end = self.bytes.len() + length;
        if length <= 16
            && let Some(sixteen) = bytes.first_chunk::<16>()
        {
            self.push(sixteen);
        } else if length <= 32
            && let Some(thirty_two) = bytes.first_chunk::<32>()
        {
            self.push(thirty_two);
        } else {
            self.push(bytes.get(..length).unwrap_or(bytes));
        }
        self.bytes.truncate(end);
    }

    #[inline]
    fn end_part(&mut self) {
        self.bytes.push(b'\n');
        self.part = self.bytes.len();
    }

    /// Returns the complete fields.
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields::new(&self.bytes, self.pairs)
    }
}

/// Header fields in the order of their arrival, names in the case of their arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    block: &'a [u8],
    pairs: usize,
}

/// Fields after the last chunk (RFC 9112 section 7.1.2), in the same form as the header's.
pub type Trailers<'a> = Fields<'a>;

impl<'a> Fields<'a> {
    pub(super) const fn new(block: &'a [u8], pairs: usize) -> Self {
        Self { block, pairs }
    }

    /// Returns the block itself: `name LF value LF` for each field.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.block
    }

    /// Returns the number of fields.
    pub const fn len(&self) -> usize {
        self.pairs
    }

    /// Tells whether there is no field.
    pub const fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// Returns an iterator over the fields, as (name, value).
    pub fn iter(&self) -> FieldsIter<'a> {
        FieldsIter { rest: self.block }
    }
}

impl<'a> IntoIterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = FieldsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over the (name, value) pairs of [`Fields`].
#[derive(Clone, Debug)]
pub struct FieldsIter<'a> {
    rest: &'a [u8],
}

impl<'a> FieldsIter<'a> {
    fn next_part(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let (part, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(part)
    }
}

impl<'a> Iterator for FieldsIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.next_part()?;
        let value = self.next_part()?;
        Some((name, value))
    }
}
