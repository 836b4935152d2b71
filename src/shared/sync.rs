//! The primitives that the two threads synchronize by: those of std and tokio.
//!
//! Tests that are compiled with `--cfg loom_models` get loom's in their place (`src/tests/loom/`): loom runs a test in
//! every order in which the threads can come, and with every value that an atomic load can give.

#[cfg(not(all(loom_models, test)))]
pub use std::sync::atomic::{AtomicBool, AtomicUsize};
#[cfg(not(all(loom_models, test)))]
pub use std::sync::{Mutex, MutexGuard};
#[cfg(not(all(loom_models, test)))]
pub use tokio::sync::Notify;

#[cfg(all(loom_models, test))]
pub use self::model::Notify;
#[cfg(all(loom_models, test))]
pub use loom::sync::atomic::{AtomicBool, AtomicUsize};
#[cfg(all(loom_models, test))]
pub use loom::sync::{Mutex, MutexGuard};

#[cfg(all(loom_models, test))]
mod model {
    use std::future::poll_fn;
    use std::task::{Poll, Waker};

    use super::Mutex;

    /// The part of tokio's `Notify` that a mailbox relies on: one task waits, and a call before it waits counts, once.
    #[derive(Default)]
    pub struct Notify(Mutex<(bool, Option<Waker>)>);

    impl Notify {
        /// Notifies the task that waits, or the next one that will.
        pub fn notify_one(&self) {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            let waiting = state.1.take();
            drop(state);
            if let Some(waker) = waiting {
                waker.wake();
            }
        }

        /// Waits for a notification.
        pub async fn notified(&self) {
            poll_fn(|context| {
                let mut state = self.0.lock().unwrap();
                if std::mem::take(&mut state.0) {
                    return Poll::Ready(());
                }
                state.1 = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
        }
    }
}
