//! The time for which the event loop looks for a response before it sleeps. The JavaScript thread runs the code
//! here.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The busy wait of one event loop, which sleeps when it is over.
///
/// Sleeping and being woken costs as much of the processor as looking for tens of microseconds, and delays the
/// response by as much again. A peer that takes longer is noticed, and hardly ever waited for awake again.
#[derive(Default)]
pub struct BusyWait {
    /// End of the busy wait, while there is one.
    until: Cell<Option<Instant>>,
    /// Requests for which the event loop sleeps at once after a busy wait in vain.
    pause: Cell<u32>,
    /// Requests that are left of a pause.
    left: Cell<u32>,
}

impl BusyWait {
    /// Longest busy wait: about as much as a wake costs.
    const LIMIT: Duration = Duration::from_micros(100);
    /// Most requests between two tries: what a busy wait in vain costs is shared by so many.
    const LONGEST_PAUSE: u32 = 512;

    /// Notes that a request is out. Gives `true` if the event loop shall stay awake for the response.
    pub fn begin(&self, now: Instant) -> bool {
        if let Some(left) = self.left.get().checked_sub(1) {
            self.left.set(left);
            return false;
        }
        self.until.set(Some(now + Self::LIMIT));
        true
    }

    /// Notes that a response is there: a busy wait, if there is one, was worth it.
    pub fn succeed(&self) {
        if self.until.take().is_some() {
            self.pause.set(0);
        }
    }

    /// Tells whether the busy wait is over, with nothing there by `now`. The end of one in vain begins a pause.
    pub fn is_over(&self, now: Instant) -> bool {
        match self.until.get() {
            Some(until) if now < until => false,
            Some(_) => {
                self.until.set(None);
                let pause = (self.pause.get() * 2 + 1).min(Self::LONGEST_PAUSE);
                self.pause.set(pause);
                self.left.set(pause);
                true
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_answers_at_once_is_waited_for_each_time() {
        let busy_wait = BusyWait::default();
        let now = Instant::now();
        for _ in 0..100 {
            assert!(busy_wait.begin(now));
            assert!(!busy_wait.is_over(now + BusyWait::LIMIT / 2));
            busy_wait.succeed();
            assert!(busy_wait.is_over(now), "nothing is awaited any more");
        }
    }

    #[test]
    fn a_peer_that_takes_longer_is_tried_more_and_more_rarely() {
        let busy_wait = BusyWait::default();
        let now = Instant::now();
        let mut tries = 0;
        for _ in 0..100_000 {
            if busy_wait.begin(now) {
                tries += 1;
                assert!(busy_wait.is_over(now + BusyWait::LIMIT));
            }
        }
        assert!((190..220).contains(&tries), "{tries}");
        // It has come nearer.
        while !busy_wait.begin(now) {}
        busy_wait.succeed();
        assert!(busy_wait.begin(now));
    }
}
