//! Tests of what crosses the rooms, and what tests of several rooms share.

#[cfg(unix)]
pub mod module;
mod rooms;
#[cfg(unix)]
pub mod support;
#[cfg(unix)]
mod threads;
