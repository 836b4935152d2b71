//! From the kernel's bytes to event records.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use socket2::MaybeUninitSlice;
use tokio::io::ReadBuf;

use super::outlet::Outlet;
use super::stream::Stream;
use crate::codec::Event;
use crate::records::decoding::{self, Body};
use crate::records::{self, event};
use crate::shared::body_buffers::Claim;
use crate::shared::completions::{Counters, HIGH_WATER_MARK};
use crate::shared::response_decoder::ResponseDecoder;

/// Bytes asked of the kernel at once, and the most that JavaScript sees of a body at once: as Node.
pub const READ_SIZE: usize = 64 * 1024;
/// Reads of that size done by one call of the kernel where nothing but body is ahead.
const BODY_PIECES: usize = 4;
/// What a read of body has before it in the page: a whole `READ` record and the header of `DATA`.
const HEADERS: usize = 2 * records::HEADER_SIZE + READ_PAYLOAD;
const READ_PAYLOAD: usize = 8;
const PIECE_SIZE: usize = HEADERS + READ_SIZE;
/// The page that such reads are collected in. A little more: of other records.
pub const BODY_PAGE: usize = BODY_PIECES * PIECE_SIZE + 4096;
/// It is published when no other piece fits.
const BODY_PAGE_FULL: usize = BODY_PAGE - PIECE_SIZE + 1;

/// Pieces in buffers are published when they are so many: JavaScript has something to do for a while, and
/// there is still room for what comes meanwhile. (Or before the thread sleeps, as everything is.)
const PUBLISH_BODY_AT: usize = HIGH_WATER_MARK / 4 * 3;

thread_local! {
    /// Every read lands here and is decoded before the next one, so one buffer serves all connections.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// Lends this thread's buffer for reads.
pub fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| read(scratch))
}

/// What one read brought.
pub enum Progress {
    /// Bytes, all of them decoded and passed on.
    Read,
    /// The same, as many as several reads bring, and there may be more at once.
    ReadBody,
    /// Bytes that end in another protocol: what follows the head.
    Upgraded(Vec<u8>),
    /// Bytes that are not HTTP; the error has been passed on.
    Broken,
    /// Bytes on a connection that waits for no response, or behind the one that it waited for. They are
    /// counted, and forgotten.
    Unsolicited,
    /// The peer ended its stream.
    Ended,
}

/// The exchange that a read belongs to.
pub struct Exchange<'a> {
    /// A response is awaited or under way.
    pub armed: &'a mut bool,
    /// The decoder of this connection.
    pub decoder: &'a mut ResponseDecoder,
    /// Total of the bytes that the kernel has taken by now.
    pub written: u64,
}

/// Reads once and passes on what was read.
pub fn poll_read(
    stream: &mut Stream,
    context: &mut Context<'_>,
    id: u32,
    outlet: &Rc<Outlet>,
    state: Exchange<'_>,
) -> Poll<io::Result<Progress>> {
    if *state.armed && state.decoder.plain_body_ahead() >= READ_SIZE as u64 {
        return poll_read_body(stream, context, id, outlet, state);
    }
    with_scratch(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        match stream.poll_read(context, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {}
        }
        let packet = buffer.filled();
        Poll::Ready(Ok(if packet.is_empty() {
            Progress::Ended
        } else {
            Counters::add(&outlet.completions().counters.bytes_in, packet.len() as u64);
            if *state.armed {
                outlet.append(|page| decode_packet(page, packet, id, state))
            } else {
                outlet.append(|page| push_read(page, id, packet.len(), state.written));
                Progress::Unsolicited
            }
        }))
    })
}

/// The bytes ahead are plain body: reads them straight into the page, in pieces as large as other
/// reads, each behind the headers of its records, which are completed afterwards.
///
/// One call of the kernel and one wake of JavaScript for several pieces: while a body comes as fast as
/// it can be read, a wake for each would cost more than the reading.
fn poll_read_body(
    stream: &mut Stream,
    context: &mut Context<'_>,
    id: u32,
    outlet: &Rc<Outlet>,
    state: Exchange<'_>,
) -> Poll<io::Result<Progress>> {
    let ahead = usize::try_from(state.decoder.plain_body_ahead()).unwrap_or(usize::MAX);
    let most = BODY_PIECES.min(ahead / READ_SIZE);
    let claims = outlet.completions().body_buffers.claim(most);
    if !claims.is_empty() {
        return poll_read_into(claims, stream, context, id, outlet, state);
    }
    outlet.append_up_to(BODY_PAGE_FULL, |page| {
        let room = BODY_PAGE.saturating_sub(page.len()) / PIECE_SIZE;
        let pieces = room.clamp(1, BODY_PIECES).min(ahead / READ_SIZE);
        // All that a page will need at once: growing would copy what it has.
        page.reserve_exact(
            BODY_PAGE
                .saturating_sub(page.len())
                .max(pieces * PIECE_SIZE),
        );
        let outcome = {
            let mut places = page.spare_capacity_mut().chunks_exact_mut(PIECE_SIZE);
            let mut slices: [_; BODY_PIECES] = std::array::from_fn(|_| {
                let place = places.next().and_then(|place| place.get_mut(HEADERS..));
                MaybeUninitSlice::new(place.unwrap_or_default())
            });
            let slices = slices.get_mut(..pieces).unwrap_or_default();
            stream.poll_read_vectored(context, slices, pieces * READ_SIZE)
        };
        let n = match outcome {
            Poll::Ready(Ok(n)) if n > 0 => n,
            other => return other.map_ok(|_| Progress::Ended),
        };
        let mut left = n;
        while left > 0 {
            let length = left.min(READ_SIZE);
            push_read(page, id, length, state.written);
            records::begin(page, event::DATA, 0, id, length);
            let filled = page.len() + length;
            // SAFETY: the two headers are `HEADERS` bytes, so the page ends where a slice began. The
            // kernel has filled `n` bytes of the slices, one after the other: the first `length` of
            // this one, which lie within the capacity.
            unsafe { page.set_len(filled) };
            records::pad(page);
            left -= length;
        }
        pass_body(page, n, id, outlet, state);
        Poll::Ready(Ok(if n == pieces * READ_SIZE {
            Progress::ReadBody
        } else {
            Progress::Read
        }))
    })
}

/// As `poll_read_body`, into buffers that JavaScript has laid out for it: the page only tells of them.
fn poll_read_into(
    mut claims: Vec<Claim<'_>>,
    stream: &mut Stream,
    context: &mut Context<'_>,
    id: u32,
    outlet: &Rc<Outlet>,
    state: Exchange<'_>,
) -> Poll<io::Result<Progress>> {
    let room = claims.len() * READ_SIZE;
    let outcome = {
        let places = claims.iter_mut().map(Claim::bytes);
        let mut slices: Vec<_> = places.map(MaybeUninitSlice::new).collect();
        stream.poll_read_vectored(context, &mut slices, room)
    };
    let n = match outcome {
        Poll::Ready(Ok(n)) if n > 0 => n,
        other => return other.map_ok(|_| Progress::Ended),
    };
    outlet.append(|page| {
        let lengths = (0..n).step_by(READ_SIZE).map(|at| READ_SIZE.min(n - at));
        for (claim, length) in claims.iter().zip(lengths.clone()) {
            push_read(page, id, length, state.written);
            let numbers = [
                (claim.index() as u32).to_le_bytes(),
                (length as u32).to_le_bytes(),
            ];
            records::push(page, event::BODY, 0, id, &[numbers.as_flattened()]);
        }
        pass_body(page, n, id, outlet, state);
        // Last: a panic takes the records back, and then nobody would ever take what is filled.
        for (claim, length) in claims.into_iter().zip(lengths) {
            claim.fill(length);
        }
    });
    if outlet.completions().body_buffers.filled() >= PUBLISH_BODY_AT {
        outlet.publish();
    }
    Poll::Ready(Ok(if n == room {
        Progress::ReadBody
    } else {
        Progress::Read
    }))
}

/// Accounts for bytes that were body without being looked at, and appends the end that they may complete.
fn pass_body(page: &mut Vec<u8>, n: usize, id: u32, outlet: &Outlet, state: Exchange<'_>) {
    state.decoder.get().skip_body(n as u64);
    Counters::add(&outlet.completions().counters.bytes_in, n as u64);
    if state.decoder.plain_body_ahead() == 0 {
        decode_into(page, &[], id, state);
    }
}

/// Appends the events of one read.
pub fn decode_packet(page: &mut Vec<u8>, packet: &[u8], id: u32, state: Exchange<'_>) -> Progress {
    push_read(page, id, packet.len(), state.written);
    decode_into(page, packet, id, state)
}

fn push_read(page: &mut Vec<u8>, id: u32, length: usize, written: u64) {
    // JavaScript knows the total but for what has been on its way lately, so its lower half will do.
    let numbers = [
        (length as u32).to_le_bytes(),
        (written as u32).to_le_bytes(),
    ];
    records::push(page, event::READ, 0, id, &[numbers.as_flattened()]);
}

/// Appends the events of a packet; an empty one asks for what the bytes before it completed.
fn decode_into(page: &mut Vec<u8>, packet: &[u8], id: u32, state: Exchange<'_>) -> Progress {
    let Exchange {
        armed,
        decoder: response,
        ..
    } = state;
    let mut keeps = response.peer_keeps_connection;
    let decoder = response.get();
    let mut parsed = 0;
    loop {
        match decoder.decode(packet.get(parsed..).unwrap_or_default()) {
            Err(error) => {
                decoding::encode_error(page, id, &error, parsed, packet);
                return Progress::Broken;
            }
            Ok((_, None)) => break,
            Ok((n, Some(found))) => {
                decoding::encode(page, id, &found, Body::Inline);
                parsed += n;
                match found {
                    Event::Head(head) if head.upgrade => {
                        return Progress::Upgraded(
                            packet.get(parsed..).unwrap_or_default().to_vec(),
                        );
                    }
                    Event::Head(head) => {
                        *armed = true;
                        keeps = head.keep_alive;
                    }
                    // What follows in the same packet is still decoded, as Node does: a second
                    // response or garbage there is the peer's fault and must be told.
                    Event::End(_) => *armed = false,
                    _ => {}
                }
            }
        }
    }
    let is_idle = decoder.is_idle();
    response.peer_keeps_connection = keeps;
    if *armed {
        Progress::Read
    } else if is_idle {
        response.give_back();
        Progress::Read
    } else {
        // The beginning of a message behind the last one: nobody has asked for it.
        Progress::Unsolicited
    }
}

/// Passes on the end of the stream.
pub fn end(id: u32, outlet: &Rc<Outlet>, armed: &mut bool, decoder: &mut ResponseDecoder) {
    outlet.append(|page| {
        if !std::mem::take(armed) {
            records::push(page, event::EOF, event::IDLE, id, &[]);
            return;
        }
        // An error here means that the message is cut; JavaScript sees that from its state, as Node's
        // client, which also ignores what its parser says at the end of the stream.
        let completes = matches!(decoder.get().finish(), Ok(Some(Event::End(_))));
        records::push(
            page,
            event::EOF,
            if completes { event::COMPLETES } else { 0 },
            id,
            &[],
        );
    });
}
