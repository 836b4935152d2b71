//! The hold of a bridge on its I/O thread, which it gives up when its environment ends, or when it is collected.
//! The JavaScript thread runs the code here.

use std::cell::RefCell;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::{check_status, sys};

use super::guard::guarded;
use super::notifier::Notifier;
use crate::io::IoThread;
use crate::shared::completions::Completions;
use crate::shared::mailbox::{Mailbox, Message};

/// The parts of a link, which are given back together.
struct Parts {
    env: sys::napi_env,
    thread: Arc<IoThread>,
    completions: Arc<Completions>,
    notifier: Arc<Notifier>,
}

/// The hold of one bridge on its I/O thread. Belongs to the JavaScript thread.
pub struct Link(Rc<RefCell<Option<Parts>>>);

impl Link {
    /// Takes the parts, and gives them back at the latest when the environment ends.
    ///
    /// Cleanup hooks run in the reverse order of their registration: the one made here, after the
    /// threadsafe function's own, runs before Node takes that function away.
    ///
    /// # Errors
    /// The error of Node-API when the environment is already ending.
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
        // SAFETY: `env` is the environment of the running call. The pointer stays valid: it is that of this
        // link's `Rc`, and `drop` removes the hook first.
        check_status!(unsafe {
            sys::napi_add_env_cleanup_hook(env, Some(at_end), link.as_pointer())
        })?;
        Ok(link)
    }

    /// Calls `work` with the mailbox, unless the environment has ended.
    pub fn with_mailbox(&self, work: impl FnOnce(&Mailbox)) {
        if let Some(parts) = &*self.0.borrow() {
            work(parts.thread.mailbox());
        }
    }

    /// Gives the mailbox to an owner that keeps it, unless the environment has ended.
    pub fn mailbox(&self) -> Option<Arc<Mailbox>> {
        Some(self.0.borrow().as_ref()?.thread.shared_mailbox())
    }

    /// Gives the argument of the cleanup hook.
    fn as_pointer(&self) -> *mut c_void {
        Rc::as_ptr(&self.0).cast_mut().cast()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some(parts) = self.0.take() else {
            // The hook has run, and Node has removed it.
            return;
        };
        // SAFETY: the environment has not ended, because the hook has not run.
        unsafe {
            sys::napi_remove_env_cleanup_hook(parts.env, Some(at_end), self.as_pointer());
        }
        // A finalizer of the bridge runs this.
        guarded(|| parts.give_back());
    }
}

/// Called by Node when the environment ends.
unsafe extern "C" fn at_end(link: *mut c_void) {
    // SAFETY: the pointer is that of a link's cell; the drop of a link removes this hook.
    let cell: &RefCell<Option<Parts>> = unsafe { &*link.cast() };
    if let Some(parts) = cell.take() {
        let completions = parts.completions.clone();
        guarded(|| parts.give_back());
        // SAFETY: Node closes all handles of an environment before it calls cleanup hooks, and runs no more JavaScript.
        guarded(|| unsafe { completions.close_lost_descriptor() });
    }
}

impl Parts {
    /// Closes the queues, joins the I/O thread if this was its last owner, and then gives the threadsafe function
    /// back: no call can race the environment's end.
    fn give_back(self) {
        self.completions.close();
        let detach = Message::Detach(self.completions);
        self.thread.mailbox().send(detach);
        drop(self.thread);
        self.notifier.close();
    }
}
