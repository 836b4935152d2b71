//! This target gives the decoder any bytes, in any packets, in any mode. The decoder must not panic, and must keep the
//! contract that the transcript asserts. Its events must be the same as for the same bytes in one packet.

#![no_main]

use ferrequest::codec::{self, Decoder};
use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
mod input;
#[path = "../../src/codec/tests/transcript.rs"]
mod transcript;

fuzz_target!(|bytes: &[u8]| {
    let Some(input) = input::Input::read(bytes) else {
        return;
    };
    let (options, method) = (input.options, input.request_method());
    let mut decoder = Decoder::new(options);
    let whole = transcript::decode(&mut decoder, input.bytes, &[], options, method);
    let split = transcript::decode(&mut decoder, input.bytes, &input.cuts(), options, method);
    if let Err(why) = transcript::same(&whole, &split) {
        panic!("{why}\nwhole {whole:#?}\nsplit {split:#?}");
    }
});
