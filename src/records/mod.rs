//! The records that travel between Rust and JavaScript: their layout, and the records of the decoder.
//!
//! Pure: any thread may use the functions here. The room may import `codec`.
//!
//! | file | what |
//! |---|---|
//! | `layout.rs` | opcodes, flags and payloads; writing records and reading them |
//! | [`decoding`] | decoder settings of a `REQUEST`, records of decoder events |

pub mod decoding;
mod layout;

pub use layout::{
    EVERY_CONNECTION, HEADER_SIZE, NO_CONNECTION, Record, add_flags, begin, command, event, iter,
    pad, push, push_with,
};
