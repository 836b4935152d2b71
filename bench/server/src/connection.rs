//! One connection: bytes in, answers out.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use crate::body::Body;
use crate::request::{self, Request, Route};
use crate::response::{self, Responses};

/// A head that does not end within this is not one of ours.
const MAX_HEAD: usize = 64 * 1024;

/// Pieces of a large body that one call to the kernel carries.
const PIECES_A_WRITE: usize = 4;

/// The byte stream under a connection.
enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// What the server has to do for a connection that it called.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing, until the connection is ready again.
    Wait,
    /// Hold the answer until this many such requests wait.
    Gather(usize),
    /// Drop it.
    Close,
}

/// Where a connection stands in its current request.
enum Reading {
    Head,
    Body {
        body: Body,
        received: u64,
        route: Route,
        close: bool,
    },
    /// The answer waits for other connections.
    Held {
        close: bool,
    },
}

/// An accepted connection.
pub struct Connection {
    transport: Transport,
    reading: Reading,
    /// Bytes read that could not be used yet: an unfinished head, or requests behind a long answer.
    input: Vec<u8>,
    /// The part of the answer that was built for it; nothing of it is left once `sent` reaches its length.
    output: Vec<u8>,
    sent: usize,
    /// Bytes of a large body still to send after `output`.
    body_left: u64,
    close_after_output: bool,
    /// True from the TLS handshake on until the first request has put it among the counts.
    uncounted: bool,
}

impl Connection {
    /// A connection without TLS.
    pub fn plain(stream: TcpStream) -> Self {
        Self::new(Transport::Plain(stream))
    }

    /// A connection that begins with a TLS handshake.
    pub fn tls(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self::new(Transport::Tls(Box::new(StreamOwned::new(
            session, stream,
        )))))
    }

    fn new(transport: Transport) -> Self {
        Self {
            uncounted: matches!(transport, Transport::Tls(_)),
            transport,
            reading: Reading::Head,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            body_left: 0,
            close_after_output: false,
        }
    }

    /// The socket, for its registration with the poll.
    pub fn socket(&mut self) -> &mut TcpStream {
        match &mut self.transport {
            Transport::Plain(stream) => stream,
            Transport::Tls(stream) => &mut stream.sock,
        }
    }

    /// Reads until the kernel has no more, answering as it goes.
    pub fn on_readable(&mut self, responses: &Responses, buffer: &mut [u8]) -> Outcome {
        loop {
            match self.transport.read(buffer) {
                Ok(0) => return Outcome::Close,
                Ok(read) => {
                    let Some(bytes) = buffer.get(..read) else {
                        return Outcome::Close;
                    };
                    match self.on_bytes(responses, bytes) {
                        Outcome::Wait => {}
                        other => return other,
                    }
                    // A short read on a TCP socket means that it is empty, and spares the call that would say so
                    // (epoll(7), on edge-triggered use). A FIN makes an edge of its own.
                    if read < buffer.len() && matches!(self.transport, Transport::Plain(_)) {
                        return Outcome::Wait;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Outcome::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Outcome::Close,
            }
        }
    }

    /// Sends what the kernel did not take before.
    pub fn on_writable(&mut self, responses: &Responses) -> Outcome {
        if self.is_idle() && !self.transport.wants_write() {
            return Outcome::Wait;
        }
        match self.write_out(responses) {
            // Requests may have queued up behind the answer that is now out.
            Outcome::Wait if self.is_idle() && !self.input.is_empty() => {
                self.on_bytes(responses, &[])
            }
            other => other,
        }
    }

    /// Sends the answer that was held back.
    pub fn release(&mut self, responses: &Responses) -> Outcome {
        if let Reading::Held { close } = self.reading {
            self.reading = Reading::Head;
            self.close_after_output = close;
            self.output.extend_from_slice(responses.small(close));
        }
        self.write_out(responses)
    }

    fn on_bytes(&mut self, responses: &Responses, bytes: &[u8]) -> Outcome {
        if self.input.is_empty() {
            return self.consume(responses, bytes);
        }
        let mut joined = std::mem::take(&mut self.input);
        joined.extend_from_slice(bytes);
        self.consume(responses, &joined)
    }

    /// Goes through `bytes` request by request and keeps what cannot be used yet.
    fn consume(&mut self, responses: &Responses, mut bytes: &[u8]) -> Outcome {
        while !bytes.is_empty() && self.is_idle() {
            match &mut self.reading {
                Reading::Head => match request::parse(bytes) {
                    Ok(Some(request)) => {
                        bytes = bytes.get(request.head_length..).unwrap_or_default();
                        if let Some(wanted) = self.on_request(responses, &request) {
                            self.input.extend_from_slice(bytes);
                            return Outcome::Gather(wanted);
                        }
                    }
                    Ok(None) if bytes.len() < MAX_HEAD => break,
                    Ok(None) | Err(_) => return Outcome::Close,
                },
                Reading::Body {
                    body,
                    received,
                    route,
                    close,
                } => {
                    let Ok(progress) = body.skip(bytes) else {
                        return Outcome::Close;
                    };
                    *received += progress.content;
                    bytes = bytes.get(progress.consumed..).unwrap_or_default();
                    if progress.done {
                        let (route, received, close) = (*route, *received, *close);
                        self.reading = Reading::Head;
                        self.answer(responses, route, received, close);
                    }
                }
                Reading::Held { .. } => break,
            }
            if let Outcome::Close = self.write_out(responses) {
                return Outcome::Close;
            }
        }
        self.input.extend_from_slice(bytes);
        Outcome::Wait
    }

    /// Starts the answer to a request, or the reading of its body; gives the count to wait for if it is to be held.
    fn on_request(&mut self, responses: &Responses, request: &Request) -> Option<usize> {
        let (route, close) = (request.route, request.close);
        if self.uncounted {
            self.uncounted = false;
            responses.handshakes.count(self.transport.handshake_kind());
        }
        if let Some(body) = request.body {
            self.reading = Reading::Body {
                body,
                received: 0,
                route,
                close,
            };
            return None;
        }
        if let Route::Gather(wanted) = route {
            self.reading = Reading::Held { close };
            return Some(wanted);
        }
        self.answer(responses, route, 0, close);
        None
    }

    /// Builds the answer to a request whose body had `received` bytes.
    fn answer(&mut self, responses: &Responses, route: Route, received: u64, close: bool) {
        self.close_after_output = close;
        let built = match route {
            Route::Small => responses.small(close),
            Route::Headers => responses.headers(close),
            Route::Sink(expected) if expected == received => responses.small(close),
            Route::Sink(_) => responses.wrong_length(close),
            Route::Unknown | Route::Gather(_) => responses.not_found(close),
            Route::Handshakes => {
                self.output = responses.handshakes(close);
                return;
            }
            Route::Bytes(length) => {
                self.output = response::bytes_head(length, close);
                self.body_left = length;
                return;
            }
        };
        self.output.extend_from_slice(built);
    }

    /// Whether nothing waits to be sent.
    fn is_idle(&self) -> bool {
        self.sent == self.output.len() && self.body_left == 0
    }

    /// Writes until everything is out or the kernel takes no more.
    fn write_out(&mut self, responses: &Responses) -> Outcome {
        while !self.is_idle() {
            match self.write_some(responses) {
                Ok(0) => return Outcome::Close,
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Outcome::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Outcome::Close,
            }
        }
        self.output.clear();
        self.sent = 0;
        if self.close_after_output {
            self.transport.send_close_notify();
        }
        match self.transport.flush() {
            Ok(()) if self.close_after_output => Outcome::Close,
            Ok(()) => Outcome::Wait,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Outcome::Wait,
            Err(_) => Outcome::Close,
        }
    }

    /// One write: what is built, and as many pieces of the body as fit.
    fn write_some(&mut self, responses: &Responses) -> io::Result<usize> {
        let built = self.output.get(self.sent..).unwrap_or_default();
        if self.body_left == 0 {
            return self.transport.write(built);
        }
        let mut slices = [IoSlice::new(&[]); PIECES_A_WRITE + 1];
        let mut used = 0;
        let mut left = usize::try_from(self.body_left).unwrap_or(usize::MAX);
        if let Some(slot) = slices.first_mut()
            && !built.is_empty()
        {
            *slot = IoSlice::new(built);
            used = 1;
        }
        for slot in slices.iter_mut().skip(used).take(PIECES_A_WRITE) {
            let piece = responses.piece();
            let part = piece.get(..left).unwrap_or(piece);
            *slot = IoSlice::new(part);
            left -= part.len();
        }
        self.transport.write_vectored(&slices)
    }

    fn advance(&mut self, written: usize) {
        let built = written.min(self.output.len() - self.sent);
        self.sent += built;
        self.body_left -= (written - built) as u64;
    }
}

impl Transport {
    fn wants_write(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.conn.wants_write(),
        }
    }

    fn handshake_kind(&self) -> Option<HandshakeKind> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.conn.handshake_kind(),
        }
    }

    /// Queues the alert that a TLS peer needs to tell an end from a cut (RFC 8446 section 6.1).
    fn send_close_notify(&mut self) {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write_vectored(slices),
            Self::Tls(stream) => stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
