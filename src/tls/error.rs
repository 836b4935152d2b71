//! Errors of OpenSSL, in the words in which Node tells of them.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::openssl::{OpenSsl, guarded};

/// An error of the TLS protocol.
#[derive(Debug, Default)]
pub struct TlsError {
    /// The line that OpenSSL prints of the last error in its queue.
    pub message: Vec<u8>,
    /// The name of OpenSSL's library.
    pub library: Vec<u8>,
    /// The reason, from which Node makes the error code.
    pub reason: Vec<u8>,
}

impl TlsError {
    /// Takes the errors of this thread's queue.
    pub(super) fn take(openssl: &OpenSsl) -> Self {
        let mut message = Vec::new();
        // SAFETY: the functions only look at this thread's queue of errors. The callback gets a `Vec` that lives as long
        // as the call. The strings that OpenSSL gives are its own constants.
        unsafe {
            let first = (openssl.err_peek_error)();
            (openssl.err_print_errors_cb)(keep_last, (&raw mut message).cast());
            Self {
                message,
                library: text((openssl.err_lib_error_string)(first)),
                reason: text((openssl.err_reason_error_string)(first)),
            }
        }
    }
}

/// Replaces the text in a `Vec` by that of the next error. Node keeps the last one too.
unsafe extern "C" fn keep_last(line: *const c_char, length: usize, message: *mut c_void) -> c_int {
    guarded(|| {
        // SAFETY: `message` is the `Vec` that `take` has given, and OpenSSL gives a line of `length` bytes.
        unsafe {
            let message = &mut *message.cast::<Vec<u8>>();
            message.clear();
            message.extend_from_slice(std::slice::from_raw_parts(line.cast(), length));
        }
        0
    })
}

/// Copies a string that may be missing.
///
/// # Safety
/// `text` is null or a string that ends with a NUL.
unsafe fn text(text: *const c_char) -> Vec<u8> {
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(text) }.to_bytes().to_vec()
}
