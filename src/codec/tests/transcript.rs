//! Transcript of a decoder's events, as lines that a test compares with another segmentation or with Node's parser.
//!
//! `fuzz/oracle.js` writes the same lines, and says what they mean. The fuzz targets include this file too; there,
//! `super::codec` is the crate's.

use super::codec::{
    DecodeError, Decoder, DecoderOptions, ErrorKind, Event, Fields, Head, RequestMethod,
};
use std::fmt;

/// Line of a transcript; it may hold any bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Line(pub Vec<u8>);

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// End of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A whole message was the end.
    Complete,
    /// A head was the end, and another protocol follows.
    Upgraded,
    /// An error was the end.
    Failed,
    /// The end came in or before a message.
    Open,
}

/// All events of a decoder for some bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    pub lines: Vec<Line>,
    pub error: Option<DecodeError>,
    upgraded: bool,
    /// Number of lines up to the first 101 that upgraded nothing; there, Node drops the rest of the packet.
    lines_at_drop: Option<usize>,
}

impl Transcript {
    pub fn verdict(&self) -> Verdict {
        if self.upgraded {
            return Verdict::Upgraded;
        }
        match (self.error, self.lines.last()) {
            (Some(error), _) if error.kind != ErrorKind::InvalidEofState => Verdict::Failed,
            (None, Some(Line(last))) if last == b"end" => Verdict::Complete,
            _ => Verdict::Open,
        }
    }

    fn push(&mut self, line: impl Into<Vec<u8>>) {
        self.lines.push(Line(line.into()));
    }

    fn push_body(&mut self, body: &mut Vec<u8>) {
        if !body.is_empty() {
            self.push([b"body ", &body[..]].concat());
            body.clear();
        }
    }

    fn push_fields(&mut self, kind: &str, fields: Fields<'_>) {
        assert_eq!(fields.iter().count(), fields.len());
        for (name, value) in fields {
            self.push([kind.as_bytes(), b" ", name, b": ", value].concat());
        }
    }

    fn push_head(&mut self, kind: &str, head: &Head<'_>) {
        let line = format!(
            "{kind} {}.{} {} {}{} ",
            head.version_major,
            head.version_minor,
            head.status,
            if head.keep_alive {
                "keep-alive"
            } else {
                "close"
            },
            if head.upgrade { " upgrade" } else { "" },
        );
        self.push([line.as_bytes(), head.reason].concat());
        self.push_fields("field", head.fields);
    }

    fn push_error(&mut self, error: DecodeError, consumed: usize) {
        self.error = Some(error);
        self.push(format!(
            "error {} {} {}",
            error.kind.code(),
            consumed + error.offset,
            error.reason
        ));
    }
}

/// Decodes the packets into which `cuts` divides the bytes, and then the end of the stream.
///
/// Panics if the decoder breaks its contract. It must not consume more than there is, or need more input while it has
/// some, or give an event after an upgrade or an error.
pub fn decode(
    decoder: &mut Decoder,
    bytes: &[u8],
    cuts: &[usize],
    options: DecoderOptions,
    method: RequestMethod,
) -> Transcript {
    decoder.reset(options, method);
    assert!(decoder.is_idle());
    let mut transcript = Transcript::default();
    let mut body = Vec::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        if !decode_packet(decoder, &bytes[..to], from, &mut body, &mut transcript) {
            return transcript;
        }
        from = to;
    }
    match decoder.finish() {
        Ok(None) => transcript.push_body(&mut body),
        Ok(Some(event)) => {
            assert!(matches!(event, Event::End(trailers) if trailers.is_empty()));
            transcript.push_body(&mut body);
            transcript.push("end at eof");
        }
        Err(error) => {
            transcript.push_body(&mut body);
            transcript.error = Some(error);
            transcript.push(format!("eof {} {}", error.kind.code(), error.reason));
        }
    }
    transcript
}

/// Decodes a packet, the bytes after `from`. Returns false if no packet may follow.
fn decode_packet(
    decoder: &mut Decoder,
    bytes: &[u8],
    from: usize,
    body: &mut Vec<u8>,
    transcript: &mut Transcript,
) -> bool {
    let mut at = from;
    loop {
        let ahead = decoder.plain_body_ahead();
        let (consumed, event) = match decoder.decode(&bytes[at..]) {
            Ok(progress) => progress,
            Err(error) => {
                assert!(error.offset <= bytes.len() - at);
                transcript.push_body(body);
                transcript.push_error(error, at);
                assert_eq!(
                    decoder.decode(&bytes[at..]),
                    Err(DecodeError { offset: 0, ..error })
                );
                return false;
            }
        };
        at += consumed;
        assert!(at <= bytes.len());
        if !matches!(event, None | Some(Event::Data(_))) {
            transcript.push_body(body);
        }
        match event {
            None => {
                assert_eq!(at, bytes.len(), "more input is needed while there is some");
                return true;
            }
            Some(Event::Data(data)) => {
                assert!(!data.is_empty() && data.len() as u64 <= ahead || ahead == 0);
                body.extend_from_slice(data);
            }
            Some(Event::Information(head)) => transcript.push_head("information", &head),
            Some(Event::Head(head)) => {
                transcript.push_head("head", &head);
                if head.upgrade {
                    transcript.upgraded = true;
                    transcript.push(format!("upgrade {at}"));
                    assert_eq!(decoder.decode(&bytes[at..]), Ok((0, None)));
                    return false;
                }
                if head.status == 101 && transcript.lines_at_drop.is_none() {
                    transcript.lines_at_drop = Some(transcript.lines.len() + 1);
                }
            }
            Some(Event::End(trailers)) => {
                transcript.push_fields("trailer", trailers);
                transcript.push("end");
            }
        }
    }
}

/// Tells whether the same bytes in other packets gave the same transcript.
///
/// Two differences are Node's, and wanted. Node checks a limit where a packet ends, so smaller packets show an overflow
/// earlier, and perhaps before another error. And Node drops the rest of the packet after a 101 that upgrades nothing.
pub fn same(whole: &Transcript, split: &Transcript) -> Result<(), &'static str> {
    if let Some(count) = whole.lines_at_drop {
        let agree = whole.lines.get(..count) == split.lines.get(..count);
        return agree.then_some(()).ok_or("different up to the 101");
    }
    let overflow = [
        ErrorKind::HeaderOverflow,
        ErrorKind::ChunkExtensionsOverflow,
    ];
    if split
        .error
        .is_some_and(|error| overflow.contains(&error.kind))
        && whole.error.is_some()
    {
        let before = split.lines.len().saturating_sub(1);
        let agree = whole.lines.len() > before && whole.lines[..before] == split.lines[..before];
        return agree.then_some(()).ok_or("different before the overflow");
    }
    let agree = whole.lines == split.lines && whole.verdict() == split.verdict();
    agree.then_some(()).ok_or("different")
}
