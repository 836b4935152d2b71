//! The descriptor that JavaScript was given last, as a number, to make a socket of libuv of it.
//!
//! A worker may be terminated before libuv has the descriptor, and the number is lost then. JavaScript is given one at
//! a time, so only the last one can be lost.

use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// A descriptor that JavaScript has, or libuv, or that is closed already.
#[derive(Debug, PartialEq, Eq)]
pub struct GivenDescriptor {
    descriptor: RawFd,
    /// Device and inode of the socket. No other socket has them while a descriptor of it is open.
    identity: (libc::dev_t, libc::ino_t),
}

impl GivenDescriptor {
    /// Gives the descriptor up, and notes which socket it names.
    pub fn give(descriptor: OwnedFd) -> (RawFd, Option<Self>) {
        let identity = identity_of(descriptor.as_raw_fd());
        let descriptor = descriptor.into_raw_fd();
        let noted = identity.map(|identity| Self {
            descriptor,
            identity,
        });
        (descriptor, noted)
    }

    /// Closes the descriptor, unless libuv has closed it: the number names another socket then, or none.
    ///
    /// # Safety
    /// The environment has ended: libuv has closed what it had, and JavaScript never runs again.
    pub unsafe fn close(self) {
        if identity_of(self.descriptor) == Some(self.identity) {
            // SAFETY: the number still names the socket for which it was given, so nothing has closed the descriptor. As
            // the caller promises, nothing will.
            drop(unsafe { OwnedFd::from_raw_fd(self.descriptor) });
        }
    }
}

/// Gives device and inode of what a descriptor names; `None` if it is closed.
fn identity_of(descriptor: RawFd) -> Option<(libc::dev_t, libc::ino_t)> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills `status`, for which there is room, if it does not refuse the number.
    unsafe {
        if libc::fstat(descriptor, status.as_mut_ptr()) != 0 {
            return None;
        }
        let status = status.assume_init();
        Some((status.st_dev, status.st_ino))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    // Miri has no inodes of sockets.
    #[test]
    #[cfg_attr(miri, ignore)]
    fn a_descriptor_that_is_lost_is_closed() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (_, given) = GivenDescriptor::give(near.into());
        // SAFETY: no other code has the number.
        unsafe { given.unwrap().close() };
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    }

    // Miri has no inodes of sockets.
    #[test]
    #[cfg_attr(miri, ignore)]
    fn a_descriptor_that_names_another_socket_meanwhile_stays_open() {
        let (near, _far) = UnixStream::pair().unwrap();
        let (other, mut other_far) = UnixStream::pair().unwrap();
        let (number, given) = GivenDescriptor::give(near.into());
        // SAFETY: the first descriptor is this test's alone; the kernel puts the other socket in its place.
        let place = unsafe { OwnedFd::from_raw_fd(number) };
        // SAFETY: the call takes numbers only.
        assert!(unsafe { libc::dup2(other.as_raw_fd(), number) } == number);
        drop(other);
        // SAFETY: no other code uses the number while this call runs.
        unsafe { given.unwrap().close() };
        other_far.set_nonblocking(true).unwrap();
        assert!(other_far.read(&mut [0]).is_err());
        drop(place);
        assert_eq!(other_far.read(&mut [0]).unwrap(), 0);
    }
}
