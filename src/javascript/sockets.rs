//! The functions by which JavaScript makes bound sockets, duplicates connections of libuv, and closes both if they
//! come to nothing. The JavaScript thread runs them.

use napi_derive::napi;

use crate::shared::binding;

/// Makes a socket bound to a local address. Gives the descriptor, or the negative error number.
#[napi(catch_unwind)]
pub fn bind_socket(host: String, port: u32) -> i32 {
    match binding::bind(&host, port as u16) {
        Ok(descriptor) => descriptor,
        Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// Makes a second descriptor of a connection that libuv has. Gives -1 if that cannot be done.
#[napi(catch_unwind)]
pub fn duplicate_descriptor(descriptor: i32) -> i32 {
    binding::duplicate(descriptor).unwrap_or(-1)
}

/// Closes a descriptor of `bind_socket` or `duplicate_descriptor`, when its socket does not connect.
#[napi(catch_unwind)]
pub fn close_descriptor(descriptor: i32) {
    // SAFETY: JavaScript hands the descriptor back once, instead of using it.
    drop(unsafe { binding::take_over(descriptor) });
}
