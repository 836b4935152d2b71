//! How a connection is lent to the JavaScript thread, and what becomes of it afterwards.

use super::connection::Connection;
use super::state::{Phase, State};
use super::stream::Stream;
use crate::records::event;
use crate::shared::lent_connection::LentConnection;

impl Connection {
    /// Lends the connection to the JavaScript thread, if that wants some and there is nothing to do.
    pub(super) fn lend(&self, state: &mut State) {
        let offers = &self.outlet.completions().offers;
        if !offers.is_wanted() || !state.is_idle() {
            return;
        }
        let offered = offers.offer(|| {
            let Phase::Open(stream) = std::mem::replace(&mut state.phase, Phase::Lent) else {
                return None;
            };
            let decoder = std::mem::take(&mut state.decoder);
            let written = state.writes.written();
            Some(LentConnection::new(
                self.id,
                stream.detach(),
                decoder,
                written,
            ))
        });
        if offered {
            self.outlet.note_offer();
        }
    }

    /// Takes the connection back, with all that has become of it.
    pub fn take_back(&self, lent: LentConnection) {
        let lent = lent.into_parts();
        let mut state = self.state.borrow_mut();
        if !matches!(state.phase, Phase::Lent) {
            return;
        }
        state.decoder = lent.decoder;
        state.armed = lent.armed;
        state.reused = true;
        state.replaced = false;
        // Its news, if it is idle, have to be seen here before it is lent again.
        state.used = lent.armed;
        state.unseen = true;
        state.attached = true;
        state.writes.note_sent(lent.sent_before as usize);
        state.writes.begin_request();
        state.writes.note_sent(lent.sent as usize);
        let flags = if state.armed { 0 } else { event::IDLE };
        match Stream::attach(lent.stream) {
            Ok(stream) => state.phase = Phase::Open(stream),
            Err(error) => {
                state.phase = Phase::Lost(None);
                self.read_failed(&mut state, &error, flags);
            }
        }
        match lent.outcome {
            None => {}
            Some(Ok(progress)) => self.progress(&mut state, progress),
            Some(Err(error)) => self.read_failed(&mut state, &error, flags),
        }
        state.wake();
    }
}
