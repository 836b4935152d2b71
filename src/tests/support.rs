//! Helpers of tests of connections: commands to send, events that come back, and peers on the loopback interface.

use std::fmt;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use crate::records::{self, command, event};

/// Time after which a wait has failed.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The newest llhttp release, in the form of a `REQUEST` command.
const LLHTTP: u32 = 9 << 16 | 4 << 8 | 3;

pub const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
pub const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// An event record.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    pub opcode: u32,
    pub flags: u32,
    pub connection: u32,
    pub payload: Vec<u8>,
}

impl Event {
    pub fn u32_at(&self, offset: usize) -> u32 {
        (&self.payload[offset..]).get_u32_le()
    }

    pub fn errno(&self) -> i32 {
        self.u32_at(0).cast_signed()
    }

    /// Gives the number that `WRITTEN` and `RELEASED` begin with.
    pub fn total(&self) -> u64 {
        (&self.payload[..]).get_f64_le() as u64
    }

    pub fn status(&self) -> u16 {
        (&self.payload[..]).get_u16_le()
    }

    /// Gives the socket of a `CONNECTED` event.
    pub fn socket(&self) -> BorrowedFd<'static> {
        // SAFETY: tests use the socket only while the connection is open.
        unsafe { BorrowedFd::borrow_raw(self.errno()) }
    }

    /// Gives the local port and address of a `CONNECTED` event.
    pub fn local(&self) -> (u32, String) {
        (
            self.u32_at(4),
            String::from_utf8_lossy(&self.payload[8..]).into_owned(),
        )
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Opcodes stand before the flags in the table.
        let name = event::TABLE.iter().find(|(_, n)| *n == self.opcode);
        let name = name.map_or("?", |(name, _)| name);
        write!(
            out,
            "{}:{name}|{}[{}]",
            self.connection,
            self.flags,
            self.payload.len()
        )
    }
}

/// Gives the events of a page, without its time.
pub fn events_of(page: &[u8]) -> impl Iterator<Item = Event> {
    let events = records::iter(page).filter(|record| record.opcode != event::TIME);
    events.map(|record| Event {
        opcode: record.opcode,
        flags: record.flags,
        connection: record.connection,
        payload: record.payload.to_vec(),
    })
}

/// A batch of commands.
#[derive(Default)]
pub struct Batch(Vec<u8>);

impl Batch {
    pub fn push(&mut self, opcode: u32, flags: u32, id: u32, payload: &[&[u8]]) -> &mut Self {
        records::push(&mut self.0, opcode, flags, id, payload);
        self
    }

    pub fn connect(&mut self, id: u32, address: SocketAddr) -> &mut Self {
        self.connect_bound(id, address, -1)
    }

    pub fn connect_bound(&mut self, id: u32, address: SocketAddr, bound: i32) -> &mut Self {
        let port = u32::from(address.port()).to_le_bytes();
        let host = address.ip().to_string();
        let payload: [&[u8]; 3] = [&port, &bound.to_le_bytes(), host.as_bytes()];
        self.push(command::CONNECT_TCP, 0, id, &payload)
    }

    pub fn connect_unix(&mut self, id: u32, path: &[u8]) -> &mut Self {
        self.push(command::CONNECT_UNIX, 0, id, &[path])
    }

    pub fn request(&mut self, id: u32) -> &mut Self {
        let payload: [&[u8]; 2] = [&16384u32.to_le_bytes(), &LLHTTP.to_le_bytes()];
        self.push(command::REQUEST, 0, id, &payload)
    }

    pub fn write(&mut self, id: u32, bytes: &[u8]) -> &mut Self {
        self.push(command::WRITE, 0, id, &[bytes])
    }

    /// Adds a write that is answered once the kernel has its bytes.
    pub fn write_acknowledged(&mut self, id: u32, bytes: &[u8]) -> &mut Self {
        self.push(command::WRITE, command::ACKNOWLEDGE, id, &[bytes])
    }

    pub fn command(&mut self, opcode: u32, id: u32) -> &mut Self {
        self.push(opcode, 0, id, &[])
    }

    /// Adds a half-close that is answered once it is done.
    pub fn shutdown_acknowledged(&mut self, id: u32) -> &mut Self {
        self.push(command::SHUTDOWN, command::ACKNOWLEDGE, id, &[])
    }

    pub fn close(&mut self, id: u32) -> &mut Self {
        self.command(command::CLOSE, id)
    }

    pub fn into_bytes(self) -> Bytes {
        self.0.into()
    }
}

/// Makes a listener on a free port.
pub fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// Accepts the next connection.
pub fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(false).unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.set_write_timeout(Some(DEADLINE)).unwrap();
    peer.set_nodelay(true).unwrap();
    peer
}

/// Asserts that no peer has connected but those that were accepted.
#[track_caller]
pub fn expect_no_connection(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "there is another connection");
}

/// Reads exactly `length` bytes.
#[track_caller]
pub fn take(peer: &mut impl Read, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    peer.read_exact(&mut bytes).unwrap();
    bytes
}

/// Reads to the end of the stream.
#[track_caller]
pub fn take_all(peer: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Waits until the kernel of the other end has every byte that was written.
pub fn until_delivered(peer: &TcpStream) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut unsent: libc::c_int = 0;
        // SAFETY: the request writes one integer.
        let status = unsafe { libc::ioctl(peer.as_raw_fd(), libc::TIOCOUTQ, &raw mut unsent) };
        assert_eq!(status, 0);
        if unsent == 0 {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{unsent} bytes do not fit into the peer's buffer"
        );
        std::thread::yield_now();
    }
}

/// Makes bytes that no framing contains by accident.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
    .take(length)
    .collect()
}
