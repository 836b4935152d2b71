//! What only the JavaScript thread runs: the exports, the requests that it exchanges itself, and its event loop.
//!
//! The room may import every other; of `io` only what starts the I/O thread.
//!
//! | file | what |
//! |---|---|
//! | [`bridge`] | what `lib/bridge/bridge.js` calls |
//! | [`link`] | a bridge's hold on its I/O thread, until its environment ends |
//! | [`notifier`] | the threadsafe function that wakes JavaScript |
//! | [`async_context`] | what `async_hooks` are told of a call that the event loop makes |
//! | [`direct`] | requests on connections that JavaScript has borrowed |
//! | [`driver`], [`event_loop`] | when it borrows, and how it learns of news on them: libuv |
//! | [`body_memory`] | references to the buffers that large bodies are read into |

pub mod async_context;
pub mod body_memory;
pub mod bridge;
pub mod direct;
pub mod driver;
pub mod event_loop;
pub mod link;
pub mod notifier;
