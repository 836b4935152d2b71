//! Watches a connection that reads nothing: for its end, and for what makes it unfit.

use std::task::{Context, Poll};

use super::connection::{Connection, idle_flag};
use super::state::State;

impl Connection {
    /// Tells whether all that there is to read is the end of the stream. A reader that has paused hears of
    /// that, and of a failure, as from libuv: it may have paused for good.
    pub(super) fn hears_end(&self, state: &mut State, context: &mut Context<'_>) -> bool {
        let Some(stream) = state.stream() else {
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

    /// Replaces the connection if the peer closes, or sends unsolicited bytes, before the first byte of a
    /// request. JavaScript need not know: the request gets another connection.
    pub(super) fn watch(&self, state: &mut State, context: &mut Context<'_>) {
        let Some(stream) = state.stream() else {
            return;
        };
        if stream.poll_unread_input(context).is_ready() {
            state.end_reading();
            self.flush_state(state);
        }
    }
}
