//! What a bridge has and must give back: when its environment ends, or when JavaScript has forgotten it.

use std::cell::RefCell;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::{check_status, sys};

use super::notifier::Notifier;
use crate::io::IoThread;
use crate::shared::completions::Completions;
use crate::shared::mailbox::{Mailbox, Message};

/// The parts, until they are given back.
struct Parts {
    env: sys::napi_env,
    thread: Arc<IoThread>,
    completions: Arc<Completions>,
    notifier: Arc<Notifier>,
}

/// A bridge's hold on its I/O thread. Belongs to the JavaScript thread.
pub struct Link(Rc<RefCell<Option<Parts>>>);

impl Link {
    /// Takes the parts, to give them back at the latest when the environment ends.
    ///
    /// Cleanup hooks run in the reverse order of their registration: the one made here, after the
    /// threadsafe function's own, runs before Node takes that function away.
    ///
    /// # Errors
    /// Whatever Node-API answers when the environment is already ending.
    pub fn new(
        env: &Env,
        thread: Arc<IoThread>,
        completions: Arc<Completions>,
        notifier: Arc<Notifier>,
    ) -> Result<Self> {
        let env = env.raw();
        let parts = Parts {
            env,
            thread,
            completions,
            notifier,
        };
        let link = Self(Rc::new(RefCell::new(Some(parts))));
        // SAFETY: `env` is the environment of the running call. The pointer stays good: the `Rc` is
        // this link's, and `drop` takes the hook away before it goes.
        check_status!(unsafe {
            sys::napi_add_env_cleanup_hook(env, Some(at_end), link.as_pointer())
        })?;
        Ok(link)
    }

    /// Where to put messages, unless the environment has ended.
    pub fn with_mailbox(&self, use_it: impl FnOnce(&Mailbox)) {
        if let Some(parts) = &*self.0.borrow() {
            use_it(parts.thread.mailbox());
        }
    }

    /// The mailbox for somebody who keeps it, unless the environment has ended.
    pub fn mailbox(&self) -> Option<Arc<Mailbox>> {
        Some(self.0.borrow().as_ref()?.thread.shared_mailbox())
    }

    fn as_pointer(&self) -> *mut c_void {
        Rc::as_ptr(&self.0).cast_mut().cast()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some(parts) = self.0.take() else {
            // The hook has run, and is gone.
            return;
        };
        // SAFETY: the environment has not ended, because the hook has not run.
        unsafe {
            sys::napi_remove_env_cleanup_hook(parts.env, Some(at_end), self.as_pointer());
        }
        parts.give_back();
    }
}

/// The environment ends.
unsafe extern "C" fn at_end(link: *mut c_void) {
    // SAFETY: the pointer is that of a link's cell; a link that goes takes this hook away.
    let cell: &RefCell<Option<Parts>> = unsafe { &*link.cast() };
    if let Some(parts) = cell.take() {
        parts.give_back();
    }
}

impl Parts {
    /// The I/O thread is joined (if this was its last owner) before the threadsafe function is given
    /// back, so that no call can race the environment's end.
    fn give_back(self) {
        self.completions.close();
        let detach = Message::Detach(self.completions);
        self.thread.mailbox().send(detach);
        drop(self.thread);
        self.notifier.close();
    }
}
