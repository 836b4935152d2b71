//! What is forgiven, derived once from the options so that the readers ask for tolerances and not for modes.

use super::dialect::Dialect;
use super::scan::{self, ByteSet};

/// How much is forgiven: the three settings that Node's client can choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leniency {
    /// Node's `kLenientNone`.
    #[default]
    None,
    /// Node's `kLenientHeaderValueRelaxed`: control characters other than NUL, CR and LF in header values.
    HeaderValueRelaxed,
    /// Node's `kLenientAll`, for `insecureHTTPParser`.
    All,
}

/// What the caller chooses for a response.
#[derive(Clone, Copy, Debug)]
pub struct DecoderOptions {
    /// How much is forgiven.
    pub lenient: Leniency,
    /// The limit for reason phrase, field names and field values together; reaching it is an error. Node's 0, which
    /// stands for the process-wide default, is for the caller to replace.
    pub max_header_size: usize,
    /// Which Node version to agree with.
    pub dialect: Dialect,
}

/// The options in the form in which the readers use them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// `insecureHTTPParser`: bare CR and LF end lines, old line folding is joined, any version is taken, framing
    /// fields may contradict each other, and nothing closes the conversation.
    pub(super) insecure: bool,
    /// The bytes of a field value.
    pub(super) field_value: &'static ByteSet,
    /// The version differences.
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
