//! The functions by which JavaScript makes bound sockets, and closes those that do not connect. The JavaScript
//! thread runs them.

use std::io;
use std::net::SocketAddr;

use napi_derive::napi;
use socket2::SockAddr;

use super::bridge::LocalAddress;
use crate::shared::address::host_text;
use crate::shared::binding;

/// Makes a socket bound to a local address. Gives the descriptor, or the negative error number.
#[napi(catch_unwind)]
pub fn bind_socket(host: String, port: u32) -> i32 {
    match binding::bind(&host, port as u16) {
        Ok(descriptor) => descriptor,
        Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// Makes a socket that connects to a numeric address, if the kernel might refuse that. Gives the descriptor, the
/// negative error number of a refusal, or `None` if the I/O thread has to connect.
#[napi(catch_unwind)]
pub fn connect_if_doubtful(host: String, port: u32) -> Option<i32> {
    match binding::connect_if_doubtful(&host, port as u16) {
        Ok(descriptor) => descriptor,
        Err(error) => Some(-error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// Closes a descriptor of `bind_socket`, when its socket does not connect.
#[napi(catch_unwind)]
pub fn close_descriptor(descriptor: i32) {
    // SAFETY: JavaScript hands the descriptor back once, instead of using it.
    drop(unsafe { binding::take_over(descriptor) });
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
