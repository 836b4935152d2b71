//! JavaScript's part, played by a test: commands in, events out, on the test's own thread.
//!
//! The runtime runs only while the client waits for something or spins, so a test decides what the
//! kernel has seen before the connections look.

use std::collections::VecDeque;
use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalRuntime};
use tokio::sync::Notify;

use crate::io::stream::Detached;
use crate::io::thread;
use crate::io::{Lent, Registry, flush_all};
use crate::records::{self, command, event};
use crate::shared::completions::{Completions, Drained};
use crate::shared::mailbox::Message;
use crate::shared::response_decoder::ResponseDecoder;

/// After so long something has gone wrong.
const DEADLINE: Duration = Duration::from_secs(20);

/// The newest llhttp, as a `REQUEST` command says it.
const LLHTTP: u32 = 9 << 16 | 4 << 8 | 3;

pub const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
pub const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// One event record.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    pub opcode: u32,
    pub flags: u32,
    pub connection: u32,
    pub payload: Vec<u8>,
}

impl Event {
    pub fn u32_at(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.payload[offset..offset + 4].try_into().unwrap())
    }

    pub fn errno(&self) -> i32 {
        self.u32_at(0).cast_signed()
    }

    /// The number that `WRITTEN` and `RELEASED` begin with.
    pub fn total(&self) -> u64 {
        f64::from_le_bytes(self.payload[..8].try_into().unwrap()) as u64
    }

    pub fn status(&self) -> u16 {
        u16::from_le_bytes(self.payload[..2].try_into().unwrap())
    }

    /// The socket that a `CONNECTED` event tells of.
    pub fn socket(&self) -> BorrowedFd<'static> {
        // SAFETY: tests look at it only while the connection is open.
        unsafe { BorrowedFd::borrow_raw(self.errno()) }
    }

    /// The port and address of its end.
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

/// The events of a page.
pub fn events_of(page: &[u8]) -> impl Iterator<Item = Event> {
    records::iter(page).map(|record| Event {
        opcode: record.opcode,
        flags: record.flags,
        connection: record.connection,
        payload: record.payload.to_vec(),
    })
}

/// Commands that are handed over together.
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

    /// As `write`, with an answer once the kernel has it.
    pub fn write_acknowledged(&mut self, id: u32, bytes: &[u8]) -> &mut Self {
        self.push(command::WRITE, command::ACKNOWLEDGE, id, &[bytes])
    }

    pub fn command(&mut self, opcode: u32, id: u32) -> &mut Self {
        self.push(opcode, 0, id, &[])
    }

    /// A half-close, with an answer once it is done.
    pub fn shutdown_acknowledged(&mut self, id: u32) -> &mut Self {
        self.push(command::SHUTDOWN, command::ACKNOWLEDGE, id, &[])
    }

    pub fn close(&mut self, id: u32) -> &mut Self {
        self.command(command::CLOSE, id)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The client of a test.
pub struct Client {
    pub runtime: LocalRuntime,
    registry: Registry,
    pub completions: Arc<Completions>,
    bell: Arc<Notify>,
    slab: Vec<u8>,
    /// Events that the test has not asked for yet.
    pub log: VecDeque<Event>,
}

impl Client {
    pub fn new() -> Self {
        let bell = Arc::new(Notify::new());
        let wake = bell.clone();
        Self {
            runtime: thread::configure(
                Builder::new_current_thread().enable_time(),
                &Arc::default(),
            )
            .unwrap(),
            registry: Registry::default(),
            completions: Arc::new(Completions::new(move || wake.notify_one())),
            bell,
            slab: vec![0; 512 * 1024],
            log: VecDeque::new(),
        }
    }

    /// Hands commands over and lets them be carried out, but no task run.
    pub fn send(&mut self, fill: impl FnOnce(&mut Batch) -> &mut Batch) {
        let mut batch = Batch::default();
        fill(&mut batch);
        self.send_messages(vec![Message::Batch(self.completions.clone(), batch.0)]);
    }

    /// Hands commands and then a large write over at once, as JavaScript does.
    pub fn send_with_body(
        &mut self,
        fill: impl FnOnce(&mut Batch) -> &mut Batch,
        id: u32,
        body: &[u8],
    ) {
        let mut batch = Batch::default();
        fill(&mut batch);
        let write = self.large_write(id, body, false);
        self.send_messages(vec![
            Message::Batch(self.completions.clone(), batch.0),
            write,
        ]);
    }

    pub fn large_write(&self, connection: u32, bytes: &[u8], acknowledge: bool) -> Message {
        Message::Write {
            completions: self.completions.clone(),
            connection,
            bytes: bytes.to_vec(),
            acknowledge,
        }
    }

    pub fn send_messages(&mut self, mut messages: Vec<Message>) {
        let Self {
            runtime, registry, ..
        } = self;
        runtime.block_on(async { registry.handle(&mut messages) });
    }

    /// Runs the tasks and asks the kernel for news, so many times.
    pub fn spin(&mut self, times: usize) {
        self.runtime.block_on(async {
            for _ in 0..times {
                tokio::task::yield_now().await;
            }
        });
        // It did not sleep, which is when everything is published.
        flush_all();
    }

    /// Spins until a condition holds.
    pub fn spin_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "spun in vain for {what}");
            self.spin(1);
            std::thread::yield_now();
        }
    }

    /// Takes everything that is in the queue, as JavaScript's drain does.
    pub fn drain(&mut self) {
        loop {
            let resume = match self.completions.drain(&mut self.slab) {
                Drained::Empty => return,
                Drained::TooLarge(bytes) => {
                    self.slab.resize(bytes, 0);
                    false
                }
                Drained::Copied { bytes, resume } => {
                    self.log.extend(events_of(&self.slab[..bytes]));
                    resume
                }
            };
            if resume {
                self.send_messages(vec![Message::Drained(self.completions.clone())]);
            }
        }
    }

    /// Runs until the events so far satisfy `found`.
    pub fn until<T>(&mut self, what: &str, mut found: impl FnMut(&mut Self) -> Option<T>) -> T {
        loop {
            self.drain();
            if let Some(result) = found(self) {
                return result;
            }
            let bell = self.bell.clone();
            let rung = async { tokio::time::timeout(DEADLINE, bell.notified()).await };
            if self.runtime.block_on(rung).is_err() {
                panic!("waited in vain for {what}; events: {:?}", self.log);
            }
        }
    }

    /// The next event of a connection; `READ` only tells of what follows, so it is dropped.
    pub fn next(&mut self, id: u32) -> Event {
        self.until("an event", |client| {
            let of_it = |event: &Event| event.connection == id;
            while let Some(at) = client.log.iter().position(of_it) {
                let event = client.log.remove(at)?;
                if event.opcode != event::READ {
                    return Some(event);
                }
            }
            None
        })
    }

    /// The next event of a connection, which has to be this one.
    #[track_caller]
    pub fn expect(&mut self, id: u32, opcode: u32) -> Event {
        let event = self.next(id);
        assert_eq!(event.opcode, opcode, "{event:?}, then {:?}", self.log);
        event
    }

    /// The next of these events of a connection; others are dropped.
    pub fn skip_to(&mut self, id: u32, opcode: u32) -> Event {
        loop {
            let event = self.next(id);
            if event.opcode == opcode {
                return event;
            }
        }
    }

    /// Expects a whole response and gives its body.
    #[track_caller]
    pub fn response(&mut self, id: u32) -> Vec<u8> {
        let head = self.expect(id, event::HEAD);
        assert_eq!(head.status(), 200);
        let mut body = Vec::new();
        loop {
            let event = self.next(id);
            match event.opcode {
                event::DATA => body.extend_from_slice(&event.payload),
                event::END => return body,
                _ => panic!("{event:?} in a response, then {:?}", self.log),
            }
        }
    }

    /// Asserts that nothing is known of a connection that the test has not asked for.
    #[track_caller]
    pub fn expect_nothing(&mut self, id: u32) {
        self.spin(20);
        self.drain();
        let events: Vec<_> = self
            .log
            .iter()
            .filter(|event| event.connection == id)
            .collect();
        assert!(events.is_empty(), "{events:?}");
    }

    /// Connects to a listener.
    pub fn connect(&mut self, id: u32, listener: &TcpListener) -> TcpStream {
        let address = listener.local_addr().unwrap();
        self.send(|batch| batch.connect(id, address));
        self.expect(id, event::CONNECTED);
        accept(listener)
    }

    /// One request and its response, after which the connection is idle.
    #[track_caller]
    pub fn exchange(&mut self, id: u32, peer: &mut TcpStream) {
        self.send(|batch| batch.request(id).write(id, GET));
        assert_eq!(take(peer, GET.len()), GET);
        peer.write_all(HELLO).unwrap();
        assert_eq!(self.response(id), b"hello");
    }

    /// Waits until the runtime's last look at the kernel is so old that it does not count any more.
    pub fn let_the_last_look_grow_old(&self) {
        while crate::io::outlet::time_since_poll() <= crate::io::state::FRESH {
            std::thread::yield_now();
        }
    }

    pub fn bytes_in(&self) -> u64 {
        self.completions.counters.bytes_in.load(Ordering::Relaxed)
    }

    pub fn take_descriptor(&self, id: u32) -> OwnedFd {
        self.completions.take_descriptor(id).unwrap()
    }
}

/// A listener on a free port.
/// A connection as it is lent, whose peer is gone.
pub fn lent(id: u32) -> Lent {
    let stream = TcpStream::connect(listen().local_addr().unwrap()).unwrap();
    stream.set_nonblocking(true).unwrap();
    Lent::new(id, Detached::Tcp(stream), ResponseDecoder::default(), 0)
}

pub fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// The next connection; the kernel has it already, or soon.
pub fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(false).unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.set_write_timeout(Some(DEADLINE)).unwrap();
    peer.set_nodelay(true).unwrap();
    peer
}

/// Asserts that nobody has connected but those that were accepted.
#[track_caller]
pub fn expect_no_connection(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "there is another connection");
}

/// Reads so many bytes.
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

/// Waits until the other end's kernel has everything that was written.
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

/// Bytes that no framing repeats.
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
