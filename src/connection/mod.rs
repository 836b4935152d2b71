//! Connections on the I/O thread: sockets, their tasks, and the commands that drive them.
//!
//! ```text
//! commands ──> registry ──> connection ──write──> stream ──> kernel
//!                               │  ▲                           │
//!                               │  └────────── read ───────────┘
//!                               ▼
//!                   codec::Decoder ──> reader ──> outlet ──> completions
//! ```
//!
//! Everything here runs on one thread, in one tokio runtime, so connections share state by `Rc`; but
//! [`Lent`], which is what the JavaScript thread has of a connection that it borrows.

mod connect;
mod lent;
mod outlet;
mod reader;
mod registry;
mod response_decoder;
mod socket_options;
mod state;
mod stream;
mod task;
mod watch;
mod write_queue;

pub use connect::{bind, take_over};
pub use lent::{Lent, Request};
pub use outlet::{Outlet, flush_all, note_poll};
pub use reader::READ_SIZE;
pub use registry::Registry;
pub mod events;

#[cfg(test)]
pub(crate) mod tests;
