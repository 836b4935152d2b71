//! ferrequest: Node's `http.request`, forged in Rust.
//!
//! The rooms are divided by the thread that runs them:
//!
//! | room | owns | runs on | may import |
//! |---|---|---|---|
//! | [`codec`] | HTTP/1.1 responses from bytes | any thread | nothing |
//! | [`records`] | the layout of what travels between Rust and JavaScript | any thread | `codec` |
//! | [`shared`] | what both threads touch: queues, wakes, buffers, lent connections | both threads | `codec`, `records` |
//! | [`io`] | sockets, a task each | the I/O thread | `codec`, `records`, `shared` |
//! | [`javascript`] | the exports, and what the JavaScript thread does itself | the JavaScript thread | all; of `io` only what starts the thread |

pub mod codec;
pub mod io;
pub mod javascript;
pub mod records;
pub mod shared;

#[cfg(test)]
mod tests;
