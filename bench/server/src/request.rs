//! Request heads: only as much of them as the answer depends on.

use crate::body::{Body, Chunked};

/// More header fields than any client here sends.
const MAX_FIELDS: usize = 64;

/// What a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// 15 bytes.
    Small,
    /// 15 bytes under 18 header fields.
    Headers,
    /// This many bytes.
    Bytes(u64),
    /// 15 bytes once this many such requests wait.
    Gather(usize),
    /// The counts of TLS handshakes.
    Handshakes,
    /// 15 bytes if the request's own body had this many, else an error.
    Sink(u64),
    /// 404.
    Unknown,
}

/// A request whose head is complete.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// What to answer.
    pub route: Route,
    /// The body that follows, if one does.
    pub body: Option<Body>,
    /// Whether the connection ends with the answer.
    pub close: bool,
    /// The length of the head, with its empty line.
    pub head_length: usize,
}

/// The head is not valid HTTP/1.x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRequest;

/// Parses the head at the front of `input`; `None` means that more bytes are needed.
pub fn parse(input: &[u8]) -> Result<Option<Request>, BadRequest> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let head_length = match head.parse(input) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BadRequest),
    };
    let mut close = head.version != Some(1);
    let mut body = None;
    for field in head.headers.iter() {
        // The lengths come first: almost every field is ruled out without looking at its name.
        match field.name.len() {
            10 if field.name.eq_ignore_ascii_case("connection") => {
                close = field.value.eq_ignore_ascii_case(b"close");
            }
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                body = Some(Body::Length(decimal(field.value).ok_or(BadRequest)?));
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                body = Some(Body::Chunked(Chunked::Size(0)));
            }
            _ => {}
        }
    }
    let route = route_of(head.path.unwrap_or_default());
    Ok(Some(Request {
        route,
        body: body.filter(|body| *body != Body::Length(0)),
        close,
        head_length,
    }))
}

fn route_of(path: &str) -> Route {
    if path == "/small" {
        Route::Small
    } else if path == "/headers" {
        Route::Headers
    } else if path == "/handshakes" {
        Route::Handshakes
    } else if let Some(count) = path.strip_prefix("/bytes/") {
        count.parse().map_or(Route::Unknown, Route::Bytes)
    } else if let Some(count) = path.strip_prefix("/sink/") {
        count.parse().map_or(Route::Unknown, Route::Sink)
    } else if let Some(count) = path.strip_prefix("/gather/") {
        count.parse().map_or(Route::Unknown, Route::Gather)
    } else {
        Route::Unknown
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_head_asks_for_more() {
        let head = b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(parse(&head[..end]), Ok(None), "with {end} bytes");
        }
        let request = parse(head).unwrap().unwrap();
        assert_eq!(
            (request.route, request.close, request.head_length),
            (Route::Small, false, head.len())
        );
    }

    #[test]
    fn framing_and_persistence_are_read_from_the_fields() {
        let request =
            parse(b"POST /sink/12 HTTP/1.1\r\nContent-Length: 12\r\nConnection: close\r\n\r\n")
                .unwrap()
                .unwrap();
        assert_eq!(
            (request.route, request.body, request.close),
            (Route::Sink(12), Some(Body::Length(12)), true)
        );
        let request = parse(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!(request.body, Some(Body::Chunked(Chunked::Size(0))));
    }

    #[test]
    fn paths_and_the_counts_in_them_are_parsed() {
        assert_eq!(route_of("/bytes/65536"), Route::Bytes(65_536));
        assert_eq!(route_of("/gather/4000"), Route::Gather(4_000));
        assert_eq!(route_of("/handshakes"), Route::Handshakes);
        assert_eq!(route_of("/bytes/"), Route::Unknown);
        assert_eq!(route_of("/"), Route::Unknown);
    }
}
