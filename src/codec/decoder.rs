//! The state machine of a connection's responses. Every transition between the parts of a message is in this file.
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

/// What a decoder has to know about the request: whether its method changes the framing of the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestMethod {
    /// The response has no body, whatever its head says.
    Head,
    /// Whatever the response is, it ends HTTP on this connection.
    Connect,
    /// Any other method.
    #[default]
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Between messages.
    #[default]
    Idle,
    StatusLine,
    Header,
    /// In a body of known length.
    Length,
    /// In a body that the end of the stream ends.
    UntilClose,
    /// Before, between or after the data of chunks.
    Chunk,
    ChunkData,
    Trailer,
    /// After the last byte of a message whose end is not reported yet.
    Complete {
        /// Whether the block holds trailer fields, and not the header's.
        trailers: bool,
    },
    /// After the last message that the connection can carry.
    Closed,
    /// After the head that ended HTTP.
    Switched,
    Failed(DecodeError),
}

/// An event without its borrows from the decoder.
enum Signal<'a> {
    Head,
    Data(&'a [u8]),
    End,
}

/// Decodes the responses of one connection.
#[derive(Debug)]
pub struct Decoder {
    phase: Phase,
    rules: Rules,
    method: RequestMethod,
    /// Whether a final head was reported since the reset. All that follows is then more than was asked for.
    answered: bool,
    /// Whether the message under way is an interim response.
    interim: bool,
    /// The answers about the message under way as they were when its header was complete.
    keep_alive: bool,
    upgrade: bool,
    message: Message,
    budget: HeaderBudget,
    status_line: StatusLine,
    field_lines: FieldLines,
    chunk_frame: ChunkFrame,
    block: FieldBlock,
}

impl Decoder {
    /// A decoder for the response to a request that is neither HEAD nor CONNECT; see [`Decoder::reset`].
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

    /// Arms for the response to a new request on the same connection: forgets everything, keeps allocations.
    pub fn reset(&mut self, options: DecoderOptions, method: RequestMethod) {
        self.phase = Phase::Idle;
        self.rules = Rules::new(&options);
        self.method = method;
        self.answered = false;
        self.message = Message::default();
        self.budget = HeaderBudget::new(options.max_header_size);
    }

    /// Looks at the input, and returns how much of it was consumed and the next event, if one is complete.
    ///
    /// Called in a loop: after `(n, Some(event))` again with the rest, even an empty one (the head may have been all
    /// of the message); `(n, None)` means that all of the input was consumed and more is needed. After a head with
    /// `upgrade` it is `(0, None)` for ever: the rest is not HTTP.
    ///
    /// One loop is meant to get one read from the network: where an error counts its bytes, and what Node drops after
    /// a 101 that upgrades nothing (the rest of the packet; End consumes it), depends on it.
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

    /// The peer ended its stream.
    ///
    /// `Ok(Some(End))` if a body that only the end of the stream delimits is thereby complete, `Ok(None)` between
    /// messages and after an upgrade, and an error in the middle of a message.
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

    /// How many of the next bytes are plain body whatever they are; `u64::MAX` if all until the end of the stream,
    /// and 0 outside of a body.
    ///
    /// So many bytes can go around the decoder; [`Decoder::skip_body`] must then tell it.
    pub const fn plain_body_ahead(&self) -> u64 {
        match self.phase {
            Phase::Length | Phase::ChunkData => self.message.content_length,
            Phase::UntilClose => u64::MAX,
            _ => 0,
        }
    }

    /// Tells that `count` bytes of body went around the decoder, at most [`Decoder::plain_body_ahead`] (more are
    /// ignored). When that has become 0, [`Decoder::decode`] with what came after, or nothing, gives the next event.
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

    /// Whether no byte of a (next) message was seen since the reset or the end of the message before.
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

    /// The header is complete: decides what the message is and how it goes on.
    fn end_head(&mut self) {
        self.budget.restart();
        let message = &mut self.message;
        // Asked before `no_body` is set: a HEAD response without a length does not keep the connection, in Node.
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

    /// After the last byte of a message; gives End unless it was an interim response.
    fn complete<'a>(&mut self, trailers: bool, cursor: &mut Cursor<'a>) -> Option<Signal<'a>> {
        if !trailers {
            self.block.clear();
        }
        if self.message.status == 101 {
            // Node stops parsing the packet after any 101, and drops what is left of it if nothing was upgraded.
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
