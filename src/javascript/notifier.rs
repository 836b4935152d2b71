//! The threadsafe function by which the I/O thread wakes the JavaScript thread. Each method says which thread
//! calls it.
//!
//! Node-API makes it directly, because three things are needed at once. A call carries no data and allocates nothing;
//! the JavaScript thread calls `ref` and `unref`; and an exception in a listener reaches `uncaughtException` with its
//! own stack, and not as a warning.
//!
//! The callback answers `true` when due ticks and promise jobs have to run before it goes on. Node runs them when
//! it closes the outermost callback scope, as it does after each read of libuv. So every call of the callback has
//! a scope of its own.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use napi::bindgen_prelude::*;
use napi::{JsValue, check_status, sys};

use super::async_context::{AsyncContext, NAME};
use super::event_loop::Turns;
use super::guard::guarded;

/// A weak threadsafe function. Its callback is told the number of the turn of the event loop.
///
/// Any thread may call `wake` at any time. All other methods belong to the JavaScript thread of the environment
/// that made the function.
pub struct Notifier {
    env: sys::napi_env,
    /// The function, whose context is this notifier.
    function: OnceLock<sys::napi_threadsafe_function>,
    /// The callback. The reference is weak unless `keep` says otherwise: a strong one would keep a whole copy of
    /// the module until the environment ends.
    callback: sys::napi_ref,
    /// The turns of the event loop, of which the callback is told the number.
    turns: Turns,
    /// The function is not given back yet. The lock is held during every use, so that no call can race `close`:
    /// another copy of the module may keep the I/O thread running after that.
    open: Mutex<bool>,
}

// SAFETY: Node-API lets any thread call a threadsafe function. The methods that belong to the JavaScript thread
// take the `Env` of a running call, or are called by an owner that never leaves that thread.
unsafe impl Send for Notifier {}
// SAFETY: as above; the handle is never changed after creation.
unsafe impl Sync for Notifier {}

impl Notifier {
    /// Makes a threadsafe function that calls `callback(turn)` and does not hold the event loop. While the callback
    /// answers `true`, it is called again when due ticks and promise jobs have run. Async hooks are told of
    /// `resource`.
    ///
    /// # Errors
    /// The error of Node-API when the environment is already ending.
    pub fn new(
        env: &Env,
        callback: &Function<u32, bool>,
        resource: &Object<'_>,
    ) -> Result<Arc<Self>> {
        let name = env.create_string(NAME)?;
        let mut reference = ptr::null_mut();
        // SAFETY: `env` and `callback` are live handles of the running call.
        check_status!(unsafe {
            sys::napi_create_reference(env.raw(), callback.raw(), 0, &mut reference)
        })?;
        let notifier = Arc::new(Self {
            env: env.raw(),
            function: OnceLock::new(),
            callback: reference,
            turns: Turns::of(env),
            open: Mutex::new(true),
        });
        let mut function = ptr::null_mut();
        // SAFETY: `env`, `resource` and `name` are live handles of the running call; the queue is bounded to one
        // entry because at most one call is ever pending. The context is the notifier, which
        // `on_wake` does not see any more once `close` has been called; its owners call that before they drop it.
        check_status!(unsafe {
            sys::napi_create_threadsafe_function(
                env.raw(),
                ptr::null_mut(),
                resource.raw(),
                name.raw(),
                0,
                1,
                ptr::null_mut(),
                None,
                Arc::as_ptr(&notifier).cast_mut().cast(),
                Some(on_wake),
                &mut function,
            )
        })?;
        let _ = notifier.function.set(function);
        if let Err(error) = notifier.let_go(env) {
            // The function would hold the event loop for ever.
            notifier.close();
            return Err(error);
        }
        Ok(notifier)
    }

    /// Asks for one call of the callback; does nothing after `close`. Any thread calls this.
    pub fn wake(&self) {
        let mut open = self.open();
        if !*open {
            return;
        }
        // SAFETY: the function is open, and `close` waits for the guard.
        let status = unsafe {
            sys::napi_call_threadsafe_function(
                self.function(),
                ptr::null_mut(),
                sys::ThreadsafeFunctionCallMode::nonblocking,
            )
        };
        // A full queue means that a call is pending already. With this answer, however, Node has
        // taken the handle back, because the environment is ending.
        if status == sys::Status::napi_closing {
            *open = false;
        }
    }

    /// Calls the callback now, and again while it asks for that.
    ///
    /// # Safety
    /// The event loop of the JavaScript thread calls, outside of any other call, and the context was made in its
    /// environment.
    pub unsafe fn call(&self, context: &AsyncContext) {
        // SAFETY: as the caller promises.
        while *self.open() && unsafe { self.call_in_scope(context) } {}
    }

    /// Calls the callback in a callback scope, at whose end due ticks and promise jobs run. Gives `true` if the
    /// callback has to be called again.
    ///
    /// # Safety
    /// The caller promises the same as for `call`.
    unsafe fn call_in_scope(&self, context: &AsyncContext) -> bool {
        let env = self.env;
        let mut handles = ptr::null_mut();
        let mut callbacks = ptr::null_mut();
        let mut again = false;
        // SAFETY: `env` is alive, because its event loop runs; both scopes are closed in reverse order.
        unsafe {
            if sys::napi_open_handle_scope(env, &mut handles) != sys::Status::napi_ok {
                return false;
            }
            let mut resource = ptr::null_mut();
            sys::napi_get_undefined(env, &mut resource);
            if sys::napi_open_callback_scope(env, resource, context.raw(), &mut callbacks)
                == sys::Status::napi_ok
            {
                again = self.call_javascript();
                sys::napi_close_callback_scope(env, callbacks);
            }
            sys::napi_close_handle_scope(env, handles);
        }
        again
    }

    /// Calls the callback. Gives `true` if it has to be called again, when due ticks and promise jobs have run.
    ///
    /// # Safety
    /// The JavaScript thread calls, with a handle scope and a callback scope open, and the function is open.
    unsafe fn call_javascript(&self) -> bool {
        let env = self.env;
        let mut callback = ptr::null_mut();
        // SAFETY: `env` and the reference are alive while the function is open.
        let status = unsafe { sys::napi_get_reference_value(env, self.callback, &mut callback) };
        // The callback is collected: its copy of the module is gone, and the bridge is about to go.
        if status != sys::Status::napi_ok || callback.is_null() {
            return false;
        }
        let mut receiver = ptr::null_mut();
        let mut turn = ptr::null_mut();
        let mut answer = ptr::null_mut();
        let mut again = false;
        // SAFETY: as above. `answer` is a value of the open handle scope if the status is `napi_ok`.
        unsafe {
            sys::napi_get_undefined(env, &mut receiver);
            sys::napi_create_uint32(env, self.turns.current(), &mut turn);
            match sys::napi_call_function(env, receiver, callback, 1, &turn, &mut answer) {
                sys::Status::napi_ok => {
                    sys::napi_get_value_bool(env, answer, &mut again);
                }
                sys::Status::napi_pending_exception => {
                    let mut error = ptr::null_mut();
                    if sys::napi_get_and_clear_last_exception(env, &mut error)
                        == sys::Status::napi_ok
                    {
                        // A listener threw: to `uncaughtException`, as from any event of Node's own.
                        sys::napi_fatal_exception(env, error);
                    }
                }
                _ => {}
            }
        }
        again
    }

    /// Holds the event loop until `let_go`.
    ///
    /// # Errors
    /// The error of Node-API when the environment is ending.
    pub fn hold(&self, env: &Env) -> Result<()> {
        let open = self.open();
        if !*open {
            return Ok(());
        }
        // SAFETY: `env` is the environment of the running call and the handle is open.
        check_status!(unsafe { sys::napi_ref_threadsafe_function(env.raw(), self.function()) })
    }

    /// Lets the event loop end although this function exists.
    ///
    /// # Errors
    /// The error of Node-API when the environment is ending.
    pub fn let_go(&self, env: &Env) -> Result<()> {
        let open = self.open();
        if !*open {
            return Ok(());
        }
        // SAFETY: as in `hold`.
        check_status!(unsafe { sys::napi_unref_threadsafe_function(env.raw(), self.function()) })
    }

    /// Keeps the callback from being collected, or no longer.
    ///
    /// # Errors
    /// The error of Node-API when the environment is ending.
    pub fn keep(&self, env: &Env, keep: bool) -> Result<()> {
        let open = self.open();
        if !*open {
            return Ok(());
        }
        let mut count = 0;
        // SAFETY: `env` is the environment of the running call, and the reference is not deleted.
        check_status!(unsafe {
            if keep {
                sys::napi_reference_ref(env.raw(), self.callback, &mut count)
            } else {
                sys::napi_reference_unref(env.raw(), self.callback, &mut count)
            }
        })
    }

    /// Gives the function back to Node.
    pub fn close(&self) {
        let mut open = self.open();
        if std::mem::take(&mut *open) {
            // SAFETY: the handles are open, and no code uses them from now on. The environment has not
            // ended: this is called at the latest by a cleanup hook of its own.
            unsafe {
                sys::napi_release_threadsafe_function(
                    self.function(),
                    sys::ThreadsafeFunctionReleaseMode::abort,
                );
                sys::napi_delete_reference(self.env, self.callback);
            }
        }
    }

    /// Gives the function, which is there as soon as `new` has made it.
    fn function(&self) -> sys::napi_threadsafe_function {
        self.function.get().copied().unwrap_or(ptr::null_mut())
    }

    /// Locks the function against `close`; gives whether it is open.
    fn open(&self) -> MutexGuard<'_, bool> {
        // Nothing that holds the guard panics.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Called by Node on the JavaScript thread for each `wake`, in a handle scope and a callback scope of its own.
unsafe extern "C" fn on_wake(
    env: sys::napi_env,
    _callback: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    // Node calls with null while the environment, or the function, ends: no JavaScript may run any more.
    if env.is_null() {
        return;
    }
    let notifier: *const Notifier = context.cast();
    // SAFETY: with an environment, the function is open, and so the notifier that `new` has put into an `Arc` is
    // alive. JavaScript may make its owners drop it meanwhile; this share keeps it.
    let notifier = unsafe {
        Arc::increment_strong_count(notifier);
        Arc::from_raw(notifier)
    };
    guarded(|| {
        // SAFETY: Node has opened the scopes, and calls only while the function is open.
        if unsafe { notifier.call_javascript() } {
            // Node gives each entry of the queue a callback scope. It takes this one next, before it goes on to
            // other events.
            notifier.wake();
        }
    });
}
