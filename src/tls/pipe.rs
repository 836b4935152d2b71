//! Ciphertext in memory: the BIO from which OpenSSL reads what the peer has sent, and to which it writes what the peer is
//! to get.

use std::ffi::{c_char, c_int, c_long, c_void};
use std::sync::OnceLock;

use super::openssl::{Bio, BioMethod, OpenSsl, get, guarded};

/// `BIO_TYPE_SOURCE_SINK`, with a number that OpenSSL leaves to others.
const TYPE: c_int = 0x0400 | 127;
/// `BIO_FLAGS_READ`, `BIO_FLAGS_WRITE` and `BIO_FLAGS_IO_SPECIAL`, with `BIO_FLAGS_SHOULD_RETRY`.
const RETRY_FLAGS: c_int = 0x0f;
/// `BIO_FLAGS_READ` with `BIO_FLAGS_SHOULD_RETRY`.
const RETRY_READ: c_int = 0x09;
/// `BIO_CTRL_FLUSH`.
const CONTROL_FLUSH: c_int = 11;

/// No packet.
const EMPTY: *const [u8] = &[];

/// The ciphertext of one connection.
pub struct Pipe {
    /// Ciphertext of one read, while it is being decrypted; empty at all other times.
    packet: *const [u8],
    /// Bytes of earlier packets that OpenSSL has not asked for.
    kept: Vec<u8>,
    /// Bytes of `kept` that OpenSSL has taken.
    taken: usize,
    /// Ciphertext that is to be sent.
    pub out: Vec<u8>,
}

// SAFETY: `packet` is empty whenever the pipe is at rest, so nothing that belongs to a thread is in it.
unsafe impl Send for Pipe {}

impl Pipe {
    /// Makes an empty pipe. It must not move while a BIO has it.
    pub fn new() -> Box<Self> {
        Box::new(Self {
            packet: EMPTY,
            kept: Vec::new(),
            taken: 0,
            out: Vec::new(),
        })
    }

    /// Makes a BIO on the pipe, which has to outlive it.
    pub fn bio(&mut self, openssl: &OpenSsl) -> Option<*mut Bio> {
        let method = method(openssl)?;
        // SAFETY: the method is whole, and the BIO is initialised before anybody has it.
        unsafe {
            let bio = (openssl.bio_new)(method);
            if bio.is_null() {
                return None;
            }
            (openssl.bio_set_data)(bio, (&raw mut *self).cast());
            (openssl.bio_set_init)(bio, 1);
            Some(bio)
        }
    }

    /// Lends OpenSSL a packet, until [`Self::keep_rest`].
    pub fn lend(&mut self, packet: &[u8]) {
        self.packet = packet;
    }

    /// Takes the packet back, and keeps what is left of it.
    pub fn keep_rest(&mut self) {
        let packet = std::mem::replace(&mut self.packet, EMPTY);
        // SAFETY: the caller of `lend` still has the packet, because every engine call takes it back before it ends.
        let rest = unsafe { &*packet };
        if rest.is_empty() && self.taken < self.kept.len() {
            return;
        }
        if self.taken > 0 {
            self.kept.drain(..self.taken);
            self.taken = 0;
        }
        if self.kept.is_empty() && rest.is_empty() {
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(rest);
        }
    }

    /// Gives the number of bytes that OpenSSL has not asked for.
    pub fn input(&self) -> usize {
        self.kept.len() - self.taken + self.packet.len()
    }

    /// Takes the bytes that OpenSSL has not asked for.
    pub fn take_input(&mut self) -> Vec<u8> {
        let rest = self.kept.split_off(self.taken.min(self.kept.len()));
        self.kept = Vec::new();
        self.taken = 0;
        rest
    }

    /// Gives OpenSSL the next bytes, at most `room` of them.
    fn read(&mut self, into: *mut u8, room: usize) -> usize {
        let kept = self.kept.get(self.taken..).unwrap_or_default();
        if !kept.is_empty() {
            let n = room.min(kept.len());
            // SAFETY: OpenSSL has room for `room` bytes at `into`, which is memory of its own.
            unsafe { std::ptr::copy_nonoverlapping(kept.as_ptr(), into, n) };
            self.taken += n;
            return n;
        }
        // SAFETY: `packet` is what `lend` was called with, which the caller has until `keep_rest`.
        let packet = unsafe { &*self.packet };
        let n = room.min(packet.len());
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(packet.as_ptr(), into, n) };
        self.packet = packet.get(n..).unwrap_or_default();
        n
    }
}

/// The one BIO method of the process; never freed.
struct Method(*const BioMethod);

// SAFETY: the method is complete before it is shared, and never changed.
unsafe impl Send for Method {}
// SAFETY: as above.
unsafe impl Sync for Method {}

fn method(openssl: &OpenSsl) -> Option<*const BioMethod> {
    static METHOD: OnceLock<Option<Method>> = OnceLock::new();
    let made = METHOD.get_or_init(|| {
        // SAFETY: the functions get a method that was just made, and callbacks of the right types.
        unsafe {
            let method = (openssl.bio_meth_new)(TYPE, c"ferrequest".as_ptr());
            if method.is_null() {
                return None;
            }
            (openssl.bio_meth_set_read_ex)(method, on_read);
            (openssl.bio_meth_set_write_ex)(method, on_write);
            (openssl.bio_meth_set_ctrl)(method, on_control);
            Some(Method(method))
        }
    });
    made.as_ref().map(|method| method.0)
}

unsafe extern "C" fn on_read(
    bio: *mut Bio,
    into: *mut c_char,
    room: usize,
    n: *mut usize,
) -> c_int {
    guarded(|| {
        let Some(openssl) = get() else { return 0 };
        // SAFETY: OpenSSL calls this with a BIO of `Pipe::bio`, whose pipe lives, within a call of the engine that has it.
        unsafe {
            (openssl.bio_clear_flags)(bio, RETRY_FLAGS);
            let pipe = &mut *(openssl.bio_get_data)(bio).cast::<Pipe>();
            *n = pipe.read(into.cast(), room);
            if *n > 0 {
                return 1;
            }
            (openssl.bio_set_flags)(bio, RETRY_READ);
        }
        0
    })
}

unsafe extern "C" fn on_write(
    bio: *mut Bio,
    bytes: *const c_char,
    length: usize,
    n: *mut usize,
) -> c_int {
    guarded(|| {
        let Some(openssl) = get() else { return 0 };
        // SAFETY: as for `on_read`; OpenSSL gives `length` bytes.
        unsafe {
            (openssl.bio_clear_flags)(bio, RETRY_FLAGS);
            let pipe = &mut *(openssl.bio_get_data)(bio).cast::<Pipe>();
            pipe.out
                .extend_from_slice(std::slice::from_raw_parts(bytes.cast(), length));
            *n = length;
        }
        1
    })
}

unsafe extern "C" fn on_control(_: *mut Bio, command: c_int, _: c_long, _: *mut c_void) -> c_long {
    guarded(|| {
        // All is written at once, so there is nothing to flush. Every other command is an optional one.
        c_long::from(command == CONTROL_FLUSH)
    })
}
