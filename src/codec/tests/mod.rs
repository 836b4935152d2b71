//! Tests of the codec. Expectations come from Node's own parser (`table`), from the same bytes in other pieces
//! (`check_decoder`), or from a second parser (`agreement`).

mod agreement;
mod api;
mod corpus;
mod errors;
mod fixture;
mod json;
mod linear;
mod mutate;
mod mutations;
mod scanning;
mod table;
mod transcript;
mod whole_heads;
pub(super) mod work;

use super::{self as codec, Decoder, DecoderOptions, Dialect, Leniency, RequestMethod};
use transcript::{Transcript, Verdict};

/// Node's default limit of a head, in bytes.
const MAX_HEADER_SIZE: usize = 16_384;

/// Length in bytes up to which a test cuts an input at every byte; it cuts a longer one at some.
const EVERY_CUT_UP_TO: usize = 2_000;

fn options(lenient: Leniency) -> DecoderOptions {
    DecoderOptions {
        lenient,
        max_header_size: MAX_HEADER_SIZE,
        dialect: Dialect::default(),
    }
}

fn decode(
    bytes: &[u8],
    cuts: &[usize],
    options: DecoderOptions,
    method: RequestMethod,
) -> Transcript {
    transcript::decode(&mut Decoder::new(options), bytes, cuts, options, method)
}

/// Returns the outcome of `bytes` as one packet. Proves first that it is the same in any two packets and byte by byte,
/// with a decoder that was used before. Proves too that bytes after it change nothing in it.
fn check_decoder(bytes: &[u8], options: DecoderOptions, method: RequestMethod) -> Transcript {
    let whole = decode(bytes, &[], options, method);
    let mut decoder = Decoder::new(options);
    let step = if bytes.len() > EVERY_CUT_UP_TO {
        bytes.len() / 31
    } else {
        1
    };
    for cut in (1..bytes.len()).step_by(step) {
        let split = transcript::decode(&mut decoder, bytes, &[cut], options, method);
        assert_same(&whole, &split, bytes, &[cut]);
    }
    let every: Vec<usize> = (1..bytes.len()).collect();
    let split = transcript::decode(&mut decoder, bytes, &every, options, method);
    assert_same(&whole, &split, bytes, &every);
    check_trailing_data(&whole, bytes, options, method);
    whole
}

fn assert_same(whole: &Transcript, split: &Transcript, bytes: &[u8], cuts: &[usize]) {
    if let Err(why) = transcript::same(whole, split) {
        panic!(
            "{why}\n{:?}\ncut at {cuts:?}\nwhole {whole:#?}\nsplit {split:#?}",
            bytes.escape_ascii().to_string()
        );
    }
}

/// Proves that bytes after a complete outcome in the same packet change nothing in it.
fn check_trailing_data(
    whole: &Transcript,
    bytes: &[u8],
    options: DecoderOptions,
    method: RequestMethod,
) {
    let longer = [bytes, b"HTTP/1.1 299 Trailing\r\nContent-Length: 0\r\n\r\n"].concat();
    let longer = decode(&longer, &[], options, method);
    let unchanged = match whole.verdict() {
        Verdict::Complete => longer.lines.starts_with(&whole.lines),
        Verdict::Upgraded | Verdict::Failed => longer.lines == whole.lines,
        // The message goes on after `bytes`; only the last two lines may have become longer.
        Verdict::Open => longer
            .lines
            .starts_with(&whole.lines[..whole.lines.len().saturating_sub(2)]),
    };
    assert!(
        unchanged,
        "{:?}\n{whole:#?}\nwith more bytes {longer:#?}",
        bytes.escape_ascii().to_string()
    );
}
