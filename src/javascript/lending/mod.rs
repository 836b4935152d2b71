//! Requests that the JavaScript thread exchanges itself, on connections that the I/O thread lends it.
//!
//! While few requests are in progress at a time, both threads mostly sleep, and waking one costs more
//! than everything else in an exchange. Then the I/O thread **lends** its idle connections: it lays them
//! among the [offers](crate::shared::offers). The JavaScript thread **borrows** an offered connection,
//! exchanges requests on it, and **returns** it before anything but a plain, short request.
//!
//! | file | what |
//! |---|---|
//! | [`batch_kind`] | kind of a batch of commands; decides which thread sends it |
//! | [`load`] | the load, by the kinds of the last batches; decides whether to borrow |
//! | [`borrowed_connections`] | the borrowed connections: sending, receiving, returning |
//! | [`borrower`] | joins these to the event loop of JavaScript |
//! | [`busy_wait`] | how long the event loop looks for a response before it sleeps |

pub mod batch_kind;
pub mod borrowed_connections;
pub mod borrower;
pub mod busy_wait;
pub mod load;

#[cfg(test)]
mod tests;
