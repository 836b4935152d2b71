//! Tests of connections against real sockets on the loopback interface.

mod adopting;
mod body_buffers;
mod connecting;
mod disorder;
mod failing;
mod harness;
mod options;
mod reading;
mod releasing;
mod replacing;
mod writing;
