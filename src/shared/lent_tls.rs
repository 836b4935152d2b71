//! TLS of a lent connection: the JavaScript thread encrypts and decrypts on the `SSL` that the I/O thread uses at all
//! other times.
//!
//! The `SSL` is quiet when it is lent, and its peer verified. Whatever is no plain record of the peer, or makes OpenSSL
//! speak (a key, a handshake, an alert), returns the connection.

use std::cell::RefCell;
use std::sync::Arc;

use crate::shared::exchange::{as_room, push_notes};
use crate::tls::{Stop, TlsConnection, Written};

/// Bytes of ciphertext up to which a buffer for it is kept.
const KEPT: usize = 64 * 1024;

thread_local! {
    /// Empty buffer for the ciphertext of the next request, of whatever connection.
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// TLS of a lent connection.
pub struct LentTls {
    connection: Arc<TlsConnection>,
    /// Work that the I/O thread goes on with when the connection is returned.
    pub rest: Rest,
}

/// Unfinished work of the last request and the last read.
#[derive(Default)]
pub struct Rest {
    /// Ciphertext of the request that the kernel has not taken.
    pub unsent: Vec<u8>,
    /// Error number with which the kernel has refused that ciphertext.
    pub write_error: Option<i32>,
    /// Reason for which the read has stopped, if the I/O thread has to act on it.
    pub stop: Option<Stop>,
}

/// Outcome of one step of decrypting.
pub enum Decrypted {
    /// This many bytes of plaintext are there, and OpenSSL is at rest or goes on with what it has, as `stop` says.
    Plain(usize, Stop),
    /// The same as [`Self::Plain`], but the I/O thread has to act on it.
    Returns(usize, Stop),
    /// Node has its `SSL` back, or the process ends.
    Gone,
}

impl LentTls {
    /// Makes TLS ready to be lent. The I/O thread calls this.
    pub fn new(connection: Arc<TlsConnection>) -> Self {
        Self {
            connection,
            rest: Rest::default(),
        }
    }

    /// Encrypts a request, and calls `send` with the ciphertext. Gives nothing if OpenSSL does not take the request now:
    /// nothing of it is encrypted then.
    pub fn encrypt<T>(&self, request: &[u8], send: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let mut engine = self.connection.lock()?;
        SPARE.with_borrow_mut(|spare| {
            if engine.out().is_empty() {
                std::mem::swap(engine.out(), spare);
            }
            let Written::All = engine.write(request) else {
                return None;
            };
            let mut ciphertext = std::mem::take(engine.out());
            drop(engine);
            let sent = send(&ciphertext);
            if ciphertext.capacity() <= KEPT {
                ciphertext.clear();
                *spare = ciphertext;
            }
            Some(sent)
        })
    }

    /// Decrypts a packet of the peer, and what is left of earlier ones, up to the end of a record or of what is nothing
    /// but body. Appends what OpenSSL's callbacks have noted to `page`.
    pub fn decrypt(
        &self,
        packet: &[u8],
        into: &mut [u8],
        body_ahead: usize,
        id: u32,
        page: &mut Vec<u8>,
    ) -> Decrypted {
        let Some(mut engine) = self.connection.lock() else {
            return Decrypted::Gone;
        };
        let (n, stop) = engine.read(packet, as_room(into), body_ahead);
        push_notes(page, id, engine.notes());
        match stop {
            Stop::Full | Stop::Dry if engine.out().is_empty() => Decrypted::Plain(n, stop),
            _ => Decrypted::Returns(n, stop),
        }
    }
}
