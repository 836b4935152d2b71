//! The async context of calls from the event loop, which belong to no request of a user. The JavaScript thread
//! runs the code here.

use std::cell::Cell;
use std::ptr;
use std::rc::Rc;

use napi::bindgen_prelude::*;
use napi::{JsValue, check_status, sys};

/// Name by which async hooks are told of the resource.
pub const NAME: &str = "ferrequest";

/// Makes the resource that async hooks are told of. Its `hasRef()` tells whether the event loop is held, as that of
/// Node's own handles: tools that list open handles ask for it.
///
/// The resource lives until the environment ends, so it knows of no object of a module.
///
/// # Errors
/// The error of Node-API, for example when the environment is ending.
pub fn resource(env: &Env, held: Rc<Cell<bool>>) -> Result<Object<'_>> {
    let mut resource = Object::new(env)?;
    let has_ref: Function<'_, (), bool> =
        env.create_function_from_closure("hasRef", move |_| Ok(held.get()))?;
    resource.set("hasRef", has_ref)?;
    Ok(resource)
}

/// An async context. Belongs to the JavaScript thread.
pub struct AsyncContext {
    env: sys::napi_env,
    context: sys::napi_async_context,
}

impl AsyncContext {
    /// Makes a context of a resource. Listeners of `async_hooks` run at once, and may use the bridge: the caller
    /// must not be in the middle of a change.
    ///
    /// # Errors
    /// The error of Node-API, for example when the environment is ending.
    pub fn new(env: &Env, resource: &Object<'_>) -> Result<Self> {
        let name = env.create_string(NAME)?;
        let mut context = ptr::null_mut();
        // SAFETY: `env`, `resource` and `name` are live handles of the running call.
        check_status!(unsafe {
            sys::napi_async_init(env.raw(), resource.raw(), name.raw(), &mut context)
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
        // No panic: one call of C.
        // SAFETY: the context was made in this environment, which ends after its objects and its cleanup
        // hooks, which are all that own one of these.
        unsafe { sys::napi_async_destroy(self.env, self.context) };
    }
}
