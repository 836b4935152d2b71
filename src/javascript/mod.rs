//! What only the JavaScript thread runs: the exports, the requests that it exchanges itself, and its event loop.
//!
//! The room may import every other; of `io` only what starts the I/O thread. A panic in an export becomes a
//! JavaScript exception.
//!
//! | file | what |
//! |---|---|
//! | [`stream_decoder`], [`record_layout`] | exports on every platform: the decoder for streams, the layout |
//! | [`bridge`], [`sockets`] | exports on Unix: the end of the queues, bound sockets |
//! | [`link`] | a bridge's hold on its I/O thread, until its environment ends |
//! | [`notifier`] | the threadsafe function that wakes JavaScript |
//! | [`async_context`] | what `async_hooks` are told of a call that the event loop makes |
//! | [`lending`] | requests that the JavaScript thread exchanges itself, on lent connections |
//! | [`event_loop`] | two handles in the event loop of JavaScript: libuv |
//! | [`batch_memory`] | memory that batches of commands are cut from |
//! | [`body_memory`] | references to the buffers that large bodies are read into |

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
pub mod lending;
#[cfg(unix)]
pub mod link;
#[cfg(unix)]
pub mod notifier;
pub mod record_layout;
#[cfg(unix)]
pub mod sockets;
pub mod stream_decoder;
