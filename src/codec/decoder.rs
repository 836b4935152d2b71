//! State machine of a connection's responses. Every transition between the parts of a message is in this file.
//!
//! ```text
//! Idle ── StatusLine ── Header ─┬─ Length ──────────────────────┬─ Complete ─┬─ Idle
//!                               ├─ UntilClose ──────────────────┤            └─ Closed
//!                               ├─ Chunk ⇄ ChunkData            │
//!                               │    └─ Trailer ────────────────┤
//!                               ├─ (no body, interim response) ─┘
//!                               └─ Switched                        and from anywhere: Failed
//! ```
//!
//! A short head that one call has whole skips StatusLine and Header.

use super::chunked::ChunkFrame;
use super::cursor::{Cursor, Step};
use super::error::{DecodeError, ErrorKind};
use super::event::{Event, Head};
use super::field_line::{Context, FieldLines};
use super::fields::FieldBlock;
use super::framing::{BodyFraming, Flags, Message};
use super::limits::HeaderBudget;
use super::rules::{DecoderOptions, Rules};
use super::status_line::StatusLine;
use super::whole_head;

/// Method of a request, as far as it changes the framing of the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestMethod {
    /// HEAD: the response has no body, whatever its head says.
    Head,
    /// CONNECT: any response ends HTTP on this connection.
    Connect,
    /// Any other method.
    #[default]
    Other,
}

/// Part of a message that the decoder reads next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing yet: the decoder is between messages.
    #[default]
    Idle,
    StatusLine,
    Header,
    /// Body of known length.
    Length,
    /// Body that the end of the stream ends.
    UntilClose,
    /// Bytes before, between and after the data of chunks.
    Chunk,
    ChunkData,
    Trailer,
    /// Nothing more of this message: its last byte is read, and its end is not reported yet.
    Complete {
        /// The block holds trailer fields, and not the header's.
        trailers: bool,
    },
    /// Nothing that is HTTP: the connection has carried its last message.
    Closed,
    /// Another protocol: a head has ended HTTP.
    Switched,
    Failed(DecodeError),
}

/// Event without its borrows from the decoder.
enum Signal<'a> {
    Head,
    Data(&'a [u8]),
    End,
}

/// Decoder of the responses of one connection.
#[derive(Debug)]
pub struct Decoder {
    phase: Phase,
    rules: Rules,
    method: RequestMethod,
    /// A final head was reported since the reset. All that follows is more than the request asked for.
    answered: bool,
    /// The message under way is an interim response.
    interim: bool,
    /// The connection could carry another request when the header was complete.
    keep_alive: bool,
    /// The header ended HTTP on the connection.
    upgrade: bool,
    message: Message,
    budget: HeaderBudget,
    status_line: StatusLine,
    field_lines: FieldLines,
    chunk_frame: ChunkFrame,
    block: FieldBlock,
}

impl Decoder {
    /// Returns a decoder for the response to a request that is neither HEAD nor CONNECT; see [`Decoder::reset`].
    pub fn new(options: DecoderOptions) -> Self {
        Self {
            phase: Phase::Idle,
            rules: Rules::new(&options),
            method: RequestMethod::Other,
            answered: false,
            interim: false,
            keep_alive: false,
            upgrade: false,
            message: Message::default(),
            budget: HeaderBudget::new(options.max_header_size),
            status_line: StatusLine::default(),
            field_lines: FieldLines::default(),
            chunk_frame: ChunkFrame::default(),
            block: FieldBlock::default(),
        }
    }

    /// Arms the decoder for the response to a new request: forgets everything, keeps allocations.
    pub fn reset(&mut self, options: DecoderOptions, method: RequestMethod) {
        self.phase = Phase::Idle;
        self.rules = Rules::new(&options);
        self.method = method;
        self.answered = false;
        self.message = Message::default();
        self.budget = HeaderBudget::new(options.max_header_size);
    }

    /// Decodes up to the next event; returns the number of consumed bytes and the event, if one is complete.
    ///
    /// The caller loops: after `(n, Some(event))` it calls again with the rest. An empty rest counts too, because the
    /// head may be all of the message. `(n, None)` says that all input is consumed and the decoder needs more. After
    /// a head with `upgrade` the answer stays `(0, None)`: the rest is not HTTP.
    ///
    /// One loop is for one read from the network, because two answers depend on it. Node counts the bytes before an
    /// error from the start of the read. After a 101 that upgrades nothing, Node drops the rest of the read; the call
    /// that gives End consumes that rest.
    pub fn decode<'a>(
        &'a mut self,
        input: &'a [u8],
    ) -> Result<(usize, Option<Event<'a>>), DecodeError> {
        let mut cursor = Cursor::new(input);
        match self.advance(&mut cursor) {
            Ok(signal) => {
                let consumed = cursor.position();
                Ok((consumed, signal.map(|signal| self.event(signal))))
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Tells the decoder that the peer has ended its stream.
    ///
    /// Returns `Ok(Some(End))` if that completes a body without a length. Returns `Ok(None)` between messages and after
    /// an upgrade. In the middle of a message, that is an error.
    pub fn finish(&mut self) -> Result<Option<Event<'_>>, DecodeError> {
        match self.phase {
            Phase::UntilClose => {
                let signal = self.complete(false, &mut Cursor::new(&[]));
                self.phase = Phase::Closed;
                Ok(signal.map(|signal| self.event(signal)))
            }
            Phase::Complete { trailers } => {
                let signal = self.complete(trailers, &mut Cursor::new(&[]));
                self.phase = Phase::Closed;
                Ok(signal.map(|signal| self.event(signal)))
            }
            Phase::Idle | Phase::Closed | Phase::Switched => Ok(None),
            Phase::Failed(error) => Err(error),
            _ => Err(self.fail(DecodeError::new(
                ErrorKind::InvalidEofState,
                "Invalid EOF state",
                0,
            ))),
        }
    }

    /// Returns the number of next bytes that are body whatever they are. It is 0 outside of a body, and `u64::MAX` in a
    /// body that the end of the stream ends.
    ///
    /// The caller can take that many bytes without the decoder, and must call [`Decoder::skip_body`] then.
    pub const fn plain_body_ahead(&self) -> u64 {
        match self.phase {
            Phase::Length | Phase::ChunkData => self.message.content_length,
            Phase::UntilClose => u64::MAX,
            _ => 0,
        }
    }

    /// Tells the decoder that the caller has taken `count` bytes of body without it. The decoder ignores more than
    /// [`Decoder::plain_body_ahead`]. When that is 0, [`Decoder::decode`] gives the next event, even without input.
    pub fn skip_body(&mut self, count: u64) {
        let left = self.message.content_length.saturating_sub(count);
        match self.phase {
            Phase::Length => {
                self.message.content_length = left;
                if left == 0 {
                    self.phase = Phase::Complete { trailers: false };
                }
            }
            Phase::ChunkData => {
                self.message.content_length = left;
                if left == 0 {
                    self.chunk_frame.data_read();
                    self.phase = Phase::Chunk;
                }
            }
            _ => {}
        }
    }

    /// Returns true while the decoder has seen no byte of a message since the reset or the end of the last message.
    pub const fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Closed)
    }

    fn advance<'a>(&mut self, cursor: &mut Cursor<'a>) -> Result<Option<Signal<'a>>, DecodeError> {
        loop {
            match self.phase {
                Phase::Idle => {
                    skip_line_ends(cursor);
                    if cursor.peek().is_none() {
                        return Ok(None);
                    }
                    self.begin_message();
                    if self.take_whole_head(cursor) {
                        self.end_head();
                        return Ok(Some(Signal::Head));
                    }
                }
                Phase::StatusLine => {
                    let step = self.status_line.read(
                        cursor,
                        &mut self.message,
                        &mut self.budget,
                        &self.rules,
                    )?;
                    if step == Step::NeedInput {
                        return Ok(None);
                    }
                    self.field_lines.restart();
                    self.phase = Phase::Header;
                }
                Phase::Header => {
                    if self.read_fields(cursor)? == Step::NeedInput {
                        return Ok(None);
                    }
                    self.end_head();
                    return Ok(Some(Signal::Head));
                }
                Phase::Length | Phase::UntilClose | Phase::ChunkData => {
                    return Ok(self.read_data(cursor));
                }
                Phase::Chunk => {
                    let size = &mut self.message.content_length;
                    if self.chunk_frame.read(cursor, size, &self.rules)? == Step::NeedInput {
                        return Ok(None);
                    }
                    self.end_chunk_line();
                }
                Phase::Trailer => {
                    if self.read_fields(cursor)? == Step::NeedInput {
                        return Ok(None);
                    }
                    self.budget.restart();
                    self.phase = Phase::Complete { trailers: true };
                }
                Phase::Complete { trailers } => {
                    if let Some(signal) = self.complete(trailers, cursor) {
                        return Ok(Some(signal));
                    }
                }
                Phase::Closed => return self.read_after_close(cursor),
                Phase::Switched => return Ok(None),
                Phase::Failed(error) => return Err(error),
            }
        }
    }

    fn begin_message(&mut self) {
        self.block.clear();
        self.status_line.restart();
        self.interim = false;
        self.phase = Phase::StatusLine;
    }

    fn take_whole_head(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let mut context = Context {
            block: &mut self.block,
            message: &mut self.message,
            budget: &mut self.budget,
            rules: &self.rules,
        };
        whole_head::take(cursor, &mut self.status_line, &mut context)
    }

    fn read_fields(&mut self, cursor: &mut Cursor<'_>) -> Result<Step, DecodeError> {
        let mut context = Context {
            block: &mut self.block,
            message: &mut self.message,
            budget: &mut self.budget,
            rules: &self.rules,
        };
        self.field_lines.read(cursor, &mut context)
    }

    /// Ends the header: decides what the message is and which part of it follows.
    fn end_head(&mut self) {
        self.budget.restart();
        let message = &mut self.message;
        // This precedes `no_body`: in Node, a HEAD response without a length does not keep the connection.
        self.keep_alive = message.keeps_alive();
        self.upgrade = message.switches_protocols();
        let mut switched = self.upgrade;
        if !self.answered {
            if self.method == RequestMethod::Connect {
                self.upgrade = true;
                switched = true;
            } else {
                // 101 without an upgrade is a final response (Node does not count it as informational).
                self.interim = matches!(message.status, 100 | 102..=199);
                message.flags.no_body = self.interim || self.method == RequestMethod::Head;
            }
        }
        self.answered |= !self.interim;
        self.phase = match message.body_framing(switched) {
            BodyFraming::SwitchProtocols if self.upgrade => Phase::Switched,
            BodyFraming::SwitchProtocols | BodyFraming::None => Phase::Complete { trailers: false },
            BodyFraming::Length => Phase::Length,
            BodyFraming::UntilClose => Phase::UntilClose,
            BodyFraming::Chunked => {
                self.chunk_frame.restart();
                Phase::Chunk
            }
        };
    }

    fn read_data<'a>(&mut self, cursor: &mut Cursor<'a>) -> Option<Signal<'a>> {
        let ahead = usize::try_from(self.plain_body_ahead()).unwrap_or(usize::MAX);
        let data = cursor.take(ahead);
        if data.is_empty() {
            return None;
        }
        self.skip_body(data.len() as u64);
        Some(Signal::Data(data))
    }

    fn end_chunk_line(&mut self) {
        if self.message.content_length > 0 {
            self.phase = Phase::ChunkData;
        } else {
            self.block.clear();
            self.field_lines.restart();
            self.phase = Phase::Trailer;
        }
    }

    /// Ends the message after its last byte; gives End unless the message was an interim response.
    fn complete<'a>(&mut self, trailers: bool, cursor: &mut Cursor<'a>) -> Option<Signal<'a>> {
        if !trailers {
            self.block.clear();
        }
        if self.message.status == 101 {
            // Node stops parsing the packet after any 101, and drops the rest of it unless the 101 upgraded.
            cursor.take(usize::MAX);
        }
        let keeps_alive = self.message.keeps_alive();
        self.message.flags = Flags::default();
        if keeps_alive {
            self.message.content_length = 0;
        }
        self.phase = if keeps_alive || self.rules.insecure {
            Phase::Idle
        } else {
            Phase::Closed
        };
        (!self.interim).then_some(Signal::End)
    }

    fn read_after_close<'a>(
        &self,
        cursor: &mut Cursor<'a>,
    ) -> Result<Option<Signal<'a>>, DecodeError> {
        skip_line_ends(cursor);
        if cursor.peek().is_none() {
            return Ok(None);
        }
        cursor.skip();
        let reason = "Data after `Connection: close`";
        Err(DecodeError::new(
            ErrorKind::ClosedConnection,
            reason,
            cursor.position(),
        ))
    }

    fn event<'a>(&'a self, signal: Signal<'a>) -> Event<'a> {
        match signal {
            Signal::Data(data) => Event::Data(data),
            Signal::End => Event::End(self.block.fields()),
            Signal::Head => {
                let head = Head {
                    status: self.message.status,
                    version_major: self.message.version_major,
                    version_minor: self.message.version_minor,
                    reason: self.status_line.reason(),
                    fields: self.block.fields(),
                    keep_alive: self.keep_alive,
                    upgrade: self.upgrade,
                };
                if self.interim {
                    Event::Information(head)
                } else {
                    Event::Head(head)
                }
            }
        }
    }

    fn fail(&mut self, error: DecodeError) -> DecodeError {
        self.phase = Phase::Failed(DecodeError { offset: 0, ..error });
        error
    }
}

fn skip_line_ends(cursor: &mut Cursor<'_>) {
    while let Some(b'\r' | b'\n') = cursor.peek() {
        cursor.skip();
    }
}
