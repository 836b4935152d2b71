//! Lends a connection to the JavaScript thread, and takes it back.

use super::connection::{Connection, idle_flag};
use super::state::State;
use super::stream::Stream;
use crate::shared::lent_connection::LentConnection;
use crate::shared::lent_tls::Rest;

impl Connection {
    /// Offers the connection to the JavaScript thread, if that wants some and there is nothing to do.
    pub(super) fn lend(&self, state: &mut State) {
        let offers = &self.outlet.completions().offers;
        if !offers.is_wanted() || !state.is_idle() {
            return;
        }
        // Before the offers are locked: whoever has the lock of TLS may want that one.
        let tls = match &state.tls {
            None => None,
            Some(tls) => match tls.lend() {
                None => return,
                lent => lent,
            },
        };
        let offered = offers.offer(|| {
            let (stream, decoder, written) = state.begin_lend()?;
            let detached = stream.detach();
            Some(LentConnection::new(
                self.id, detached, decoder, written, tls,
            ))
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
        let Rest {
            unsent,
            write_error,
            stop,
        } = lent.tls.map(|tls| tls.rest).unwrap_or_default();
        let sent = if unsent.is_empty() { lent.sent } else { 0 };
        state.end_lend(stream, lent.decoder, lent.armed, lent.sent_before, sent);
        if !unsent.is_empty() {
            state.keep_ciphertext(unsent, lent.sent);
        }
        let flags = idle_flag(&state);
        if let Some(error) = error {
            self.read_failed(&mut state, &error, flags);
        }
        match (lent.outcome, stop) {
            (None, _) => {}
            (Some(Ok(progress)), None) => self.progress(&mut state, progress),
            (Some(Ok(progress)), Some(stop)) => {
                if let Some(tls) = &mut state.tls {
                    tls.note_stop(&stop);
                }
                self.progress_through_tls(&mut state, progress, stop);
            }
            (Some(Err(error)), _) => self.read_failed(&mut state, &error, flags),
        }
        if let Some(errno) = write_error {
            state.fail_writing(errno);
        }
        state.wake();
    }
}
