//! The types that the JavaScript thread and the I/O thread both touch: queues, wakes, buffers, and connections
//! that move from one to the other.
//!
//! Each type says which thread calls what. The room may import `codec`, `records` and `tls`.
//!
//! | file | what |
//! |---|---|
//! | [`mailbox`] | JavaScript thread → I/O thread: messages, and a bell |
//! | [`page`] | memory with whole event records, which begins with their time |
//! | [`completions`] | I/O thread → JavaScript thread: pages of event records |
//! | [`wake`] | the way in which the I/O thread wakes the JavaScript thread |
//! | [`offers`] | connections that the I/O thread offers, for the JavaScript thread to borrow |
//! | [`lent_connection`], [`lent_tls`], [`detached`] | a connection that is lent, its TLS and its socket |
//! | [`peer_end`] | the last look at a connection before ciphertext goes out |
//! | [`exchange`] | the records of one read |
//! | [`response_decoder`] | the decoder that a connection has while a response is on its way |
//! | [`body_buffers`] | buffers of JavaScript's that large bodies are read into |
//! | [`write_buffers`] | memory for long writes, used again |
//! | [`sleep`] | the time that the I/O thread has slept |
//! | [`libuv`] | functions of libuv, and its clock |
//! | [`sync`] | the primitives that the two threads synchronize by |
//! | [`address`], [`binding`] | numeric addresses; sockets bound before they connect |
//! | [`given_descriptor`] | the descriptor that JavaScript was given last |

pub mod address;
pub mod binding;
pub mod body_buffers;
pub mod completions;
pub mod detached;
pub mod exchange;
pub mod given_descriptor;
pub mod lent_connection;
pub mod lent_tls;
pub mod libuv;
pub mod mailbox;
pub mod offers;
pub mod page;
pub mod peer_end;
pub mod response_decoder;
pub mod sleep;
mod sync;
pub mod wake;
pub mod write_buffers;
