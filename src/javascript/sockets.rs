//! The functions by which JavaScript makes bound sockets, closes those that come to nothing, and duplicates and
//! looks at connections of libuv. The JavaScript thread runs them. The queue of the bridge keeps what they make until a
//! connection has it: a worker may be terminated before.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use napi_derive::napi;
use socket2::{SockAddr, SockRef};

use super::bridge::{Bridge, LocalAddress};
use crate::shared::address::host_text;
use crate::shared::binding;

/// Makes a socket bound to a local address. Gives its number, or the negative error number.
#[napi(catch_unwind)]
pub fn bind_socket(bridge: &Bridge, host: String, port: u32) -> i32 {
    match binding::bind(&host, port as u16) {
        Ok(socket) => bridge.completions().keep_socket(socket),
        Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// Makes a second descriptor of a connection that libuv has. Gives its number, or -1 if that cannot be done.
#[napi(catch_unwind)]
pub fn duplicate_descriptor(bridge: &Bridge, descriptor: i32) -> i32 {
    match binding::duplicate(descriptor) {
        Ok(duplicate) => bridge.completions().keep_socket(duplicate),
        Err(_) => -1,
    }
}

/// Makes a socket that connects to a numeric address, if the kernel might refuse that. Gives its number, the negative
/// error number of a refusal, or `None` if the I/O thread has to connect.
#[napi(catch_unwind)]
pub fn connect_if_doubtful(bridge: &Bridge, host: String, port: u32) -> Option<i32> {
    match binding::connect_if_doubtful(&host, port as u16) {
        Ok(socket) => socket.map(|socket| bridge.completions().keep_socket(socket)),
        Err(error) => Some(-error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// Closes a socket of `bind_socket` that does not connect.
#[napi(catch_unwind)]
pub fn close_socket(bridge: &Bridge, number: i32) {
    drop(bridge.completions().take_socket(number));
}

/// Gives the kernel's name of the peer of a connection that has this local port; an empty one if the peer has reset
/// it. Gives `None` where the I/O thread has closed the descriptor meanwhile: it may be another connection's already.
#[napi(catch_unwind)]
pub fn peer_address(descriptor: i32, local_port: u32) -> Option<LocalAddress> {
    let is_the_one = || {
        let local = name_of(descriptor, libc::getsockname);
        local.is_ok_and(|local| u32::from(local.port()) == local_port)
    };
    match name_of(descriptor, libc::getpeername) {
        Ok(peer) => is_the_one().then(|| LocalAddress {
            address: host_text(&peer),
            port: peer.port().into(),
        }),
        Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => Some(LocalAddress {
            address: String::new(),
            port: 0,
        }),
        Err(_) => None,
    }
}

/// System call that gives a name of a socket.
type NameCall =
    unsafe extern "C" fn(libc::c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

/// Gives the name of a TCP socket that a system call tells.
fn name_of(descriptor: i32, call: NameCall) -> io::Result<SocketAddr> {
    // SAFETY: the pointers are those of memory for an address of any family, and of its length. A descriptor that is
    // closed is an error of the call.
    let name = unsafe {
        SockAddr::try_init(
            |storage, length| match call(descriptor, storage.cast(), length) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            },
        )
    };
    let ((), name) = name?;
    name.as_socket()
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

/// Tells whether the kernel has bytes, the end or an error for a socket of libuv, which the event loop has not
/// read yet. Handles of libuv tell it themselves since Node 22.
#[napi(catch_unwind)]
pub fn has_pending_read(descriptor: i32) -> bool {
    if descriptor < 0 {
        return false;
    }
    // SAFETY: JavaScript has asked an open handle for the descriptor, and closes no handle during the call.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let mut probe = [MaybeUninit::uninit(); 1];
    match SockRef::from(&descriptor)
        .recv_with_flags(&mut probe, libc::MSG_PEEK | libc::MSG_DONTWAIT)
    {
        Ok(_) => true,
        Err(error) => {
            error.kind() != ErrorKind::WouldBlock && error.raw_os_error() != Some(libc::ENOTSOCK)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::has_pending_read;

    #[test]
    fn a_socket_has_a_pending_read_when_its_peer_has_sent_or_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        assert!(!has_pending_read(near.as_raw_fd()));
        far.write_all(b"x").unwrap();
        let mut one = [0; 1];
        near.peek(&mut one).unwrap();
        assert!(has_pending_read(near.as_raw_fd()));
        std::io::Read::read_exact(&mut &near, &mut one).unwrap();
        assert!(!has_pending_read(near.as_raw_fd()));
        drop(far);
        near.peek(&mut one).unwrap();
        assert!(has_pending_read(near.as_raw_fd()));
    }

    #[test]
    fn what_is_no_socket_has_no_pending_read() {
        assert!(!has_pending_read(-1));
        let file = std::fs::File::open("Cargo.toml").unwrap();
        assert!(!has_pending_read(file.as_raw_fd()));
    }
}
