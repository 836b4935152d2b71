//! ferrequest: Node's `http.request`, forged in Rust.
//!
//! The rooms are divided by the thread that runs them:
//!
//! | room | owns | runs on | may import |
//! |---|---|---|---|
//! | [`codec`] | HTTP/1.1 responses from bytes | any thread | nothing |
//! | [`records`] | the layout of what travels between Rust and JavaScript | any thread | `codec` |
//! | [`tls`] | TLS by the OpenSSL of the running Node | any thread | nothing |
//! | [`shared`] | the types that both threads touch: queues, wakes, buffers, lent connections | both threads | `codec`, `records`, `tls` |
//! | [`io`] | sockets, a task each | the I/O thread | `codec`, `records`, `tls`, `shared` |
//! | [`javascript`] | the exports, the requests on lent connections, a part in the event loop | the JavaScript thread | all; of `io` only `IoThread` |
//!
//! Unix has all of it. Elsewhere there are `codec`, `records`, and of `javascript` the exports that need no
//! socket: the decoder for JavaScript's own streams.

pub mod codec;
#[cfg(unix)]
pub mod io;
pub mod javascript;
pub mod records;
#[cfg(unix)]
pub mod shared;
#[cfg(unix)]
pub mod tls;

#[cfg(test)]
mod tests;
