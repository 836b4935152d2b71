//! The last look at a connection: whether the peer has ended it. Any thread.

use std::os::fd::{AsRawFd, BorrowedFd};

/// Event of a peer that has ended its side, also behind bytes that are unread.
#[cfg(any(target_os = "linux", target_os = "android"))]
const END: libc::c_short = libc::POLLRDHUP;
/// Other systems tell only of an end of both sides.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const END: libc::c_short = 0;

/// Tells whether the peer has ended or reset a connection, as far as the kernel knows. Reads nothing, and takes no error
/// from the kernel.
pub fn has_peer_ended(descriptor: BorrowedFd<'_>) -> bool {
    let mut asked = libc::pollfd {
        fd: descriptor.as_raw_fd(),
        events: END,
        revents: 0,
    };
    // SAFETY: the kernel fills the one entry that there is, and does not wait.
    let found = unsafe { libc::poll(&raw mut asked, 1, 0) };
    found > 0 && asked.revents & (END | libc::POLLHUP | libc::POLLERR) != 0
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use socket2::SockRef;

    use super::has_peer_ended;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn a_peer_has_ended_once_it_has_closed_also_behind_bytes() {
        let (near, mut far) = pair();
        assert!(!has_peer_ended(near.as_fd()));
        far.write_all(b"x").unwrap();
        near.peek(&mut [0]).unwrap();
        assert!(!has_peer_ended(near.as_fd()), "it has only spoken");
        far.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(has_peer_ended(near.as_fd()));
    }

    #[test]
    fn a_peer_that_has_reset_has_ended_and_the_error_is_still_to_be_told() {
        let (near, far) = pair();
        SockRef::from(&far)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(far);
        assert!(has_peer_ended(near.as_fd()));
        let error = SockRef::from(&near).take_error().unwrap().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    }
}
