//! The fate of a request on a connection whose stream has ended, as far as the kernel can tell.
//!
//! The kernel counts the bytes that the peer's kernel has not acknowledged. That alone proves nothing: a peer may read a
//! request and reset the connection before it acknowledges anything (RFC 1122, section 4.2.3.2, delayed ACK), and Linux
//! does not look at the acknowledgement in a reset. The end of the stream (FIN) proves more, because it acknowledges
//! all that had come before it was sent. Three facts together say that no application has read the request:
//!
//! 1. The stream has ended, and no byte of the request is acknowledged: the peer had closed an idle connection.
//! 2. A reset has come behind the end: the peer has closed its socket altogether, and reads no more.
//! 3. The request went out in one piece: the reset answers its first byte.
//!
//! Systems other than Linux count no such bytes, or none after a reset. There every request may have arrived.

use std::os::fd::BorrowedFd;
use std::time::Duration;

/// True where the kernel can tell.
pub const IS_KNOWN: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Fate of the bytes that were sent for a request.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
pub enum Delivery {
    /// No application has read any, or will.
    Refused,
    /// The peer's kernel has not answered. It has an answer within this time, unless a packet is lost.
    Unanswered(Duration),
    /// An application may have read some.
    Possible,
}

/// Bytes that were given to the kernel for a request, on one connection.
#[derive(Clone, Copy, Default)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
pub struct Sent {
    /// Number of the bytes, which are ciphertext where there is TLS.
    bytes: u64,
    /// Number of the calls that the kernel took them in.
    calls: u32,
}

impl Sent {
    /// Makes the account of bytes that went out in one piece.
    pub fn at_once(bytes: u64) -> Self {
        Self { bytes, calls: 1 }
    }

    /// Counts the bytes of one call.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.calls = self.calls.saturating_add(1);
    }

    /// Asks the kernel for the fate of these bytes, the last ones that it was given.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn delivery(self, socket: BorrowedFd<'_>) -> Delivery {
        if self.calls != 1 {
            return Delivery::Possible;
        }
        let Ok(status) = linux::Status::of(socket) else {
            return Delivery::Possible;
        };
        // The numbers of a closed connection change no more, so the state had to come first.
        if linux::unacknowledged(socket).is_none_or(|bytes| bytes < self.bytes) {
            return Delivery::Possible;
        }
        match (status.state, linux::end(socket)) {
            (linux::CLOSE, Some(true)) => Delivery::Refused,
            // The end of TLS comes before the end of the stream.
            (linux::ESTABLISHED | linux::CLOSE_WAIT, Some(_)) => {
                Delivery::Unanswered(status.timeout)
            }
            _ => Delivery::Possible,
        }
    }

    /// Answers that the bytes may have arrived.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub fn delivery(self, _: BorrowedFd<'_>) -> Delivery {
        Delivery::Possible
    }
}

/// The questions to the kernel of Linux.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::time::Duration;

    use socket2::SockRef;

    /// `TCP_ESTABLISHED`, the state in which neither side has ended.
    pub const ESTABLISHED: u8 = 1;
    /// `TCP_CLOSE`, the state behind a reset.
    pub const CLOSE: u8 = 7;
    /// `TCP_CLOSE_WAIT`, the state in which the peer alone has ended.
    pub const CLOSE_WAIT: u8 = 8;

    /// The beginning of `struct tcp_info`, which every release of Linux has.
    #[repr(C)]
    #[derive(Default)]
    struct TcpInfo {
        /// State, and seven other bytes.
        bytes: [u8; 8],
        /// Microseconds after which the kernel takes a packet for lost.
        timeout: u32,
    }

    /// Status of a connection.
    pub struct Status {
        /// The state of TCP.
        pub state: u8,
        /// Time after which the kernel takes a packet for lost.
        pub timeout: Duration,
    }

    impl Status {
        /// Asks the kernel. It fails for a socket that is not TCP.
        pub fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
            let mut info = TcpInfo::default();
            let mut length = size_of::<TcpInfo>() as libc::socklen_t;
            // SAFETY: the kernel writes `length` bytes at most, and any bytes are a `TcpInfo`.
            let status = unsafe {
                libc::getsockopt(
                    socket.as_raw_fd(),
                    libc::IPPROTO_TCP,
                    libc::TCP_INFO,
                    (&raw mut info).cast(),
                    &raw mut length,
                )
            };
            if status != 0 {
                return Err(io::Error::last_os_error());
            }
            let [state, ..] = info.bytes;
            Ok(Self {
                state,
                timeout: Duration::from_micros(info.timeout.into()),
            })
        }
    }

    /// Gives the number of bytes that the peer's kernel has not acknowledged; a FIN counts as one.
    pub fn unacknowledged(socket: BorrowedFd<'_>) -> Option<u64> {
        let mut bytes: libc::c_int = 0;
        // SAFETY: the request writes one integer.
        let status = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        u64::try_from(bytes).ok().filter(|_| status == 0)
    }

    /// Tells whether the peer has ended its stream. Gives nothing if it has sent bytes, or a reset and no end.
    pub fn end(socket: BorrowedFd<'_>) -> Option<bool> {
        let mut byte = [MaybeUninit::uninit(); 1];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        match SockRef::from(&socket).recv_with_flags(&mut byte, flags) {
            Ok(0) => Some(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use std::io::Write;
    use std::net::{Shutdown, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Instant;

    use socket2::SockRef;

    use super::*;
    use crate::tests::support::{DEADLINE, GET, HELLO, accept, listen, take, until_delivered};

    /// Makes a connection that has carried requests, so that the peer's kernel delays its acknowledgements.
    fn idle() -> (TcpStream, TcpStream) {
        let listener = listen();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nodelay(true).unwrap();
        let mut peer = accept(&listener);
        for _ in 0..3 {
            client.write_all(GET).unwrap();
            take(&mut peer, GET.len());
            peer.write_all(HELLO).unwrap();
            take(&mut client, HELLO.len());
        }
        (client, peer)
    }

    fn send(client: &mut TcpStream) -> Sent {
        client.write_all(GET).unwrap();
        Sent::at_once(GET.len() as u64)
    }

    fn reset(peer: TcpStream) {
        SockRef::from(&peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    /// Asks until there is an answer.
    fn settled(sent: Sent, client: &TcpStream) -> Delivery {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let delivery = sent.delivery(client.as_fd());
            if !matches!(delivery, Delivery::Unanswered(_)) {
                return delivery;
            }
            assert!(Instant::now() < deadline, "{delivery:?}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_peer_that_has_closed_refuses() {
        let (mut client, peer) = idle();
        drop(peer);
        let sent = send(&mut client);
        assert_eq!(settled(sent, &client), Delivery::Refused);
    }

    #[test]
    fn a_peer_that_has_half_closed_and_reads_on_may_have_read() {
        let (mut client, mut peer) = idle();
        peer.shutdown(Shutdown::Write).unwrap();
        let sent = send(&mut client);
        take(&mut peer, GET.len());
        assert_eq!(settled(sent, &client), Delivery::Possible);
    }

    #[test]
    fn a_peer_that_reads_and_closes_may_have_read() {
        let (mut client, mut peer) = idle();
        let sent = send(&mut client);
        take(&mut peer, GET.len());
        drop(peer);
        assert_eq!(settled(sent, &client), Delivery::Possible);
    }

    #[test]
    fn a_peer_that_reads_and_resets_may_have_read_although_it_has_acknowledged_nothing() {
        let (mut client, mut peer) = idle();
        let sent = send(&mut client);
        take(&mut peer, GET.len());
        reset(peer);
        let unacknowledged = linux::unacknowledged(client.as_fd());
        assert_eq!(unacknowledged, Some(GET.len() as u64));
        assert_eq!(settled(sent, &client), Delivery::Possible);
    }

    #[test]
    fn a_peer_that_closes_with_the_request_unread_may_have_read() {
        let (mut client, peer) = idle();
        let sent = send(&mut client);
        drop(peer);
        assert_eq!(settled(sent, &client), Delivery::Possible);
    }

    #[test]
    fn a_peer_that_has_reset_the_connection_before_may_have_read() {
        let (mut client, peer) = idle();
        reset(peer);
        assert!(client.write_all(GET).is_err());
        let sent = Sent::at_once(GET.len() as u64);
        assert_eq!(settled(sent, &client), Delivery::Possible);
    }

    #[test]
    fn a_request_in_several_pieces_may_have_been_read() {
        let (mut client, mut peer) = idle();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut sent = Sent::default();
        client.write_all(&GET[..4]).unwrap();
        sent.add(4);
        take(&mut peer, 4);
        // Before the acknowledgement of the first piece is due.
        drop(peer);
        client.write_all(&GET[4..]).unwrap();
        sent.add(GET.len() - 4);
        assert_eq!(settled(sent, &client), Delivery::Possible);
    }

    #[test]
    fn while_nothing_has_ended_and_all_is_acknowledged_the_request_has_arrived() {
        let (mut client, _peer) = idle();
        let sent = send(&mut client);
        until_delivered(&client);
        assert_eq!(settled(sent, &client), Delivery::Possible);
    }

    #[test]
    fn of_a_unix_domain_socket_nothing_is_known() {
        let (mut client, peer) = std::os::unix::net::UnixStream::pair().unwrap();
        client.write_all(GET).unwrap();
        drop(peer);
        let sent = Sent::at_once(GET.len() as u64);
        assert_eq!(sent.delivery(client.as_fd()), Delivery::Possible);
    }
}
