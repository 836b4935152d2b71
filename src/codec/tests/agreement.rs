//! Agreement of the incremental readers with `httparse`: both see the same fields in every head that both take.

use super::codec::{Decoder, Event, Leniency, RequestMethod};
use super::{fixture, options};

/// Minor version, status, reason and fields.
type Seen = (u8, u16, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

/// Reads byte by byte, so that no head is whole in a call: the decoder would give a whole one to httparse.
fn ours(bytes: &[u8]) -> Option<(usize, Seen)> {
    let options = options(Leniency::None);
    let mut decoder = Decoder::new(options);
    decoder.reset(options, RequestMethod::Other);
    for (index, byte) in bytes.iter().enumerate() {
        let event = decoder.decode(std::slice::from_ref(byte)).ok()?.1;
        if let Some(Event::Head(head) | Event::Information(head)) = event {
            let fields = head.fields.iter();
            let fields = fields.map(|(name, value)| (name.to_vec(), value.to_vec()));
            let reason = head.reason.to_vec();
            let seen = (head.version_minor, head.status, reason, fields.collect());
            return (head.version_major == 1).then_some((index + 1, seen));
        }
    }
    None
}

fn theirs(bytes: &[u8]) -> Option<(usize, Seen)> {
    let mut headers = vec![httparse::EMPTY_HEADER; 4096];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(consumed) = response.parse(bytes).ok()? else {
        return None;
    };
    let fields = response
        .headers
        .iter()
        .map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec()))
        .collect();
    // httparse hides a reason phrase with bytes that are not ASCII.
    let reason = response.reason?.as_bytes().to_vec();
    Some((
        consumed,
        (response.version?, response.code?, reason, fields),
    ))
}

#[test]
fn httparse_sees_the_same_head() {
    let mut both = 0;
    for case in fixture::cases() {
        let (Some((our_end, ours)), Some((their_end, theirs))) =
            (ours(&case.bytes), theirs(&case.bytes))
        else {
            continue;
        };
        let hidden_reason = theirs.2.is_empty() && !ours.2.is_ascii();
        // httparse drops the first spaces of a reason phrase, and the decoder keeps them.
        let same_reason =
            ours.2.trim_ascii_start() == theirs.2 || ours.2 == theirs.2 || hidden_reason;
        assert!(same_reason, "{}: {ours:?} {theirs:?}", case.name);
        assert_eq!(
            (our_end, ours.0, ours.1, &ours.3),
            (their_end, theirs.0, theirs.1, &theirs.3),
            "{}",
            case.name
        );
        both += 1;
    }
    assert!(both > 250, "only {both} cases were taken by both");
}
