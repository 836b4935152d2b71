//! Two handles of libuv's, in the event loop of a JavaScript thread: one that tells of news on a
//! descriptor, one that keeps the loop from sleeping.
//!
//! Node exports libuv's functions to addons, and libuv keeps their ABI within a major version
//! (<https://docs.libuv.org/en/v1.x/>). They are looked up when they are first needed, so that a program
//! without them (a test, another runtime) goes without.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_int, c_void};
use std::os::fd::RawFd;
use std::ptr;
use std::sync::OnceLock;

use napi::bindgen_prelude::*;
use napi::{check_status, sys};

/// `uv_handle_type` of the two.
const UV_IDLE: c_int = 6;
const UV_POLL: c_int = 8;
/// `uv_poll_event`.
const UV_READABLE: c_int = 1;

type Handle = c_void;

/// The functions in use.
#[derive(Clone, Copy)]
struct Libuv {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    set_data: unsafe extern "C" fn(*mut Handle, *mut c_void),
    get_data: unsafe extern "C" fn(*const Handle) -> *mut c_void,
    unref: unsafe extern "C" fn(*mut Handle),
    close: unsafe extern "C" fn(*mut Handle, unsafe extern "C" fn(*mut Handle)),
    poll_init: unsafe extern "C" fn(*mut sys::uv_loop_s, *mut Handle, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(
        *mut Handle,
        c_int,
        unsafe extern "C" fn(*mut Handle, c_int, c_int),
    ) -> c_int,
    idle_init: unsafe extern "C" fn(*mut sys::uv_loop_s, *mut Handle) -> c_int,
    idle_start: unsafe extern "C" fn(*mut Handle, unsafe extern "C" fn(*mut Handle)) -> c_int,
    idle_stop: unsafe extern "C" fn(*mut Handle) -> c_int,
}

impl Libuv {
    /// The libuv of this process.
    fn get() -> Option<&'static Self> {
        static LIBUV: OnceLock<Option<Libuv>> = OnceLock::new();
        LIBUV.get_or_init(Self::find).as_ref()
    }

    fn find() -> Option<Self> {
        // SAFETY: each name is that of a libuv 1.x function, whose signature the field has.
        unsafe {
            Some(Self {
                handle_size: symbol(c"uv_handle_size")?,
                set_data: symbol(c"uv_handle_set_data")?,
                get_data: symbol(c"uv_handle_get_data")?,
                unref: symbol(c"uv_unref")?,
                close: symbol(c"uv_close")?,
                poll_init: symbol(c"uv_poll_init")?,
                poll_start: symbol(c"uv_poll_start")?,
                idle_init: symbol(c"uv_idle_init")?,
                idle_start: symbol(c"uv_idle_start")?,
                idle_stop: symbol(c"uv_idle_stop")?,
            })
        }
    }
}

/// Looks up a function of the process.
///
/// # Safety
/// `F` is a function pointer with the signature of the function of that name.
unsafe fn symbol<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: the name is NUL-terminated.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: as the caller promises; a function pointer is as large as any other.
    (!address.is_null()).then(|| unsafe { std::mem::transmute_copy(&address) })
}

/// Who hears of what happens.
pub trait Listener {
    /// The descriptor is readable.
    fn on_readable(&self);
    /// The loop would have gone to sleep. Gives whether it shall stay awake.
    fn on_idle(&self) -> bool;
    /// The environment ends: nothing is called any more after this.
    fn on_end(&self);
}

/// What both handles point to; lives until libuv has let go of both.
struct Shared {
    libuv: &'static Libuv,
    listener: Box<dyn Listener>,
    /// libuv writes into these.
    poll: Box<[UnsafeCell<u128>]>,
    idle: Box<[UnsafeCell<u128>]>,
    awake: Cell<bool>,
    closing: Cell<bool>,
    /// Handles that libuv has.
    open: Cell<u8>,
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
}

/// The two handles. They never keep the process alive.
pub struct EventLoop(*mut Shared);

impl EventLoop {
    /// Starts to watch a descriptor, which has to stay open until `on_end` or the drop of this. Gives
    /// `None` where there is no libuv.
    ///
    /// # Errors
    /// Whatever libuv or Node-API answers, for example when the environment is already ending.
    pub fn watch(
        env: &Env,
        descriptor: RawFd,
        listener: Box<dyn Listener>,
    ) -> Result<Option<Self>> {
        let Some(libuv) = Libuv::get() else {
            return Ok(None);
        };
        let mut uv_loop = ptr::null_mut();
        // SAFETY: `env` is the environment of the running call.
        check_status!(unsafe { sys::napi_get_uv_event_loop(env.raw(), &mut uv_loop) })?;
        let memory = |kind| {
            // SAFETY: the function has no preconditions.
            let size = unsafe { (libuv.handle_size)(kind) };
            let words = size.div_ceil(size_of::<u128>());
            (0..words).map(|_| UnsafeCell::new(0u128)).collect()
        };
        let shared = Box::into_raw(Box::new(Shared {
            libuv,
            listener,
            poll: memory(UV_POLL),
            idle: memory(UV_IDLE),
            awake: Cell::new(false),
            closing: Cell::new(false),
            open: Cell::new(0),
            hook: Cell::new(ptr::null_mut()),
        }));
        let event_loop = Self(shared);
        // SAFETY: the handles have the size that libuv asks for, with the alignment of any type, and stay
        // where they are until both are closed; `event_loop` closes those that were opened.
        unsafe {
            let (poll, idle) = ((*shared).poll(), (*shared).idle());
            check_uv((libuv.poll_init)(uv_loop, poll, descriptor))?;
            Shared::opened(shared, poll);
            check_uv((libuv.idle_init)(uv_loop, idle))?;
            Shared::opened(shared, idle);
            check_uv((libuv.poll_start)(poll, UV_READABLE, on_readable))?;
            let mut hook = ptr::null_mut();
            check_status!(sys::napi_add_async_cleanup_hook(
                env.raw(),
                Some(on_end),
                shared.cast(),
                &mut hook
            ))?;
            (*shared).hook.set(hook);
        }
        Ok(Some(event_loop))
    }

    /// Keeps the loop from sleeping, until the listener has enough of it. Everything else that the loop
    /// has to do is done in the meantime.
    pub fn stay_awake(&self) {
        // SAFETY: `shared` lives at least as long as this.
        let shared = unsafe { &*self.0 };
        if !shared.closing.get() && !shared.awake.replace(true) {
            // SAFETY: the handle is initialised and not closing.
            unsafe { (shared.libuv.idle_start)(shared.idle(), on_idle) };
        }
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        // SAFETY: `shared` lives until its handles are closed, which is not before this.
        unsafe { Shared::close(self.0) };
    }
}

impl Shared {
    fn poll(&self) -> *mut Handle {
        UnsafeCell::raw_get(self.poll.as_ptr()).cast()
    }

    fn idle(&self) -> *mut Handle {
        UnsafeCell::raw_get(self.idle.as_ptr()).cast()
    }

    /// Notes that libuv has a handle.
    ///
    /// # Safety
    /// `this` is alive, and the handle is one of its two, and initialised.
    unsafe fn opened(this: *mut Self, handle: *mut Handle) {
        // SAFETY: as the caller promises.
        unsafe {
            let shared = &*this;
            shared.open.set(shared.open.get() + 1);
            (shared.libuv.set_data)(handle, this.cast());
            (shared.libuv.unref)(handle);
        }
    }

    /// Closes the handles; the memory goes when libuv has let go of them, in a turn of its own.
    ///
    /// # Safety
    /// `this` is alive. It must not be used any more, but by libuv.
    unsafe fn close(this: *mut Self) {
        // SAFETY: as the caller promises.
        let shared = unsafe { &*this };
        if shared.closing.replace(true) {
            return;
        }
        match shared.open.get() {
            // SAFETY: nobody else has it.
            0 => unsafe { Self::free(this) },
            open => {
                // SAFETY: both were initialised in this order, and are closed once.
                unsafe {
                    (shared.libuv.close)(shared.poll(), on_closed);
                    if open > 1 {
                        (shared.libuv.close)(shared.idle(), on_closed);
                    }
                }
            }
        }
    }

    /// # Safety
    /// Nobody uses `this` any more.
    unsafe fn free(this: *mut Self) {
        // SAFETY: it came from a `Box`, and goes once.
        let shared = unsafe { Box::from_raw(this) };
        let hook = shared.hook.get();
        if !hook.is_null() {
            // SAFETY: the hook is there until this call. If the environment is ending, it waits for it.
            unsafe { sys::napi_remove_async_cleanup_hook(hook) };
        }
    }
}

fn check_uv(status: c_int) -> Result<()> {
    if status == 0 {
        Ok(())
    } else {
        Err(Error::from_reason(format!("libuv: {status}")))
    }
}

/// # Safety
/// Called by libuv with one of the two handles, which point to what lives until both are closed.
unsafe fn shared_of(handle: *mut Handle) -> *mut Shared {
    Libuv::get().map_or(ptr::null_mut(), |libuv| {
        // SAFETY: as above.
        unsafe { (libuv.get_data)(handle).cast() }
    })
}

unsafe extern "C" fn on_readable(handle: *mut Handle, _status: c_int, _events: c_int) {
    // SAFETY: libuv calls with an open handle.
    if let Some(shared) = unsafe { shared_of(handle).as_ref() } {
        shared.listener.on_readable();
    }
}

unsafe extern "C" fn on_idle(handle: *mut Handle) {
    // SAFETY: libuv calls with an open handle.
    let Some(shared) = (unsafe { shared_of(handle).as_ref() }) else {
        return;
    };
    if !shared.listener.on_idle() && !shared.closing.get() {
        shared.awake.set(false);
        // SAFETY: the handle is open.
        unsafe { (shared.libuv.idle_stop)(handle) };
    }
}

/// The environment ends, and waits until the handles are closed.
unsafe extern "C" fn on_end(_hook: sys::napi_async_cleanup_hook_handle, shared: *mut c_void) {
    let this: *mut Shared = shared.cast();
    // SAFETY: the hook is removed before the memory goes.
    unsafe {
        (*this).listener.on_end();
        Shared::close(this);
    }
}

unsafe extern "C" fn on_closed(handle: *mut Handle) {
    // SAFETY: libuv calls with a handle that was open until now, and has let go of it. When it has of both,
    // nobody else has what they point to: whoever closed them does not use it any more.
    unsafe {
        let this = shared_of(handle);
        let Some(open) = this.as_ref().map(|shared| &shared.open) else {
            return;
        };
        open.set(open.get() - 1);
        if open.get() == 0 {
            Shared::free(this);
        }
    }
}
