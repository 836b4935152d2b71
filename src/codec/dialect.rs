//! A dialect lists the points on which the parsers of the supported Node versions disagree.
//!
//! No other file of the codec asks for a version. Each field names a tolerance and the llhttp release that changed it.

/// Tolerances of one llhttp release. The default is the newest known release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// A second CR may stand for the LF at the end of the status line. True up to 9.4.1.
    pub(super) cr_cr_ends_status_line: bool,
    /// Tabs may follow the digits of a Content-Length. True since 9.4.0.
    pub(super) tab_after_content_length: bool,
    /// Tabs may follow `close`, `keep-alive` and `upgrade` in Connection. True since 9.4.2.
    pub(super) tab_after_connection_option: bool,
    /// A Transfer-Encoding must have a value. True since 9.4.3; an empty one says nothing before.
    pub(super) empty_transfer_encoding_fails: bool,
}

impl Dialect {
    /// Returns the dialect of an llhttp release, given the numbers of `process.versions.llhttp`.
    pub fn from_llhttp(major: u32, minor: u32, patch: u32) -> Self {
        let since_9_4 = |minimum: u32| {
            major > 9 || (major == 9 && (minor > 4 || (minor == 4 && patch >= minimum)))
        };
        Self {
            cr_cr_ends_status_line: !since_9_4(2),
            tab_after_content_length: since_9_4(0),
            tab_after_connection_option: since_9_4(2),
            empty_transfer_encoding_fails: since_9_4(3),
        }
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::from_llhttp(9, 4, 3)
    }
}
