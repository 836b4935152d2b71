//! Tests of the corpus that fuzzing has left, `fuzz/corpus.bin`: the inputs that together reach all that any has reached.
//! Each is checked as the fuzz targets `decode` and `chunked` check it.

use super::codec::{self, Decoder, RequestMethod};
use super::transcript;

#[allow(dead_code)]
#[path = "../../../fuzz/fuzz_targets/input.rs"]
mod input;

/// Returns the inputs; `fuzz/oracle.js pack` wrote them.
fn corpus() -> impl Iterator<Item = &'static [u8]> {
    let mut rest: &[u8] = include_bytes!("../../../fuzz/corpus.bin");
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (input, after) = after.split_at(usize::from(u16::from_le_bytes(*length)));
        rest = after;
        Some(input)
    })
}

#[test]
fn every_input_of_the_corpus_ends_the_same_however_it_is_cut() {
    let mut count = 0;
    for bytes in corpus() {
        let Some(input) = input::Input::read(bytes) else {
            continue;
        };
        count += 1;
        check(input.bytes, &input, input.options, input.request_method());
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut options = input.options;
        options.max_header_size = options.max_header_size.max(100);
        let message = [chunked, input.bytes].concat();
        check(&message, &input, options, RequestMethod::Other);
    }
    assert!(count > 100, "{count} inputs");
}

fn check(
    bytes: &[u8],
    input: &input::Input<'_>,
    options: codec::DecoderOptions,
    method: RequestMethod,
) {
    let mut decoder = Decoder::new(options);
    let whole = transcript::decode(&mut decoder, bytes, &[], options, method);
    let every: Vec<usize> = (1..bytes.len()).collect();
    for cuts in [input.cuts(), every] {
        let split = transcript::decode(&mut decoder, bytes, &cuts, options, method);
        super::assert_same(&whole, &split, bytes, &cuts);
    }
}
