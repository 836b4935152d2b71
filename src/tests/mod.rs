//! Tests of what crosses the rooms, and what tests of several rooms share.

pub mod module;
pub mod support;
mod threads;
