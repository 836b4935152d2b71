//! The answers: built once, except those whose head or body changes.

use crate::tls::Handshakes;

/// The body of the small answers.
const SMALL_BODY: &str = "Hello, client!\n";

/// The size of the piece that large bodies are repeated from.
const PIECE: usize = 256 * 1024;

/// The fields that make the 18 of `/headers`, with the length and persistence fields that every answer has: what a
/// content delivery network puts on an API's response.
const MANY_FIELDS: &str = "Date: Mon, 06 Oct 2025 08:00:00 GMT\r\n\
    Server: bench\r\n\
    Cache-Control: public, max-age=3600, stale-while-revalidate=60\r\n\
    ETag: \"5f3c-61b2a9d0e4c40\"\r\n\
    Last-Modified: Sun, 05 Oct 2025 21:14:07 GMT\r\n\
    Vary: Accept-Encoding, Origin\r\n\
    Accept-Ranges: bytes\r\n\
    Age: 127\r\n\
    Access-Control-Allow-Origin: *\r\n\
    Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n\
    X-Content-Type-Options: nosniff\r\n\
    X-Frame-Options: SAMEORIGIN\r\n\
    X-Request-Id: 0f9a4c1e-7c57-4b7e-9a53-2d1f6b8e0c35\r\n\
    X-Cache: HIT\r\n\
    Set-Cookie: session=7d1f6b8e0c35; Path=/; HttpOnly; Secure\r\n";

/// The answers that do not depend on the request, each with and without `Connection: close`; and the handshake counts.
pub struct Responses {
    /// The TLS handshakes so far.
    pub handshakes: Handshakes,
    small: [Vec<u8>; 2],
    headers: [Vec<u8>; 2],
    not_found: [Vec<u8>; 2],
    wrong_length: [Vec<u8>; 2],
    piece: Vec<u8>,
}

impl Responses {
    /// Builds all of them.
    pub fn new() -> Self {
        let both = |make: &dyn Fn(bool) -> Vec<u8>| [make(false), make(true)];
        let small = |fields: &'static str| {
            move |close| {
                let mut answer = head("200 OK", fields, SMALL_BODY.len() as u64, close);
                answer.extend_from_slice(SMALL_BODY.as_bytes());
                answer
            }
        };
        Self {
            handshakes: Handshakes::default(),
            small: both(&small("")),
            headers: both(&small(MANY_FIELDS)),
            not_found: both(&|close| head("404 Not Found", "", 0, close)),
            wrong_length: both(&|close| head("400 Bad Request", "", 0, close)),
            piece: (b'a'..=b'z').cycle().take(PIECE).collect(),
        }
    }

    /// `GET /small`.
    pub fn small(&self, close: bool) -> &[u8] {
        &self.small[usize::from(close)]
    }

    /// `GET /headers`.
    pub fn headers(&self, close: bool) -> &[u8] {
        &self.headers[usize::from(close)]
    }

    /// `GET /handshakes`.
    pub fn handshakes(&self, close: bool) -> Vec<u8> {
        let body = self.handshakes.to_json();
        let mut answer = head("200 OK", "", body.len() as u64, close);
        answer.extend_from_slice(body.as_bytes());
        answer
    }

    /// Any other path.
    pub fn not_found(&self, close: bool) -> &[u8] {
        &self.not_found[usize::from(close)]
    }

    /// A body to `/sink/N` that did not have N bytes.
    pub fn wrong_length(&self, close: bool) -> &[u8] {
        &self.wrong_length[usize::from(close)]
    }

    /// What large bodies are repeated from.
    pub fn piece(&self) -> &[u8] {
        &self.piece
    }
}

/// The head of an answer whose body has `length` bytes.
pub fn bytes_head(length: u64, close: bool) -> Vec<u8> {
    head("200 OK", "", length, close)
}

fn head(status: &str, fields: &str, length: u64, close: bool) -> Vec<u8> {
    let connection = if close { "close" } else { "keep-alive" };
    format!(
        "HTTP/1.1 {status}\r\n{fields}Content-Type: text/plain\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_fields_are_eighteen() {
        let responses = Responses::new();
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut fields);
        assert!(head.parse(responses.headers(false)).unwrap().is_complete());
        assert_eq!(head.headers.len(), 18);
    }
}
