//! The class `StreamDecoder`, by which JavaScript decodes the bytes of a stream that it reads itself. The
//! JavaScript thread runs it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::codec::{Decoder, Event};
use crate::records::decoding::{self, Body};
use crate::records::{self, event};

/// The decoder of one stream. Belongs to the JavaScript thread.
#[napi]
pub struct StreamDecoder {
    decoder: Decoder,
    /// Records of the last call.
    records: Vec<u8>,
}

impl Default for StreamDecoder {
    fn default() -> Self {
        Self::new()
    }
}

#[napi]
impl StreamDecoder {
    /// Makes a decoder, which `reset` arms.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        let (options, _) = decoding::decoder_settings(0, 0, 0);
        Self {
            decoder: Decoder::new(options),
            records: Vec::new(),
        }
    }

    /// Arms the decoder for the response to the next request. The numbers are those of the `REQUEST` command.
    #[napi(catch_unwind)]
    pub fn reset(&mut self, flags: u32, max_header_size: u32, llhttp: u32) {
        let (options, method) = decoding::decoder_settings(flags, max_header_size, llhttp);
        self.decoder.reset(options, method);
    }

    /// Does `reset` and `execute` in one call: most responses are one chunk.
    #[napi(catch_unwind)]
    pub fn begin(
        &mut self,
        chunk: &[u8],
        out: BufferSlice,
        flags: u32,
        max_header_size: u32,
        llhttp: u32,
    ) -> i64 {
        self.reset(flags, max_header_size, llhttp);
        self.execute(chunk, out)
    }

    /// Decodes a chunk, and copies the event records to `out`. Gives their length, negative when `out` is too
    /// small: then `take` gives them.
    ///
    /// A panic is told by a `FAILED` record, and loses this stream alone.
    #[napi(catch_unwind)]
    pub fn execute(&mut self, chunk: &[u8], mut out: BufferSlice) -> i64 {
        self.guarded(|this| this.decode(chunk));
        self.copy(&mut out)
    }

    /// Decodes the end of the stream, and copies the event records to `out`, as `execute` does.
    #[napi(catch_unwind)]
    pub fn finish(&mut self, mut out: BufferSlice) -> i64 {
        self.guarded(|this| {
            if let Ok(Some(event)) = this.decoder.finish() {
                decoding::encode(&mut this.records, 0, &event, Body::Inline);
            }
        });
        self.copy(&mut out)
    }

    /// Gives the records that did not fit.
    #[napi(catch_unwind)]
    pub fn take(&mut self) -> Buffer {
        std::mem::take(&mut self.records).into()
    }

    /// Makes records. A panic in the middle leaves the one that tells of it.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        self.records.clear();
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            *self = Self::new();
            records::push(&mut self.records, event::FAILED, 0, 0, &[]);
        }
    }

    /// Makes the records of a chunk.
    fn decode(&mut self, chunk: &[u8]) {
        #[cfg(test)]
        assert!(!chunk.ends_with(PANIC), "a test asked for this panic");
        let mut parsed = 0;
        // Place of the record that ends the last message of the chunk.
        let mut end = None;
        loop {
            match self.decoder.decode(chunk.get(parsed..).unwrap_or_default()) {
                Err(error) => {
                    // The packet stays in JavaScript.
                    decoding::encode_error(&mut self.records, 0, &error, parsed, &[]);
                    break;
                }
                Ok((_, None)) => {
                    if let Some(end) = end.filter(|_| !self.decoder.is_idle()) {
                        records::add_flags(&mut self.records, end, event::FOLLOWED);
                    }
                    break;
                }
                Ok((n, Some(found))) => {
                    parsed += n;
                    let is_end = matches!(found, Event::End(_));
                    end = is_end.then_some(self.records.len());
                    // There is one connection, so the word for its id says how far the chunk is consumed:
                    // the bytes behind an upgrade's head are not HTTP.
                    let consumed = u32::try_from(parsed).unwrap_or(u32::MAX);
                    decoding::encode(
                        &mut self.records,
                        consumed,
                        &found,
                        Body::ReferenceInto(chunk),
                    );
                    if matches!(found, Event::Head(head) if head.upgrade) {
                        break;
                    }
                }
            }
        }
    }

    /// Copies the records to `out`. Gives their length, negative when `out` is too small.
    fn copy(&self, out: &mut [u8]) -> i64 {
        let length = self.records.len();
        match out.get_mut(..length) {
            Some(room) => {
                room.copy_from_slice(&self.records);
                length as i64
            }
            None => -(length as i64),
        }
    }
}

/// End of a chunk that makes its decoding panic; only tests send it.
#[cfg(test)]
const PANIC: &[u8] = b"a test asks for a panic";

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    fn opcodes(decoder: &StreamDecoder) -> Vec<u32> {
        records::iter(&decoder.records)
            .map(|record| record.opcode)
            .collect()
    }

    #[test]
    fn a_panic_leaves_one_record_that_tells_of_it_and_the_next_response_is_decoded() {
        let mut decoder = StreamDecoder::new();
        decoder.reset(0, 0, 0);
        decoder.guarded(|this| {
            this.decode(HEAD);
            this.decode(PANIC);
        });
        assert_eq!(opcodes(&decoder), [event::FAILED]);
        decoder.reset(0, 16 * 1024, 0);
        decoder.guarded(|this| this.decode(HEAD));
        assert_eq!(opcodes(&decoder), [event::HEAD, event::END]);
    }
}
