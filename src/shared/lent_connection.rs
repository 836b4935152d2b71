//! A connection that the I/O thread lends to the JavaScript thread.
//!
//! The I/O thread makes a [`LentConnection`] of an idle connection, and takes it apart when it is returned.
//! In between only the JavaScript thread runs the code here: it sends a request, reads when its event loop
//! says so, and decodes; with TLS, it encrypts and decrypts too. It does the plain things only. A long body, an
//! end, an error, bytes that no request asked for, and every command but a request return the connection as it is.

use std::io::{self, ErrorKind, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use socket2::SockRef;

use super::completions::Counters;
use super::detached::Detached;
use super::exchange::{
    Exchange, Progress, READ_SIZE, decode_packet, push_read, with_ciphertext, with_scratch,
};
use super::lent_tls::{Decrypted, LentTls};
use super::peer_end::has_peer_ended;
use super::response_decoder::ResponseDecoder;
use crate::records::decoding;
use crate::tls::Stop;

/// Bytes of body ahead from which a connection is returned that is not one of many. To give it back takes longer than to
/// read fewer.
const LONG: usize = 256 * 1024;

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
    /// TLS between decoder and socket, if the connection has it.
    pub tls: Option<LentTls>,
}

/// Outcome of [`LentConnection::send`].
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// The kernel has the request, and the connection waits for the response.
    All,
    /// The kernel has this many bytes of the request. The connection has to be returned, and the request with it.
    Part(usize),
    /// All of the request is ciphertext, and the kernel has not taken all of that. The connection has to be returned,
    /// with the rest; it waits for the response.
    Encrypted,
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
    pub fn new(
        id: u32,
        stream: Detached,
        decoder: ResponseDecoder,
        written: u64,
        tls: Option<LentTls>,
    ) -> Self {
        Self {
            id,
            parts: Parts {
                stream,
                decoder,
                armed: false,
                sent_before: 0,
                sent: 0,
                outcome: None,
                tls,
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

    /// Tells whether the connection has to be returned only because much of a response is still to come.
    pub fn is_cut_short(&self) -> bool {
        self.parts.armed && self.parts.outcome.is_none()
    }

    /// Gives the descriptor, for an event loop to watch.
    pub fn descriptor(&self) -> RawFd {
        self.parts.stream.as_fd().as_raw_fd()
    }

    /// Sends a request, unless the peer has closed, or said something unasked.
    pub fn send(&mut self, request: &Request<'_>, counters: &Counters) -> Sent {
        let Parts { stream, tls, .. } = &mut self.parts;
        let sent = match tls {
            // The I/O thread deals with an error: it will meet the same one.
            None => match try_send(stream.as_fd(), request.bytes).unwrap_or(0) {
                n if n > 0 && n == request.bytes.len() => Sent::All,
                n => Sent::Part(n),
            },
            Some(tls) => send_through(tls, stream.as_fd(), request.bytes),
        };
        match sent {
            Sent::Part(_) => {}
            Sent::Encrypted => self.parts.arm(request),
            Sent::All => {
                self.parts.arm(request);
                Counters::add(&counters.bytes_out, request.bytes.len() as u64);
                Counters::add(&counters.direct, 1);
            }
        }
        sent
    }

    /// Reads all that has come, and appends its events to `page`. `goes_on` says that something may be behind
    /// a short read of which the event loop does not tell again: an end, or bytes behind an urgent one. `is_one_of_many`
    /// says that others wait for responses too, which makes a shorter body a long one. Gives `false` when the connection
    /// has to be returned.
    ///
    /// A panic loses this connection and no other, as on the I/O thread.
    pub fn receive(
        &mut self,
        page: &mut Vec<u8>,
        counters: &Counters,
        goes_on: bool,
        is_one_of_many: bool,
    ) -> bool {
        let start = page.len();
        let long = if is_one_of_many { READ_SIZE } else { LONG };
        let read = AssertUnwindSafe(|| match self.parts.tls {
            None => self.read(page, counters, goes_on, long),
            Some(_) => self.read_through_tls(page, counters, goes_on, long),
        });
        catch_unwind(read).unwrap_or_else(|_| {
            // It may end with half a record.
            page.truncate(start);
            self.parts.leave(Ok(Progress::Panicked))
        })
    }

    /// Does the work of `receive` without TLS.
    fn read(
        &mut self,
        page: &mut Vec<u8>,
        counters: &Counters,
        goes_on: bool,
        long: usize,
    ) -> bool {
        with_scratch(|scratch| {
            loop {
                let n = match self.parts.fill(scratch, counters) {
                    Filled::Bytes(n) => n,
                    Filled::Nothing => return true,
                    Filled::Returns => return false,
                };
                let packet = scratch.get(..n).unwrap_or_default();
                match self.decode(page, packet) {
                    Progress::Read => {}
                    other => return self.parts.leave(Ok(other)),
                }
                if n >= long || self.parts.body_ahead() >= long {
                    // Much is on its way, which the I/O thread reads beside the JavaScript thread.
                    return false;
                }
                if !goes_on && n < READ_SIZE {
                    // A short read: nothing more was there, and the event loop tells of what comes next.
                    return true;
                }
            }
        })
    }

    /// Does the work of `receive` with TLS.
    fn read_through_tls(
        &mut self,
        page: &mut Vec<u8>,
        counters: &Counters,
        goes_on: bool,
        long: usize,
    ) -> bool {
        with_ciphertext(READ_SIZE, |buffer| {
            loop {
                let n = match self.parts.fill(buffer, counters) {
                    Filled::Bytes(n) => n,
                    Filled::Nothing => return true,
                    Filled::Returns => return false,
                };
                let packet = buffer.get(..n).unwrap_or_default();
                if !self.pass_packet(page, packet, long) || n >= long {
                    return false;
                }
                if !goes_on && n < READ_SIZE {
                    return true;
                }
            }
        })
    }

    /// Decrypts a packet of the peer, and decodes each record of it as a read of its own. Gives `false` when the
    /// connection has to be returned.
    fn pass_packet(&mut self, page: &mut Vec<u8>, mut packet: &[u8], long: usize) -> bool {
        with_scratch(|scratch| {
            loop {
                let id = self.id;
                let ahead = self.parts.body_ahead();
                let Some(tls) = &mut self.parts.tls else {
                    return false;
                };
                let packet = std::mem::take(&mut packet);
                let (n, stop, returns) = match tls.decrypt(packet, scratch, ahead, id, page) {
                    Decrypted::Plain(n, stop) => (n, stop, false),
                    Decrypted::Returns(n, stop) => (n, stop, true),
                    Decrypted::Gone => return false,
                };
                let is_dry = matches!(stop, Stop::Dry);
                let progress = match scratch.get(..n) {
                    Some(plain) if n > 0 => self.decode(page, plain),
                    _ => Progress::Read,
                };
                if returns || !matches!(progress, Progress::Read) {
                    if let Some(tls) = &mut self.parts.tls {
                        tls.rest.stop = Some(stop);
                    }
                    return self.parts.leave(Ok(progress));
                }
                if self.parts.body_ahead() >= long {
                    // Of a long body, the I/O thread also decrypts what is here.
                    return false;
                }
                if is_dry {
                    return true;
                }
            }
        })
    }

    /// Decodes what the peer has sent. Bytes that no request asked for are only counted.
    fn decode(&mut self, page: &mut Vec<u8>, packet: &[u8]) -> Progress {
        let Self { id, parts, written } = self;
        let written = *written + parts.sent_before + parts.sent;
        if !parts.armed {
            push_read(page, *id, packet.len(), written);
            return Progress::Unsolicited;
        }
        let exchange = Exchange {
            armed: &mut parts.armed,
            decoder: &mut parts.decoder,
            written,
        };
        decode_packet(page, packet, *id, exchange, None)
    }
}

/// Outcome of one read of the kernel.
enum Filled {
    /// This many bytes have come.
    Bytes(usize),
    /// The kernel has nothing, and the event loop tells of what comes next.
    Nothing,
    /// The connection has to be returned.
    Returns,
}

impl Parts {
    /// Waits for the response to a request that is out.
    fn arm(&mut self, request: &Request<'_>) {
        let (options, method) =
            decoding::decoder_settings(request.flags, request.max_header_size, request.llhttp);
        self.decoder.arm(options, method);
        self.armed = true;
        self.sent_before += self.sent;
        self.sent = request.bytes.len() as u64;
    }

    /// Reads what has come, unless no request is in progress: the I/O thread judges what comes on an idle connection.
    fn fill(&mut self, buffer: &mut [u8], counters: &Counters) -> Filled {
        if !self.armed {
            return Filled::Returns;
        }
        let outcome = loop {
            match receive_from(self.stream.as_fd(), buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        match outcome {
            Ok(n) if n > 0 => {
                Counters::add(&counters.bytes_in, n as u64);
                return Filled::Bytes(n);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Filled::Nothing,
            // The kernel tells an error once.
            outcome => self.leave(outcome.map(|_| Progress::Ended)),
        };
        Filled::Returns
    }

    /// Gives the bytes of body ahead.
    fn body_ahead(&self) -> usize {
        match self.armed {
            true => usize::try_from(self.decoder.plain_body_ahead()).unwrap_or(usize::MAX),
            false => 0,
        }
    }

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
    if is_quiet(descriptor)? {
        send_to(descriptor, bytes)
    } else {
        Ok(0)
    }
}

/// Encrypts a request and sends it, or does nothing if the peer has closed or spoken.
fn send_through(tls: &mut LentTls, descriptor: BorrowedFd<'_>, request: &[u8]) -> Sent {
    if request.is_empty() || !matches!(is_quiet(descriptor), Ok(true)) {
        return Sent::Part(0);
    }
    let outcome = tls.encrypt(request, |ciphertext| {
        // OpenSSL may have taken its time. The I/O thread meets the same end, and gives up what was encrypted.
        if has_peer_ended(descriptor) {
            return None;
        }
        let sent = send_to(descriptor, ciphertext);
        let n = *sent.as_ref().unwrap_or(&0);
        Some((sent.err(), ciphertext.get(n..).unwrap_or_default().to_vec()))
    });
    let Some((error, unsent)) = outcome.flatten() else {
        return Sent::Part(0);
    };
    if unsent.is_empty() {
        return Sent::All;
    }
    // Not to be encrypted again: the peer counts records. Nor does the kernel tell an error twice.
    tls.rest.unsent = unsent;
    tls.rest.write_error = error
        .filter(|error| error.kind() != ErrorKind::WouldBlock)
        .map(|error| error.raw_os_error().unwrap_or(libc::EIO));
    Sent::Encrypted
}

/// Tells whether the peer has neither closed nor spoken.
fn is_quiet(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    let socket = SockRef::from(&descriptor);
    let mut probe = [MaybeUninit::uninit(); 1];
    match socket.recv_with_flags(&mut probe, libc::MSG_PEEK | libc::MSG_DONTWAIT) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
        Ok(_) => Ok(false),
    }
}

/// Sends as much as the kernel takes at once.
fn send_to(descriptor: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    SockRef::from(&descriptor).send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
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
        let detached = Detached::Tcp(stream);
        LentConnection::new(id, detached, ResponseDecoder::default(), 0, None)
    }
}
