//! This target is `decode` with a head before every input that says `Transfer-Encoding: chunked`. So each change of
//! the fuzzer is one of sizes, extensions, line ends, data and trailers.
//!
//! Beyond what `decode` asserts, the body is never longer than what came.

#![no_main]

use ferrequest::codec::{self, Decoder};
use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
mod input;
#[path = "../../src/codec/tests/transcript.rs"]
mod transcript;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fuzz_target!(|bytes: &[u8]| {
    let Some(input) = input::Input::read(bytes) else {
        return;
    };
    let mut options = input.options;
    // The head has to pass.
    options.max_header_size = options.max_header_size.max(100);
    let method = codec::RequestMethod::Other;
    let message = [HEAD, input.bytes].concat();
    let cuts: Vec<usize> = input.cuts().iter().map(|cut| HEAD.len() + cut).collect();
    let mut decoder = Decoder::new(options);
    let whole = transcript::decode(&mut decoder, &message, &[], options, method);
    let split = transcript::decode(&mut decoder, &message, &cuts, options, method);
    if let Err(why) = transcript::same(&whole, &split) {
        panic!("{why}\nwhole {whole:#?}\nsplit {split:#?}");
    }
    let body = whole.lines.iter().find(|line| line.0.starts_with(b"body "));
    assert!(body.is_none_or(|body| body.0.len() <= b"body ".len() + input.bytes.len()));
});
