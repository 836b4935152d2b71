//! What a connection hears while it reads nothing: of its end, and of what makes it unfit.

use std::task::{Context, Poll};

use super::connection::Connection;
use super::connection::idle_flag;
use super::state::{Phase, Reading, State};

impl Connection {
    /// Whether all that there is to read is the end of the stream. A reader that has paused hears of
    /// that, and of a failure, as from libuv: it may have paused for good.
    pub(super) fn hears_end(&self, state: &mut State, context: &mut Context<'_>) -> bool {
        let Phase::Open(stream) = &state.phase else {
            return false;
        };
        match stream.poll_end(context) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                // The kernel tells an error once.
                self.read_failed(state, &error, idle_flag(state));
                false
            }
        }
    }

    /// Looks whether the peer has closed, or sends what it was not asked for, before the first byte of
    /// a request. JavaScript need not know: the request gets another connection.
    pub(super) fn watch(&self, state: &mut State, context: &mut Context<'_>) {
        let Phase::Open(stream) = &state.phase else {
            return;
        };
        if stream.poll_unread_input(context).is_ready() {
            state.reading = Reading::Ended;
            self.flush_state(state);
        }
    }
}
