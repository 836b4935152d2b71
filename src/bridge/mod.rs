//! Between JavaScript and the I/O thread: two queues, one bell in each direction.
//!
//! | file | what |
//! |---|---|
//! | [`records`] | the layout of what travels |
//! | [`mailbox`] | JavaScript → I/O thread |
//! | [`completions`] | I/O thread → JavaScript |
//! | [`wake`], [`notifier`] | how JavaScript is woken; the threadsafe function that does it |
//! | [`async_context`] | what `async_hooks` are told of a call that the event loop makes |
//! | [`io_thread`] | the thread itself |
//! | [`link`] | the end of it all |
//! | [`lending`], [`direct`] | connections that JavaScript borrows while there is little to do |
//! | [`driver`], [`event_loop`] | when it does, and how it learns of news on them: libuv |
//! | [`body_buffers`], [`body_memory`] | memory of JavaScript's that large bodies are read into |
//! | [`write_buffers`] | memory of what JavaScript writes, to be used again |
//! | [`exports`] | what `lib/bridge/bridge.js` calls |

pub mod async_context;
pub mod body_buffers;
pub mod body_memory;
pub mod completions;
pub mod direct;
pub mod driver;
pub mod event_loop;
pub mod exports;
pub mod io_thread;
pub mod lending;
pub mod link;
pub mod mailbox;
pub mod notifier;
pub mod records;
pub mod wake;
pub mod write_buffers;
