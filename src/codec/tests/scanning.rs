//! Tests of the sets of bytes, and of the scan of eight bytes at a time, against plain definitions of both.

use crate::codec::scan::{self, ByteSet};

fn assert_set(set: &ByteSet, definition: impl Fn(u8) -> bool) {
    for byte in 0..=u8::MAX {
        assert_eq!(set.contains(byte), definition(byte), "{byte:#04x}");
    }
}

#[test]
fn a_token_is_what_rfc_9110_says() {
    assert_set(&scan::TOKEN, |byte| {
        byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte)
    });
}

#[test]
fn a_field_value_is_visible_text_and_blanks() {
    assert_set(&scan::FIELD_VALUE, |byte| {
        byte == b'\t' || byte == b' ' || byte.is_ascii_graphic() || byte > 0x7f
    });
}

#[test]
fn a_relaxed_value_is_all_but_nul_and_line_ends() {
    assert_set(&scan::RELAXED_FIELD_VALUE, |byte| {
        !b"\0\r\n".contains(&byte)
    });
}

#[test]
fn a_lenient_value_is_all_but_line_ends() {
    assert_set(&scan::UNTIL_LINE_END, |byte| !b"\r\n".contains(&byte));
}

#[test]
fn quoted_text_is_a_value_without_quote_and_backslash() {
    assert_set(&scan::QUOTED_TEXT, |byte| {
        scan::FIELD_VALUE.contains(byte) && !b"\"\\".contains(&byte)
    });
}

#[test]
fn a_run_ends_at_the_first_byte_outside_wherever_that_is() {
    let sets = [
        &scan::TOKEN,
        &scan::FIELD_VALUE,
        &scan::RELAXED_FIELD_VALUE,
        &scan::UNTIL_LINE_END,
        &scan::QUOTED_TEXT,
    ];
    for set in sets {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                let mut bytes = [b'x'; 20];
                bytes[at] = byte;
                let expected = if set.contains(byte) { 20 } else { at };
                assert_eq!(set.run_length(&bytes), expected, "{byte:#04x} at {at}");
            }
        }
        for length in 0..20 {
            assert_eq!(set.run_length(&[b'x'; 20][..length]), length);
        }
    }
}

#[test]
fn any_two_neighbours_are_told_apart() {
    // The scan of words borrows from byte to byte, so every pair must come out as it does byte by byte.
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            let bytes = [b'x', first, second, b'x', b'x', b'x', b'x', b'x'];
            let expected = bytes
                .iter()
                .take_while(|&&byte| scan::FIELD_VALUE.contains(byte))
                .count();
            assert_eq!(
                scan::FIELD_VALUE.run_length(&bytes),
                expected,
                "{first:#04x} {second:#04x}"
            );
        }
    }
}
