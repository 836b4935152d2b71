//! Lends a connection to the JavaScript thread, and takes it back.

use super::connection::{Connection, idle_flag};
use super::state::State;
use super::stream::Stream;
use crate::shared::lent_connection::LentConnection;

impl Connection {
    /// Offers the connection to the JavaScript thread, if that wants some and there is nothing to do.
    pub(super) fn lend(&self, state: &mut State) {
        let offers = &self.outlet.completions().offers;
        if !offers.is_wanted() || !state.is_idle() {
            return;
        }
        let offered = offers.offer(|| {
            let (stream, decoder, written) = state.begin_lend()?;
            let detached = stream.detach();
            Some(LentConnection::new(self.id, detached, decoder, written))
        });
        if offered {
            self.outlet.note_offer();
        }
    }

    /// Takes the connection back, and acts on the outcome of the JavaScript thread's last read.
    pub fn take_back(&self, lent: LentConnection) {
        let lent = lent.into_parts();
        let mut state = self.state.borrow_mut();
        if !state.is_lent() {
            return;
        }
        let (stream, error) = match Stream::attach(lent.stream) {
            Ok(stream) => (Some(stream), None),
            Err(error) => (None, Some(error)),
        };
        let (sent_before, sent) = (lent.sent_before, lent.sent);
        state.end_lend(stream, lent.decoder, lent.armed, sent_before, sent);
        let flags = idle_flag(&state);
        if let Some(error) = error {
            self.read_failed(&mut state, &error, flags);
        }
        match lent.outcome {
            None => {}
            Some(Ok(progress)) => self.progress(&mut state, progress),
            Some(Err(error)) => self.read_failed(&mut state, &error, flags),
        }
        state.wake();
    }
}
