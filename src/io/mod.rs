//! The connections of the I/O thread: sockets, their tasks, and the commands that drive them.
//!
//! ```text
//! commands ──> registry ──> connection ──write──> stream ──> kernel
//!                               │  ▲                           │
//!                               │  └────────── read ───────────┘
//!                               ▼
//!                   codec::Decoder ──> reader ──> outlet ──> completions
//! ```
//!
//! Only the I/O thread runs this code, in one tokio runtime, so connections share state by `Rc`. The room
//! may import `codec`, `records`, `tls` and `shared`.

mod connect;
mod connection;
mod lend;
mod outlet;
mod reader;
mod registry;
mod socket_options;
mod state;
mod stream;
mod thread;
mod tls;
mod turns;
mod watch;
mod write_queue;

pub use thread::IoThread;

#[cfg(test)]
mod tests;
