//! The class `TlsConnection`, by which JavaScript has TLS of Node's on the I/O thread. The JavaScript thread runs it.

use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::guard::guarded;
use crate::tls;

/// Begins to watch for an `SSL` that Node makes on this thread. Gives `false` where that is no use.
#[napi(catch_unwind)]
pub fn watch_tls() -> bool {
    tls::capture::watch()
}

/// Ends the watch that `watchTls` has begun, if no `SSL` was taken over.
#[napi(catch_unwind)]
pub fn unwatch_tls() {
    tls::capture::take();
}

/// TLS of one connection. Node owns the `SSL`, and its handle has to live as long.
#[napi(js_name = "TlsConnection")]
pub struct JsTlsConnection {
    shared: Arc<tls::TlsConnection>,
}

#[napi]
impl JsTlsConnection {
    /// Takes over the `SSL` that Node has made since `watchTls`. Gives `None` if that is not just one.
    #[napi(catch_unwind)]
    pub fn capture() -> Option<JsTlsConnection> {
        let shared = Arc::new(tls::TlsConnection::capture()?);
        Some(JsTlsConnection { shared })
    }

    /// Calls a function while the I/O thread does not use the `SSL`. The function must not call this again.
    #[napi(catch_unwind)]
    pub fn ask<'a>(&self, question: Function<'a, (), Unknown<'a>>) -> Result<Unknown<'a>> {
        if let Some(mut engine) = self.shared.lock() {
            engine.set_session();
        }
        self.shared.while_locked(|| question.call(()))
    }

    /// Tells whether the peer has identified itself by this certificate, in DER.
    #[napi(catch_unwind)]
    pub fn has_peer_certificate(&self, certificate: &[u8]) -> bool {
        self.shared
            .lock()
            .is_some_and(|engine| engine.has_peer_certificate(certificate))
    }

    /// Has the handshake resume a session in DER, unless it has begun.
    #[napi(catch_unwind)]
    pub fn resume(&self, session: &[u8]) {
        if let Some(mut engine) = self.shared.lock() {
            engine.resume(session.to_vec());
        }
    }

    /// Makes the I/O thread tell of sessions.
    #[napi(catch_unwind)]
    pub fn tell_sessions(&self) {
        if let Some(mut engine) = self.shared.lock() {
            engine.notes().wants_sessions = true;
        }
    }

    /// Makes the I/O thread tell of secrets, for a key log.
    #[napi(catch_unwind)]
    pub fn tell_secrets(&self) {
        if let Some(mut engine) = self.shared.lock() {
            engine.tell_secrets();
        }
    }

    /// Gives Node its `SSL` back. `is_established` says that Node's handle has to hear of the handshake. Gives plaintext
    /// that has been decrypted and not been read.
    #[napi(catch_unwind)]
    pub fn give_back(&self, is_established: bool) -> Buffer {
        let engine = self.shared.take();
        let held = engine.map(|engine| engine.give_back(is_established));
        held.unwrap_or_default().into()
    }

    /// Gives the connection, for the I/O thread.
    pub(super) fn shared(&self) -> Arc<tls::TlsConnection> {
        self.shared.clone()
    }
}

impl Drop for JsTlsConnection {
    /// Ends the engine on this thread, whatever the I/O thread still has.
    fn drop(&mut self) {
        guarded(|| drop(self.shared.take()));
    }
}
