//! The `SSL` that Node makes while JavaScript calls `tls.connect()`.
//!
//! Node hands it out nowhere. OpenSSL, though, tells the owner of an index of extra data of each `SSL` that is made, on
//! the thread that makes it.

use std::cell::Cell;
use std::ffi::{c_int, c_long, c_void};
use std::sync::OnceLock;

use super::exit::{close_gate_at_exit, watch_main_thread};
use super::openssl::{NewCallback, OpenSsl, Ssl, get, guarded};

/// `CRYPTO_EX_INDEX_SSL`.
const CLASS: c_int = 0;

/// Result of a thread's watch for the `SSL` that Node makes.
#[derive(Clone, Copy)]
enum Watch {
    /// The thread does not watch.
    Off,
    /// No `SSL` has been made.
    Nothing,
    /// One has.
    One(*mut Ssl),
    /// Several have, so none is known to be the one.
    Several,
}

thread_local! {
    static WATCH: Cell<Watch> = const { Cell::new(Watch::Off) };
}

/// Gives the index of the extra data that a taken-over `SSL` has.
pub(super) fn index(openssl: &OpenSsl) -> Option<c_int> {
    static INDEX: OnceLock<c_int> = OnceLock::new();
    let index = *INDEX.get_or_init(|| {
        if !stay_loaded() || !close_gate_at_exit() {
            return -1;
        }
        let callback: NewCallback = on_new;
        let none = std::ptr::null_mut();
        // SAFETY: the callback has the right type, and stays in memory.
        unsafe { (openssl.get_ex_new_index)(CLASS, 0, none, Some(callback), none, none) }
    });
    (index >= 0).then_some(index)
}

/// Begins to watch this thread. Gives `false` where the process has no OpenSSL to take anything from.
pub fn watch() -> bool {
    let ready = get().and_then(index).is_some();
    if ready {
        watch_main_thread();
        WATCH.set(Watch::Nothing);
    }
    ready
}

/// Ends watching. Gives the `SSL` that this thread has made meanwhile, if it is just one.
pub fn take() -> Option<*mut Ssl> {
    match WATCH.replace(Watch::Off) {
        Watch::One(ssl) => Some(ssl),
        _ => None,
    }
}

unsafe extern "C" fn on_new(
    ssl: *mut c_void,
    _: *mut c_void,
    _: *mut c_void,
    _: c_int,
    _: c_long,
    _: *mut c_void,
) {
    guarded(|| {
        // A thread that ends has no watch any more.
        let _ = WATCH.try_with(|watch| {
            watch.set(match watch.get() {
                Watch::Off => Watch::Off,
                Watch::Nothing => Watch::One(ssl.cast()),
                Watch::One(_) | Watch::Several => Watch::Several,
            });
        });
    });
}

/// Keeps this library in memory until the process ends: Node unloads an addon with the last worker that has loaded it, and
/// OpenSSL has the address of `on_new` for good. Gives `false` if that cannot be done.
fn stay_loaded() -> bool {
    let callback: NewCallback = on_new;
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: the address is one of this library, and `info` has room. What `dladdr` fills in is a string of the loader's.
    // Opening a library that is open runs no code of it.
    unsafe {
        if libc::dladdr(callback as *const c_void, info.as_mut_ptr()) == 0 {
            return false;
        }
        let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
        !libc::dlopen(info.assume_init().dli_fname, flags).is_null()
    }
}
