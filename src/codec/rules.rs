//! Tolerances of the readers, derived once from the options: readers ask for a tolerance and not for a mode.

use super::dialect::Dialect;
use super::scan::{self, ByteSet};

/// Tolerance for errors of the peer: the three settings that Node's client can choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leniency {
    /// Node's `kLenientNone`: the strict mode.
    #[default]
    None,
    /// Node's `kLenientHeaderValueRelaxed`: header values may hold controls other than NUL, CR and LF.
    HeaderValueRelaxed,
    /// Node's `kLenientAll`, for `insecureHTTPParser`.
    All,
}

/// Choices of the caller for a response.
#[derive(Clone, Copy, Debug)]
pub struct DecoderOptions {
    /// Tolerance for errors of the peer.
    pub lenient: Leniency,
    /// Limit in bytes of reason phrase, field names and field values together; a head that reaches it is an error. The
    /// caller replaces Node's 0, which stands for the default of the process.
    pub max_header_size: usize,
    /// Dialect of the Node version with which the decoder agrees.
    pub dialect: Dialect,
}

/// Options in the form in which the readers use them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// `insecureHTTPParser` is on. Bare CR and LF end lines, folded lines are one value, and any version is valid.
    /// Framing fields may contradict each other, and no response is the last.
    pub(super) insecure: bool,
    /// Bytes that a field value may hold.
    pub(super) field_value: &'static ByteSet,
    /// Tolerances of the llhttp release.
    pub(super) dialect: Dialect,
}

impl Rules {
    pub(super) fn new(options: &DecoderOptions) -> Self {
        let field_value = match options.lenient {
            Leniency::None => &scan::FIELD_VALUE,
            Leniency::HeaderValueRelaxed => &scan::RELAXED_FIELD_VALUE,
            Leniency::All => &scan::UNTIL_LINE_END,
        };
        Self {
            insecure: options.lenient == Leniency::All,
            field_value,
            dialect: options.dialect,
        }
    }
}
