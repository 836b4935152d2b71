//! Case table `__test__/fixtures/responses.json`: responses, and their outcomes in Node's parser.
//!
//! `node fuzz/oracle.js record` wrote the outcomes; `node fuzz/oracle.js check` proves them on any Node.
//! `fuzz/differential.rs` includes this file too, for the responses.

use super::codec::{Leniency, RequestMethod};
use super::json::Json;
use super::transcript::Transcript;

/// Response of the table.
pub struct Case {
    pub name: String,
    pub method: RequestMethod,
    pub bytes: Vec<u8>,
    json: Json,
}

/// Returns all cases of the table.
pub fn cases() -> Vec<Case> {
    let text = include_str!("../../../__test__/fixtures/responses.json");
    let Json::List(items) = Json::parse(text) else {
        panic!("no list");
    };
    items.into_iter().map(Case::new).collect()
}

impl Case {
    fn new(json: Json) -> Self {
        let member = |key| {
            json.get(key)
                .unwrap_or_else(|| panic!("no {key}: {json:?}"))
        };
        Self {
            name: member("name").text().to_owned(),
            method: match member("method").text() {
                "HEAD" => RequestMethod::Head,
                "CONNECT" => RequestMethod::Connect,
                _ => RequestMethod::Other,
            },
            bytes: member("bytes").list().iter().flat_map(part_bytes).collect(),
            json,
        }
    }

    /// Returns the outcome in the parser of an llhttp release, abbreviated. None without an answer: 9.3 has no relaxed
    /// mode, and in that mode some 9.4 loop for ever on NUL in a header value.
    pub fn outcome(&self, llhttp: &str, lenient: Leniency) -> Option<Vec<String>> {
        let mode = match lenient {
            Leniency::None => "strict",
            Leniency::All => "lenient",
            Leniency::HeaderValueRelaxed if llhttp == "9.3.1" || self.bytes.contains(&0) => {
                return None;
            }
            Leniency::HeaderValueRelaxed => "relaxed",
        };
        let newest = self.json.get("outcomes")?;
        let own = self
            .json
            .get(&format!("llhttp {llhttp}"))
            .and_then(|outcomes| outcomes.get(mode));
        // Relaxed is recorded only where it differs from strict.
        let lines = own
            .or_else(|| newest.get(mode))
            .or_else(|| newest.get("strict"))?;
        Some(
            lines
                .list()
                .iter()
                .map(|line| line.text().to_owned())
                .collect(),
        )
    }
}

/// Returns the bytes of a part: a string, or `[string, times]`.
fn part_bytes(part: &Json) -> Vec<u8> {
    match part {
        Json::List(pair) => match pair.as_slice() {
            [text, Json::Number(times)] => latin1_bytes(text.text()).repeat(*times),
            other => panic!("no pair: {other:?}"),
        },
        text => latin1_bytes(text.text()),
    }
}

fn latin1_bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).expect("a byte"))
        .collect()
}

/// Returns the lines as the table has them: long ones by beginning, length and checksum, repeated ones by number.
pub fn abbreviate(transcript: &Transcript) -> Vec<String> {
    let mut folded: Vec<(String, usize)> = Vec::new();
    for line in &transcript.lines {
        let line = abbreviate_line(&line.0);
        match folded.last_mut() {
            Some((last, count)) if *last == line => *count += 1,
            _ => folded.push((line, 1)),
        }
    }
    let name = |(line, count)| {
        if count > 1 {
            format!("{line} ({count} times)")
        } else {
            line
        }
    };
    folded.into_iter().map(name).collect()
}

fn abbreviate_line(line: &[u8]) -> String {
    let text: String = line.iter().copied().map(char::from).collect();
    if line.len() <= 120 {
        return text;
    }
    let weigh =
        |sum, (index, &byte): (usize, &u8)| (sum + usize::from(byte) * (index + 1)) % 65_521;
    let sum = line.iter().enumerate().fold(0, weigh);
    let start: String = text.chars().take(60).collect();
    format!("{start}... ({} characters, sum {sum})", line.len())
}
