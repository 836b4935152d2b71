//! A loaded module without JavaScript: the thread of a test is its JavaScript thread.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::support::{Batch, DEADLINE, Event, GET, HELLO, accept, events_of, take};
use crate::io::IoThread;
use crate::javascript::lending::batch_kind::BatchKind;
use crate::javascript::lending::borrowed_connections::BorrowedConnections;
use crate::records::{command, event};
use crate::shared::completions::{Completions, Drained};
use crate::shared::mailbox::Message;

/// A loaded module. It sends commands and takes events, as `lib/bridge/bridge.js` does.
pub struct Module {
    thread: Option<Arc<IoThread>>,
    pub completions: Arc<Completions>,
    wakes: Receiver<()>,
    log: VecDeque<Event>,
    /// The connections that the module borrows, if it does.
    borrowed: Option<BorrowedConnections>,
}

impl Module {
    pub fn load() -> Self {
        let (wake, wakes) = channel();
        let completions = Arc::new(Completions::new(move || {
            // The receiver may be gone before the thread is.
            let _ = wake.send(());
        }));
        Self {
            thread: Some(IoThread::serving(&completions).unwrap()),
            completions,
            wakes,
            log: VecDeque::new(),
            borrowed: None,
        }
    }

    /// Loads a module that borrows every connection that it is offered.
    pub fn load_borrowing() -> Self {
        let mut module = Self::load();
        let mailbox = module.thread().shared_mailbox();
        let borrowed = BorrowedConnections::new(module.completions.clone(), mailbox).unwrap();
        borrowed.hear_io_thread().unwrap();
        module.borrowed = Some(borrowed);
        module.completions.offers.want(usize::MAX);
        module
    }

    pub fn thread(&self) -> &Arc<IoThread> {
        self.thread.as_ref().unwrap()
    }

    pub fn send(&mut self, fill: impl FnOnce(&mut Batch) -> &mut Batch) {
        self.hand_over(Vec::new(), usize::MAX, fill);
    }

    /// Sends a batch behind what was left for the I/O thread.
    pub fn send_behind(&mut self, left: Vec<Message>, fill: impl FnOnce(&mut Batch) -> &mut Batch) {
        self.hand_over(left, usize::MAX, fill);
    }

    /// Sends a batch, and borrows at most so many connections from now on.
    pub fn send_sharing(&mut self, most: usize, fill: impl FnOnce(&mut Batch) -> &mut Batch) {
        self.completions.offers.want(most);
        self.hand_over(Vec::new(), most, fill);
    }

    fn hand_over(
        &mut self,
        mut left: Vec<Message>,
        most: usize,
        fill: impl FnOnce(&mut Batch) -> &mut Batch,
    ) {
        let mut batch = Batch::default();
        fill(&mut batch);
        let bytes = batch.into_bytes();
        if let Some(borrowed) = &mut self.borrowed {
            borrowed.hand_over(&bytes, BatchKind::of(&bytes), most, &mut left);
            return;
        }
        self.completions.offers.announce();
        let message = Message::Batch(self.completions.clone(), bytes);
        self.thread().mailbox().send(message);
    }

    /// Sends bytes around the staging buffer.
    pub fn write(&mut self, id: u32, bytes: Vec<u8>) {
        let mut left = Vec::new();
        self.leave_body(id, bytes, &mut left);
        self.thread().mailbox().send_all(left);
    }

    /// Leaves a request, and its body, for the I/O thread.
    pub fn leave_request(&mut self, id: u32, head: &[u8], body: Vec<u8>, left: &mut Vec<Message>) {
        let mut batch = Batch::default();
        batch.request(id).write(id, head);
        let message = Message::Batch(self.completions.clone(), batch.into_bytes());
        let borrowed = self.borrowed.as_mut().unwrap();
        borrowed.leave([id], message, left);
        self.leave_body(id, body, left);
    }

    fn leave_body(&mut self, id: u32, bytes: Vec<u8>, left: &mut Vec<Message>) {
        let write = Message::Write {
            completions: self.completions.clone(),
            connection: id,
            bytes: bytes.into(),
            acknowledge: false,
        };
        let borrowed = self.borrowed.as_mut().unwrap();
        borrowed.leave([id], write, left);
    }

    /// Tells whether the module has borrowed a connection, and the connection is idle.
    pub fn has(&self, id: u32) -> bool {
        self.borrowed
            .as_ref()
            .is_some_and(|borrowed| borrowed.has(id))
    }

    /// Tells whether a borrowed connection was returned in the middle of a response.
    pub fn take_cut_short(&mut self) -> bool {
        self.borrowed.as_mut().unwrap().take_cut_short()
    }

    /// Gives the number of requests that the module has exchanged on borrowed connections.
    pub fn exchanged(&self) -> u64 {
        self.completions.counters.direct.load(Ordering::Relaxed)
    }

    /// Waits for a wake of the I/O thread, or for news of the borrowed connections.
    fn wait(&mut self) {
        let begun = Instant::now();
        loop {
            let found = match &mut self.borrowed {
                Some(borrowed) => self.wakes.try_recv().is_ok() | borrowed.look().any(),
                None => self.wakes.recv_timeout(DEADLINE).is_ok(),
            };
            if found {
                return;
            }
            assert!(begun.elapsed() < DEADLINE, "nothing came");
            std::thread::yield_now();
        }
    }

    /// Gives the next event that is not a `READ`.
    pub fn next(&mut self) -> Event {
        let mut slab = vec![0; 1 << 20];
        loop {
            if let Some(event) = self.log.pop_front() {
                if event.opcode == event::READ {
                    continue;
                }
                return event;
            }
            let outcome = self.completions.drain(&mut slab);
            if let Some(borrowed) = &mut self.borrowed {
                borrowed.borrow_offered();
            }
            let resume = match outcome {
                Drained::Copied { bytes, resume } => {
                    self.log.extend(events_of(&slab[..bytes]));
                    resume
                }
                Drained::TooLarge(bytes) => {
                    slab.resize(bytes, 0);
                    false
                }
                Drained::Empty => {
                    self.wait();
                    false
                }
            };
            if resume {
                let message = Message::Drained(self.completions.clone());
                self.thread().mailbox().send(message);
            }
        }
    }

    /// Borrows connections until this one is among them.
    #[track_caller]
    pub fn until_it_has(&mut self, id: u32) {
        let begun = Instant::now();
        while !self.has(id) {
            assert!(begun.elapsed() < DEADLINE, "{id} is not lent");
            self.borrowed.as_mut().unwrap().borrow_offered();
            std::thread::yield_now();
        }
    }

    #[track_caller]
    pub fn expect(&mut self, opcode: u32) -> Event {
        let event = self.next();
        assert_eq!(event.opcode, opcode, "{event:?}");
        event
    }

    pub fn connect(&mut self, id: u32, listener: &TcpListener) -> TcpStream {
        self.send(|batch| {
            batch.push(command::NO_DELAY, command::ENABLE, id, &[]);
            batch.connect(id, listener.local_addr().unwrap())
        });
        assert_eq!(self.expect(event::CONNECTED).connection, id);
        accept(listener)
    }

    #[track_caller]
    pub fn exchange(&mut self, id: u32, peer: &mut TcpStream) {
        self.send(|batch| batch.request(id).write(id, GET));
        assert_eq!(take(peer, GET.len()), GET);
        peer.write_all(HELLO).unwrap();
        for opcode in [event::HEAD, event::DATA, event::END] {
            assert_eq!(self.expect(opcode).connection, id);
        }
    }

    /// Does what the end of an environment does.
    pub fn unload(&mut self) {
        self.borrowed = None;
        self.completions.close();
        let thread = self.thread.take().unwrap();
        let detach = Message::Detach(self.completions.clone());
        thread.mailbox().send(detach);
    }
}
