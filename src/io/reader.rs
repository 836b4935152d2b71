//! Reads the kernel's bytes and passes them on as event records.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use socket2::MaybeUninitSlice;
use tokio::io::ReadBuf;

use super::outlet::Outlet;
use super::stream::Stream;
use crate::codec::Event;
use crate::records::{self, event};
use crate::shared::body_buffers::Claim;
use crate::shared::completions::{Counters, HIGH_WATER_MARK};
use crate::shared::exchange::{
    Exchange, LARGE_PIECE, Progress, READ_SIZE, decode_end, decode_packet, push_body, push_read,
    with_scratch,
};
use crate::shared::response_decoder::ResponseDecoder;

/// Pieces of [`READ_SIZE`] that one call of the kernel reads where nothing but body is ahead.
pub const BODY_PIECES: usize = 4;
/// Bytes before each piece of body in the page: a whole `READ` record and the header of `DATA`.
const HEADERS: usize = 2 * records::HEADER_SIZE + READ_PAYLOAD;
/// Bytes of a `READ` record's payload.
const READ_PAYLOAD: usize = 8;
/// Bytes of one piece in the page, with its records.
const PIECE_SIZE: usize = HEADERS + READ_SIZE;
/// Bytes of the page that such pieces are collected in, with a little room for other records.
pub const BODY_PAGE: usize = BODY_PIECES * PIECE_SIZE + 4096;
/// Bytes from which that page is published: no other piece fits.
const BODY_PAGE_FULL: usize = BODY_PAGE - PIECE_SIZE + 1;

/// Bytes in body buffers from which they are published. JavaScript has something to do for a while then,
/// and there is still room for what comes meanwhile. (A thread that is about to sleep publishes all.)
const PUBLISH_BODY_AT: usize = HIGH_WATER_MARK / 4 * 3;

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
                pass_packet(packet, id, outlet, state)
            } else {
                outlet.append(|page| push_read(page, id, packet.len(), state.written));
                Progress::Unsolicited
            }
        }))
    })
}

/// Reads plain body straight into the page, in pieces as large as other reads. Each lies behind the headers
/// of its records, which are completed afterwards.
///
/// Several pieces take one call of the kernel and one wake of JavaScript. While a body comes as fast as it
/// can be read, a wake for each would cost more than the reading.
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
        // The page gets all the room at once: growing would copy what it has.
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
        Counters::add(&outlet.completions().counters.bytes_in, n as u64);
        pass_body(page, n, id, state);
        Poll::Ready(Ok(if n == pieces * READ_SIZE {
            Progress::ReadBody
        } else {
            Progress::Read
        }))
    })
}

/// Reads plain body into buffers that JavaScript has laid out. The page only names them.
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
    Counters::add(&outlet.completions().counters.bytes_in, n as u64);
    pass_pieces(claims, n, id, outlet, state);
    Poll::Ready(Ok(if n == room {
        Progress::ReadBody
    } else {
        Progress::Read
    }))
}

/// Passes on `n` bytes of plain body, which are in these buffers one after the other.
pub fn pass_pieces(
    claims: Vec<Claim<'_>>,
    n: usize,
    id: u32,
    outlet: &Rc<Outlet>,
    state: Exchange<'_>,
) {
    outlet.append(|page| {
        let lengths = (0..n).step_by(READ_SIZE).map(|at| READ_SIZE.min(n - at));
        for (claim, length) in claims.iter().zip(lengths.clone()) {
            push_read(page, id, length, state.written);
            push_body(page, id, claim, length);
        }
        pass_body(page, n, id, state);
        // Filled last: a panic takes the records back, and JavaScript would never take these buffers then.
        for (claim, length) in claims.into_iter().zip(lengths) {
            claim.fill(length);
        }
    });
    if outlet.completions().body_buffers.filled() >= PUBLISH_BODY_AT {
        outlet.publish();
    }
}

/// Passes on the events of what one read has brought.
pub fn pass_packet(packet: &[u8], id: u32, outlet: &Rc<Outlet>, state: Exchange<'_>) -> Progress {
    let progress = outlet.append(|page| {
        let buffers = &outlet.completions().body_buffers;
        decode_packet(page, packet, id, state, Some(buffers))
    });
    // A page that only names large pieces is a small one, and there is as much to do as with a full one.
    if packet.len() >= LARGE_PIECE {
        outlet.publish();
    }
    progress
}

/// Accounts for bytes of body that the decoder has not seen, and appends the end that they may complete.
fn pass_body(page: &mut Vec<u8>, n: usize, id: u32, state: Exchange<'_>) {
    state.decoder.get().skip_body(n as u64);
    if state.decoder.plain_body_ahead() == 0 {
        decode_end(page, id, state);
    }
}

/// Passes on the end of the stream; `armed` says that a response was awaited or under way.
pub fn end(id: u32, outlet: &Rc<Outlet>, armed: bool, decoder: &mut ResponseDecoder) {
    outlet.append(|page| {
        if !armed {
            records::push(page, event::EOF, event::IDLE, id, &[]);
            return;
        }
        // An error here means that the message is cut. JavaScript sees that from its state, as Node's
        // client does, which also ignores what its parser says at the end of the stream.
        let completes = matches!(decoder.get().finish(), Ok(Some(Event::End(_))));
        let flags = if completes { event::COMPLETES } else { 0 };
        records::push(page, event::EOF, flags, id, &[]);
    });
}
