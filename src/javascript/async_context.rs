//! The async context of calls from the event loop, which belong to no request of a user. The JavaScript thread
//! runs the code here.

use std::ptr;

use napi::bindgen_prelude::*;
use napi::{JsValue, check_status, sys};

/// An async context. Belongs to the JavaScript thread.
pub struct AsyncContext {
    env: sys::napi_env,
    context: sys::napi_async_context,
}

impl AsyncContext {
    /// Makes a context. Listeners of `async_hooks` run at once, and may use the bridge: the caller must not be in
    /// the middle of a change.
    ///
    /// # Errors
    /// The error of Node-API, for example when the environment is ending.
    pub fn new(env: &Env) -> Result<Self> {
        let name = env.create_string("ferrequest")?;
        let mut context = ptr::null_mut();
        // SAFETY: `env` and `name` are live handles of the running call.
        check_status!(unsafe {
            sys::napi_async_init(env.raw(), ptr::null_mut(), name.raw(), &mut context)
        })?;
        Ok(Self {
            env: env.raw(),
            context,
        })
    }

    /// Gives the handle of Node-API, which is valid as long as this lives.
    pub fn raw(&self) -> sys::napi_async_context {
        self.context
    }
}

impl Drop for AsyncContext {
    fn drop(&mut self) {
        // SAFETY: the context was made in this environment, which ends after its objects and its cleanup
        // hooks, which are all that own one of these.
        unsafe { sys::napi_async_destroy(self.env, self.context) };
    }
}
