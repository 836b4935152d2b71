//! Offers of connections that the I/O thread lends and the JavaScript thread borrows.
//!
//! A connection may be lent only while the I/O thread has nothing left to do with it. So one lock orders
//! offers and messages. Either the I/O thread sees that a message is on its way, and offers nothing; or
//! the JavaScript thread sees the offer before it sends the message.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::lent_connection::LentConnection;
use super::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard};

/// The state that the lock guards.
#[derive(Default)]
struct Ordered {
    connections: Vec<LentConnection>,
    /// Messages that the I/O thread has not carried out yet.
    messages: usize,
    closed: bool,
}

/// The offers of one bridge. Each method says which thread calls it.
#[derive(Default)]
pub struct Offers {
    ordered: Mutex<Ordered>,
    /// Connections that the JavaScript thread borrows at most.
    wanted: AtomicUsize,
    /// Connections that are lent, or offered. Only the I/O thread changes it.
    lent: AtomicUsize,
    /// There are connections; spares the JavaScript thread the lock.
    any: AtomicBool,
}

impl Offers {
    /// Says how many connections the JavaScript thread borrows at most, from now on. That thread calls this.
    pub fn want(&self, wanted: usize) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Tells whether the JavaScript thread borrows another connection. The I/O thread calls this.
    pub fn is_wanted(&self) -> bool {
        self.lent.load(Ordering::Relaxed) < self.wanted.load(Ordering::Relaxed)
    }

    /// Notes that a lent connection has come back. The I/O thread calls this.
    pub fn taken_back(&self) {
        let lent = self.lent.load(Ordering::Relaxed);
        self.lent.store(lent.saturating_sub(1), Ordering::Relaxed);
    }

    /// Offers the connection that `lend` gives, unless a message is still to be carried out. The I/O thread
    /// calls this, and wakes the JavaScript thread if the answer is `true`: no thread watches the offer.
    pub fn offer(&self, lend: impl FnOnce() -> Option<LentConnection>) -> bool {
        let mut ordered = self.lock();
        if ordered.messages == 0
            && !ordered.closed
            && let Some(lent) = lend()
        {
            ordered.connections.push(lent);
            let number = self.lent.load(Ordering::Relaxed);
            self.lent.store(number + 1, Ordering::Relaxed);
            self.any.store(true, Ordering::Release);
            return true;
        }
        false
    }

    /// Takes all offers. The JavaScript thread calls this.
    pub fn take(&self) -> Vec<LentConnection> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.take_from(&mut self.lock())
    }

    /// Takes all offers before a message is sent. The I/O thread offers nothing more until it has carried
    /// that message out. The JavaScript thread calls this, once for each `Batch`, `SentBatch` and `Write`.
    pub fn announce(&self) -> Vec<LentConnection> {
        let mut ordered = self.lock();
        ordered.messages += 1;
        self.take_from(&mut ordered)
    }

    /// Notes that a message has been carried out. The I/O thread calls this.
    pub fn carried_out(&self) {
        let mut ordered = self.lock();
        ordered.messages = ordered.messages.saturating_sub(1);
    }

    /// Closes the offered connections, and takes no other offer: the environment is ending.
    pub fn close(&self) {
        let mut ordered = self.lock();
        ordered.closed = true;
        drop(self.take_from(&mut ordered));
    }

    fn take_from(&self, ordered: &mut Ordered) -> Vec<LentConnection> {
        self.any.store(false, Ordering::Relaxed);
        std::mem::take(&mut ordered.connections)
    }

    fn lock(&self) -> MutexGuard<'_, Ordered> {
        // Nothing that holds the lock leaves half of anything behind when it panics.
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::lent_connection::tests::lent;

    #[test]
    fn an_offer_is_taken_once() {
        let offers = Offers::default();
        offers.offer(|| Some(lent(7)));
        assert_eq!(
            offers
                .take()
                .iter()
                .map(LentConnection::id)
                .collect::<Vec<_>>(),
            [7]
        );
        assert!(offers.take().is_empty());
    }

    #[test]
    fn no_more_are_wanted_than_javascript_has_said_until_one_comes_back() {
        let offers = Offers::default();
        assert!(!offers.is_wanted());
        offers.want(2);
        for id in 0..2 {
            assert!(offers.is_wanted());
            offers.offer(|| Some(lent(id)));
        }
        assert!(!offers.is_wanted());
        assert_eq!(offers.take().len(), 2);
        assert!(!offers.is_wanted(), "both are still lent");
        offers.taken_back();
        assert!(offers.is_wanted());
        offers.want(1);
        assert!(!offers.is_wanted());
    }

    #[test]
    fn nothing_is_offered_while_a_message_is_on_its_way() {
        let offers = Offers::default();
        assert!(offers.announce().is_empty());
        offers.announce();
        offers.carried_out();
        offers.offer(|| panic!("asked for a connection that has still to be seen to"));
        offers.carried_out();
        offers.offer(|| Some(lent(7)));
        assert_eq!(offers.announce().len(), 1, "the sender learns of the offer");
    }

    #[test]
    fn after_the_close_nothing_is_lent() {
        let offers = Offers::default();
        offers.offer(|| Some(lent(7)));
        offers.close();
        assert!(offers.take().is_empty());
        offers.offer(|| panic!("asked for a connection that no thread would use"));
    }
}
