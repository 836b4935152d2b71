//! Sets of bytes, and the scan for the first byte outside of one.
//!
//! The sets are those of RFC 9110 section 5.5 and 5.6, with the extensions that Node's lenient modes allow.

/// Set of byte values.
#[derive(Debug)]
pub(super) struct ByteSet {
    member: [bool; 256],
    /// Every byte but the controls and DEL is a member, so the scan can test eight bytes at once.
    holds_all_text: bool,
}

/// Makes the set of the bytes for which a `const fn` is true; a `const fn` cannot take that one as an argument.
macro_rules! byte_set {
    ($predicate:ident) => {{
        let mut member = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            member[byte] = $predicate(byte as u8);
            byte += 1;
        }
        ByteSet::new(member)
    }};
}

/// Bytes of a `token`, such as a field name.
pub(super) static TOKEN: ByteSet = byte_set!(is_token);

/// Bytes of a field value: `field-content` and the whitespace in it.
pub(super) static FIELD_VALUE: ByteSet = byte_set!(is_text);

/// Bytes of a field value with the controls that the Fetch standard allows: all but NUL, CR and LF.
pub(super) static RELAXED_FIELD_VALUE: ByteSet = byte_set!(is_not_nul_or_line_end);

/// Bytes of a reason phrase, and of a field value in Node's lenient mode: all but CR and LF.
pub(super) static UNTIL_LINE_END: ByteSet = byte_set!(is_not_line_end);

/// Bytes of `qdtext`, which a quoted string may hold without a backslash.
pub(super) static QUOTED_TEXT: ByteSet = byte_set!(is_quoted_text);

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Tells whether a byte is text: HTAB, SP, VCHAR or obs-text.
pub(super) const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

const fn is_not_nul_or_line_end(byte: u8) -> bool {
    byte != 0 && is_not_line_end(byte)
}

const fn is_not_line_end(byte: u8) -> bool {
    byte != b'\r' && byte != b'\n'
}

const fn is_quoted_text(byte: u8) -> bool {
    is_text(byte) && byte != b'"' && byte != b'\\'
}

/// Tells whether a byte is optional whitespace, `OWS` of RFC 9110 section 5.6.3.
#[inline]
pub(super) const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

impl ByteSet {
    const fn new(member: [bool; 256]) -> Self {
        let mut holds_all_text = true;
        let mut byte = 0;
        while byte < 256 {
            if is_text(byte as u8) && !member[byte] {
                holds_all_text = false;
            }
            byte += 1;
        }
        Self {
            member,
            holds_all_text,
        }
    }

    #[inline]
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.member[usize::from(byte)]
    }

    /// Returns the number of bytes at the start of `bytes` that are members.
    #[inline]
    pub(super) fn run_length(&self, bytes: &[u8]) -> usize {
        if self.holds_all_text {
            self.run_length_by_words(bytes)
        } else {
            self.run_length_by_bytes(bytes)
        }
    }

    #[inline]
    fn run_length_by_bytes(&self, bytes: &[u8]) -> usize {
        let (fours, _) = bytes.as_chunks::<4>();
        let whole = fours
            .iter()
            .take_while(|four| four.iter().all(|&byte| self.contains(byte)))
            .count()
            * 4;
        let rest = bytes.get(whole..).unwrap_or_default();
        whole + rest.iter().take_while(|&&byte| self.contains(byte)).count()
    }

    /// Steps over eight bytes at a time while none of them is a control; for sets that hold all text.
    #[inline]
    fn run_length_by_words(&self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while let Some((eight, after)) = rest.split_first_chunk::<8>() {
            let text = leading_text(u64::from_le_bytes(*eight));
            match eight.get(text) {
                None => rest = after,
                Some(&control) => {
                    rest = rest.get(text..).unwrap_or_default();
                    if !self.contains(control) {
                        return bytes.len() - rest.len();
                    }
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
        bytes.len() - rest.len() + self.run_length_by_bytes(rest)
    }
}

/// Returns the number of low bytes of a word before the first control or DEL, 0 to 8. HTAB counts as a control here.
#[inline]
fn leading_text(word: u64) -> usize {
    const LOW_BITS: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    // A borrow can only spoil the bytes above the first hit, and only the first hit counts.
    let below_space = word.wrapping_sub(LOW_BITS * 0x20) & !word;
    let differs_from_del = word ^ (LOW_BITS * 0x7f);
    let is_del = differs_from_del.wrapping_sub(LOW_BITS) & !differs_from_del;
    let hits = (below_space | is_del) & HIGH_BITS;
    (hits.trailing_zeros() / 8) as usize
}
