//! The way of whole heads against the incremental readers: they take what it takes, and both see the same head.

use super::codec::cursor::{Cursor, Step};
use super::codec::field_line::{Context, FieldLines};
use super::codec::fields::FieldBlock;
use super::codec::framing::Message;
use super::codec::limits::HeaderBudget;
use super::codec::rules::Rules;
use super::codec::status_line::StatusLine;
use super::codec::{DecodeError, DecoderOptions, Dialect, Leniency, whole_head};
use super::mutate::{Random, mutate};
use super::{MAX_HEADER_SIZE, fixture, options};

/// All that a reader of heads writes to.
struct Reader {
    rules: Rules,
    budget: HeaderBudget,
    message: Message,
    status_line: StatusLine,
    block: FieldBlock,
}

impl Reader {
    fn new(options: &DecoderOptions) -> Self {
        Self {
            rules: Rules::new(options),
            budget: HeaderBudget::new(options.max_header_size),
            message: Message::default(),
            status_line: StatusLine::default(),
            block: FieldBlock::default(),
        }
    }

    fn take_whole(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let mut context = Context {
            block: &mut self.block,
            message: &mut self.message,
            budget: &mut self.budget,
            rules: &self.rules,
        };
        whole_head::take(cursor, &mut self.status_line, &mut context)
    }

    fn read_incrementally(&mut self, cursor: &mut Cursor<'_>) -> Result<Step, DecodeError> {
        let rules = &self.rules;
        let status_line = &mut self.status_line;
        if status_line.read(cursor, &mut self.message, &mut self.budget, rules)? == Step::NeedInput
        {
            return Ok(Step::NeedInput);
        }
        let mut context = Context {
            block: &mut self.block,
            message: &mut self.message,
            budget: &mut self.budget,
            rules,
        };
        FieldLines::default().read(cursor, &mut context)
    }

    /// Everything but the budget, which a head that is complete gives back.
    fn seen(&self) -> String {
        let (message, fields) = (&self.message, self.block.fields());
        let (reason, block) = (self.status_line.reason(), fields.as_bytes());
        format!(
            "{message:?} {} {} {}",
            reason.escape_ascii(),
            fields.len(),
            block.escape_ascii()
        )
    }
}

/// Tells whether httparse's way takes the head of `bytes`. Proves first that the incremental readers see the same head,
/// or that a refusal has left no trace. The decoder skips line ends before a head, and so does this function.
fn takes(bytes: &[u8], options: DecoderOptions) -> bool {
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte));
    let bytes = &bytes[start.unwrap_or(bytes.len())..];
    let mut whole = Reader::new(&options);
    let mut cursor = Cursor::new(bytes);
    let taken = whole.take_whole(&mut cursor);
    let mut incremental = Reader::new(&options);
    let mut expected = Cursor::new(&[]);
    if taken {
        expected = Cursor::new(bytes);
        let step = incremental.read_incrementally(&mut expected);
        assert_eq!(step, Ok(Step::Done), "{}", bytes.escape_ascii());
    }
    assert_eq!(
        (cursor.position(), whole.seen()),
        (expected.position(), incremental.seen()),
        "{} with {options:?}",
        bytes.escape_ascii()
    );
    taken
}

fn takes_strictly(bytes: &[u8]) -> bool {
    takes(bytes, options(Leniency::None))
}

#[test]
fn usual_heads_are_taken() {
    let heads: [&[u8]; 17] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.0 302 Moved Temporarily\r\nLocation: /\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 200 \r\n\r\n",
        b"HTTP/1.1 200   two  words \t\r\n\r\n",
        b"HTTP/1.1 999 \xe9t\xe9\r\nA: b\r\n\r\n",
        b"HTTP/1.1 000 OK\r\nA:b\r\nB: \t c\r\nC:\r\nD: \t\r\nE:f \t \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \x80\xff\r\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked \r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\t\r\nProxy-Connection: keep-alive, x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection:\r\nUpgrade:\r\n\r\n",
    ];
    for head in heads {
        assert!(takes_strictly(head), "{}", head.escape_ascii());
    }
}

#[test]
fn heads_on_which_httparse_and_llhttp_may_differ_are_left() {
    let heads: [&[u8]; 33] = [
        // Bare LF, at every line end.
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 200\nA: b\r\n\r\n",
        b"HTTP/1.1 200 \nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b \nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA:\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\n\r\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\n\nA: b\r\n\r\n",
        // Bare CR.
        b"HTTP/1.1 200 OK\r\rA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA:\rC: d\r\n\r\n",
        // Content-Length: a second one, none, and what is not a number that fits.
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\t\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
        // Transfer-Encoding: without a value, and beside Content-Length.
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
        // Old line folding, and spaces around a name.
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA:\r\n\tc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        // Bytes that have no place there.
        b"HTTP/1.1 200 O\0K\r\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x01\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA\x7f: b\r\n\r\n",
        // Versions, of which httparse knows two, and codes that are none.
        b"HTTP/2.0 200 OK\r\nA: b\r\n\r\n",
        b"ICE/1.0 200 OK\r\nA: b\r\n\r\n",
        b"HTTP/1.1 20 OK\r\nA: b\r\n\r\n",
    ];
    for head in heads {
        assert!(!takes_strictly(head), "{}", head.escape_ascii());
    }
}

#[test]
fn a_head_that_is_cut_or_long_is_left() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    for end in 0..head.len() {
        assert!(!takes_strictly(&head[..end]), "{end}");
    }
    let with_value = |length| {
        let value = "v".repeat(length);
        format!("HTTP/1.1 200 OK\r\nA: {value}\r\n\r\nbody").into_bytes()
    };
    let fits = (0..1_000).filter(|&length| takes_strictly(&with_value(length)));
    assert_eq!(
        fits.max(),
        Some(512 - b"HTTP/1.1 200 OK\r\nA: \r\n\r\n".len())
    );
    let with_fields = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A:b\r\n".repeat(count));
    let fits = (0..100).filter(|&count| takes_strictly(with_fields(count).as_bytes()));
    assert_eq!(fits.max(), Some(64));
}

#[test]
fn a_head_that_may_pass_the_limit_is_left() {
    let head = b"HTTP/1.1 200 OK\r\nName: value\r\n\r\n";
    for max_header_size in 0..50 {
        let options = DecoderOptions {
            max_header_size,
            ..options(Leniency::None)
        };
        assert_eq!(
            takes(head, options),
            max_header_size >= head.len(),
            "{max_header_size}"
        );
    }
}

#[test]
fn insecure_heads_are_left_and_relaxed_ones_taken() {
    let head = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    assert!(!takes(head, options(Leniency::All)));
    assert!(takes(head, options(Leniency::HeaderValueRelaxed)));
    let control = b"HTTP/1.1 200 OK\r\nA: b\x01\r\n\r\n";
    assert!(!takes(control, options(Leniency::HeaderValueRelaxed)));
}

#[test]
fn both_ways_see_the_same_in_the_table_and_in_changes_of_it() {
    const ROUNDS: usize = 300_000;
    let cases = fixture::cases();
    let of_table = cases
        .iter()
        .filter(|case| takes_strictly(&case.bytes))
        .count();
    assert!(of_table > 200, "{of_table} of the table");
    let short: Vec<_> = cases
        .iter()
        .filter(|case| case.bytes.len() < 1_000)
        .collect();
    let mut random = Random::new(1);
    let mut taken = 0;
    for _ in 0..ROUNDS {
        let case = random.of(&short);
        let options = DecoderOptions {
            lenient: *random.of(&[Leniency::None, Leniency::HeaderValueRelaxed]),
            max_header_size: *random.of(&[MAX_HEADER_SIZE, MAX_HEADER_SIZE, 100, 40]),
            dialect: *random.of(&[Dialect::default(), Dialect::from_llhttp(9, 3, 1)]),
        };
        taken += usize::from(takes(&mutate(&mut random, case.bytes.clone()), options));
    }
    assert!(
        (ROUNDS / 10..ROUNDS * 9 / 10).contains(&taken),
        "{taken} of {ROUNDS}"
    );
}
