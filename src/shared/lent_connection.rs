//! A connection that is lent to the JavaScript thread, which exchanges requests on it itself.
//!
//! While few requests are in progress at a time, waking the I/O thread, and being woken by it, costs
//! far more than the two system calls of an exchange. So an idle connection is lent: the JavaScript
//! thread sends on it, waits for it in its own event loop, and decodes. It does the plain things only.
//! With everything else (a body that is long, an end, an error, bytes that nobody asked for, another
//! command than a request) the connection goes back to the I/O thread, as it is, which sees to it.

use std::io::{self, ErrorKind, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use socket2::SockRef;

use super::completions::Counters;
use super::detached::Detached;
use super::exchange::{Exchange, Progress, READ_SIZE, decode_packet, with_scratch};
use super::response_decoder::ResponseDecoder;
use crate::records::decoding;

/// A lent connection.
pub struct LentConnection {
    id: u32,
    pub(crate) stream: Detached,
    pub(crate) decoder: ResponseDecoder,
    /// A response is awaited or under way.
    pub(crate) armed: bool,
    /// Total of the bytes that were written when it was lent.
    written: u64,
    /// Bytes sent since, for the requests before the last one, and for that.
    pub(crate) sent_before: u64,
    pub(crate) sent: u64,
    /// What the last read brought, where that is for the I/O thread to see to.
    pub(crate) outcome: Option<io::Result<Progress>>,
}

/// A request as JavaScript staged it.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The numbers of its `REQUEST` command.
    pub flags: u32,
    /// Bytes of header that the response may have.
    pub max_header_size: u32,
    /// The llhttp release to agree with.
    pub llhttp: u32,
    /// All of it.
    pub bytes: &'a [u8],
}

impl LentConnection {
    /// Lends an idle connection.
    pub fn new(id: u32, stream: Detached, decoder: ResponseDecoder, written: u64) -> Self {
        Self {
            id,
            stream,
            decoder,
            armed: false,
            written,
            sent_before: 0,
            sent: 0,
            outcome: None,
        }
    }

    /// Its connection id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether a response is awaited or under way.
    pub fn is_armed(&self) -> bool {
        self.armed
    }

    /// Its descriptor, for an event loop.
    pub fn descriptor(&self) -> RawFd {
        self.stream.as_fd().as_raw_fd()
    }

    /// Sends a request, unless the peer has closed, or said something unasked. Gives how many bytes are
    /// out; with none, or less than all of them, the connection has to go back, and the request with it.
    pub fn send(&mut self, request: &Request<'_>, counters: &Counters) -> usize {
        // An error is the I/O thread's to deal with: it will meet the same one.
        let sent = try_send(self.stream.as_fd(), request.bytes).unwrap_or(0);
        if sent > 0 && sent == request.bytes.len() {
            let (options, method) =
                decoding::decoder_settings(request.flags, request.max_header_size, request.llhttp);
            self.decoder.arm(options, method);
            self.armed = true;
            self.sent_before += self.sent;
            self.sent = sent as u64;
            Counters::add(&counters.bytes_out, sent as u64);
            Counters::add(&counters.direct, 1);
        }
        sent
    }

    /// Reads what has come and appends its events. `ended` says that the kernel knows of an end behind
    /// it. Gives `false` when the connection has to go back.
    pub fn receive(&mut self, page: &mut Vec<u8>, counters: &Counters, ended: bool) -> bool {
        with_scratch(|scratch| {
            loop {
                // What comes on an idle connection is the I/O thread's to judge.
                if !self.armed {
                    return false;
                }
                let n = match receive_from(self.stream.as_fd(), scratch) {
                    Ok(0) => return self.leave(Ok(Progress::Ended)),
                    Ok(n) => n,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    // The kernel tells an error once.
                    Err(error) => return self.leave(Err(error)),
                };
                Counters::add(&counters.bytes_in, n as u64);
                let packet = scratch.get(..n).unwrap_or_default();
                let exchange = Exchange {
                    armed: &mut self.armed,
                    decoder: &mut self.decoder,
                    written: self.written + self.sent_before + self.sent,
                };
                match decode_packet(page, packet, self.id, exchange) {
                    Progress::Read => {}
                    other => return self.leave(Ok(other)),
                }
                if n == READ_SIZE || self.decoder.plain_body_ahead() >= READ_SIZE as u64 {
                    // Much is on its way, which is what the I/O thread is there for.
                    return false;
                }
                if !ended {
                    // A short read: nothing more was there, and what comes is told anew.
                    return true;
                }
            }
        })
    }

    fn leave(&mut self, outcome: io::Result<Progress>) -> bool {
        self.outcome = Some(outcome);
        false
    }
}

fn receive_from(descriptor: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    // By recv(2).
    (&*SockRef::from(&descriptor)).read(into)
}

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

    /// A connection as it is lent, whose peer is gone.
    pub fn lent(id: u32) -> LentConnection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        LentConnection::new(id, Detached::Tcp(stream), ResponseDecoder::default(), 0)
    }
}
