//! The end of the process, at which OpenSSL and Node free what all connections use.
//!
//! `process.exit()` ends no I/O thread: it calls C's `exit`, whose handlers free OpenSSL's tables while that thread may
//! be in the middle of a handshake. Handlers of our own run before those, and let no I/O thread into OpenSSL any more.

use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard};

/// Gate of OpenSSL, which is closed when this is true. Each call of an engine holds it for reading.
static GATE: RwLock<bool> = RwLock::new(false);

/// Permission to call OpenSSL.
pub(super) type Pass = RwLockReadGuard<'static, bool>;

/// Gives the permission to call OpenSSL, unless the process ends.
pub(super) fn pass() -> Option<Pass> {
    let pass = GATE.read().unwrap_or_else(PoisonError::into_inner);
    (!*pass).then_some(pass)
}

/// Makes the end of the process close the gate. Gives `false` if that cannot be done.
///
/// Handlers run in the reverse order of their registration, and Node has initialised OpenSSL before it loads an addon.
pub(super) fn close_gate_at_exit() -> bool {
    // SAFETY: the handler is a function of this library, which stays in memory.
    unsafe { libc::atexit(close_gate) == 0 }
}

/// Makes the end of the process close the gate before it destroys what the first verification of a certificate has made:
/// Node's callback has a lock of its own. Called after a handshake.
pub(super) fn close_gate_earlier() {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        close_gate_at_exit();
    });
}

extern "C" fn close_gate() {
    *GATE.write().unwrap_or_else(PoisonError::into_inner) = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_thread_gets_into_openssl_once_the_process_ends() {
        assert!(pass().is_some());
        // The end waits for the thread that is in.
        let inside = pass();
        let end = std::thread::spawn(|| close_gate());
        drop(inside);
        assert!(end.join().is_ok());
        assert!(pass().is_none());
    }
}
