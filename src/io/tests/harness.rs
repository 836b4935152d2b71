//! The client of the tests, which plays JavaScript's part on the test's own thread: commands in, events out.
//!
//! The runtime runs only while the client waits for something or spins, so a test decides what the
//! kernel has seen before the connections look.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::runtime::{Builder, LocalRuntime};
use tokio::sync::Notify;

use crate::io::outlet::flush_all;
use crate::io::registry::Registry;
use crate::io::thread;
use crate::records::event;
use crate::shared::completions::{Completions, Drained};
use crate::shared::mailbox::Message;
pub use crate::tests::support::*;

/// Client of a test.
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

    /// Hands commands over, which are carried out before any task runs.
    pub fn send(&mut self, fill: impl FnOnce(&mut Batch) -> &mut Batch) {
        let mut batch = Batch::default();
        fill(&mut batch);
        self.send_messages(vec![Message::Batch(
            self.completions.clone(),
            batch.into_bytes(),
        )]);
    }

    /// Hands over commands, and a large write behind them, as JavaScript does.
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
            Message::Batch(self.completions.clone(), batch.into_bytes()),
            write,
        ]);
    }

    pub fn large_write(&self, connection: u32, bytes: &[u8], acknowledge: bool) -> Message {
        Message::Write {
            completions: self.completions.clone(),
            connection,
            bytes: bytes.to_vec().into(),
            acknowledge,
        }
    }

    pub fn send_messages(&mut self, mut messages: Vec<Message>) {
        let Self {
            runtime, registry, ..
        } = self;
        runtime.block_on(async { registry.handle(&mut messages) });
    }

    /// Runs the tasks and asks the kernel for news, `times` times.
    pub fn spin(&mut self, times: usize) {
        self.runtime.block_on(async {
            for _ in 0..times {
                tokio::task::yield_now().await;
            }
        });
        // A thread publishes everything when it sleeps, which this one did not.
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

    /// Takes all events from the queue, as JavaScript's drain does.
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

    /// Takes the next event of a connection. `READ` only tells of what follows, so it is dropped.
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

    /// Takes the next event of a connection, which has to have this opcode.
    #[track_caller]
    pub fn expect(&mut self, id: u32, opcode: u32) -> Event {
        let event = self.next(id);
        assert_eq!(event.opcode, opcode, "{event:?}, then {:?}", self.log);
        event
    }

    /// Takes the next event of a connection with this opcode; others are dropped.
    pub fn skip_to(&mut self, id: u32, opcode: u32) -> Event {
        loop {
            let event = self.next(id);
            if event.opcode == opcode {
                return event;
            }
        }
    }

    /// Expects a whole response, and gives its body.
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

    /// Asserts that a connection has no event but those that the test has taken.
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

    /// Exchanges one request and its response, after which the connection is idle.
    #[track_caller]
    pub fn exchange(&mut self, id: u32, peer: &mut TcpStream) {
        self.send(|batch| batch.request(id).write(id, GET));
        assert_eq!(take(peer, GET.len()), GET);
        peer.write_all(HELLO).unwrap();
        assert_eq!(self.response(id), b"hello");
    }

    pub fn bytes_in(&self) -> u64 {
        self.completions.counters.bytes_in.load(Ordering::Relaxed)
    }

    pub fn take_descriptor(&self, id: u32) -> OwnedFd {
        self.completions.take_descriptor(id).unwrap()
    }
}
