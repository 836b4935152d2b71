//! Models of the queue to the I/O thread: no message waits for another one to ring.

use std::sync::Arc;

use bytes::Bytes;
use loom::future::block_on;
use loom::thread::{self, JoinHandle};

use super::{EventLoop, check};
use crate::shared::completions::Completions;
use crate::shared::mailbox::{Mailbox, Message};

/// Makes a message that tests tell by its number.
fn message(completions: &Arc<Completions>, number: u32) -> Message {
    Message::Write {
        completions: completions.clone(),
        connection: number,
        bytes: Bytes::new(),
        acknowledge: false,
    }
}

/// Starts an I/O thread, which collects until it has seen so many messages, or the mailbox closes. A socket may have
/// woken it before.
fn start(mailbox: &Arc<Mailbox>, count: usize) -> JoinHandle<Vec<u32>> {
    let mailbox = mailbox.clone();
    thread::spawn(move || {
        let (mut messages, mut seen) = (Vec::new(), Vec::new());
        let mut collect = || {
            mailbox.collect(&mut messages);
            for message in messages.drain(..) {
                if let Message::Write { connection, .. } = message {
                    seen.push(connection);
                }
            }
            seen.len()
        };
        let mut collected = collect();
        while collected < count && block_on(mailbox.has_messages()) {
            collected = collect();
        }
        seen
    })
}

#[test]
fn the_bell_of_the_first_of_a_series_is_enough() {
    check(|| {
        let completions = EventLoop::new().completions;
        let mailbox = Arc::new(Mailbox::default());
        let io = start(&mailbox, 3);
        for number in 0..3 {
            mailbox.send(message(&completions, number));
        }
        assert_eq!(io.join().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn messages_that_were_left_are_collected_after_the_ring() {
    check(|| {
        let completions = EventLoop::new().completions;
        let mailbox = Arc::new(Mailbox::default());
        let io = start(&mailbox, 3);
        mailbox.send(message(&completions, 0));
        mailbox.leave([message(&completions, 1)]);
        mailbox.leave([message(&completions, 2)]);
        mailbox.ring();
        assert_eq!(io.join().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn messages_before_the_close_are_collected() {
    check(|| {
        let completions = EventLoop::new().completions;
        let mailbox = Arc::new(Mailbox::default());
        let io = start(&mailbox, usize::MAX);
        mailbox.send(message(&completions, 0));
        mailbox.leave([message(&completions, 1)]);
        mailbox.close();
        assert_eq!(io.join().unwrap(), [0, 1]);
    });
}
