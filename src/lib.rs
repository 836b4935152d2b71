//! ferrequest: Node's `http.request`, forged in Rust.
//!
//! - [`codec`]: HTTP/1.1 responses from bytes; pure, no I/O, no unsafe.
//! - [`connection`]: sockets on the I/O thread, a task each; bytes through the codec to events.
//! - [`bridge`]: the I/O thread, the two queues between it and JavaScript, and the exports.

pub mod bridge;
pub mod codec;
pub mod connection;
