//! Seeded random changes to the responses of the case table: no panic, and no difference by segmentation.
//!
//! The bounded form of what `fuzz/fuzz_targets/decode.rs` does without end.

use super::codec::{Decoder, DecoderOptions, Dialect, Leniency, RequestMethod};
use super::{fixture, transcript};

const ROUNDS: usize = 200_000;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes and pieces that mean something to a parser.
const PIECES: [&[u8]; 30] = [
    b"\r\n",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"\r\n ",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"=",
    b"\"",
    b"\\",
    b"\0",
    b"\x7f",
    b"\xff",
    b"0",
    b"F",
    b"18446744073709551615",
    b"chunked",
    b"close",
    b"upgrade",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 101 X\r\n",
    b"HTTP/1.1 100 X\r\n\r\n",
    b"5;a=\"b\"\r\nhello\r\n",
];

/// xorshift64*: all that is asked for is that it is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 32) as usize) % bound
    }

    fn of<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }
}

fn mutate(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(10)).min(bytes.len());
        match random.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.insert(at, random.next() as u8),
            2 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => drop(bytes.splice(at..end.min(at + 1), [random.next() as u8])),
            _ => drop(bytes.splice(at..at, random.of(&PIECES).iter().copied())),
        }
    }
    bytes
}

#[test]
fn changed_responses_end_the_same_however_they_are_cut() {
    let originals: Vec<_> = fixture::cases()
        .into_iter()
        .filter(|case| case.bytes.len() < 1_000)
        .collect();
    let mut random = Random(SEED);
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
    // Neither only errors nor none at all: the changes reach into the states.
    assert!(
        (ROUNDS / 5..ROUNDS * 9 / 10).contains(&failures),
        "{failures} of {ROUNDS} failed"
    );
}
