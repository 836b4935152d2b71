//! Sockets with a local address, made before they connect, and second descriptors of sockets.
//!
//! The JavaScript thread makes a bound socket; the I/O thread connects it, and makes others like it.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use socket2::{Domain, SockAddr, Socket, Type};

use super::address::{parse_address, with_zone};

/// Makes a socket bound to a local address, for `localAddress` and `localPort`. The JavaScript thread calls
/// this, because Node reports a failed bind before it connects.
///
/// # Errors
/// The error of `bind`, or of making the socket.
pub fn bind(host: &str, port: u16) -> io::Result<OwnedFd> {
    let address =
        parse_address(host, port).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    bind_to(address).map(OwnedFd::from)
}

/// Makes a socket that does not block, by one system call where there is one.
///
/// # Errors
/// The error of `socket`.
pub fn new_socket(domain: Domain) -> io::Result<Socket> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    {
        Socket::new(domain, Type::STREAM.nonblocking(), None)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    {
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Makes a socket bound to this address.
///
/// # Errors
/// The error of `bind`, or of making the socket.
pub fn bind_to(address: SocketAddr) -> io::Result<Socket> {
    let socket = new_socket(Domain::for_address(address))?;
    // As libuv does: a port in TIME_WAIT may be bound again.
    socket.set_reuse_address(true)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    if address.port() == 0 {
        choose_port_when_connecting(&socket);
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Begins to connect a socket that does not block.
///
/// # Errors
/// The error with which the kernel refuses before it sends anything.
pub fn start_connect(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        Err(error) if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Makes a socket that connects to a numeric address, if the kernel might refuse that before it sends anything. Gives
/// `None` for any other address: the I/O thread connects to it, because a peer on this machine would be woken here.
///
/// # Errors
/// The error of [`start_connect`], or of making the socket.
pub fn connect_if_doubtful(host: &str, port: u16) -> io::Result<Option<OwnedFd>> {
    let address = parse_address(host, port)
        .map(with_zone)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    if has_route(address) {
        return Ok(None);
    }
    let socket = new_socket(Domain::for_address(address))?;
    start_connect(&socket, &address.into())?;
    Ok(Some(socket.into()))
}

/// Tells whether the kernel knows a way to one host that has this address. It looks for one when a UDP socket
/// connects, and sends nothing.
fn has_route(address: SocketAddr) -> bool {
    !address.ip().is_multicast()
        && Socket::new(Domain::for_address(address), Type::DGRAM, None)
            .is_ok_and(|socket| socket.connect(&address.into()).is_ok())
}

/// Lets the kernel choose the local port when the socket connects: one that is free towards the peer is
/// enough then. Until then the socket's own address says port 0.
fn choose_port_when_connecting(socket: &Socket) {
    #[cfg(target_os = "linux")]
    {
        let on: libc::c_int = 1;
        // SAFETY: the descriptor is open, and the pointer and the length are those of `on`. A kernel
        // that does not know the option chooses the port at once, as any did before Linux 4.2.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_IP,
                libc::IP_BIND_ADDRESS_NO_PORT,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            );
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Makes a second descriptor of a socket, which no process inherits.
///
/// # Errors
/// The error of `fcntl`.
pub fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only; the kernel refuses one that is no open descriptor.
    match unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 0) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the kernel has just made it, and no other code has it.
        duplicate => Ok(unsafe { OwnedFd::from_raw_fd(duplicate) }),
    }
}
