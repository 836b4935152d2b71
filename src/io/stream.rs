//! The stream of a connection: one interface over TCP and Unix domain sockets.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::{Context, Poll};

use socket2::{MaybeUninitSlice, SockRef};
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, ReadBuf};

use crate::shared::address::host_text;
use crate::shared::detached::Detached;

/// Flags of every write. `MSG_DONTWAIT`, here and on reads: the descriptor does not block either, unless another
/// process has had a copy of it and made both block.
const SEND_FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// Connected (or connecting) stream socket that the runtime of this thread watches.
///
/// The runtime's own `TcpStream` would not do: it does not watch for urgent data, see
/// [`Stream::read_once`].
pub struct Stream {
    watched: AsyncFd<Detached>,
    readiness: Readiness,
    asks_kernel: bool,
}

/// Stage of what the runtime knows of a stream.
///
/// ```text
/// attach ──> Unseen ──bytes are written──> Written ──the kernel says writable──> Known
///              └─────────────────the kernel says writable─────────────────────────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readiness {
    /// The runtime may not have looked at the stream.
    Unseen,
    /// The runtime may not have looked, but a request is out: its response may come.
    Written,
    /// The runtime has looked and hears of every change.
    Known,
}

/// Gives the events that the runtime watches for.
fn interest() -> Interest {
    let both = Interest::READABLE.add(Interest::WRITABLE);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        both.add(Interest::PRIORITY)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    both
}

impl Stream {
    /// Takes the stream away from the runtime.
    pub fn detach(self) -> Detached {
        self.watched.into_inner()
    }

    /// Gives a stream, which must not block, to the runtime of this thread.
    pub fn attach(detached: Detached) -> io::Result<Self> {
        // SAFETY: `detached` owns its descriptor, which is open, and always shows the same one.
        let watched = unsafe { AsyncFd::register_with_interest(detached, interest()) }?;
        Ok(Self {
            watched,
            readiness: Readiness::Unseen,
            asks_kernel: false,
        })
    }

    /// Tells whether this is a Unix domain socket.
    pub fn is_unix(&self) -> bool {
        matches!(self.watched.get_ref(), Detached::Unix(_))
    }

    /// Makes every read from now on ask the kernel, whether or not the runtime has noticed anything.
    pub fn ask_kernel(&mut self) {
        self.asks_kernel = true;
    }

    /// Reads once. After a short read, the kernel is not asked again before the next readiness event.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.read_into(context, buffer, self.asks_kernel)
    }

    /// Does the same as [`Self::poll_read`], but asks the kernel first: it finds also what the runtime has not noticed.
    pub fn poll_read_unnoticed(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.read_into(context, buffer, true)
    }

    fn read_into(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        asks_kernel: bool,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        // SAFETY: nothing but initialised bytes is written there.
        let place = unsafe { buffer.unfilled_mut() };
        let n = std::task::ready!(self.read_once(context, room, asks_kernel, |socket| {
            socket.recv_with_flags(place, libc::MSG_DONTWAIT)
        }))?;
        // SAFETY: the kernel has filled `n` bytes.
        unsafe { buffer.assume_init(n) };
        buffer.advance(n);
        Poll::Ready(Ok(()))
    }

    /// Reads once into several places in their order, which have `room` bytes together. After a short
    /// read, the kernel is not asked again before the next readiness event.
    pub fn poll_read_vectored(
        &self,
        context: &mut Context<'_>,
        places: &mut [MaybeUninitSlice<'_>],
        room: usize,
    ) -> Poll<io::Result<usize>> {
        self.read_once(context, room, self.asks_kernel, |socket| {
            Ok(socket
                .recv_vectored_with_flags(places, libc::MSG_DONTWAIT)?
                .0)
        })
    }

    /// Calls `read`, which has room for `room` bytes, until it succeeds once. `asks_kernel` says that it is called also
    /// where the runtime has noticed nothing.
    ///
    /// A read that brings less has taken all that was there. Only at the mark of an urgent byte does the kernel
    /// stop too; then it has told already of what is behind.
    fn read_once(
        &self,
        context: &mut Context<'_>,
        room: usize,
        asks_kernel: bool,
        mut read: impl FnMut(&SockRef<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if asks_kernel {
            match read(&SockRef::from(self)) {
                Err(error) if is_passing(&error) => {}
                outcome => return Poll::Ready(outcome),
            }
        }
        loop {
            std::task::ready!(self.poll_read_ready(context))?;
            let mut short = None;
            let outcome = self.watched.try_io(Interest::READABLE, |stream| {
                match read(&SockRef::from(stream))? {
                    n if n > 0 && n < room && !self.stops_at_urgent_data() => {
                        short = Some(n);
                        // This makes the runtime wait for the next event, and does nothing else.
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    n => Ok(n),
                }
            });
            match (outcome, short) {
                (_, Some(n)) => return Poll::Ready(Ok(n)),
                // The readiness was that of bytes that have been read since.
                (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => {}
                (Err(error), None) if error.kind() == io::ErrorKind::Interrupted => {}
                (outcome, None) => return Poll::Ready(outcome),
            }
        }
    }

    /// Tells whether the runtime has noticed urgent data since the last such question. This costs no
    /// system call.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn stops_at_urgent_data(&self) -> bool {
        let mut noticed = false;
        let _: io::Result<()> = self.watched.try_io(Interest::PRIORITY, |_| {
            noticed = true;
            Err(io::ErrorKind::WouldBlock.into())
        });
        noticed
    }

    /// Answers that it may: a kqueue marks such an event by `EV_OOBAND`, which mio does not pass on. Each read
    /// is followed by another then, until the kernel has nothing left.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn stops_at_urgent_data(&self) -> bool {
        true
    }

    /// Returns true while the runtime may not have looked at the stream, and no request is out.
    pub fn is_unseen(&self) -> bool {
        self.readiness == Readiness::Unseen
    }

    /// Writes without waiting; `WouldBlock` when the kernel's buffer is full.
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.readiness != Readiness::Known {
            return self.write_unasked(slices);
        }
        self.watched.try_io(Interest::WRITABLE, |stream| {
            send(&SockRef::from(stream), slices)
        })
    }

    /// Writes without asking the runtime, which says `WouldBlock` of a stream that it has not looked at.
    fn write_unasked(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let n = send(&SockRef::from(&*self), slices)?;
        if n > 0 {
            self.readiness = Readiness::Written;
        }
        Ok(n)
    }

    /// Waits until writing may succeed.
    pub fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ready = self.watched.poll_write_ready(context);
        if ready.is_ready() {
            self.readiness = Readiness::Known;
        }
        ready.map_ok(|mut guard| guard.retain_ready())
    }

    /// Waits until reading may succeed.
    pub fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watched
            .poll_read_ready(context)
            .map_ok(|mut guard| guard.retain_ready())
    }

    /// Takes the error with which a connect has ended, if any.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        SockRef::from(self).take_error()
    }

    /// Tells whether the peer has closed or has sent bytes that are unread. Asks the kernel in any case.
    pub fn has_unread_input(&self) -> bool {
        is_input(&self.peek())
    }

    /// Tells the same as [`Self::has_unread_input`], but asks the kernel only if the runtime has noticed
    /// something.
    pub fn has_noticed_input(&self) -> bool {
        is_input(&self.peek_if_noticed())
    }

    /// Tells the same as [`Self::has_noticed_input`], but neither an end nor an error counts.
    pub fn has_noticed_bytes(&self) -> bool {
        matches!(self.peek_if_noticed(), Ok(n) if n > 0)
    }

    /// Waits until there is unread input, without reading it.
    pub fn poll_unread_input(&self, context: &mut Context<'_>) -> Poll<()> {
        while self.poll_read_ready(context).is_ready() {
            if self.has_noticed_input() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Waits until the peer's end is the next thing to read, or reading fails. Unread bytes before the end
    /// have to be read first.
    pub fn poll_end(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.poll_read_ready(context).is_ready() {
            match self.peek_if_noticed() {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => return Poll::Pending,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Pending
    }

    /// Does the same as [`Self::peek`], but asks the kernel only if the runtime has noticed something.
    fn peek_if_noticed(&self) -> io::Result<usize> {
        self.watched.try_io(Interest::READABLE, |_| self.peek())
    }

    /// Looks at the next byte without reading it; 0 bytes are the peer's end.
    fn peek(&self) -> io::Result<usize> {
        SockRef::from(self).recv_with_flags(
            &mut [std::mem::MaybeUninit::uninit(); 1],
            libc::MSG_PEEK | libc::MSG_DONTWAIT,
        )
    }

    /// Makes a second descriptor of the same connection.
    pub fn duplicate(&self) -> io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }

    /// Ends the writing side (FIN).
    pub fn shutdown_write(&self) -> io::Result<()> {
        SockRef::from(self).shutdown(std::net::Shutdown::Write)
    }

    /// Makes the next close send a reset.
    pub fn reset_on_close(&self) {
        if !self.is_unix() {
            // Should it fail, the close is an ordinary one; there is no better way to tell the peer.
            let _ = SockRef::from(self).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    /// Gives the local port and address. Both are empty for a Unix domain socket or a broken one.
    pub fn local_address(&self) -> (u16, String) {
        match self.watched.get_ref() {
            Detached::Tcp(stream) => stream.local_addr().map_or((0, String::new()), |address| {
                (address.port(), host_text(&address))
            }),
            Detached::Unix(_) => (0, String::new()),
        }
    }

    /// Gives the number of the descriptor.
    pub fn descriptor(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// Sends what the kernel takes. `send` is a little cheaper than `sendmsg`, and one slice is the usual case.
fn send(socket: &SockRef<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        [one] => socket.send_with_flags(one, SEND_FLAGS),
        _ => socket.send_vectored_with_flags(slices, SEND_FLAGS),
    }
}

/// Tells whether an error only says that the kernel has nothing now, or was interrupted.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Tells whether a look at unread input has found any. The peer's end and an error count: they are as bad
/// as bytes on a connection that ought to be idle.
fn is_input(look: &io::Result<usize>) -> bool {
    !matches!(look, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watched.get_ref().as_fd()
    }
}
