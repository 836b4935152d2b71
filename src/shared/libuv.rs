//! Finds the functions of libuv that both threads use, and reads its clock. Any thread may call it.

use std::ffi::{CStr, c_void};
use std::sync::LazyLock;
use std::time::Instant;

/// Looks up a function of the process.
///
/// # Safety
/// `F` is a function pointer with the signature of the function of that name.
pub unsafe fn symbol<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: the name is NUL-terminated.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: as the caller promises; `F` is as large as a pointer.
    (!address.is_null()).then(|| unsafe { std::mem::transmute_copy(&address) })
}

/// The function that reads libuv's clock; none in a program without libuv, as a test.
static HRTIME: LazyLock<Option<unsafe extern "C" fn() -> u64>> = LazyLock::new(|| {
    // SAFETY: that is the signature of `uv_hrtime`.
    unsafe { symbol(c"uv_hrtime") }
});

/// The beginning of the clock of a program without libuv.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Gives the milliseconds of libuv's clock. That of `performance.now()` differs by a constant.
pub fn now() -> f64 {
    let nanoseconds = match *HRTIME {
        // SAFETY: libuv reads a clock of the system, on any thread.
        Some(hrtime) => (unsafe { hrtime() }) as f64,
        None => BEGINNING.elapsed().as_nanos() as f64,
    };
    nanoseconds / 1e6
}
