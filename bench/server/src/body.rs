//! Request bodies: counted, and thrown away.

/// What is left of a request's body, and where in its framing the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// This many more bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked` (RFC 9112 section 7.1).
    Chunked(Chunked),
}

/// A position in the chunked framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunked {
    /// In the digits of a chunk's size.
    Size(u64),
    /// In a chunk extension, or at the CR that ends the size.
    SizeLine(u64),
    /// In a chunk's data, with this much to go.
    Data(u64),
    /// In the line break after a chunk's data.
    DataEnd,
    /// In the trailer section; true if the current line has had a byte already.
    Trailer(bool),
}

/// How far a reader came in the bytes it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of input that belong to the body and its framing.
    pub consumed: usize,
    /// Bytes of those that are content.
    pub content: u64,
    /// Whether the body ended.
    pub done: bool,
}

/// The framing is not valid, so the connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadFraming;

impl Body {
    /// Reads as much of the body as `input` has.
    pub fn skip(&mut self, input: &[u8]) -> Result<Progress, BadFraming> {
        match self {
            Self::Length(left) => {
                let taken = step_over(left, input);
                Ok(Progress {
                    consumed: taken,
                    content: taken as u64,
                    done: *left == 0,
                })
            }
            Self::Chunked(state) => state.skip(input),
        }
    }
}

impl Chunked {
    fn skip(&mut self, input: &[u8]) -> Result<Progress, BadFraming> {
        let mut progress = Progress {
            consumed: 0,
            content: 0,
            done: false,
        };
        while let Some(rest) = input.get(progress.consumed..)
            && let Some(&byte) = rest.first()
        {
            if let Self::Data(left) = self {
                let taken = step_over(left, rest);
                progress.consumed += taken;
                progress.content += taken as u64;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                continue;
            }
            progress.consumed += 1;
            match self.after_framing_byte(byte)? {
                Some(next) => *self = next,
                None => {
                    progress.done = true;
                    break;
                }
            }
        }
        Ok(progress)
    }

    /// The state after one byte of framing; `None` when that byte ended the body.
    fn after_framing_byte(self, byte: u8) -> Result<Option<Self>, BadFraming> {
        Ok(Some(match (self, byte) {
            (Self::Size(0), b'\n') | (Self::SizeLine(0), b'\n') => Self::Trailer(false),
            (Self::Size(size), b'\n') | (Self::SizeLine(size), b'\n') => Self::Data(size),
            (Self::Size(size), b'\r' | b';' | b' ') => Self::SizeLine(size),
            (Self::Size(size), digit) => {
                let digit = char::from(digit).to_digit(16).ok_or(BadFraming)?;
                let size = size.checked_mul(16).ok_or(BadFraming)?;
                Self::Size(size | u64::from(digit))
            }
            (Self::SizeLine(size), _) => Self::SizeLine(size),
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size(0),
            (Self::Trailer(false), b'\n') => return Ok(None),
            (Self::Trailer(true), b'\n') => Self::Trailer(false),
            (Self::Trailer(used), b'\r') => Self::Trailer(used),
            (Self::Trailer(_), _) => Self::Trailer(true),
            (Self::DataEnd | Self::Data(_), _) => return Err(BadFraming),
        }))
    }
}

/// Takes what `input` has of the `left` bytes, and says how much that was.
fn step_over(left: &mut u64, input: &[u8]) -> usize {
    let taken = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(input.len());
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"4\r\nwiki\r\nA;name=value\r\n0123456789\r\n0\r\nExpires: now\r\n\r\n";

    /// Feeds `input` in pieces of `step` bytes and gives the content length and the bytes left over.
    fn read_all(mut body: Body, input: &[u8], step: usize) -> (u64, usize) {
        let mut content = 0;
        let mut consumed = 0;
        for piece in input.chunks(step) {
            let progress = body.skip(piece).unwrap();
            content += progress.content;
            consumed += progress.consumed;
            if progress.done {
                return (content, input.len() - consumed);
            }
            assert_eq!(progress.consumed, piece.len());
        }
        panic!("the body did not end");
    }

    #[test]
    fn chunked_body_is_counted_at_every_segmentation() {
        for step in 1..=CHUNKED.len() {
            assert_eq!(
                read_all(Body::Chunked(Chunked::Size(0)), CHUNKED, step),
                (14, 0),
                "in steps of {step}"
            );
        }
    }

    #[test]
    fn bytes_after_the_body_are_left_alone() {
        let mut input = CHUNKED.to_vec();
        input.extend_from_slice(b"GET / HTTP/1.1\r\n");
        assert_eq!(
            read_all(Body::Chunked(Chunked::Size(0)), &input, input.len()),
            (14, 16)
        );
        assert_eq!(read_all(Body::Length(5), b"12345GET", 8), (5, 3));
    }

    #[test]
    fn chunk_size_that_overflows_is_an_error() {
        let mut body = Body::Chunked(Chunked::Size(0));
        assert_eq!(body.skip(b"11112222333344445\r\n"), Err(BadFraming));
    }

    #[test]
    fn chunk_size_that_is_not_hexadecimal_is_an_error() {
        let mut body = Body::Chunked(Chunked::Size(0));
        assert_eq!(body.skip(b"+5\r\n"), Err(BadFraming));
    }
}
