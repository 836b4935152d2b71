//! Timers of Linux, for the few connections that wait for an answer of the kernel.
//!
//! The runtime has no timers: they would cost a look at the clock for each time that the thread sleeps.

use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::task::Waker;
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
use tokio::io::{Interest, unix::AsyncFd};

/// Wakes a task after some time, which is not 0.
///
/// # Errors
/// The system has no descriptor left.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn wake_after(time: Duration, waker: Waker) -> io::Result<()> {
    let timer = start(time)?;
    // SAFETY: the timer owns its descriptor, which is open, and always shows the same one.
    let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?;
    tokio::task::spawn_local(async move {
        // After an error of the runtime the task looks too early, which does no harm.
        let _ = timer.readable().await;
        waker.wake();
    });
    Ok(())
}

/// Fails: no connection waits for what this system cannot tell.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn wake_after(_: Duration, _: Waker) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a descriptor that is readable after some time.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn start(time: Duration) -> io::Result<OwnedFd> {
    let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
    // SAFETY: the call takes no memory.
    let descriptor = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and belongs to nothing else.
    let timer = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let once = libc::itimerspec {
        it_interval: libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: libc::timespec {
            tv_sec: time.as_secs() as libc::time_t,
            tv_nsec: time.subsec_nanos() as libc::c_long,
        },
    };
    // SAFETY: the kernel reads one `itimerspec`, and has no other to write.
    let status = unsafe {
        libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const once, std::ptr::null_mut())
    };
    if status == 0 {
        Ok(timer)
    } else {
        Err(io::Error::last_os_error())
    }
}
