//! The queue from the JavaScript thread to the I/O thread: messages, and a bell that wakes the I/O thread.
//!
//! All payloads are [`Bytes`]: the JavaScript thread fills memory, the I/O thread drops it when it is done, and
//! the drop returns the memory.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;

use super::completions::Completions;
use super::lent_connection::LentConnection;
use super::sleep::Sleep;
use super::sync::{Mutex, MutexGuard, Notify};
use crate::tls::TlsConnection;

/// A message to the I/O thread. Each names the queue of the bridge that it comes from.
pub enum Message {
    /// A batch of commands; their connections answer on the queue.
    Batch(Arc<Completions>, Bytes),
    /// A batch, of whose written bytes the JavaScript thread has sent this many already.
    SentBatch(Arc<Completions>, Bytes, usize),
    /// Bytes for one connection, too many to be copied once more through a batch.
    Write {
        /// The queue of the connection.
        completions: Arc<Completions>,
        /// Its id.
        connection: u32,
        /// Bytes to send.
        bytes: Bytes,
        /// The connection answers with `WRITTEN` when the kernel has the bytes.
        acknowledge: bool,
    },
    /// TLS for a connection that does not connect yet.
    Secure(Arc<Completions>, u32, Arc<TlsConnection>),
    /// A lent connection that is returned.
    Return(Arc<Completions>, Box<LentConnection>),
    /// A question: does the kernel have every byte of the queue's connections, now that all earlier messages
    /// are carried out?
    Settle(Arc<Completions>, SyncSender<bool>),
    /// A question for the local port and address of a connection.
    LocalAddress(Arc<Completions>, u32, SyncSender<(u16, String)>),
    /// Notice that the JavaScript thread has taken enough of a queue that was full.
    Drained(Arc<Completions>),
    /// Notice that the environment ends: the queue's connections close, and answer nothing.
    Detach(Arc<Completions>),
    /// An order to panic.
    #[cfg(test)]
    Panic,
}

/// The state that the lock guards.
#[derive(Default)]
struct Inbox {
    messages: Vec<Message>,
    /// The bell was rung, and the I/O thread has not collected since.
    rung: bool,
    closed: bool,
}

/// The queue of one I/O thread. All copies of the module on its JavaScript thread share it.
#[derive(Default)]
pub struct Mailbox {
    inbox: Mutex<Inbox>,
    bell: Notify,
    /// The sleep of the I/O thread.
    pub sleep: Sleep,
}

impl Mailbox {
    /// Hands a message over, and rings the bell for the first of a series: until the I/O thread has collected
    /// that one, it will find the others too. The JavaScript thread calls this.
    pub fn send(&self, message: Message) {
        self.send_all([message]);
    }

    /// Hands several messages over, as [`Self::send`].
    pub fn send_all(&self, messages: impl IntoIterator<Item = Message>) {
        let mut inbox = self.lock();
        inbox.messages.extend(messages);
        let ring = !std::mem::replace(&mut inbox.rung, true);
        drop(inbox);
        if ring {
            self.bell.notify_one();
        }
    }

    /// Hands messages over without the bell: the I/O thread finds them when it wakes next, at the latest by
    /// [`Self::ring`]. The JavaScript thread calls this.
    pub fn leave(&self, messages: impl IntoIterator<Item = Message>) {
        self.lock().messages.extend(messages);
    }

    /// Rings the bell for messages that were left, unless the I/O thread has them or is about to. The JavaScript
    /// thread calls this.
    pub fn ring(&self) {
        let mut inbox = self.lock();
        let ring = !inbox.messages.is_empty() && !std::mem::replace(&mut inbox.rung, true);
        drop(inbox);
        if ring {
            self.bell.notify_one();
        }
    }

    /// Moves all messages into `into`, which is empty. The I/O thread calls this.
    pub fn collect(&self, into: &mut Vec<Message>) {
        let mut inbox = self.lock();
        inbox.rung = false;
        std::mem::swap(&mut inbox.messages, into);
    }

    /// Tells the I/O thread to end. The JavaScript thread calls this.
    pub fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    /// Waits for messages. Gives `false` when the queue is closed and empty: the I/O thread carries out what was
    /// handed over before the end. The I/O thread calls this.
    pub async fn has_messages(&self) -> bool {
        loop {
            {
                let inbox = self.lock();
                if !inbox.messages.is_empty() {
                    return true;
                }
                if inbox.closed {
                    return false;
                }
            }
            self.bell.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        // The critical sections cannot panic half-way, so a poisoned lock guards sound data.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
