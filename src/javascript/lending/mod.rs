//! Requests that the JavaScript thread exchanges itself, on connections that the I/O thread lends it.
//!
//! While few requests are in progress at a time, both threads mostly sleep, and waking one costs more than
//! everything else in an exchange. Then the I/O thread **lends** its idle connections: it puts them among the
//! [offers](crate::shared::offers). The JavaScript thread **borrows** them, and exchanges requests on them in its
//! own event loop, with TLS or without. It **returns** a connection before a long request, or any other command. Under
//! a heavy load it borrows only a share, and none unless the I/O thread has too much to do: before a batch of many
//! requests it returns the connections beyond. Only the JavaScript thread runs the code here.
//!
//! | file | what |
//! |---|---|
//! | [`batch_kind`] | kind of a batch of commands; decides which thread sends it |
//! | [`load`] | the load, by the kinds of the last batches; decides whether the JavaScript thread borrows |
//! | [`share`] | under a heavy load, the number of connections that the JavaScript thread borrows |
//! | [`borrowed_connections`] | the borrowed connections: sending, receiving, returning |
//! | [`borrower`] | their membership in the event loop of JavaScript |
//! | [`busy_wait`] | the time for which the event loop looks for a response before it sleeps |

pub mod batch_kind;
pub mod borrowed_connections;
pub mod borrower;
pub mod busy_wait;
pub mod load;
pub mod share;

#[cfg(test)]
mod tests;
