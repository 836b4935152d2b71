//! How long the event loop looks for a response before it sleeps.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long the event loop may look for a response before it sleeps.
///
/// Going to sleep and being woken costs as much of the processor as looking for tens of microseconds,
/// and delays the response by as much again. A peer that is farther away than that is found out, and
/// hardly ever waited for awake again.
#[derive(Default)]
pub struct BusyWait {
    until: Cell<Option<Instant>>,
    /// Requests for which it sleeps at once, before it tries again; and what is left of them.
    pause: Cell<u32>,
    left: Cell<u32>,
}

impl BusyWait {
    /// About what a wake-up costs.
    const LIMIT: Duration = Duration::from_micros(100);
    /// With a peer that takes longer, looking costs at most `LIMIT` for so many requests.
    const LONGEST_PAUSE: u32 = 512;

    /// A request is out. Gives whether to stay awake for its response.
    pub fn begin(&self, now: Instant) -> bool {
        if let Some(left) = self.left.get().checked_sub(1) {
            self.left.set(left);
            return false;
        }
        self.until.set(Some(now + Self::LIMIT));
        true
    }

    /// A response was there. Gives whether it was worth to stay awake.
    pub fn succeed(&self) {
        if self.until.take().is_some() {
            self.pause.set(0);
        }
    }

    /// Nothing was there. Gives whether that is enough.
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
