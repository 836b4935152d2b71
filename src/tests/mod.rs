//! Tests of behaviour that crosses the rooms, and helpers that the tests of several rooms share.

#[cfg(all(loom_models, unix))]
mod loom;
#[cfg(unix)]
pub mod module;
mod rooms;
#[cfg(unix)]
pub mod support;
#[cfg(unix)]
mod threads;
