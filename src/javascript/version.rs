//! The version of the addon, which the loader compares with the version of the package.

use napi_derive::napi;

/// Version of the crate. JavaScript refuses an addon of another version than its own.
#[napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
