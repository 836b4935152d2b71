//! Tests of seeded random changes to the responses of the case table: no panic, and no difference by segmentation.
//!
//! `fuzz/fuzz_targets/decode.rs` does the same without end.

use super::codec::{Decoder, DecoderOptions, Dialect, Leniency, RequestMethod};
use super::mutate::{Random, mutate};
use super::{fixture, transcript};

const ROUNDS: usize = 200_000;
const SEED: u64 = 1;

#[test]
fn changed_responses_end_the_same_however_they_are_cut() {
    let originals: Vec<_> = fixture::cases()
        .into_iter()
        .filter(|case| case.bytes.len() < 1_000)
        .collect();
    let mut random = Random::new(SEED);
    let mut failures = 0;
    let mut decoder: Option<Decoder> = None;
    for round in 0..ROUNDS {
        let case = random.of(&originals);
        let bytes = mutate(&mut random, case.bytes.clone());
        let options = DecoderOptions {
            lenient: *random.of(&[Leniency::None, Leniency::All, Leniency::HeaderValueRelaxed]),
            max_header_size: *random.of(&[16_384, 16_384, 1, 40, 200]),
            dialect: *random.of(&[Dialect::default(), Dialect::from_llhttp(9, 3, 1)]),
        };
        let method = *random.of(&[
            case.method,
            case.method,
            RequestMethod::Head,
            RequestMethod::Connect,
        ]);
        let mut cuts: Vec<usize> = (0..random.below(5))
            .map(|_| random.below(bytes.len() + 1))
            .collect();
        if round % 8 == 0 {
            cuts = (1..bytes.len()).collect();
        }
        cuts.sort_unstable();
        let decoder = decoder.get_or_insert_with(|| Decoder::new(options));
        let whole = transcript::decode(decoder, &bytes, &[], options, method);
        let split = transcript::decode(decoder, &bytes, &cuts, options, method);
        failures += usize::from(whole.error.is_some());
        if let Err(why) = transcript::same(&whole, &split) {
            let shown = bytes.escape_ascii();
            panic!(
                "round {round}: {why}\n{shown}\n{options:?} {method:?} cut at {cuts:?}\n{whole:#?}\n{split:#?}"
            );
        }
    }
    // Some fail and some do not, so the changes reach into the states.
    assert!(
        (ROUNDS / 5..ROUNDS * 9 / 10).contains(&failures),
        "{failures} of {ROUNDS} failed"
    );
}
