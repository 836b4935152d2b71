//! The way in which the I/O thread wakes the JavaScript thread.

use std::sync::PoisonError;

use mio::Waker;

use super::sync::{Mutex, MutexGuard};

/// Two ways to wake the JavaScript thread: a call of a threadsafe function, or a descriptor of ours, while the
/// event loop watches it.
///
/// Node holds the lock of a threadsafe function while it writes to the descriptor that wakes the event loop. A
/// thread that is awake before the lock is free sleeps again, and is woken again: every third time, where a
/// fast body makes thousands of wakes a second. The JavaScript thread waits for no lock of the second way.
pub struct Wake {
    call: Box<dyn Fn() + Send + Sync>,
    /// The waker of the second way. The JavaScript thread takes this lock only to begin and to end.
    watched: Mutex<Option<Waker>>,
}

impl Wake {
    /// Makes a wake that calls `call`, until the event loop watches.
    pub fn new(call: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            call: Box::new(call),
            watched: Mutex::default(),
        }
    }

    /// Wakes the JavaScript thread. Both threads call this.
    pub fn wake(&self) {
        let watched = self.lock();
        match &*watched {
            Some(waker) if waker.wake().is_ok() => {}
            _ => {
                drop(watched);
                (self.call)();
            }
        }
    }

    /// Wakes by `waker` from now on, which the event loop watches. The JavaScript thread calls this.
    pub fn watch(&self, waker: Waker) {
        *self.lock() = Some(waker);
    }

    /// Wakes by the call again. A wake that the event loop has not noticed is lost. The JavaScript thread calls
    /// this.
    pub fn unwatch(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        // Nothing panics half-way.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn it_calls_except_while_the_event_loop_watches() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let wake = Wake::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let mut is_awake = |poll: &mut Poll| {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            events.iter().count() > 0
        };
        wake.wake();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        wake.watch(Waker::new(poll.registry(), Token(0)).unwrap());
        for _ in 0..3 {
            wake.wake();
            assert!(is_awake(&mut poll));
            assert!(!is_awake(&mut poll));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        wake.unwatch();
        wake.wake();
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}
