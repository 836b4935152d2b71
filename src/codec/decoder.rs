//! The decoder itself.

use super::dialect::Dialect;
use super::error::DecodeError;
use super::event::Event;

/// How much is forgiven; the three settings that Node's client can choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leniency {
    /// Node's `kLenientNone`.
    #[default]
    None,
    /// Node's `kLenientHeaderValueRelaxed`: control characters in header values.
    HeaderValueRelaxed,
    /// Node's `kLenientAll`, for `insecureHTTPParser`.
    All,
}

/// What the caller chooses for a response.
#[derive(Clone, Copy, Debug)]
pub struct DecoderOptions {
    /// How much is forgiven.
    pub lenient: Leniency,
    /// The limit for the bytes of reason phrase, names and values together, by Node's accounting; reaching it is an
    /// error.
    pub max_header_size: usize,
    /// Which Node version to agree with.
    pub dialect: Dialect,
}

/// What a decoder has to know about the request: whether its method changes the framing of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestMethod {
    /// The response has no body, whatever its head says.
    Head,
    /// The response ends HTTP on this connection.
    Connect,
    /// Any other method.
    Other,
}

/// Decodes the responses of one connection.
#[derive(Debug)]
pub struct Decoder {
    options: DecoderOptions,
    method: RequestMethod,
}

impl Decoder {
    /// A decoder for the response to a request that is neither HEAD nor CONNECT; see [`Decoder::reset`].
    pub fn new(options: DecoderOptions) -> Self {
        Self {
            options,
            method: RequestMethod::Other,
        }
    }

    /// Arms for the response to a new request on the same connection: forgets everything, keeps allocations.
    pub fn reset(&mut self, options: DecoderOptions, method: RequestMethod) {
        self.options = options;
        self.method = method;
    }

    /// Looks at the input, and returns how much of it was consumed and the next event, if one is complete.
    ///
    /// Called in a loop: after `(n, Some(event))` again with the rest, even an empty one (it may be what completes
    /// the message); `(n, None)` means that all of the input was consumed and more is needed.
    pub fn decode<'a>(
        &'a mut self,
        input: &'a [u8],
    ) -> Result<(usize, Option<Event<'a>>), DecodeError> {
        let _ = (self.options, self.method);
        Ok((input.len(), None))
    }

    /// The peer ended its stream.
    ///
    /// `Ok(Some(End))` if a close-delimited body is thereby complete, `Ok(None)` between messages.
    pub fn finish(&mut self) -> Result<Option<Event<'_>>, DecodeError> {
        Ok(None)
    }

    /// How many of the next bytes are plain body whatever they are; `u64::MAX` if all until the end of the stream.
    pub fn plain_body_ahead(&self) -> u64 {
        0
    }

    /// Tells that `n` bytes of body went around the decoder; `n` is at most [`Decoder::plain_body_ahead`].
    pub fn skip_body(&mut self, n: u64) {
        let _ = n;
    }

    /// Whether no byte of a (next) message was seen since the reset or the end of the message before.
    pub fn is_idle(&self) -> bool {
        true
    }
}
