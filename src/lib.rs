//! ferrequest: Node's `http.request`, forged in Rust.
//!
//! - [`codec`]: HTTP/1.1 responses from bytes, pure (no I/O, no unsafe).

pub mod codec;
