//! What a call of JavaScript that no request of a user's has made says to `async_hooks`.

use std::ptr;

use napi::bindgen_prelude::*;
use napi::{JsValue, check_status, sys};

/// An async context. Belongs to the JavaScript thread.
pub struct AsyncContext {
    env: sys::napi_env,
    context: sys::napi_async_context,
}

impl AsyncContext {
    /// Makes one. A listener of `async_hooks` is told of it at once, and may do anything, also use the
    /// bridge: nothing must be half done.
    ///
    /// # Errors
    /// Whatever Node-API answers, for example when the environment is ending.
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

    /// What Node-API knows it by, as long as this lives.
    pub fn raw(&self) -> sys::napi_async_context {
        self.context
    }
}

impl Drop for AsyncContext {
    fn drop(&mut self) {
        // SAFETY: it was made in this environment, which ends after its objects, and waits for its
        // cleanup hooks: nobody else owns one of these.
        unsafe { sys::napi_async_destroy(self.env, self.context) };
    }
}
