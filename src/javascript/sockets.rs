//! The functions by which JavaScript makes bound sockets, and closes those that do not connect. The JavaScript
//! thread runs them.

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

/// Closes a descriptor of `bind_socket`, when its socket does not connect.
#[napi(catch_unwind)]
pub fn close_descriptor(descriptor: i32) {
    // SAFETY: JavaScript hands the descriptor back once, instead of using it.
    drop(unsafe { binding::take_over(descriptor) });
}
