//! The share: decides how many connections the JavaScript thread borrows under a heavy load. That thread runs the code
//! here.
//!
//! With many requests in progress the I/O thread does the work of a connection beside JavaScript. What goes from thread
//! to thread costs time, though. So where the I/O thread has much to do, and the JavaScript thread would sleep in
//! between, the latter serves as many connections itself as it has time for.

use std::time::{Duration, Instant};

/// Time that both threads have spent, since some beginning.
#[derive(Clone, Copy, Default)]
pub struct Spent {
    /// Time for which the JavaScript thread has had a processor.
    pub worked: Duration,
    /// Time for which the I/O thread has slept.
    pub slept: Duration,
}

/// The share of one bridge.
#[derive(Default)]
pub struct Share {
    connections: usize,
    /// Beginning of the present window, and what had been spent by then.
    window: Option<(Instant, Spent)>,
    /// End of a pause, if there is one.
    pause: Option<Instant>,
}

impl Share {
    /// Length of a window: both threads are looked at once in such a time.
    const WINDOW: Duration = Duration::from_millis(10);
    /// Length from which a window says nothing: there was nothing to do in between.
    const TOO_LONG: Duration = Duration::from_millis(100);
    /// Time without a share behind a response that the JavaScript thread could not go on with: it would meet others.
    const PAUSE: Duration = Duration::from_secs(1);
    /// Connections by which the share grows and shrinks.
    const STEP: usize = 2;
    /// Part of a window for which an I/O thread is awake that is worth help.
    const BUSY: f64 = 0.3;
    /// The same below which help costs more than it brings.
    const EASY: f64 = 0.2;
    /// Part of a window up to which the JavaScript thread has time to help.
    const FREE: f64 = 0.95;
    /// The same from which it has too much to do.
    const FULL: f64 = 0.98;

    /// Gives the number of connections that the JavaScript thread borrows at most.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Adapts the share, when a batch of many requests is handed over. It does not grow beyond what is `borrowed`: the
    /// I/O thread may be busy with connections that it cannot lend.
    pub fn adapt(&mut self, now: Instant, borrowed: usize, spent: impl FnOnce() -> Spent) {
        let elapsed = self.window.map(|(since, _)| now.duration_since(since));
        if elapsed.is_some_and(|elapsed| elapsed < Self::WINDOW) {
            return;
        }
        let spent = spent();
        let Some((since, before)) = self.window.replace((now, spent)) else {
            return;
        };
        let elapsed = now.duration_since(since);
        if elapsed > Self::TOO_LONG || self.pause.is_some_and(|end| now < end) {
            return;
        }
        let part = |time: Duration| time.as_secs_f64() / elapsed.as_secs_f64();
        let javascript = part(spent.worked.saturating_sub(before.worked));
        let io = 1.0 - part(spent.slept.saturating_sub(before.slept));
        if io < Self::EASY || javascript > Self::FULL {
            self.connections = self.connections.saturating_sub(Self::STEP);
        } else if io >= Self::BUSY && javascript <= Self::FREE && borrowed >= self.connections {
            self.connections += Self::STEP;
        }
    }

    /// Pauses: a response was so long that its connection went back to the I/O thread.
    pub fn pause(&mut self, now: Instant) {
        self.connections = 0;
        self.pause = Some(now + Self::PAUSE);
    }
}

/// Gives the time for which the calling thread has had a processor.
pub fn worked() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the system writes the time into memory of the right size. Where it has no such clock, the time stays 0.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share with a clock. Each window is as long as can be.
    struct Clock {
        share: Share,
        now: Instant,
        spent: Spent,
        /// Connections that the I/O thread can lend.
        lendable: usize,
    }

    impl Clock {
        fn new() -> Self {
            let now = Instant::now();
            let mut share = Share::default();
            share.adapt(now, 0, Spent::default);
            Self {
                share,
                now,
                spent: Spent::default(),
                lendable: usize::MAX,
            }
        }

        /// Lets a window pass, of which JavaScript works, and the I/O thread is awake, for these parts.
        fn pass(&mut self, javascript: f64, io: f64) -> usize {
            self.now += Share::WINDOW;
            self.spent.worked += Share::WINDOW.mul_f64(javascript);
            self.spent.slept += Share::WINDOW.mul_f64(1.0 - io);
            let borrowed = self.share.connections().min(self.lendable);
            self.share.adapt(self.now, borrowed, || self.spent);
            self.share.connections()
        }

        /// Lets several such windows pass.
        fn pass_all(&mut self, number: u32, javascript: f64, io: f64) -> usize {
            (0..number).fold(0, |_, _| self.pass(javascript, io))
        }
    }

    #[test]
    fn javascript_takes_more_while_the_io_thread_is_busy_and_it_has_time() {
        let mut clock = Clock::new();
        assert_eq!([clock.pass(0.5, 0.8), clock.pass(0.7, 0.7)], [2, 4]);
        assert_eq!(clock.pass(0.97, 0.7), 4, "both are busy");
        assert_eq!(clock.pass(0.5, 0.25), 4, "the I/O thread has some time");
    }

    #[test]
    fn it_takes_fewer_when_the_io_thread_has_time_or_it_has_none() {
        let mut clock = Clock::new();
        clock.pass_all(5, 0.5, 0.9);
        assert_eq!([clock.pass(0.5, 0.1), clock.pass(1.0, 0.5)], [8, 6]);
        assert_eq!(clock.pass_all(9, 1.0, 0.9), 0);
    }

    #[test]
    fn it_does_not_grow_beyond_what_the_io_thread_can_lend() {
        let mut clock = Clock::new();
        clock.lendable = 5;
        assert_eq!(clock.pass_all(1000, 0.5, 0.9), 6);
        assert_eq!(clock.pass_all(3, 1.0, 0.9), 0);
    }

    #[test]
    fn nothing_is_judged_within_a_window_or_behind_a_rest() {
        let mut clock = Clock::new();
        clock.now += Share::WINDOW / 2;
        clock
            .share
            .adapt(clock.now, 0, || panic!("looked at too early"));
        clock.now += Share::TOO_LONG;
        clock.share.adapt(clock.now, 0, Spent::default);
        assert_eq!(clock.share.connections(), 0);
        clock.spent = Spent::default();
        assert_eq!(clock.pass(0.5, 0.9), 2);
    }

    #[test]
    fn a_long_response_makes_a_pause() {
        let mut clock = Clock::new();
        clock.pass_all(5, 0.5, 0.9);
        clock.share.pause(clock.now);
        let windows = Share::PAUSE.as_millis() / Share::WINDOW.as_millis();
        (1..windows).for_each(|_| assert_eq!(clock.pass(0.5, 0.9), 0));
        assert_eq!(clock.pass(0.5, 0.9), 2);
    }

    #[test]
    fn a_thread_that_works_has_worked_longer() {
        let before = worked();
        let begun = Instant::now();
        while worked() <= before {
            assert!(begun.elapsed() < Duration::from_secs(10));
        }
    }
}
