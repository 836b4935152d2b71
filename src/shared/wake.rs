//! How the I/O thread wakes the JavaScript thread.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::Waker;

/// Two ways: a call of a threadsafe function, and, while the event loop watches a descriptor of ours
/// anyway, one through that.
///
/// Node holds the lock of a threadsafe function while it writes to the descriptor that wakes the event
/// loop. A thread that is awake before that is over has to sleep for the lock, and to be woken again;
/// where a fast body makes thousands of wakes a second, that was every third. The second way has no lock
/// that the JavaScript thread wants.
pub struct Wake {
    call: Box<dyn Fn() + Send + Sync>,
    /// JavaScript takes this lock only to begin and to end.
    watched: Mutex<Option<Waker>>,
}

impl Wake {
    /// Wakes by this call, until there is another way.
    pub fn new(call: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            call: Box::new(call),
            watched: Mutex::default(),
        }
    }

    /// Wakes the JavaScript thread.
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

    /// Wakes by `waker` from now on, which the event loop watches.
    pub fn watch(&self, waker: Waker) {
        *self.lock() = Some(waker);
    }

    /// Nobody watches any more. A wake that has not been noticed is lost.
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
    fn it_calls_but_for_the_time_in_which_somebody_watches() {
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
