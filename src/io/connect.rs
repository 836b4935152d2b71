//! From a numeric address or a path to a stream.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::task::{Context, Poll};

use socket2::{Domain, SockAddr, Socket, Type};

use super::stream::{Detached, Stream};

/// Where a connection goes; kept, because a stale one is replaced by another to the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A TCP endpoint.
    Tcp {
        /// The peer.
        remote: SocketAddr,
        /// Where the connection comes from, if JavaScript has bound it; port 0 means any.
        local: Option<SocketAddr>,
    },
    /// The path of a Unix domain socket; a leading NUL means Linux's abstract names.
    Unix(Vec<u8>),
}

impl Target {
    /// Whether both ends of the connection are given, so that there can be only one.
    pub fn has_fixed_port(&self) -> bool {
        matches!(self, Self::Tcp { local: Some(local), .. } if local.port() != 0)
    }
}

/// Why connecting failed.
#[derive(Debug)]
pub struct ConnectError {
    /// The system's error number.
    pub errno: i32,
    /// The kernel refused before sending anything; libuv reports such errors at once.
    pub at_once: bool,
}

/// Parses a numeric address, with an IPv6 zone by name or number (RFC 4007, section 11).
pub fn parse_address(host: &str, port: u16) -> Option<SocketAddr> {
    let (address, zone) = host
        .split_once('%')
        .map_or((host, None), |(address, zone)| (address, Some(zone)));
    match address.parse().ok()? {
        IpAddr::V4(address) => Some((address, port).into()),
        IpAddr::V6(address) => {
            Some(SocketAddrV6::new(address, port, 0, zone.map_or(0, scope_id)).into())
        }
    }
}

fn scope_id(zone: &str) -> u32 {
    zone.parse().unwrap_or_else(|_| {
        std::ffi::CString::new(zone).map_or(0, |name| {
            // SAFETY: `name` is a NUL-terminated string that outlives the call.
            unsafe { libc::if_nametoindex(name.as_ptr()) }
        })
    })
}

/// The address without its port, as Node prints it.
pub fn host_text(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V6(address) if address.scope_id() != 0 => {
            format!("{}%{}", address.ip(), zone_name(address.scope_id()))
        }
        _ => address.ip().to_string(),
    }
}

fn zone_name(scope: u32) -> String {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE bytes that the call may write.
    let found = unsafe { libc::if_indextoname(scope, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return scope.to_string();
    }
    std::ffi::CStr::from_bytes_until_nul(&name).map_or_else(
        |_| scope.to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Makes a socket bound to a local address, for `localAddress` and `localPort`. It runs on the
/// JavaScript thread, because Node reports a failed bind before it connects.
///
/// # Errors
/// What `bind` says.
pub fn bind(host: &str, port: u16) -> io::Result<RawFd> {
    let address =
        parse_address(host, port).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    bind_to(address).map(Socket::into_raw_fd)
}

/// A socket that does not block, where the system can in one call.
fn new_socket(domain: Domain) -> io::Result<Socket> {
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

fn bind_to(address: SocketAddr) -> io::Result<Socket> {
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

/// Lets the kernel take a port that is free towards this peer, instead of one that is free towards
/// everybody. Until then the socket's own address says port 0: any will do.
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

/// Takes over a descriptor that JavaScript was given by [`bind`], or by a `RELEASED` event, and hands
/// back. `None` where it has none.
///
/// # Safety
/// The descriptor is -1 or open, and nobody else uses it from now on.
pub unsafe fn take_over(descriptor: RawFd) -> Option<OwnedFd> {
    // SAFETY: as the caller promises.
    (descriptor >= 0).then(|| unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A connect on its way.
pub struct Connecting {
    stream: Stream,
}

impl Connecting {
    /// Starts connecting; `bound` is a socket from [`bind`], whose address the target remembers.
    pub fn start(target: &mut Target, bound: Option<OwnedFd>) -> Result<Self, ConnectError> {
        let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        let at_once = |error| ConnectError {
            errno: errno(error),
            at_once: true,
        };
        let later = |error| ConnectError {
            errno: errno(error),
            at_once: false,
        };
        match target {
            Target::Tcp { remote, local } => {
                let socket = match (bound.map(Socket::from), *local) {
                    (Some(socket), _) => {
                        *local = socket
                            .local_addr()
                            .ok()
                            .and_then(|address| address.as_socket());
                        Ok(socket)
                    }
                    (None, Some(local)) => bind_to(local),
                    (None, None) => new_socket(Domain::for_address(*remote)),
                };
                let socket = socket.map_err(at_once)?;
                start_connect(&socket, &(*remote).into()).map_err(|error| {
                    // libuv reports a refused connection as if it came from the network.
                    if errno_is(&error, libc::ECONNREFUSED) {
                        later(error)
                    } else {
                        at_once(error)
                    }
                })?;
                Stream::attach(Detached::Tcp(socket.into()))
                    .map(|stream| Self { stream })
                    .map_err(later)
            }
            Target::Unix(path) => {
                let socket = new_socket(Domain::UNIX).map_err(later)?;
                let address = unix_address(path).map_err(later)?;
                start_connect(&socket, &address).map_err(later)?;
                Stream::attach(Detached::Unix(socket.into()))
                    .map(|stream| Self { stream })
                    .map_err(later)
            }
        }
    }

    /// Waits for the outcome.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        let error = match self.stream.poll_write_ready(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => Some(error),
            Poll::Ready(Ok(())) => self.stream.take_error().unwrap_or_else(Some),
        };
        Poll::Ready(error.map_or(Ok(()), |error| {
            Err(ConnectError {
                errno: error.raw_os_error().unwrap_or(libc::EIO),
                at_once: false,
            })
        }))
    }

    /// The stream on its way.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The connected stream.
    pub fn into_stream(self) -> Stream {
        self.stream
    }
}

fn unix_address(path: &[u8]) -> io::Result<SockAddr> {
    use std::os::unix::ffi::OsStrExt;
    // The one reason is a path that is too long for the kernel, which would have said EINVAL.
    SockAddr::unix(std::ffi::OsStr::from_bytes(path))
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn start_connect(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        Err(error) if !errno_is(&error, libc::EINPROGRESS) && !errno_is(&error, libc::EINTR) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

fn errno_is(error: &io::Error, errno: i32) -> bool {
    error.raw_os_error() == Some(errno)
}
