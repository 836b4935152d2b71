//! What the JavaScript thread and the I/O thread both touch.
//!
//! Both threads run the code here; each type says which thread calls what. The room may import `codec` and
//! `records`.
//!
//! | file | what |
//! |---|---|
//! | [`mailbox`] | JavaScript → I/O thread: messages, and a bell |
//! | [`completions`] | I/O thread → JavaScript: pages of event records |
//! | [`wake`] | how the I/O thread wakes the JavaScript thread |
//! | [`offers`] | offers of connections that JavaScript may borrow |
//! | [`lent_connection`], [`detached`] | a connection in JavaScript's hands, and its socket |
//! | [`exchange`] | from the bytes of one read to records |
//! | [`response_decoder`] | the decoder that a connection has while a response is on its way |
//! | [`body_buffers`] | memory of JavaScript's that large bodies are read into |
//! | [`write_buffers`] | memory of what JavaScript writes, to be used again |
//! | [`address`], [`binding`] | numeric addresses; sockets bound before they connect |

pub mod address;
pub mod binding;
pub mod body_buffers;
pub mod completions;
pub mod detached;
pub mod exchange;
pub mod lent_connection;
pub mod mailbox;
pub mod offers;
pub mod response_decoder;
pub mod wake;
pub mod write_buffers;
