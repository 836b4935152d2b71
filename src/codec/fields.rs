//! The block that header and trailer fields are collected in.
//!
//! One contiguous run of bytes, `name LF value LF name LF value LF ...`, so that a head crosses the thread boundary
//! as one piece and JavaScript splits it with one `split('\n')`. LF can separate because neither a name nor a value
//! can contain one: LF always ends a line.

/// Header fields in the order of their arrival, names in the case of their arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    block: &'a [u8],
    pairs: usize,
}

/// The fields after the last chunk (RFC 9112 section 7.1.2), in the same form as the header's.
pub type Trailers<'a> = Fields<'a>;

impl<'a> Fields<'a> {
    pub(super) const fn new(block: &'a [u8], pairs: usize) -> Self {
        Self { block, pairs }
    }

    /// The block itself: `name LF value LF` for each field.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.block
    }

    /// How many fields there are.
    pub const fn len(&self) -> usize {
        self.pairs
    }

    /// Whether there is no field.
    pub const fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// The fields one by one, as (name, value).
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
