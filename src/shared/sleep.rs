//! The time that the I/O thread has slept, which says how busy it is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Value of `since` while the thread is awake.
const AWAKE: u64 = 0;

/// The sleep of one I/O thread. That thread writes it, and the JavaScript thread reads it.
///
/// The two numbers are not read together: a reader may be wrong by the sleep that has just begun or ended.
#[derive(Default)]
pub struct Sleep {
    /// Nanoseconds of all sleeps that are over.
    total: AtomicU64,
    /// Time in nanoseconds at which the present sleep has begun.
    since: AtomicU64,
}

impl Sleep {
    /// Notes that the thread falls asleep.
    pub fn begin(&self) {
        self.since.store(now(), Ordering::Relaxed);
    }

    /// Notes that the thread has woken.
    pub fn end(&self) {
        let since = self.since.swap(AWAKE, Ordering::Relaxed);
        if since != AWAKE {
            let total = self.total.load(Ordering::Relaxed);
            let slept = now().saturating_sub(since);
            self.total.store(total + slept, Ordering::Relaxed);
        }
    }

    /// Gives the time that the thread has slept since it was started.
    pub fn total(&self) -> Duration {
        let since = self.since.load(Ordering::Relaxed);
        let present = match since {
            AWAKE => 0,
            since => now().saturating_sub(since),
        };
        Duration::from_nanos(self.total.load(Ordering::Relaxed) + present)
    }
}

/// Gives the nanoseconds since the first question; never 0.
fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_counts_while_it_lasts_and_afterwards() {
        let sleep = Sleep::default();
        assert_eq!(sleep.total(), Duration::ZERO);
        sleep.begin();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(2) {}
        let during = sleep.total();
        assert!(during >= Duration::from_millis(1), "{during:?}");
        sleep.end();
        let after = sleep.total();
        assert!(after >= during);
        while begun.elapsed() < Duration::from_millis(4) {}
        assert_eq!(sleep.total(), after, "the thread is awake");
        sleep.end();
        assert_eq!(sleep.total(), after);
    }
}
