//! Two handles of libuv, in the event loop of a JavaScript thread: one tells when a descriptor is readable, one
//! keeps the loop from sleeping. The JavaScript thread runs the code here.
//!
//! Node exports libuv's functions to addons, and libuv keeps their ABI within a major version
//! (<https://docs.libuv.org/en/v1.x/>). They are looked up when they are first needed: a program
//! without libuv (a test, another runtime) runs without these handles.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::OnceLock;

use napi::bindgen_prelude::*;
use napi::{check_status, sys};

use super::guard::guarded;
use crate::shared::libuv::symbol;

/// `uv_handle_type` of the handle that keeps the loop awake.
const UV_IDLE: c_int = 6;
/// `uv_handle_type` of the handle that watches a descriptor.
const UV_POLL: c_int = 8;
/// `uv_poll_event` of a readable descriptor.
const UV_READABLE: c_int = 1;

type Handle = c_void;

/// The functions of libuv in use.
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
    /// Gives the libuv of this process, if there is one.
    fn get() -> Option<&'static Self> {
        static LIBUV: OnceLock<Option<Libuv>> = OnceLock::new();
        LIBUV.get_or_init(Self::find).as_ref()
    }

    /// Looks all functions up.
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

/// The metrics of an event loop, as libuv writes them (`uv_metrics_t`).
#[repr(C)]
struct Metrics {
    loop_count: u64,
    events: u64,
    events_waiting: u64,
    reserved: [*mut u64; 13],
}

/// The turns of the event loop of a JavaScript thread.
pub struct Turns {
    uv_loop: *mut sys::uv_loop_s,
    metrics: Option<unsafe extern "C" fn(*mut sys::uv_loop_s, *mut Metrics) -> c_int>,
}

impl Turns {
    /// Finds the event loop. libuv counts its turns since 1.45, which Node has since 20.3.
    pub fn of(env: &Env) -> Self {
        let mut uv_loop = ptr::null_mut();
        // SAFETY: `env` is the environment of the running call; the function has the signature of the field.
        let metrics = unsafe {
            (sys::napi_get_uv_event_loop(env.raw(), &mut uv_loop) == sys::Status::napi_ok)
                .then(|| symbol(c"uv_metrics_info"))
                .flatten()
        };
        Self { uv_loop, metrics }
    }

    /// Gives the number of the running turn, or 0 if it is unknown. It begins anew after a billion turns.
    ///
    /// # Safety
    /// The JavaScript thread calls, while its event loop exists.
    pub unsafe fn current(&self) -> u32 {
        let Some(metrics) = self.metrics else {
            return 0;
        };
        let mut found = MaybeUninit::<Metrics>::zeroed();
        // SAFETY: the loop exists, as the caller promises; zeroed metrics are valid.
        let count = unsafe {
            metrics(self.uv_loop, found.as_mut_ptr());
            found.assume_init().loop_count
        };
        // JavaScript keeps so many bits in a value without an allocation.
        (count & 0x3fff_ffff) as u32
    }
}

/// The owner of the handles, as the event loop calls it.
pub trait Listener {
    /// The descriptor is readable.
    fn on_readable(&self);
    /// The loop would have gone to sleep. The answer `true` keeps it awake.
    fn on_idle(&self) -> bool;
    /// The environment ends: this is the last call.
    fn on_end(&self);
}

/// The data that both handles point to; lives until libuv has closed both.
struct Shared {
    libuv: &'static Libuv,
    listener: Box<dyn Listener>,
    /// Memory of the two handles, which libuv writes.
    poll: Box<[UnsafeCell<u128>]>,
    idle: Box<[UnsafeCell<u128>]>,
    /// The idle handle keeps the loop awake.
    awake: Cell<bool>,
    /// The handles are being closed.
    closing: Cell<bool>,
    /// Number of handles that libuv has.
    open: Cell<u8>,
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
}

/// The two handles in the event loop. They never keep the process alive.
pub struct EventLoop(*mut Shared);

impl EventLoop {
    /// Starts to watch a descriptor, which has to stay open until `on_end` or the drop of this. Gives `None` in a
    /// process without libuv.
    ///
    /// # Errors
    /// The error of libuv or Node-API, for example when the environment is already ending.
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

    /// Keeps the loop from sleeping until `on_idle` answers `false`. The loop does all its other work in the
    /// meantime.
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
        guarded(|| unsafe { Shared::close(self.0) });
    }
}

impl Shared {
    /// Gives the handle that watches.
    fn poll(&self) -> *mut Handle {
        UnsafeCell::raw_get(self.poll.as_ptr()).cast()
    }

    /// Gives the handle that keeps the loop awake.
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

    /// Closes the handles; libuv frees the memory in a later turn, when both are closed.
    ///
    /// # Safety
    /// `this` is alive, and only libuv uses it from now on.
    unsafe fn close(this: *mut Self) {
        // SAFETY: as the caller promises.
        let shared = unsafe { &*this };
        if shared.closing.replace(true) {
            return;
        }
        match shared.open.get() {
            // SAFETY: libuv has no handle that points to it.
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

    /// Frees the data, and lets the environment end.
    ///
    /// # Safety
    /// No code uses `this` any more.
    unsafe fn free(this: *mut Self) {
        // SAFETY: the pointer came from a `Box`, and is freed once.
        let shared = unsafe { Box::from_raw(this) };
        let hook = shared.hook.get();
        if !hook.is_null() {
            // SAFETY: the hook is there until this call, for which an ending environment waits.
            unsafe { sys::napi_remove_async_cleanup_hook(hook) };
        }
    }
}

/// Makes an error of a status of libuv.
fn check_uv(status: c_int) -> Result<()> {
    if status == 0 {
        Ok(())
    } else {
        Err(Error::from_reason(format!("libuv: {status}")))
    }
}

/// Gives the data of a handle.
///
/// # Safety
/// libuv calls with one of the two handles, whose data lives until both are closed.
unsafe fn shared_of(handle: *mut Handle) -> *mut Shared {
    Libuv::get().map_or(ptr::null_mut(), |libuv| {
        // SAFETY: as the caller promises.
        unsafe { (libuv.get_data)(handle).cast() }
    })
}

/// Called by libuv when the descriptor is readable.
unsafe extern "C" fn on_readable(handle: *mut Handle, _status: c_int, _events: c_int) {
    // SAFETY: libuv calls with an open handle.
    if let Some(shared) = unsafe { shared_of(handle).as_ref() } {
        guarded(|| shared.listener.on_readable());
    }
}

/// Called by libuv in each turn of the loop in which it stays awake.
unsafe extern "C" fn on_idle(handle: *mut Handle) {
    // SAFETY: libuv calls with an open handle.
    let Some(shared) = (unsafe { shared_of(handle).as_ref() }) else {
        return;
    };
    if !guarded(|| shared.listener.on_idle()) && !shared.closing.get() {
        shared.awake.set(false);
        // SAFETY: the handle is open.
        unsafe { (shared.libuv.idle_stop)(handle) };
    }
}

/// Called by Node when the environment ends; Node waits until the hook is removed, with the handles closed.
unsafe extern "C" fn on_end(_hook: sys::napi_async_cleanup_hook_handle, shared: *mut c_void) {
    let this: *mut Shared = shared.cast();
    // SAFETY: the hook is removed before the memory goes.
    unsafe {
        guarded(|| (*this).listener.on_end());
        guarded(|| Shared::close(this));
    }
}

/// Called by libuv when a handle is closed.
unsafe extern "C" fn on_closed(handle: *mut Handle) {
    // SAFETY: libuv calls with a handle that was open until now, and does not use it any more. When both are
    // closed, no code has their data: the caller of `close` has promised not to use it.
    unsafe {
        let this = shared_of(handle);
        let Some(open) = this.as_ref().map(|shared| &shared.open) else {
            return;
        };
        open.set(open.get() - 1);
        if open.get() == 0 {
            guarded(|| Shared::free(this));
        }
    }
}
