//! Connections against real sockets.
