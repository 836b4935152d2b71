//! The code that only the JavaScript thread runs: the exports, the requests that it exchanges itself, and its part
//! in the event loop.
//!
//! The room may import every other; of `io` only what starts the I/O thread. A panic in an export becomes a
//! JavaScript exception.
//!
//! | file | what |
//! |---|---|
//! | [`stream_decoder`], [`record_layout`] | exports on every platform: the decoder for streams, the layout |
//! | [`version`] | the version, on every platform |
//! | [`bridge`], [`sockets`], [`tls`] | exports on Unix: the end of the queues, bound sockets, TLS |
//! | [`link`] | the hold of a bridge on its I/O thread, until its environment ends |
//! | [`notifier`] | the threadsafe function that wakes JavaScript |
//! | [`async_context`] | the async context of calls from the event loop |
//! | [`lending`] | requests that the JavaScript thread exchanges itself, on lent connections |
//! | [`guard`] | the end of a panic in what C calls |
//! | [`event_loop`] | two handles of libuv in the event loop |
//! | [`batch_memory`] | the memory that batches of commands are cut from |
//! | [`freed_memory`] | how much of the memory that V8 frees stays with the process |
//! | [`body_memory`] | the references that keep buffers for large bodies alive |

#[cfg(unix)]
pub mod async_context;
#[cfg(unix)]
pub mod batch_memory;
#[cfg(unix)]
pub mod body_memory;
#[cfg(unix)]
pub mod bridge;
#[cfg(unix)]
pub mod event_loop;
#[cfg(unix)]
pub mod freed_memory;
pub mod guard;
#[cfg(unix)]
pub mod lending;
#[cfg(unix)]
pub mod link;
#[cfg(unix)]
pub mod notifier;
pub mod record_layout;
#[cfg(unix)]
pub mod sockets;
pub mod stream_decoder;
#[cfg(unix)]
pub mod tls;
pub mod version;
