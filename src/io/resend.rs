//! Sends a request again that no application has read: the peer had closed the connection before it arrived.

use std::time::{Duration, Instant};

use super::connection::{Cause, Connection};
use super::delivery::Delivery;
use super::state::{Doubt, State};
use super::timer;

/// Time until the kernel is asked again for the fate of a request; it doubles each time. On the same machine the reset
/// comes with the end of the stream.
const FIRST_PAUSE: Duration = Duration::from_micros(250);
/// Time after which a request counts as arrived at the latest, so that a user waits no longer for the end.
const LONGEST_DOUBT: Duration = Duration::from_secs(1);

impl Connection {
    /// Saves the armed request from the end of the stream, if it has not arrived, or waits while that is open. Returns
    /// false if JavaScript has to hear of the end.
    pub(super) fn outlives_end(&self, state: &mut State) -> bool {
        match state.delivery() {
            Delivery::Possible => false,
            Delivery::Refused => {
                self.replace(state, Cause::Refused);
                true
            }
            Delivery::Unanswered(timeout) => wait(state, timeout),
        }
    }
}

/// Lets the connection ask again in a while. Returns false if it has waited long enough.
fn wait(state: &mut State, timeout: Duration) -> bool {
    let now = Instant::now();
    let Doubt { until, pause } = state.doubt().unwrap_or_else(|| Doubt {
        // A packet that is on its way is answered by then.
        until: now + timeout.min(LONGEST_DOUBT),
        pause: FIRST_PAUSE,
    });
    let Some(waker) = state.waker.clone() else {
        return false;
    };
    if now >= until || timer::wake_after(pause, waker).is_err() {
        return false;
    }
    let pause = pause * 2;
    state.note_doubt(Doubt { until, pause });
    true
}
