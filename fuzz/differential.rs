//! This program writes changed responses and their outcomes in the decoder. `node fuzz/oracle.js compare` checks them
//! against Node's own parser.
//!
//!     cargo run --release --manifest-path fuzz/Cargo.toml --bin differential -- out.bin 200000 1
//!     node fuzz/oracle.js compare out.bin
//!
//! The last two arguments are the number of responses and the seed of the random numbers. A record has mode, method,
//! header limit, cuts and response, then the outcome in the newest dialect and the outcome in that of llhttp 9.3.
//! Numbers are 32-bit little-endian; lists and bytes come after their length.

use ferrequest::codec::{self, Decoder, DecoderOptions, Dialect, Leniency, RequestMethod};
use mutate::Random;
use std::io::{self, BufWriter, Write};
use std::{env, fs};

#[allow(dead_code)]
#[path = "../src/codec/tests/fixture.rs"]
mod fixture;
#[path = "../src/codec/tests/json.rs"]
mod json;
#[path = "../src/codec/tests/mutate.rs"]
mod mutate;
#[allow(dead_code)]
#[path = "../src/codec/tests/transcript.rs"]
mod transcript;

const MODES: [Leniency; 3] = [Leniency::None, Leniency::HeaderValueRelaxed, Leniency::All];
const METHODS: [RequestMethod; 3] = [
    RequestMethod::Other,
    RequestMethod::Head,
    RequestMethod::Connect,
];

/// Length in bytes of the longest response that is changed; longer ones find the same mistakes, only slower.
const LONGEST: usize = 1_500;

/// Response and the circumstances of its arrival.
struct Arrival {
    mode: usize,
    method: usize,
    max_header_size: usize,
    cuts: Vec<usize>,
    bytes: Vec<u8>,
}

impl Arrival {
    fn random(random: &mut Random, cases: &[fixture::Case]) -> Self {
        let case = random.of(cases);
        let mut bytes = case.bytes.clone();
        if random.below(4) == 0 {
            // This joins the beginning of one response and the end of another.
            let other = &random.of(cases).bytes;
            bytes.truncate(random.below(bytes.len() + 1));
            bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        let bytes = mutate::mutate(random, bytes);
        let method = METHODS
            .iter()
            .position(|&method| method == case.method)
            .unwrap_or_default();
        Self {
            mode: random.below(MODES.len()),
            method: if random.below(8) == 0 {
                random.below(METHODS.len())
            } else {
                method
            },
            max_header_size: if random.below(6) == 0 {
                1 + random.below(300)
            } else {
                16_384
            },
            cuts: random_cuts(random, bytes.len()),
            bytes,
        }
    }

    fn outcome(&self, decoder: &mut Decoder, dialect: Dialect) -> Vec<u8> {
        let options = DecoderOptions {
            lenient: MODES[self.mode],
            max_header_size: self.max_header_size,
            dialect,
        };
        let method = METHODS[self.method];
        let transcript = transcript::decode(decoder, &self.bytes, &self.cuts, options, method);
        let lines: Vec<&[u8]> = transcript
            .lines
            .iter()
            .map(|line| line.0.as_slice())
            .collect();
        lines.join(&b'\n')
    }

    fn write(&self, decoder: &mut Decoder, out: &mut impl Write) -> io::Result<()> {
        for number in [
            self.mode,
            self.method,
            self.max_header_size,
            self.cuts.len(),
        ] {
            write_number(number, out)?;
        }
        for &cut in &self.cuts {
            write_number(cut, out)?;
        }
        let newest = self.outcome(decoder, Dialect::default());
        let oldest = self.outcome(decoder, Dialect::from_llhttp(9, 3, 1));
        for bytes in [&self.bytes, &newest, &oldest] {
            write_number(bytes.len(), out)?;
            out.write_all(bytes)?;
        }
        Ok(())
    }
}

/// Returns cuts into one packet, two, a few, or one for each byte.
fn random_cuts(random: &mut Random, length: usize) -> Vec<usize> {
    let count = match random.below(6) {
        0 | 1 => 0,
        2 => 1,
        3 => return (1..length).collect(),
        _ => 1 + random.below(6),
    };
    let mut cuts: Vec<usize> = (0..count).map(|_| random.below(length + 1)).collect();
    cuts.sort_unstable();
    cuts
}

fn write_number(number: usize, out: &mut impl Write) -> io::Result<()> {
    let number = u32::try_from(number).map_err(io::Error::other)?;
    out.write_all(&number.to_le_bytes())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, count, seed] = arguments.as_slice() else {
        return Err("usage: differential <file> <count> <seed>".into());
    };
    let mut cases = fixture::cases();
    cases.retain(|case| case.bytes.len() <= LONGEST);
    let mut random = Random::new(seed.parse()?);
    let mut out = BufWriter::new(fs::File::create(file)?);
    let mut decoder = Decoder::new(DecoderOptions {
        lenient: Leniency::None,
        max_header_size: 16_384,
        dialect: Dialect::default(),
    });
    for _ in 0..count.parse::<usize>()? {
        Arrival::random(&mut random, &cases).write(&mut decoder, &mut out)?;
    }
    out.flush()?;
    Ok(())
}
