//! The function by which a test of JavaScript reads the record layout.

use napi_derive::napi;

use crate::records::{command, event};

/// Gives the numbers of the record layout, for the test that compares them with `lib/bridge/records.js`.
#[napi(catch_unwind)]
pub fn record_layout() -> Vec<(String, u32)> {
    let named = |prefix: &'static str, table: &'static [(&'static str, u32)]| {
        table
            .iter()
            .map(move |(name, value)| (format!("{prefix}.{name}"), *value))
    };
    named("command", command::TABLE)
        .chain(named("event", event::TABLE))
        .collect()
}
