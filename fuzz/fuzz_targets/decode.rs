//! This target gives the decoder any bytes, in any packets, in any mode. The decoder must not panic, and must keep the
//! contract that the transcript asserts. Its events must be the same as for the same bytes in one packet.
//!
//! The first four bytes of an input choose the options and the cuts; the rest is the response.

#![no_main]

use ferrequest::codec::{self, Decoder, DecoderOptions, Dialect, Leniency, RequestMethod};
use libfuzzer_sys::fuzz_target;

#[path = "../../src/codec/tests/transcript.rs"]
mod transcript;

fn pick<T: Copy>(choices: &[T], choice: u8) -> T {
    choices[usize::from(choice) % choices.len()]
}

/// Returns cuts at equal distances, so that the fuzzer finds byte by byte as easily as two halves.
fn cuts(length: usize, first: u8, distance: u8) -> Vec<usize> {
    (usize::from(first)..length)
        .step_by(usize::from(distance).max(1))
        .collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, limit, first, distance], bytes)) = input.split_first_chunk::<4>() else {
        return;
    };
    let options = DecoderOptions {
        lenient: pick(
            &[Leniency::None, Leniency::HeaderValueRelaxed, Leniency::All],
            mode,
        ),
        max_header_size: pick(&[16_384, 300, 40, 1], limit),
        dialect: pick(
            &[Dialect::default(), Dialect::from_llhttp(9, 3, 1)],
            limit / 4,
        ),
    };
    let method = pick(
        &[
            RequestMethod::Other,
            RequestMethod::Head,
            RequestMethod::Connect,
        ],
        mode / 3,
    );
    let mut decoder = Decoder::new(options);
    let whole = transcript::decode(&mut decoder, bytes, &[], options, method);
    let split = transcript::decode(
        &mut decoder,
        bytes,
        &cuts(bytes.len(), first, distance),
        options,
        method,
    );
    if let Err(why) = transcript::same(&whole, &split) {
        panic!("{why}\nwhole {whole:#?}\nsplit {split:#?}");
    }
});
