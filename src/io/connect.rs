//! Connects a stream to a numeric address or to a path.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use socket2::{Domain, SockAddr, Socket};

use super::stream::Stream;
use crate::shared::binding::{bind_to, new_socket, start_connect};
use crate::shared::detached::Detached;

/// Place to connect to. A connection keeps it, because a stale one is replaced by another to the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A TCP endpoint.
    Tcp {
        /// Address of the peer.
        remote: SocketAddr,
        /// Own address, if JavaScript has bound the socket; port 0 means any.
        local: Option<SocketAddr>,
    },
    /// Path of a Unix domain socket; a leading NUL means Linux's abstract names.
    Unix(Vec<u8>),
}

impl Target {
    /// Tells whether both ends of the connection are given, so that there can be only one.
    pub fn has_fixed_port(&self) -> bool {
        matches!(self, Self::Tcp { local: Some(local), .. } if local.port() != 0)
    }
}

/// Socket that the JavaScript thread has made for a connect.
pub enum Prepared {
    /// There is none.
    Nothing,
    /// The socket has a local address.
    Bound(OwnedFd),
    /// The socket connects already.
    Connecting(OwnedFd),
}

/// Failure of a connect.
#[derive(Debug)]
pub struct ConnectError {
    /// Error number of the system.
    pub errno: i32,
    /// The kernel has refused before it sent anything; libuv reports such errors at once.
    pub at_once: bool,
}

/// Connect that the kernel is doing.
pub struct Connecting {
    stream: Stream,
}

impl Connecting {
    /// Starts connecting, unless the prepared socket does already. The target remembers the address of a bound one.
    pub fn start(target: &mut Target, prepared: Prepared) -> Result<Self, ConnectError> {
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
                let socket = match (prepared, *local) {
                    (Prepared::Connecting(socket), _) => {
                        return Stream::attach(Detached::Tcp(socket.into()))
                            .map(|stream| Self { stream })
                            .map_err(later);
                    }
                    (Prepared::Bound(socket), _) => {
                        let socket = Socket::from(socket);
                        *local = socket
                            .local_addr()
                            .ok()
                            .and_then(|address| address.as_socket());
                        Ok(socket)
                    }
                    (Prepared::Nothing, Some(local)) => bind_to(local),
                    (Prepared::Nothing, None) => new_socket(Domain::for_address(*remote)),
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

    /// Gives the stream that is not connected yet.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Gives the connected stream.
    pub fn into_stream(self) -> Stream {
        self.stream
    }
}

fn unix_address(path: &[u8]) -> io::Result<SockAddr> {
    use std::os::unix::ffi::OsStrExt;
    // It fails only for a path that is too long for the kernel, which would have said EINVAL.
    SockAddr::unix(std::ffi::OsStr::from_bytes(path))
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn errno_is(error: &io::Error, errno: i32) -> bool {
    error.raw_os_error() == Some(errno)
}
