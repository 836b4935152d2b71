//! The connections that the JavaScript thread has borrowed. That thread sends requests on them, reads and
//! decodes what comes, and returns those that it cannot go on with.

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::batch_kind::BatchKind;
use crate::javascript::batch_memory;
use crate::records;
use crate::shared::completions::Completions;
use crate::shared::lent_connection::{LentConnection, Request, Sent};
use crate::shared::mailbox::{Mailbox, Message};
use crate::shared::page;

/// Connections with news that one system call tells of, at most.
const EVENTS: usize = 64;
/// Requests that are alone: this thread reads more of their responses.
const ALONE: usize = 2;
/// Batches behind one of more requests than that, in which none is alone yet.
const BATCHES_OF_A_CROWD: u32 = 32;
/// Token of the I/O thread; every other is a connection id, which has 32 bits.
const IO_THREAD: Token = Token(usize::MAX);

/// Outcome of [`BorrowedConnections::look`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Events of borrowed connections are in the queue.
    pub answered: bool,
    /// The I/O thread has put events into the queue.
    pub woken: bool,
}

impl News {
    /// Tells whether the queue may hold events.
    pub fn any(self) -> bool {
        self.answered || self.woken
    }
}

/// The borrowed connections of one bridge. Belongs to the JavaScript thread.
pub struct BorrowedConnections {
    completions: Arc<Completions>,
    mailbox: Arc<Mailbox>,
    /// The connections, by id.
    borrowed: Vec<Option<LentConnection>>,
    /// Number of connections that are borrowed.
    number: usize,
    /// Number of connections that wait for a response.
    waiting: usize,
    /// Batches that are still those of a crowd.
    crowd: u32,
    /// A connection was returned in the middle of a response that is too long for this thread.
    cut_short: bool,
    poll: Poll,
    events: Events,
    /// Events that are not queued yet; empty between two calls.
    page: Vec<u8>,
    /// Memory for a request that comes in several records.
    gathered: Vec<u8>,
}

impl BorrowedConnections {
    /// Makes a set without connections.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn new(completions: Arc<Completions>, mailbox: Arc<Mailbox>) -> io::Result<Self> {
        Ok(Self {
            completions,
            mailbox,
            borrowed: Vec::new(),
            number: 0,
            waiting: 0,
            crowd: 0,
            cut_short: false,
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            page: Vec::new(),
            gathered: Vec::new(),
        })
    }

    /// Makes the I/O thread wake the event loop by the descriptor, from now on.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn hear_io_thread(&self) -> io::Result<()> {
        let waker = Waker::new(self.poll.registry(), IO_THREAD)?;
        self.completions.wake.watch(waker);
        Ok(())
    }

    /// Gives the descriptor for the event loop to watch: it is readable when [`Self::look`] would find news.
    pub fn descriptor(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    /// Tells whether a borrowed connection waits for a response.
    pub fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Borrows what the I/O thread offers.
    pub fn borrow_offered(&mut self) {
        let offers = self.completions.offers.take();
        self.borrow(offers);
    }

    /// Gives the number of connections that are borrowed.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Tells whether a connection was returned in the middle of a response that is too long for this thread, since this
    /// was last asked.
    pub fn take_cut_short(&mut self) -> bool {
        std::mem::take(&mut self.cut_short)
    }

    /// Sends the requests of a batch, or hands the batch to the I/O thread, with the connections that it names, behind
    /// what was `left` for that thread. More than `most` connections are not kept.
    pub fn hand_over(
        &mut self,
        bytes: &[u8],
        kind: BatchKind,
        most: usize,
        left: &mut Vec<Message>,
    ) {
        self.borrow_offered();
        self.crowd = match &kind {
            BatchKind::Few(requests) if requests.len() <= ALONE => self.crowd.saturating_sub(1),
            BatchKind::Few(_) | BatchKind::Many(_) => BATCHES_OF_A_CROWD,
            BatchKind::Other => self.crowd,
        };
        if matches!(kind, BatchKind::Many(_)) {
            self.return_idle(bytes, most);
        }
        match kind {
            BatchKind::Few(requests)
                if left.is_empty() && requests.iter().all(|(id, _)| self.has(*id)) =>
            {
                for (id, range) in requests {
                    self.send(id, bytes.get(range).unwrap_or_default());
                }
            }
            BatchKind::Few(requests) | BatchKind::Many(requests)
                if left.is_empty() && requests.iter().any(|(id, _)| self.has(*id)) =>
            {
                self.share_out(bytes, requests, most, left);
            }
            _ => {
                let batch = Message::Batch(self.completions.clone(), batch_memory::copy(bytes));
                let connections = records::iter(bytes).map(|record| record.connection);
                self.leave(connections, batch, left);
                self.mailbox.send_all(left.drain(..));
            }
        }
    }

    /// Returns connections beyond `most` that are idle, and that no record of a batch names. They would leave no room
    /// in the share for those that have work.
    fn return_idle(&mut self, bytes: &[u8], most: usize) {
        let excess = self.number.saturating_sub(most);
        if excess == 0 {
            return;
        }
        let named: HashSet<u32> = records::iter(bytes)
            .map(|record| record.connection)
            .collect();
        let borrowed = self.borrowed.iter().flatten();
        let idle: Vec<u32> = borrowed
            .filter(|lent| !lent.is_armed() && !named.contains(&lent.id()))
            .map(LentConnection::id)
            .take(excess)
            .collect();
        let returned: Vec<Message> = idle
            .into_iter()
            .filter_map(|id| self.stop_borrowing(id))
            .collect();
        if !returned.is_empty() {
            self.mailbox.send_all(returned);
        }
    }

    /// Sends the requests of a batch that are those of borrowed connections, behind those of the others, which the I/O
    /// thread sends meanwhile. More than `most` connections are not kept.
    fn share_out(
        &mut self,
        bytes: &[u8],
        requests: Vec<(u32, Range<usize>)>,
        most: usize,
        left: &mut Vec<Message>,
    ) {
        let mut excess = self.number.saturating_sub(most);
        let (own, others): (Vec<_>, Vec<_>) = requests.into_iter().partition(|(id, _)| {
            let is_own = self.has(*id) && excess == 0;
            if !is_own && self.has(*id) {
                excess -= 1;
            }
            is_own
        });
        if !others.is_empty() {
            let mut rest = Vec::with_capacity(bytes.len());
            for (_, range) in &others {
                rest.extend_from_slice(bytes.get(range.clone()).unwrap_or_default());
            }
            let batch = Message::Batch(self.completions.clone(), batch_memory::copy(&rest));
            self.leave(others.into_iter().map(|(id, _)| id), batch, left);
            self.mailbox.send_all(left.drain(..));
        }
        for (id, range) in own {
            let records = bytes.get(range).unwrap_or_default();
            if self.has(id) {
                self.send(id, records);
            } else {
                self.return_with(id, records, 0);
            }
        }
    }

    /// Leaves a message for the I/O thread, with the connections that it names.
    pub fn leave(
        &mut self,
        connections: impl IntoIterator<Item = u32>,
        message: Message,
        left: &mut Vec<Message>,
    ) {
        self.announce();
        for connection in connections {
            left.extend(self.stop_borrowing(connection));
        }
        left.push(message);
    }

    /// Reads from all connections with news, and queues their events.
    pub fn look(&mut self) -> News {
        let mut news = News::default();
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut returned = Vec::new();
        // After an interrupted call the descriptor is still readable, so the event loop looks again at once.
        if self.poll.poll(&mut events, Some(Duration::ZERO)).is_ok() {
            for event in &events {
                match event.token() {
                    IO_THREAD => news.woken = true,
                    Token(index) => {
                        let goes_on = event.is_read_closed() || may_stop_short(event);
                        returned.extend(self.receive(index, goes_on));
                    }
                }
            }
        }
        self.events = events;
        news.answered = !self.page.is_empty();
        // Before the I/O thread has the connections and can queue what follows.
        self.completions.publish_here(&mut self.page);
        if !returned.is_empty() {
            self.mailbox.send_all(returned);
        }
        news
    }

    /// Reads from a connection. Gives the message that returns it, if it has to be returned.
    fn receive(&mut self, index: usize, goes_on: bool) -> Option<Message> {
        let lent = self.borrowed.get_mut(index)?.as_mut()?;
        let was_armed = lent.is_armed();
        let counters = &self.completions.counters;
        let is_one_of_many = self.waiting > ALONE || self.crowd > 0;
        let stays = page::append(&mut self.page, |page| {
            lent.receive(page, counters, goes_on, is_one_of_many)
        });
        if was_armed && !lent.is_armed() {
            self.waiting -= 1;
        }
        let id = lent.id();
        if stays {
            return None;
        }
        self.cut_short |= lent.is_cut_short();
        self.stop_borrowing(id)
    }

    /// Stops all offers until the message that is about to be sent has been carried out.
    fn announce(&mut self) {
        let offers = self.completions.offers.announce();
        self.borrow(offers);
    }

    /// Borrows connections: watches each, or returns it if that fails.
    fn borrow(&mut self, offers: Vec<LentConnection>) {
        for lent in offers {
            let index = lent.id() as usize;
            let source = lent.descriptor();
            let watched =
                self.poll
                    .registry()
                    .register(&mut SourceFd(&source), Token(index), interest());
            if watched.is_err() {
                let message = Message::Return(self.completions.clone(), Box::new(lent));
                self.mailbox.send(message);
                continue;
            }
            if index >= self.borrowed.len() {
                self.borrowed.resize_with(index + 1, || None);
            }
            if let Some(slot) = self.borrowed.get_mut(index) {
                *slot = Some(lent);
                self.number += 1;
            }
        }
    }

    /// Tells whether a connection is borrowed, and idle.
    pub fn has(&self, id: u32) -> bool {
        matches!(self.borrowed.get(id as usize), Some(Some(lent)) if !lent.is_armed())
    }

    /// Sends one request. A request that is not out at once goes to the I/O thread, with the connection.
    fn send(&mut self, id: u32, records: &[u8]) {
        let Self {
            borrowed,
            gathered,
            completions,
            waiting,
            ..
        } = self;
        let Some(Some(lent)) = borrowed.get_mut(id as usize) else {
            return;
        };
        let Some(request) = request_of(records, gathered) else {
            return;
        };
        // A request whose bytes follow in a message of their own is sent in no part here.
        let sent = match lent.send(&request, &completions.counters) {
            Sent::All => {
                *waiting += 1;
                return;
            }
            Sent::Encrypted => {
                *waiting += 1;
                let returned = self.stop_borrowing(id);
                self.mailbox.send_all(returned);
                return;
            }
            Sent::Part(sent) => sent,
        };
        self.return_with(id, records, sent);
    }

    /// Returns a connection, if it is borrowed, and hands the records of a request on it to the I/O thread. The kernel
    /// has `sent` bytes of that.
    fn return_with(&mut self, id: u32, records: &[u8], sent: usize) {
        let rest = batch_memory::copy(records);
        self.announce();
        let completions = self.completions.clone();
        let message = if sent == 0 {
            Message::Batch(completions, rest)
        } else {
            Message::SentBatch(completions, rest, sent)
        };
        let returned = self.stop_borrowing(id);
        self.mailbox.send_all(returned.into_iter().chain([message]));
    }

    /// Stops watching a connection. Gives the message that returns it, if it was borrowed.
    fn stop_borrowing(&mut self, id: u32) -> Option<Message> {
        let lent = self.borrowed.get_mut(id as usize)?.take()?;
        self.number -= 1;
        if lent.is_armed() {
            self.waiting -= 1;
        }
        let source = lent.descriptor();
        // This fails only for a descriptor that is not registered.
        let _ = self.poll.registry().deregister(&mut SourceFd(&source));
        Some(Message::Return(self.completions.clone(), Box::new(lent)))
    }
}

/// Gives the events that a borrowed connection is watched for.
fn interest() -> Interest {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        Interest::READABLE.add(Interest::PRIORITY)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    Interest::READABLE
}

/// Tells whether a read may stop short of bytes that have come: recv(2) stops at the mark of an urgent byte. The
/// kernel has told of what is behind the mark then, and does not tell of it again.
fn may_stop_short(event: &Event) -> bool {
    // mio passes on no sign of urgent data from a kqueue, so there every read goes on until nothing is left.
    cfg!(not(any(target_os = "linux", target_os = "android"))) || event.is_priority()
}

impl Drop for BorrowedConnections {
    fn drop(&mut self) {
        self.completions.wake.unwatch();
    }
}

/// Gives the request that these records say. Bytes in several records are gathered.
fn request_of<'a>(records: &'a [u8], gathered: &'a mut Vec<u8>) -> Option<Request<'a>> {
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
    Some(Request {
        flags: head.flags,
        max_header_size: head.u32_at(0),
        llhttp: head.u32_at(4),
        bytes,
    })
}
