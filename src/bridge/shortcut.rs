//! A request that the JavaScript thread sends itself.
//!
//! With few connections the I/O thread mostly sleeps, and waking it costs more than the write that it
//! would be woken for. So while it sleeps, a batch that only sends a request on one idle connection
//! is written right here; the batch is left in the mailbox, where the I/O thread finds it when the
//! response (or anything else) wakes it. The decoder is armed before that response is read, because
//! the thread empties its mailbox before it looks at its sockets.
//!
//! The I/O thread alone opens and closes descriptors. What makes one unfit is known here because the
//! thread sleeps only after it has said so in the [`IdleTable`].

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use socket2::SockRef;

use super::completions::Completions;
use super::mailbox::{Mailbox, Message};
use super::records::{self, command};

/// Connections that can be in the table: with more of them the I/O thread has no time to sleep.
const ENTRIES: usize = 64;
/// Longer requests are left to the I/O thread, which does not keep JavaScript waiting.
const MAX_REQUEST: usize = 16 * 1024;
/// No descriptor.
const NONE: RawFd = -1;

/// The descriptors of idle connections, by connection id. Written by the I/O thread only.
pub struct IdleTable([AtomicI32; ENTRIES]);

impl Default for IdleTable {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicI32::new(NONE)))
    }
}

impl IdleTable {
    /// Notes that a connection can take a request, or, with -1, that it cannot.
    pub fn set(&self, connection: u32, descriptor: RawFd) {
        if let Some(entry) = self.0.get(connection as usize) {
            entry.store(descriptor, Ordering::Release);
        }
    }

    fn get(&self, connection: u32) -> Option<RawFd> {
        let entry = self.0.get(connection as usize)?;
        Some(entry.load(Ordering::Acquire)).filter(|descriptor| *descriptor != NONE)
    }
}

/// Hands a batch to the I/O thread, by itself or by sending its request first.
pub fn hand_over(mailbox: &Mailbox, completions: &Arc<Completions>, batch: Vec<u8>) {
    let request = mailbox.is_asleep().then(|| only_request(&batch)).flatten();
    let Some((connection, bytes)) = request else {
        mailbox.send(Message::Batch(completions.clone(), batch));
        return;
    };
    mailbox.leave(|asleep| {
        // Asked again: one that has woken may have read already what makes the connection unfit.
        let descriptor = asleep.then(|| completions.idle.get(connection)).flatten();
        // An error is the I/O thread's to deal with: it will meet the same one.
        let sent = descriptor.map_or(0, |descriptor| send(descriptor, &bytes).unwrap_or(0));
        let message = if sent == 0 {
            Message::Batch(completions.clone(), batch)
        } else {
            Message::SentBatch(completions.clone(), batch, sent)
        };
        (message, sent < bytes.len())
    });
}

/// The connection and the bytes of a batch that does nothing but send one request.
fn only_request(batch: &[u8]) -> Option<(u32, Vec<u8>)> {
    let mut records = records::iter(batch);
    let first = records
        .next()
        .filter(|record| record.opcode == command::REQUEST)?;
    let mut bytes = Vec::new();
    for record in records {
        let fits = record.opcode == command::WRITE
            && record.flags == 0
            && record.connection == first.connection
            && bytes.len() + record.payload.len() <= MAX_REQUEST;
        if !fits {
            return None;
        }
        bytes.extend_from_slice(record.payload);
    }
    (!bytes.is_empty()).then_some((first.connection, bytes))
}

/// Sends, unless the peer has closed or said something unasked a moment ago, which the I/O thread may
/// be about to wake up for.
fn send(descriptor: RawFd, bytes: &[u8]) -> std::io::Result<usize> {
    // SAFETY: the I/O thread closes a descriptor only for a command of this (the JavaScript) thread,
    // after taking it out of the table, or when it ends; it is asleep, and it is ended by this thread.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let socket = SockRef::from(&descriptor);
    let mut probe = [MaybeUninit::uninit(); 1];
    match socket.recv_with_flags(&mut probe, libc::MSG_PEEK | libc::MSG_DONTWAIT) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            socket.send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
        }
        Err(error) => Err(error),
        Ok(_) => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    fn request(connection: u32, body: &[u8]) -> Vec<u8> {
        let mut batch = Vec::new();
        records::push(&mut batch, command::REQUEST, 0, connection, &[&[0; 8]]);
        records::push(&mut batch, command::WRITE, 0, connection, &[body]);
        batch
    }

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn left_in(mailbox: &Mailbox) -> Vec<Message> {
        let mut messages = Vec::new();
        mailbox.collect(&mut messages);
        messages
    }

    #[test]
    fn a_request_on_an_idle_connection_is_sent_while_the_io_thread_sleeps() {
        let (client, mut server) = pair();
        let mailbox = Mailbox::default();
        let completions = Arc::new(Completions::new(|| {}));
        completions.idle.set(3, client.as_raw_fd());
        mailbox.set_asleep(true);
        hand_over(&mailbox, &completions, request(3, b"GET"));
        let mut read = [0; 3];
        server.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"GET");
        assert!(matches!(
            left_in(&mailbox)[..],
            [Message::SentBatch(_, _, 3)]
        ));
    }

    #[test]
    fn nothing_is_sent_while_the_io_thread_is_awake_or_the_connection_is_not_idle() {
        let (client, server) = pair();
        server.set_nonblocking(true).unwrap();
        let mailbox = Mailbox::default();
        let completions = Arc::new(Completions::new(|| {}));
        completions.idle.set(3, client.as_raw_fd());
        hand_over(&mailbox, &completions, request(3, b"GET"));
        mailbox.set_asleep(true);
        hand_over(&mailbox, &completions, request(4, b"GET"));
        completions.idle.set(3, -1);
        hand_over(&mailbox, &completions, request(3, b"GET"));
        assert!(matches!(
            left_in(&mailbox)[..],
            [Message::Batch(..), Message::Batch(..), Message::Batch(..)]
        ));
        assert!((&server).read(&mut [0; 1]).is_err());
    }

    #[test]
    fn nothing_is_sent_when_the_io_thread_has_woken_in_the_meantime() {
        let (client, server) = pair();
        server.set_nonblocking(true).unwrap();
        let mailbox = Arc::new(Mailbox::default());
        let completions = Arc::new(Completions::new(|| {}));
        completions.idle.set(3, client.as_raw_fd());
        mailbox.set_asleep(true);
        let javascript = (mailbox.clone(), completions.clone());
        let mut thread = None;
        mailbox.leave(|_| {
            thread = Some(std::thread::spawn(move || {
                hand_over(&javascript.0, &javascript.1, request(3, b"GET"));
            }));
            // Time to see that the I/O thread sleeps, which it then does no more.
            (0..1000).for_each(|_| std::thread::yield_now());
            mailbox.set_asleep(false);
            (Message::Drained(completions.clone()), false)
        });
        thread.unwrap().join().unwrap();
        assert!(matches!(
            left_in(&mailbox)[..],
            [Message::Drained(_), Message::Batch(..)]
        ));
        assert!((&server).read(&mut [0; 1]).is_err());
    }

    #[test]
    fn a_batch_that_does_anything_else_is_left_to_the_io_thread() {
        let mut two = request(3, b"GET");
        two.extend(request(4, b"GET"));
        assert_eq!(only_request(&two), None);
        let mut closes = request(3, b"GET");
        records::push(&mut closes, command::CLOSE, 0, 3, &[]);
        assert_eq!(only_request(&closes), None);
        let mut acknowledged = request(3, b"");
        records::push(
            &mut acknowledged,
            command::WRITE,
            command::ACKNOWLEDGE,
            3,
            &[b"x"],
        );
        assert_eq!(only_request(&acknowledged), None);
        assert_eq!(only_request(&request(3, b"")), None);
        assert_eq!(only_request(&request(3, &[0; MAX_REQUEST + 1])), None);
        assert_eq!(
            only_request(&request(3, b"GET")),
            Some((3, b"GET".to_vec()))
        );
    }

    #[test]
    fn nothing_is_sent_to_a_peer_that_has_closed_or_spoken_unasked() {
        for speaks in [false, true] {
            let (client, mut server) = pair();
            if speaks {
                std::io::Write::write_all(&mut server, b"HTTP/1.1 200 OK").unwrap();
                // Until it is there.
                client.peek(&mut [0; 1]).unwrap();
            } else {
                server.shutdown(std::net::Shutdown::Write).unwrap();
                assert_eq!(client.peek(&mut [0; 1]).unwrap(), 0);
            }
            let mailbox = Mailbox::default();
            let completions = Arc::new(Completions::new(|| {}));
            completions.idle.set(3, client.as_raw_fd());
            mailbox.set_asleep(true);
            hand_over(&mailbox, &completions, request(3, b"GET"));
            assert!(matches!(left_in(&mailbox)[..], [Message::Batch(..)]));
        }
    }

    #[test]
    fn a_request_that_the_kernel_refuses_is_left_whole() {
        let (client, _server) = pair();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mailbox = Mailbox::default();
        let completions = Arc::new(Completions::new(|| {}));
        completions.idle.set(3, client.as_raw_fd());
        mailbox.set_asleep(true);
        hand_over(&mailbox, &completions, request(3, b"GET"));
        assert!(matches!(left_in(&mailbox)[..], [Message::Batch(..)]));
    }
}
