//! Between JavaScript and the I/O thread: two queues, one bell in each direction.
//!
//! | file | what |
//! |---|---|
//! | [`records`] | the layout of what travels |
//! | [`mailbox`] | JavaScript → I/O thread |
//! | [`completions`] | I/O thread → JavaScript |
//! | [`notifier`] | the threadsafe function that wakes JavaScript |
//! | [`io_thread`] | the thread itself |
//! | [`link`] | the end of it all |
//! | [`shortcut`] | a request that JavaScript sends itself, while the I/O thread sleeps |
//! | [`exports`] | what `lib/bridge.js` calls |

pub mod completions;
pub mod exports;
pub mod io_thread;
pub mod link;
pub mod mailbox;
pub mod notifier;
pub mod records;
pub mod shortcut;
