//! Connections against real sockets on the loopback interface.

mod body_buffers;
mod connecting;
mod disorder;
mod failing;
pub(crate) mod harness;
mod options;
mod reading;
mod releasing;
mod replacing;
mod writing;
