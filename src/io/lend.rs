//! Lends a connection to the JavaScript thread, and takes it back.

use super::connection::Connection;
use super::state::{Phase, State};
use super::stream::Stream;
use crate::records::event;
use crate::shared::lent::Lent;

impl Connection {
    /// Lends the connection to the JavaScript thread, if that wants some and there is nothing to do.
    pub(super) fn lend(&self, state: &mut State) {
        let lending = &self.outlet.completions().lending;
        if !lending.is_wanted() || !state.is_idle() {
            return;
        }
        let offered = lending.offer(|| {
            let (stream, decoder, written) = state.begin_lend()?;
            Some(Lent::new(self.id, stream.detach(), decoder, written))
        });
        if offered {
            self.outlet.note_offer();
        }
    }

    /// Takes the connection back, and goes on with what the JavaScript thread has left to be done.
    pub fn take_back(&self, lent: Lent) {
        let mut state = self.state.borrow_mut();
        if !matches!(state.phase, Phase::Lent) {
            return;
        }
        let flags = if lent.armed { 0 } else { event::IDLE };
        let (stream, error) = match Stream::attach(lent.stream) {
            Ok(stream) => (Some(stream), None),
            Err(error) => (None, Some(error)),
        };
        let (sent_before, sent) = (lent.sent_before as usize, lent.sent as usize);
        state.end_lend(stream, lent.decoder, lent.armed, sent_before, sent);
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
