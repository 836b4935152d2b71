//! The connection that the threads share: its engine, and the lock around it.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::capture;
use super::engine::Engine;
use super::exit::{self, Pass};

/// TLS of one connection. The thread that has the connection encrypts and decrypts: the I/O thread, or the JavaScript
/// thread while it has borrowed it. The JavaScript thread also asks Node's questions about the `SSL`, and ends it. Each
/// holds the lock meanwhile.
pub struct TlsConnection {
    /// Nothing, once Node has its `SSL` back.
    engine: Mutex<Option<Engine>>,
}

/// The engine of a connection, locked, with the permission to use it.
pub struct Locked<'a>(MutexGuard<'a, Option<Engine>>, #[allow(dead_code)] Pass);

impl TlsConnection {
    /// Takes over the `SSL` that Node has made since [`capture::watch`]. Gives nothing if that is not just one. The
    /// JavaScript thread calls this, before Node does anything with the `SSL`.
    pub fn capture() -> Option<Self> {
        let ssl = capture::take()?;
        // SAFETY: Node has just made the `SSL` on this thread, so it is alive and no other thread knows it. JavaScript keeps
        // its owner from doing anything but asking; see lib/https/native-tls.js.
        let engine = unsafe { Engine::take_over(ssl) }?;
        Some(Self {
            engine: Mutex::new(Some(engine)),
        })
    }

    /// Locks the connection. Gives nothing, once Node has its `SSL` back, or the process ends. Both threads call this.
    pub fn lock(&self) -> Option<Locked<'_>> {
        self.lock_timely().map(|(locked, _)| locked)
    }

    /// Does the same as [`Self::lock`], and tells whether the lock was free: no other thread had to be waited for.
    pub fn lock_timely(&self) -> Option<(Locked<'_>, bool)> {
        let pass = exit::pass()?;
        let (guard, was_free) = match self.engine.try_lock() {
            Ok(guard) => (guard, true),
            Err(_) => (self.guard(), false),
        };
        guard.is_some().then(|| (Locked(guard, pass), was_free))
    }

    /// Calls `ask` while the I/O thread does not use the `SSL`. The JavaScript thread calls this.
    pub fn while_locked<T>(&self, ask: impl FnOnce() -> T) -> T {
        let _guard = self.guard();
        ask()
    }

    /// Takes the engine away: the I/O thread finds none from now on. The JavaScript thread calls this, and ends the engine.
    pub fn take(&self) -> Option<Engine> {
        self.guard().take()
    }

    fn guard(&self) -> MutexGuard<'_, Option<Engine>> {
        // After a panic the connection fails, and only the way back to Node is left.
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Locked<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        match &*self.0 {
            Some(engine) => engine,
            None => unreachable!("`lock` has looked, and the lock was held since"),
        }
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Engine {
        match &mut *self.0 {
            Some(engine) => engine,
            None => unreachable!("`lock` has looked, and the lock was held since"),
        }
    }
}
