//! Models of lending: no command comes to a connection while it is lent, and nothing overtakes what was decoded.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use loom::future::block_on;
use loom::thread;

use super::{EventLoop, check, connection};
use crate::javascript::lending::batch_kind::BatchKind;
use crate::javascript::lending::borrowed_connections::BorrowedConnections;
use crate::shared::completions::Completions;
use crate::shared::lent_connection::LentConnection;
use crate::shared::mailbox::{Mailbox, Message};
use crate::tests::support::{Batch, GET, HELLO};

/// The I/O thread, with one connection.
struct Io {
    completions: Arc<Completions>,
    mailbox: Arc<Mailbox>,
    /// The connection, unless it is lent.
    here: Option<LentConnection>,
    /// Batches carried out.
    batches: u64,
}

impl Io {
    /// Lends the connection whenever nothing is to do, and carries out messages, until the mailbox closes.
    fn run(mut self) -> u64 {
        let mut messages = Vec::new();
        self.lend();
        while block_on(self.mailbox.has_messages()) {
            self.mailbox.collect(&mut messages);
            for message in messages.drain(..) {
                self.carry_out(message);
                self.lend();
            }
        }
        self.batches
    }

    fn lend(&mut self) {
        let offers = &self.completions.offers;
        if self.here.as_ref().is_some_and(|lent| !lent.is_armed())
            && offers.offer(|| self.here.take())
        {
            self.completions.wake_reader();
        }
    }

    fn carry_out(&mut self, message: Message) {
        match message {
            Message::Batch(..) => {
                assert!(
                    self.here.is_some(),
                    "a command came while the connection was lent"
                );
                self.batches += 1;
                self.completions.offers.carried_out();
            }
            Message::Return(_, lent) => {
                assert!(self.here.is_none(), "the connection came back twice");
                self.here = Some(*lent);
                if self.here.as_ref().is_some_and(LentConnection::is_armed) {
                    self.completions.publish(&mut vec![9; 4]);
                }
            }
            _ => panic!("no other message is sent"),
        }
    }
}

/// Makes both threads' parts, and the peer of the connection.
fn threads() -> (EventLoop, BorrowedConnections, Arc<Mailbox>, Io, UnixStream) {
    let event_loop = EventLoop::new();
    let completions = event_loop.completions.clone();
    let mailbox = Arc::new(Mailbox::default());
    let borrowed = BorrowedConnections::new(completions.clone(), mailbox.clone()).unwrap();
    let (lent, peer) = connection(0);
    let io = Io {
        completions,
        mailbox: mailbox.clone(),
        here: Some(lent),
        batches: 0,
    };
    (event_loop, borrowed, mailbox, io, peer)
}

/// Hands over a batch with one request.
fn request(borrowed: &mut BorrowedConnections) {
    let mut batch = Batch::default();
    batch.request(0).write(0, GET);
    let bytes = batch.into_bytes();
    borrowed.hand_over(&bytes, BatchKind::of(&bytes), usize::MAX, &mut Vec::new());
}

#[test]
fn a_command_finds_its_connection_with_the_thread_that_gets_it() {
    check(|| {
        let (event_loop, mut borrowed, mailbox, io, _peer) = threads();
        let io = thread::spawn(move || io.run());
        for _ in 0..2 {
            request(&mut borrowed);
        }
        mailbox.close();
        let counters = &event_loop.completions.counters;
        let batches = io.join().unwrap();
        assert_eq!(batches + counters.direct.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn events_of_a_borrowed_connection_come_before_those_after_its_return() {
    check(|| {
        let (event_loop, mut borrowed, mailbox, mut io, mut peer) = threads();
        io.lend();
        borrowed.borrow_offered();
        request(&mut borrowed);
        assert!(borrowed.is_waiting());
        // The response is whole but for its last byte, so the connection is armed when it is returned.
        peer.write_all(&HELLO[..HELLO.len() - 1]).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let io = thread::spawn(move || io.run());
        borrowed.look();
        mailbox.close();
        io.join().unwrap();
        let bytes = event_loop.turn().bytes;
        assert!(bytes.len() > 4, "the response is missing");
        assert!(
            bytes.ends_with(&[9; 4]),
            "the I/O thread's event came first"
        );
    });
}
