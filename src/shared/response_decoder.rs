//! The decoder that a connection has only while a response is on its way.
//!
//! Most responses come in one read, so the connections of a thread mostly share one decoder, with its
//! buffers, and an idle connection has none. The thread that has the connection runs the code here.

use std::cell::RefCell;

use crate::codec::{Decoder, DecoderOptions, Dialect, Leniency, RequestMethod};

/// Decoders that a thread keeps for its next responses, at most.
const KEPT: usize = 8;

/// Boxed decoders: they move from connection to connection without a copy, and a connection without one has
/// the size of a pointer for it.
type Spare = Vec<Box<Decoder>>;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Vec::new()) };
}

/// The settings for the next response, and a decoder from its first byte to its last.
pub struct ResponseDecoder {
    options: DecoderOptions,
    method: RequestMethod,
    /// The head of the last response said that the peer keeps the connection open.
    pub peer_keeps_connection: bool,
    decoder: Option<Box<Decoder>>,
}

impl Default for ResponseDecoder {
    /// Makes one that was not armed yet.
    fn default() -> Self {
        Self {
            options: DecoderOptions {
                lenient: Leniency::None,
                max_header_size: 16 * 1024,
                dialect: Dialect::default(),
            },
            method: RequestMethod::Other,
            peer_keeps_connection: false,
            decoder: None,
        }
    }
}

impl ResponseDecoder {
    /// Arms for the response to a new request.
    pub fn arm(&mut self, options: DecoderOptions, method: RequestMethod) {
        self.options = options;
        self.method = method;
        // The decoder of a response that was not read to its end.
        self.give_back();
    }

    /// Gives the decoder of the response that is under way, or begins with the next byte.
    pub fn get(&mut self) -> &mut Decoder {
        self.decoder.get_or_insert_with(|| {
            let spare = SPARE.with_borrow_mut(Vec::pop);
            let mut decoder = spare.unwrap_or_else(|| Box::new(Decoder::new(self.options)));
            decoder.reset(self.options, self.method);
            decoder
        })
    }

    /// Tells whether the decoder is between two responses; see [`Decoder::is_idle`].
    pub fn is_idle(&self) -> bool {
        self.decoder
            .as_ref()
            .is_none_or(|decoder| decoder.is_idle())
    }

    /// Gives the bytes of body ahead; see [`Decoder::plain_body_ahead`].
    pub fn plain_body_ahead(&self) -> u64 {
        self.decoder
            .as_ref()
            .map_or(0, |decoder| decoder.plain_body_ahead())
    }

    /// Gives the decoder back to the thread: the response is complete, and no byte has come behind it.
    pub fn give_back(&mut self) {
        if let Some(decoder) = self.decoder.take() {
            SPARE.with_borrow_mut(|spare| {
                if spare.len() < KEPT {
                    spare.push(decoder);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spare() -> usize {
        SPARE.with_borrow(Vec::len)
    }

    #[test]
    fn connections_share_one_decoder_as_long_as_their_responses_come_one_after_the_other() {
        let mut connections: Vec<_> = (0..3).map(|_| ResponseDecoder::default()).collect();
        for connection in &mut connections {
            let input = b"HTTP/1.1 204 No Content\r\n\r\n";
            assert!(matches!(connection.get().decode(input), Ok((_, Some(_)))));
            assert!(matches!(connection.get().decode(b""), Ok((0, Some(_)))));
            assert!(connection.is_idle());
            connection.give_back();
            assert_eq!(spare(), 1);
        }
    }

    #[test]
    fn a_decoder_that_another_connection_has_left_in_the_middle_begins_anew() {
        let mut first = ResponseDecoder::default();
        let half = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabc";
        assert!(first.get().decode(half).is_ok());
        assert!(!first.is_idle());
        first.give_back();
        let mut second = ResponseDecoder::default();
        assert!(second.is_idle());
        assert_eq!(second.plain_body_ahead(), 0);
        let head = second.get().decode(b"HTTP/1.1 204 No Content\r\n\r\n");
        assert!(matches!(head, Ok((27, Some(_)))));
    }

    #[test]
    fn no_more_decoders_are_kept_than_are_worth_it() {
        let mut connections: Vec<_> = (0..2 * KEPT).map(|_| ResponseDecoder::default()).collect();
        for connection in &mut connections {
            connection.get();
        }
        connections.iter_mut().for_each(ResponseDecoder::give_back);
        assert_eq!(spare(), KEPT);
    }
}
