//! A connection that the I/O thread lends to the JavaScript thread.
//!
//! The I/O thread makes a [`LentConnection`] of an idle connection, and takes it apart when it is returned.
//! In between only the JavaScript thread runs the code here: it sends a request, reads when its event loop
//! says so, and decodes. It does the plain things only. A long body, an end, an error, bytes that no
//! request asked for, and every command but a request return the connection as it is.

use std::io::{self, ErrorKind, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use socket2::SockRef;

use super::completions::Counters;
use super::detached::Detached;
use super::exchange::{Exchange, Progress, READ_SIZE, decode_packet, with_scratch};
use super::response_decoder::ResponseDecoder;
use crate::records::decoding;

/// A lent connection: its socket and its decoder, which move from thread to thread. One thread has it at a
/// time.
pub struct LentConnection {
    id: u32,
    parts: Parts,
    /// Bytes that the kernel had taken when the connection was lent, in total.
    written: u64,
}

/// The parts of a lent connection, for the I/O thread to go on with when it is returned.
pub struct Parts {
    /// The socket, which no runtime watches.
    pub stream: Detached,
    /// The decoder, in the middle of a response or before one.
    pub decoder: ResponseDecoder,
    /// A response is awaited or under way.
    pub armed: bool,
    /// Bytes that the JavaScript thread has sent for all requests but the last.
    pub sent_before: u64,
    /// Bytes that the JavaScript thread has sent for the last request.
    pub sent: u64,
    /// Outcome of the last read, if the I/O thread has to act on it.
    pub outcome: Option<io::Result<Progress>>,
}

/// A request, as its records in the staging buffer say it.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Flags of its `REQUEST` command.
    pub flags: u32,
    /// Bytes that the header section of the response may have.
    pub max_header_size: u32,
    /// The llhttp release to agree with.
    pub llhttp: u32,
    /// The header section, and the body behind it.
    pub bytes: &'a [u8],
}

impl LentConnection {
    /// Makes an idle connection ready to be lent. The I/O thread calls this.
    pub fn new(id: u32, stream: Detached, decoder: ResponseDecoder, written: u64) -> Self {
        Self {
            id,
            parts: Parts {
                stream,
                decoder,
                armed: false,
                sent_before: 0,
                sent: 0,
                outcome: None,
            },
            written,
        }
    }

    /// Takes a returned connection apart. The I/O thread calls this.
    pub fn into_parts(self) -> Parts {
        self.parts
    }

    /// Gives the connection id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Tells whether a response is awaited or under way.
    pub fn is_armed(&self) -> bool {
        self.parts.armed
    }

    /// Gives the descriptor, for an event loop to watch.
    pub fn descriptor(&self) -> RawFd {
        self.parts.stream.as_fd().as_raw_fd()
    }

    /// Sends a request, unless the peer has closed, or said something unasked. Gives the number of bytes
    /// that are out. If that is not all of them, the connection has to be returned, and the request with it.
    pub fn send(&mut self, request: &Request<'_>, counters: &Counters) -> usize {
        let Parts {
            stream,
            decoder,
            armed,
            sent_before,
            sent: sent_last,
            ..
        } = &mut self.parts;
        // The I/O thread deals with an error: it will meet the same one.
        let sent = try_send(stream.as_fd(), request.bytes).unwrap_or(0);
        if sent > 0 && sent == request.bytes.len() {
            let (options, method) =
                decoding::decoder_settings(request.flags, request.max_header_size, request.llhttp);
            decoder.arm(options, method);
            *armed = true;
            *sent_before += *sent_last;
            *sent_last = sent as u64;
            Counters::add(&counters.bytes_out, sent as u64);
            Counters::add(&counters.direct, 1);
        }
        sent
    }

    /// Reads all that has come, and appends its events to `page`. `goes_on` says that something may be behind
    /// a short read of which the event loop does not tell again: an end, or bytes behind an urgent one. Gives
    /// `false` when the connection has to be returned.
    ///
    /// A panic loses this connection and no other, as on the I/O thread.
    pub fn receive(&mut self, page: &mut Vec<u8>, counters: &Counters, goes_on: bool) -> bool {
        let start = page.len();
        let read = AssertUnwindSafe(|| self.read(page, counters, goes_on));
        catch_unwind(read).unwrap_or_else(|_| {
            // It may end with half a record.
            page.truncate(start);
            self.parts.leave(Ok(Progress::Panicked))
        })
    }

    /// Does the work of `receive`.
    fn read(&mut self, page: &mut Vec<u8>, counters: &Counters, goes_on: bool) -> bool {
        let Self {
            id, parts, written, ..
        } = self;
        with_scratch(|scratch| {
            loop {
                // The I/O thread judges what comes on an idle connection.
                if !parts.armed {
                    return false;
                }
                let n = match receive_from(parts.stream.as_fd(), scratch) {
                    Ok(0) => return parts.leave(Ok(Progress::Ended)),
                    Ok(n) => n,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    // The kernel tells an error once.
                    Err(error) => return parts.leave(Err(error)),
                };
                Counters::add(&counters.bytes_in, n as u64);
                let packet = scratch.get(..n).unwrap_or_default();
                let exchange = Exchange {
                    armed: &mut parts.armed,
                    decoder: &mut parts.decoder,
                    written: *written + parts.sent_before + parts.sent,
                };
                match decode_packet(page, packet, *id, exchange) {
                    Progress::Read => {}
                    other => return parts.leave(Ok(other)),
                }
                if n == READ_SIZE || parts.decoder.plain_body_ahead() >= READ_SIZE as u64 {
                    // Much is on its way, which the I/O thread reads beside the JavaScript thread.
                    return false;
                }
                if !goes_on {
                    // A short read: nothing more was there, and the event loop tells of what comes next.
                    return true;
                }
            }
        })
    }
}

impl Parts {
    /// Leaves the outcome of a read to the I/O thread.
    fn leave(&mut self, outcome: io::Result<Progress>) -> bool {
        self.outcome = Some(outcome);
        false
    }
}

/// Reads from a socket.
fn receive_from(descriptor: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    // By recv(2).
    (&*SockRef::from(&descriptor)).read(into)
}

/// Sends as much as the kernel takes at once, or nothing if the peer has closed or spoken.
fn try_send(descriptor: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let socket = SockRef::from(&descriptor);
    let mut probe = [MaybeUninit::uninit(); 1];
    match socket.recv_with_flags(&mut probe, libc::MSG_PEEK | libc::MSG_DONTWAIT) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            socket.send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
        }
        Err(error) => Err(error),
        Ok(_) => Ok(0),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Makes a lent connection, whose peer is gone.
    pub fn lent(id: u32) -> LentConnection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        LentConnection::new(id, Detached::Tcp(stream), ResponseDecoder::default(), 0)
    }
}
