//! Where the I/O thread lays connections for JavaScript to borrow.
//!
//! A connection may be lent only while nobody has asked anything of it that the I/O thread has yet to
//! do, so offers and messages are ordered by one lock: either the I/O thread sees that a message is on
//! its way and does not offer, or JavaScript sees the offer before it sends the message.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lent_connection::LentConnection;

#[derive(Default)]
struct Counter {
    offers: Vec<LentConnection>,
    /// Messages about connections that the I/O thread has not carried out yet.
    unhandled: usize,
    closed: bool,
}

/// The counter over which connections of one JavaScript-side bridge are lent.
#[derive(Default)]
pub struct Offers {
    counter: Mutex<Counter>,
    /// JavaScript sends few requests at a time, and wants to exchange them itself.
    wanted: AtomicBool,
    /// There are offers; spares JavaScript the lock.
    has_offers: AtomicBool,
}

impl Offers {
    /// JavaScript: whether connections are wanted from now on.
    pub fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// The I/O thread: whether they are.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// The I/O thread: offers a connection, unless something is still to be done with it or others. Gives
    /// whether it did; then it has to see to it that JavaScript comes, for nobody watches the connection.
    pub fn offer(&self, lend: impl FnOnce() -> Option<LentConnection>) -> bool {
        let mut counter = self.lock();
        if counter.unhandled == 0
            && !counter.closed
            && let Some(lent) = lend()
        {
            counter.offers.push(lent);
            self.has_offers.store(true, Ordering::Release);
            return true;
        }
        false
    }

    /// JavaScript: takes what is offered.
    pub fn take(&self) -> Vec<LentConnection> {
        if !self.has_offers.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.take_from(&mut self.lock())
    }

    /// JavaScript: takes what is offered, because a message is about to be sent; nothing more is offered
    /// until that has been carried out.
    pub fn announce(&self) -> Vec<LentConnection> {
        let mut counter = self.lock();
        counter.unhandled += 1;
        self.take_from(&mut counter)
    }

    /// The I/O thread: a message has been carried out.
    pub fn carried_out(&self) {
        let mut counter = self.lock();
        counter.unhandled = counter.unhandled.saturating_sub(1);
    }

    /// Closes what is offered, and offers nothing more: the environment is ending.
    pub fn close(&self) {
        let mut counter = self.lock();
        counter.closed = true;
        drop(self.take_from(&mut counter));
    }

    fn take_from(&self, counter: &mut Counter) -> Vec<LentConnection> {
        self.has_offers.store(false, Ordering::Relaxed);
        std::mem::take(&mut counter.offers)
    }

    fn lock(&self) -> MutexGuard<'_, Counter> {
        // Nothing that holds the lock leaves half of anything behind when it panics.
        self.counter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::lent_connection::tests::lent;

    #[test]
    fn what_is_offered_is_taken_once() {
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
    fn a_closed_counter_lends_nothing() {
        let offers = Offers::default();
        offers.offer(|| Some(lent(7)));
        offers.close();
        assert!(offers.take().is_empty());
        offers.offer(|| panic!("asked for a connection that nobody would use"));
    }
}
