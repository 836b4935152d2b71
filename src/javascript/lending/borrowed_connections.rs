//! Requests that the JavaScript thread exchanges itself, on connections that it has borrowed.
//!
//! While few requests are in progress at a time, both threads mostly sleep, and waking one costs more
//! than everything else that an exchange takes. Then the I/O thread lends its idle connections
//! ([`crate::shared::offers`]), and JavaScript sends, waits and decodes by itself. A batch of many requests, or
//! anything else that touches a borrowed connection, gives it back first.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::batch_kind::BatchKind;
use crate::javascript::batch_memory;
use crate::records::{self, Record};
use crate::shared::completions::Completions;
use crate::shared::lent_connection::{LentConnection, Request};
use crate::shared::mailbox::{Mailbox, Message};

/// Connections with news that are looked at in one go.
const EVENTS: usize = 64;
/// What stands for the I/O thread among them; the others are ids, which are half as long.
const IO_THREAD: Token = Token(usize::MAX);

/// What is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Events of borrowed connections are in the queue.
    pub answered: bool,
    /// The I/O thread has put something there.
    pub woken: bool,
}

impl News {
    /// Whether there is something to drain.
    pub fn any(self) -> bool {
        self.answered || self.woken
    }
}

/// What JavaScript has borrowed. Belongs to its thread.
pub struct BorrowedConnections {
    completions: Arc<Completions>,
    mailbox: Arc<Mailbox>,
    /// By connection id.
    lent: Vec<Option<LentConnection>>,
    /// How many of them wait for a response.
    waiting: usize,
    poll: Poll,
    events: Events,
    page: Vec<u8>,
    gathered: Vec<u8>,
}

impl BorrowedConnections {
    /// Nothing borrowed yet.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new(completions: Arc<Completions>, mailbox: Arc<Mailbox>) -> io::Result<Self> {
        Ok(Self {
            completions,
            mailbox,
            lent: Vec::new(),
            waiting: 0,
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            page: Vec::new(),
            gathered: Vec::new(),
        })
    }

    /// Has the I/O thread wake whoever watches the descriptor, from now on.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn hear_io_thread(&self) -> io::Result<()> {
        let waker = Waker::new(self.poll.registry(), IO_THREAD)?;
        self.completions.wake.watch(waker);
        Ok(())
    }

    /// A descriptor that is readable when there is news of a borrowed connection, or of the I/O thread.
    pub fn descriptor(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    /// Whether a response is awaited.
    pub fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Takes what the I/O thread offers.
    pub fn borrow_offered(&mut self) {
        let offers = self.completions.offers.take();
        self.borrow(offers);
    }

    /// Sends the requests of a batch, or hands it to the I/O thread.
    pub fn hand_over(&mut self, bytes: &[u8], kind: BatchKind) {
        self.borrow_offered();
        match kind {
            BatchKind::Few(requests) if requests.iter().all(|(id, _)| self.has(*id)) => {
                for (id, range) in requests {
                    self.send(id, bytes.get(range).unwrap_or_default());
                }
            }
            _ => {
                self.announce();
                let mut messages = Vec::new();
                for Record { connection, .. } in records::iter(bytes) {
                    messages.extend(self.release(connection));
                }
                messages.push(Message::Batch(
                    self.completions.clone(),
                    batch_memory::copy(bytes),
                ));
                self.mailbox.send_all(messages);
            }
        }
    }

    /// Leaves a write on one connection with the I/O thread, which has to be rung for.
    pub fn leave(&mut self, connection: u32, write: Message) {
        self.announce();
        let returned = self.release(connection);
        self.mailbox.leave(returned.into_iter().chain([write]));
    }

    /// Looks what is new, and queues the events of borrowed connections.
    pub fn look(&mut self) -> News {
        let mut news = News::default();
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut returned = Vec::new();
        // An interrupted call finds the same the next time, which is at once.
        if self.poll.poll(&mut events, Some(Duration::ZERO)).is_ok() {
            for event in &events {
                match event.token() {
                    IO_THREAD => news.woken = true,
                    Token(index) => {
                        returned.extend(self.receive(index, event.is_read_closed()));
                    }
                }
            }
        }
        self.events = events;
        news.answered = !self.page.is_empty();
        // Before the I/O thread can tell what comes after it.
        self.completions.publish_here(&mut self.page);
        if !returned.is_empty() {
            self.mailbox.send_all(returned);
        }
        news
    }

    /// Reads from a connection; with the message that gives it back, if it has to go.
    fn receive(&mut self, index: usize, ended: bool) -> Option<Message> {
        let lent = self.lent.get_mut(index)?.as_mut()?;
        let was_armed = lent.is_armed();
        let stays = lent.receive(&mut self.page, &self.completions.counters, ended);
        if was_armed && !lent.is_armed() {
            self.waiting -= 1;
        }
        let id = lent.id();
        if stays { None } else { self.release(id) }
    }

    /// Nothing is offered any more until the message that is about to be sent has been carried out.
    fn announce(&mut self) {
        let offers = self.completions.offers.announce();
        self.borrow(offers);
    }

    fn borrow(&mut self, offers: Vec<LentConnection>) {
        for lent in offers {
            let index = lent.id() as usize;
            let source = lent.descriptor();
            let watched = self.poll.registry().register(
                &mut SourceFd(&source),
                Token(index),
                Interest::READABLE,
            );
            if watched.is_err() {
                let message = Message::Return(self.completions.clone(), Box::new(lent));
                self.mailbox.send(message);
                continue;
            }
            if index >= self.lent.len() {
                self.lent.resize_with(index + 1, || None);
            }
            if let Some(slot) = self.lent.get_mut(index) {
                *slot = Some(lent);
            }
        }
    }

    /// Whether a connection is borrowed, and waits for its next request.
    pub fn has(&self, id: u32) -> bool {
        matches!(self.lent.get(id as usize), Some(Some(lent)) if !lent.is_armed())
    }

    /// Sends one request; what cannot be sent here is for the I/O thread.
    fn send(&mut self, id: u32, records: &[u8]) {
        let Self {
            lent,
            gathered,
            completions,
            waiting,
            ..
        } = self;
        let Some(Some(lent)) = lent.get_mut(id as usize) else {
            return;
        };
        let Some((request, length)) = request_of(records, gathered) else {
            return;
        };
        let sent = lent.send(&request, &completions.counters);
        // A request whose bytes follow in a message of their own is for the I/O thread too.
        if sent > 0 && sent == length {
            *waiting += 1;
            return;
        }
        let rest = batch_memory::copy(records);
        self.announce();
        let completions = self.completions.clone();
        let message = if sent == 0 {
            Message::Batch(completions, rest)
        } else {
            Message::SentBatch(completions, rest, sent)
        };
        let returned = self.release(id);
        self.mailbox.send_all(returned.into_iter().chain([message]));
    }

    /// Stops to watch a connection, if it is borrowed. The message gives it back.
    fn release(&mut self, id: u32) -> Option<Message> {
        let lent = self.lent.get_mut(id as usize)?.take()?;
        if lent.is_armed() {
            self.waiting -= 1;
        }
        let source = lent.descriptor();
        // The one reason would be that it is not registered.
        let _ = self.poll.registry().deregister(&mut SourceFd(&source));
        Some(Message::Return(self.completions.clone(), Box::new(lent)))
    }
}

impl Drop for BorrowedConnections {
    fn drop(&mut self) {
        self.completions.wake.unwatch();
    }
}

/// The request that these records are, with its length. Its bytes are gathered if they are in pieces.
fn request_of<'a>(records: &'a [u8], gathered: &'a mut Vec<u8>) -> Option<(Request<'a>, usize)> {
    let mut iter = records::iter(records);
    let head = iter.next()?;
    let first = iter.next().map_or(&[][..], |record| record.payload);
    gathered.clear();
    for record in iter {
        if gathered.is_empty() {
            gathered.extend_from_slice(first);
        }
        gathered.extend_from_slice(record.payload);
    }
    let bytes = if gathered.is_empty() { first } else { gathered };
    let request = Request {
        flags: head.flags,
        max_header_size: head.u32_at(0),
        llhttp: head.u32_at(4),
        bytes,
    };
    Some((request, bytes.len()))
}
