//! The end of the process, at which OpenSSL and Node free what all connections use.
//!
//! `process.exit()` ends no I/O thread: it calls C's `exit`, whose handlers free OpenSSL's tables while that thread may
//! be in the middle of a handshake. Handlers of our own run before those, and let no I/O thread into OpenSSL any more.
//!
//! Handlers run in the reverse order of their registration. But a handshake registers some: Node's callback that verifies
//! a certificate has a lock of its own. Before all handlers, glibc destroys the thread-local values of the thread that
//! ends the process, so such a value of the main thread closes the gate.

use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard};

use super::openssl::guarded;

/// Gate of OpenSSL, which is closed when this is true. Each call of an engine holds it for reading.
static GATE: RwLock<bool> = RwLock::new(false);

/// Permission to call OpenSSL.
pub(super) type Pass = RwLockReadGuard<'static, bool>;

/// Gives the permission to call OpenSSL, unless the process ends.
pub(super) fn pass() -> Option<Pass> {
    let pass = GATE.read().unwrap_or_else(PoisonError::into_inner);
    (!*pass).then_some(pass)
}

/// Closes the gate when its thread ends.
struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        // C calls this, at the end of the thread.
        guarded(|| close_gate());
    }
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd };
}

/// Makes the end of this thread close the gate first of all, if it is the main thread, which ends with the process.
pub(super) fn watch_main_thread() {
    if is_main_thread() {
        AT_END.with(|_| {});
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_main_thread() -> bool {
    // SAFETY: the functions take nothing, and only answer.
    unsafe { libc::gettid() == libc::getpid() }
}

/// Answers that it is not: other systems destroy such values as late as they run handlers, or never.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_main_thread() -> bool {
    false
}

/// Makes the end of the process close the gate. Gives `false` if that cannot be done.
///
/// Node has initialised OpenSSL before it loads an addon.
pub(super) fn close_gate_at_exit() -> bool {
    // SAFETY: the handler is a function of this library, which stays in memory.
    unsafe { libc::atexit(close_gate) == 0 }
}

/// Makes the end of the process close the gate before it destroys what the first verification of a certificate has made,
/// also where it destroys no thread-local value. Called after a handshake.
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

    /// Ends the process with what it finds.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    extern "C" fn look() {
        // SAFETY: the process ends here, and writes nothing that is buffered.
        unsafe { libc::_exit(if pass().is_none() { 0 } else { 3 }) }
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[cfg_attr(miri, ignore = "it starts a process")]
    fn the_gate_is_closed_before_handlers_that_a_handshake_has_registered() {
        const CHILD: &str = "FERREQUEST_TEST_OF_EXIT";
        if std::env::var_os(CHILD).is_some() {
            AT_END.with(|_| {});
            // SAFETY: the handler is a function of this program, and nothing of the process is used afterwards.
            unsafe {
                libc::atexit(look);
                libc::exit(4);
            }
        }
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let name = "the_gate_is_closed_before_handlers_that_a_handshake_has_registered";
        let status = child.arg(name).env(CHILD, "1").status().unwrap();
        assert_eq!(status.code(), Some(0));
    }
}
