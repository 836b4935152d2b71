//! Counter of the bytes that the codec looks at, per thread because each test has its own.

use std::cell::Cell;

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

pub(in crate::codec) fn add(bytes: usize) {
    BYTES.set(BYTES.get() + bytes);
}

/// Returns the number of bytes that the codec looked at while `action` ran.
pub fn during(action: impl FnOnce()) -> usize {
    let before = BYTES.get();
    action();
    BYTES.get() - before
}
