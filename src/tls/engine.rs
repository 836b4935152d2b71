//! One `SSL` of Node's, with BIOs and callbacks of our own.

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use super::capture;
use super::error::TlsError;
use super::exit;
use super::openssl::{Bio, InfoCallback, OpenSsl, Ssl, get, guarded};
use super::pipe::Pipe;

/// Bytes of the largest session that Node passes on (`SecureContext::kMaxSessionSize`).
const MAX_SESSION_SIZE: c_int = 10 * 1024;

/// Bytes of a record that is one of many: a peer that has little to say sends smaller ones.
const LARGE_RECORD: usize = 8 * 1024;

const SSL_ERROR_WANT_READ: c_int = 2;
const SSL_ERROR_WANT_WRITE: c_int = 3;
const SSL_ERROR_ZERO_RETURN: c_int = 6;
const SSL_CB_HANDSHAKE_DONE: c_int = 0x20;
const SSL_CTRL_MODE: c_int = 33;
const SSL_CTRL_SET_SESS_CACHE_MODE: c_int = 44;
const SSL_CTRL_CLEAR_MODE: c_int = 78;
const SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER: std::ffi::c_long = 2;
const SSL_SESS_CACHE_OFF: std::ffi::c_long = 0;
/// `SSL3_RT_HANDSHAKE`, the content type of a handshake message.
const HANDSHAKE: c_int = 22;
/// `SSL3_MT_NEWSESSION_TICKET`, the type of the message that brings a session.
const NEW_SESSION_TICKET: u8 = 4;
const TLS1_3_VERSION: c_int = 0x0304;

/// A session for later connections.
pub struct NewSession {
    /// The identifier.
    pub id: Vec<u8>,
    /// The session in DER.
    pub der: Vec<u8>,
}

/// Notes that OpenSSL's callbacks make during a call. The `SSL` has their address.
#[derive(Default)]
pub struct Notes {
    /// JavaScript wants sessions.
    pub wants_sessions: bool,
    /// JavaScript wants the secrets, for a key log.
    pub wants_secrets: bool,
    /// Sessions that have come.
    pub sessions: Vec<NewSession>,
    /// Lines for a key log, without a line feed.
    pub secrets: Vec<Vec<u8>>,
    /// Handshakes that are complete.
    handshakes: u32,
    /// A ticket is being processed.
    ticket_due: bool,
}

/// Reason for which reading has stopped.
#[derive(Debug)]
pub enum Stop {
    /// The buffer is full, or there are enough bytes, or a record was a small one; more may be there.
    Full,
    /// OpenSSL needs more bytes from the peer.
    Dry,
    /// The peer has closed its side by an alert.
    Closed,
    /// A handshake is complete: the peer has to be verified before anything else is read.
    Secured,
    /// The peer has broken the protocol, or said that this side has.
    Failed(TlsError),
}

/// Outcome of a write.
#[derive(Debug)]
pub enum Written {
    /// All bytes are ciphertext now.
    All,
    /// A handshake is under way, and the bytes wait for its end.
    Held,
    /// The connection is broken.
    Failed(TlsError),
}

/// An `SSL` that has been taken over. The thread that has made it also ends this.
pub struct Engine {
    openssl: &'static OpenSsl,
    index: c_int,
    ssl: *mut Ssl,
    pipe: Box<Pipe>,
    notes: Box<Notes>,
    /// Node's own BIOs, and its callback for news of the handshake.
    node: (*mut Bio, *mut Bio, Option<InfoCallback>),
    /// Plaintext that came behind a handshake and waits until the peer is verified.
    held: Vec<u8>,
    /// The last read has stopped before the bytes at hand were used up.
    more: bool,
    /// Session of an earlier connection, in DER, that the handshake is to resume; empty once the `SSL` has it.
    session: Vec<u8>,
    /// The first handshake has begun.
    begun: bool,
}

// SAFETY: OpenSSL lets any thread use an `SSL`, one at a time. Node's BIOs are only counted here.
unsafe impl Send for Engine {}

impl Engine {
    /// Takes an `SSL` of a client over, whose handshake has not begun.
    ///
    /// # Safety
    /// The `SSL` is alive, and no other thread uses it. Until [`Self::give_back`], or the drop, on this thread, Node only
    /// asks it questions, and holds the lock of the connection then.
    pub unsafe fn take_over(ssl: *mut Ssl) -> Option<Self> {
        let openssl = get()?;
        let index = capture::index(openssl)?;
        let mut pipe = Pipe::new();
        let mut notes = Box::<Notes>::default();
        let bio = pipe.bio(openssl)?;
        // SAFETY: the `SSL` is alive, as the caller says. Whatever it gets lives in boxes that the engine keeps until it has
        // put Node's own back. The certificate callback of a client does nothing in Node but ask whether it is one.
        let node = unsafe {
            (openssl.ssl_up_ref)(ssl);
            let (rbio, wbio) = ((openssl.ssl_get_rbio)(ssl), (openssl.ssl_get_wbio)(ssl));
            (openssl.bio_up_ref)(rbio);
            (openssl.bio_up_ref)(wbio);
            (openssl.ssl_set_bio)(ssl, bio, bio);
            let info = (openssl.ssl_get_info_callback)(ssl);
            (openssl.ssl_set_ex_data)(ssl, index, (&raw mut *notes).cast());
            (openssl.ssl_set_info_callback)(ssl, Some(on_info));
            (openssl.ssl_set_msg_callback)(ssl, Some(on_message));
            (openssl.ssl_set_cert_cb)(ssl, None, ptr::null_mut());
            let mode = SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;
            (openssl.ssl_ctrl)(ssl, SSL_CTRL_MODE, mode, ptr::null_mut());
            // Node's callback for new sessions, which is the context's, is then never called: on this thread it would
            // enter JavaScript. `on_message` notices sessions instead.
            let context = (openssl.ssl_get_ssl_ctx)(ssl);
            let command = SSL_CTRL_SET_SESS_CACHE_MODE;
            (openssl.ssl_ctx_ctrl)(context, command, SSL_SESS_CACHE_OFF, ptr::null_mut());
            (rbio, wbio, info)
        };
        Some(Self {
            openssl,
            index,
            ssl,
            pipe,
            notes,
            node,
            held: Vec::new(),
            more: false,
            session: Vec::new(),
            begun: false,
        })
    }

    /// Has the handshake resume a session in DER. To decode it takes a fifth of the time that Node needs for a connection,
    /// so the thread that begins the handshake does it.
    pub fn resume(&mut self, session: Vec<u8>) {
        // OpenSSL would take the certificate in it for that of the peer.
        if self.begun {
            return;
        }
        // As with Node, one that OpenSSL does not understand leaves an earlier one in its place.
        self.set_session();
        self.session = session;
    }

    /// Gives the `SSL` the session that it is to resume. As with Node, a session that OpenSSL does not understand is none.
    pub fn set_session(&mut self) {
        let der = std::mem::take(&mut self.session);
        if der.is_empty() {
            return;
        }
        let mut start = der.as_ptr();
        // SAFETY: the engine has the `SSL` alive and to itself. OpenSSL reads as many bytes as there are, and counts the
        // session for the `SSL` itself.
        unsafe {
            let length = der.len() as std::ffi::c_long;
            let session = (self.openssl.session_from_der)(ptr::null_mut(), &raw mut start, length);
            if !session.is_null() {
                (self.openssl.ssl_set_session)(self.ssl, session);
                (self.openssl.session_free)(session);
            }
            self.openssl.clear_errors();
        }
    }

    /// Goes on with the handshake, by a packet of the peer.
    pub fn handshake(&mut self, packet: &[u8]) -> Stop {
        self.set_session();
        self.begun = true;
        self.pipe.lend(packet);
        // SAFETY: the engine has the `SSL` alive and to itself; its pipe and its notes are where they were.
        let (outcome, error) = unsafe {
            self.openssl.clear_errors();
            let outcome = (self.openssl.ssl_do_handshake)(self.ssl);
            (outcome, (self.openssl.ssl_get_error)(self.ssl, outcome))
        };
        self.pipe.keep_rest();
        self.note_ticket();
        // What came behind the handshake, as tickets do, is read when the peer is verified.
        self.more |= outcome == 1;
        let stop = match error {
            _ if outcome == 1 => Stop::Secured,
            SSL_ERROR_WANT_READ | SSL_ERROR_WANT_WRITE => return Stop::Dry,
            SSL_ERROR_ZERO_RETURN => Stop::Closed,
            _ => Stop::Failed(TlsError::take(self.openssl)),
        };
        exit::close_gate_earlier();
        stop
    }

    /// Decrypts a packet of the peer, and what is left of earlier ones, into a buffer. Gives the number of bytes there.
    ///
    /// It stops behind the first record that is not a large one, or with which there are `enough` bytes: Node passes each
    /// record on by itself.
    pub fn read(
        &mut self,
        packet: &[u8],
        into: &mut [MaybeUninit<u8>],
        enough: usize,
    ) -> (usize, Stop) {
        self.pipe.lend(packet);
        let mut n = self.held.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(self.held.drain(..n)) {
            place.write(byte);
        }
        let stop = loop {
            let room = into.get_mut(n..).unwrap_or_default();
            if room.is_empty() {
                break Stop::Full;
            }
            let handshakes = self.notes.handshakes;
            let input = self.pipe.input();
            let mut got = 0;
            // SAFETY: as for the handshake; OpenSSL gets the room that there is.
            let (outcome, error) = unsafe {
                self.openssl.clear_errors();
                let place = room.as_mut_ptr().cast();
                let outcome = (self.openssl.ssl_read_ex)(self.ssl, place, room.len(), &raw mut got);
                (outcome, (self.openssl.ssl_get_error)(self.ssl, outcome))
            };
            if self.notes.handshakes != handshakes {
                // The peer has begun another handshake. What it said afterwards waits.
                self.note_ticket();
                let behind = room.get(..got).unwrap_or_default();
                // SAFETY: OpenSSL has filled `got` bytes, which are all of these.
                let behind =
                    unsafe { std::slice::from_raw_parts(behind.as_ptr().cast(), behind.len()) };
                self.held = Vec::from(behind);
                break Stop::Secured;
            }
            match error {
                _ if outcome == 1 && got >= LARGE_RECORD && n + got < enough => n += got,
                _ if outcome == 1 => {
                    n += got;
                    break Stop::Full;
                }
                SSL_ERROR_WANT_READ | SSL_ERROR_WANT_WRITE => break Stop::Dry,
                SSL_ERROR_ZERO_RETURN => break Stop::Closed,
                _ => {
                    let error = TlsError::take(self.openssl);
                    // Node passes over an alert that OpenSSL has no word for; what follows counts.
                    if !error.reason.is_empty() {
                        self.notes.ticket_due = false;
                        break Stop::Failed(error);
                    }
                    if self.pipe.input() == input {
                        break Stop::Dry;
                    }
                }
            }
        };
        self.note_ticket();
        self.pipe.keep_rest();
        self.more = matches!(stop, Stop::Full | Stop::Secured);
        (n, stop)
    }

    /// Returns true while a read may bring something without a packet of the peer.
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// Returns true while nothing is under way: no handshake, and no byte that is to be sent, decrypted or passed on.
    pub fn is_quiet(&self) -> bool {
        // SAFETY: as for the handshake; the functions only answer.
        let shakes_hands = || unsafe {
            (self.openssl.ssl_in_init)(self.ssl) != 0
                || (self.openssl.ssl_renegotiate_pending)(self.ssl) != 0
        };
        !self.more
            && self.held.is_empty()
            && self.pipe.out.is_empty()
            && self.pipe.input() == 0
            && !shakes_hands()
    }

    /// Encrypts bytes. After [`Written::Held`], the next call has to begin with the same bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Written {
        let mut written = 0;
        // SAFETY: as for the handshake; OpenSSL gets the bytes that there are.
        let (outcome, error) = unsafe {
            // Only a read goes on with a handshake. A write would complete it by bytes at hand, for a peer that is not
            // verified, and fails on data between its messages.
            if (self.openssl.ssl_in_init)(self.ssl) != 0 {
                return Written::Held;
            }
            self.openssl.clear_errors();
            let place = bytes.as_ptr().cast();
            let outcome =
                (self.openssl.ssl_write_ex)(self.ssl, place, bytes.len(), &raw mut written);
            (outcome, (self.openssl.ssl_get_error)(self.ssl, outcome))
        };
        match error {
            _ if outcome == 1 => Written::All,
            SSL_ERROR_WANT_READ | SSL_ERROR_WANT_WRITE => Written::Held,
            _ => Written::Failed(TlsError::take(self.openssl)),
        }
    }

    /// Closes this side by an alert, which is ciphertext then. Without a complete handshake it says nothing.
    pub fn close(&mut self) {
        // SAFETY: as for the handshake.
        unsafe {
            self.openssl.clear_errors();
            (self.openssl.ssl_shutdown)(self.ssl);
            self.openssl.clear_errors();
        }
    }

    /// Tells whether the peer has identified itself by this certificate, in DER.
    pub fn has_peer_certificate(&self, der: &[u8]) -> bool {
        // SAFETY: as for the handshake. The certificate is that of the `SSL`, which keeps it meanwhile, and it is written
        // down into memory of the size that OpenSSL has named.
        unsafe {
            let certificate = (self.openssl.ssl_get0_peer_certificate)(self.ssl);
            if certificate.is_null() {
                return false;
            }
            let size = (self.openssl.x509_to_der)(certificate, ptr::null_mut());
            if usize::try_from(size) != Ok(der.len()) {
                return false;
            }
            let mut own = vec![0; der.len()];
            (self.openssl.x509_to_der)(certificate, &mut own.as_mut_ptr());
            own == der
        }
    }

    /// Gives the ciphertext that is to be sent, to be emptied by the caller.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.pipe.out
    }

    /// Gives what the callbacks have noted.
    pub fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }

    /// Makes OpenSSL tell of the secrets of connections with this context.
    pub fn tell_secrets(&mut self) {
        self.notes.wants_secrets = true;
        // SAFETY: the context is that of the `SSL`, and the callback has the right type and stays in memory.
        unsafe {
            let context = (self.openssl.ssl_get_ssl_ctx)(self.ssl);
            (self.openssl.ssl_ctx_set_keylog_callback)(context, Some(on_secret));
        }
    }

    /// Lets Node go on with the connection. `is_established` says that it has to hear now that the handshake is complete.
    /// Gives plaintext that has been decrypted already.
    pub fn give_back(mut self, is_established: bool) -> Vec<u8> {
        self.set_session();
        let held = std::mem::take(&mut self.held);
        let rest = self.pipe.take_input();
        let (openssl, ssl, (rbio, _, info)) = (self.openssl, self.ssl, self.node);
        // Node's BIO makes a buffer for a large write, and would then have no room for what libuv reads, until that is
        // used up. The last byte by itself brings another buffer.
        let (most, last) = rest.split_at(rest.len().saturating_sub(1));
        // SAFETY: Node still has the `SSL`, so it and its BIOs outlive the engine. Its BIO copies the bytes. Its callback gets
        // what OpenSSL would give it, on the thread on which it expects that.
        unsafe {
            for piece in most.chunks(1 << 20).chain(last.chunks(1)) {
                (openssl.bio_write)(rbio, piece.as_ptr().cast(), piece.len() as c_int);
            }
            drop(self);
            if let (true, Some(info)) = (is_established, info) {
                info(ssl, SSL_CB_HANDSHAKE_DONE, 1);
            }
        }
        held
    }

    fn note_ticket(&mut self) {
        if std::mem::take(&mut self.notes.ticket_due) {
            note_session(self.openssl, self.ssl, &mut self.notes);
        }
    }
}

impl Drop for Engine {
    /// Puts everything of Node's back into its place.
    fn drop(&mut self) {
        // No panic: nothing but calls of C.
        let (openssl, ssl, (rbio, wbio, info)) = (self.openssl, self.ssl, self.node);
        // SAFETY: the engine has a reference of the `SSL` and of each BIO. The `SSL` takes those of the BIOs, and frees the
        // BIO of the pipe, before pipe and notes are freed.
        unsafe {
            (openssl.ssl_set_info_callback)(ssl, info);
            (openssl.ssl_set_msg_callback)(ssl, None);
            let mode = SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;
            (openssl.ssl_ctrl)(ssl, SSL_CTRL_CLEAR_MODE, mode, ptr::null_mut());
            (openssl.ssl_set_bio)(ssl, rbio, wbio);
            (openssl.ssl_set_ex_data)(ssl, self.index, ptr::null_mut());
            (openssl.ssl_free)(ssl);
        }
    }
}

/// Gives the notes of an `SSL` that is taken over.
///
/// # Safety
/// OpenSSL calls back with this `SSL`, within a call of the engine that has it, or within one of Node's.
unsafe fn notes_of<'a>(openssl: &OpenSsl, ssl: *const Ssl) -> Option<&'a mut Notes> {
    let index = capture::index(openssl)?;
    // SAFETY: what is there are the notes of the engine, which has put them there and keeps them as long.
    unsafe {
        (openssl.ssl_get_ex_data)(ssl, index)
            .cast::<Notes>()
            .as_mut()
    }
}

/// Notes the session that the connection has now.
fn note_session(openssl: &OpenSsl, ssl: *mut Ssl, notes: &mut Notes) {
    if !notes.wants_sessions {
        return;
    }
    // SAFETY: the `SSL` is alive, in a call of its engine. The session is counted until it is written down, into memory of
    // the size that OpenSSL has named.
    unsafe {
        let session = (openssl.ssl_get1_session)(ssl);
        if session.is_null() {
            return;
        }
        let mut length = 0;
        let id = (openssl.session_get_id)(session, &raw mut length);
        let size = (openssl.session_to_der)(session, ptr::null_mut());
        if length > 0 && size > 0 && size <= MAX_SESSION_SIZE {
            let mut der = vec![0; size as usize];
            (openssl.session_to_der)(session, &mut der.as_mut_ptr());
            let id = std::slice::from_raw_parts(id, length as usize).to_vec();
            notes.sessions.push(NewSession { id, der });
        }
        (openssl.session_free)(session);
    }
}

unsafe extern "C" fn on_info(ssl: *const Ssl, at: c_int, _: c_int) {
    guarded(|| {
        let Some(openssl) = get() else { return };
        // SAFETY: OpenSSL calls this with an `SSL` that is taken over, in a call of its engine. As Node does, it ignores the
        // request for a handshake that has not begun.
        unsafe {
            if at & SSL_CB_HANDSHAKE_DONE == 0 || (openssl.ssl_renegotiate_pending)(ssl) != 0 {
                return;
            }
            let Some(notes) = notes_of(openssl, ssl) else {
                return;
            };
            notes.handshakes += 1;
            // Before TLS 1.3 the session is there with the handshake.
            let is_old = (openssl.ssl_version)(ssl) < TLS1_3_VERSION;
            if is_old && (openssl.ssl_session_reused)(ssl) == 0 {
                note_session(openssl, ssl.cast_mut(), notes);
            }
        }
    })
}

unsafe extern "C" fn on_message(
    is_written: c_int,
    _: c_int,
    content_type: c_int,
    bytes: *const c_void,
    length: usize,
    ssl: *mut Ssl,
    _: *mut c_void,
) {
    guarded(|| {
        let Some(openssl) = get() else { return };
        // SAFETY: OpenSSL calls this with an `SSL` that is taken over, in a call of its engine, and gives `length` bytes.
        unsafe {
            let Some(notes) = notes_of(openssl, ssl).filter(|_| is_written == 0) else {
                return;
            };
            // Another message comes when the ticket has been processed.
            if std::mem::take(&mut notes.ticket_due) {
                note_session(openssl, ssl, notes);
            }
            if content_type == HANDSHAKE && length > 0 {
                let is_ticket = *bytes.cast::<u8>() == NEW_SESSION_TICKET;
                notes.ticket_due = is_ticket && (openssl.ssl_version)(ssl) == TLS1_3_VERSION;
            }
        }
    })
}

unsafe extern "C" fn on_secret(ssl: *const Ssl, line: *const c_char) {
    guarded(|| {
        let Some(openssl) = get() else { return };
        // SAFETY: OpenSSL calls this with an `SSL` that it works on; one that is not taken over has no notes. The line ends
        // with a NUL.
        unsafe {
            if let Some(notes) = notes_of(openssl, ssl)
                && notes.wants_secrets
            {
                let line = std::ffi::CStr::from_ptr(line);
                notes.secrets.push(line.to_bytes().to_vec());
            }
        }
    })
}
