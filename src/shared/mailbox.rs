//! From JavaScript to the I/O thread: batches of commands and a bell.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::completions::Completions;
use super::lent_connection::LentConnection;

/// What the JavaScript thread says to the I/O thread.
pub enum Message {
    /// Commands, with the queue on which their connections answer.
    Batch(Arc<Completions>, Bytes),
    /// As `Batch`, and the first so many bytes that it writes have been sent already.
    SentBatch(Arc<Completions>, Bytes, usize),
    /// Bytes for one connection, too many to be copied once more through a batch.
    Write {
        /// The queue of the connection.
        completions: Arc<Completions>,
        /// Its id.
        connection: u32,
        /// What to send.
        bytes: Bytes,
        /// Whether to answer with `WRITTEN`.
        acknowledge: bool,
    },
    /// JavaScript gives a connection back.
    Return(Arc<Completions>, Box<LentConnection>),
    /// Answer whether every byte of the queue's connections is the kernel's, once all that was handed
    /// over before has been carried out.
    Settle(Arc<Completions>, SyncSender<bool>),
    /// Answer with the local port and address of a connection.
    LocalAddress(Arc<Completions>, u32, SyncSender<(u16, String)>),
    /// A throttled queue has been emptied.
    Drained(Arc<Completions>),
    /// The queue's environment is gone: drop its connections without another word.
    Detach(Arc<Completions>),
    /// Fail as nothing does that is known of.
    #[cfg(test)]
    Panic,
}

#[derive(Default)]
struct Inbox {
    messages: Vec<Message>,
    /// The bell has been rung for them.
    rung: bool,
    closed: bool,
}

/// The queue of one I/O thread. Any number of JavaScript-side handles may share it.
#[derive(Default)]
pub struct Mailbox {
    inbox: Mutex<Inbox>,
    bell: Notify,
}

impl Mailbox {
    /// Hands a message over. The bell is rung only for the first of a series: while the I/O thread
    /// has not answered it, it will find the others too.
    pub fn send(&self, message: Message) {
        self.send_all([message]);
    }

    /// As [`Self::send`], for several in their order.
    pub fn send_all(&self, messages: impl IntoIterator<Item = Message>) {
        let mut inbox = self.lock();
        inbox.messages.extend(messages);
        let ring = !std::mem::replace(&mut inbox.rung, true);
        drop(inbox);
        if ring {
            self.bell.notify_one();
        }
    }

    /// Leaves messages without ringing: the I/O thread finds them when something else wakes it, at the
    /// latest [`Self::ring`].
    pub fn leave(&self, messages: impl IntoIterator<Item = Message>) {
        self.lock().messages.extend(messages);
    }

    /// Rings for messages that were left, unless the I/O thread has them already or is on its way.
    pub fn ring(&self) {
        let mut inbox = self.lock();
        let ring = !inbox.messages.is_empty() && !std::mem::replace(&mut inbox.rung, true);
        drop(inbox);
        if ring {
            self.bell.notify_one();
        }
    }

    /// Moves what there is into `into`, which is empty.
    pub fn collect(&self, into: &mut Vec<Message>) {
        let mut inbox = self.lock();
        inbox.rung = false;
        std::mem::swap(&mut inbox.messages, into);
    }

    /// Tells the I/O thread to end.
    pub fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    /// Waits for messages. Gives `false` once closed and empty: what was handed over before the end
    /// is still carried out.
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
