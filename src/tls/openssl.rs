//! The functions of the OpenSSL that the running Node exports, looked up by name. Where one is missing, or the library is
//! another one (BoringSSL in Electron), there are none.

use std::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// `SSL` of OpenSSL.
#[repr(C)]
pub struct Ssl([u8; 0]);
/// `SSL_CTX` of OpenSSL.
#[repr(C)]
pub struct SslCtx([u8; 0]);
/// `SSL_SESSION` of OpenSSL.
#[repr(C)]
pub struct SslSession([u8; 0]);
/// `X509` of OpenSSL.
#[repr(C)]
pub struct X509([u8; 0]);
/// `BIO` of OpenSSL.
#[repr(C)]
pub struct Bio([u8; 0]);
/// `BIO_METHOD` of OpenSSL.
#[repr(C)]
pub struct BioMethod([u8; 0]);

/// Callback of `SSL_set_info_callback`.
pub type InfoCallback = unsafe extern "C" fn(*const Ssl, c_int, c_int);
/// Callback of `SSL_set_msg_callback`.
pub type MessageCallback =
    unsafe extern "C" fn(c_int, c_int, c_int, *const c_void, usize, *mut Ssl, *mut c_void);
/// Callback of `SSL_CTX_set_keylog_callback`.
pub type KeylogCallback = unsafe extern "C" fn(*const Ssl, *const c_char);
/// Callback of `SSL_set_cert_cb`.
pub type CertificateCallback = unsafe extern "C" fn(*mut Ssl, *mut c_void) -> c_int;
/// Callback of `CRYPTO_get_ex_new_index` for a new object.
pub type NewCallback =
    unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void, c_int, c_long, *mut c_void);
/// Callback of `BIO_meth_set_read_ex`.
pub type BioRead = unsafe extern "C" fn(*mut Bio, *mut c_char, usize, *mut usize) -> c_int;
/// Callback of `BIO_meth_set_write_ex`.
pub type BioWrite = unsafe extern "C" fn(*mut Bio, *const c_char, usize, *mut usize) -> c_int;
/// Callback of `BIO_meth_set_ctrl`.
pub type BioControl = unsafe extern "C" fn(*mut Bio, c_int, c_long, *mut c_void) -> c_long;
/// Callback of `ERR_print_errors_cb`.
pub type PrintCallback = unsafe extern "C" fn(*const c_char, usize, *mut c_void) -> c_int;

/// Declares the functions and the look-up of all of them.
macro_rules! functions {
    ($($field:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions, named without their prefix. Their documentation is OpenSSL's.
        #[allow(missing_docs)]
        pub struct OpenSsl {
            $(pub $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl OpenSsl {
            fn load() -> Option<Self> {
                Some(Self {
                    $(
                        // SAFETY: the function of this name has this type in every OpenSSL 3, which is checked before
                        // any other is called.
                        $field: unsafe {
                            std::mem::transmute::<
                                *mut c_void,
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(symbol($symbol)?)
                        },
                    )*
                })
            }
        }
    };
}

functions! {
    version_num = c"OpenSSL_version_num": fn() -> c_ulong;
    get_ex_new_index = c"CRYPTO_get_ex_new_index":
        fn(c_int, c_long, *mut c_void, Option<NewCallback>, *mut c_void, *mut c_void) -> c_int;
    bio_meth_new = c"BIO_meth_new": fn(c_int, *const c_char) -> *mut BioMethod;
    bio_meth_set_read_ex = c"BIO_meth_set_read_ex": fn(*mut BioMethod, BioRead) -> c_int;
    bio_meth_set_write_ex = c"BIO_meth_set_write_ex": fn(*mut BioMethod, BioWrite) -> c_int;
    bio_meth_set_ctrl = c"BIO_meth_set_ctrl": fn(*mut BioMethod, BioControl) -> c_int;
    bio_new = c"BIO_new": fn(*const BioMethod) -> *mut Bio;
    bio_free = c"BIO_free": fn(*mut Bio) -> c_int;
    bio_up_ref = c"BIO_up_ref": fn(*mut Bio) -> c_int;
    bio_set_data = c"BIO_set_data": fn(*mut Bio, *mut c_void);
    bio_get_data = c"BIO_get_data": fn(*mut Bio) -> *mut c_void;
    bio_set_init = c"BIO_set_init": fn(*mut Bio, c_int);
    bio_set_flags = c"BIO_set_flags": fn(*mut Bio, c_int);
    bio_clear_flags = c"BIO_clear_flags": fn(*mut Bio, c_int);
    bio_write = c"BIO_write": fn(*mut Bio, *const c_void, c_int) -> c_int;
    ssl_up_ref = c"SSL_up_ref": fn(*mut Ssl) -> c_int;
    ssl_free = c"SSL_free": fn(*mut Ssl);
    ssl_set_bio = c"SSL_set_bio": fn(*mut Ssl, *mut Bio, *mut Bio);
    ssl_get_rbio = c"SSL_get_rbio": fn(*const Ssl) -> *mut Bio;
    ssl_get_wbio = c"SSL_get_wbio": fn(*const Ssl) -> *mut Bio;
    ssl_set_ex_data = c"SSL_set_ex_data": fn(*mut Ssl, c_int, *mut c_void) -> c_int;
    ssl_get_ex_data = c"SSL_get_ex_data": fn(*const Ssl, c_int) -> *mut c_void;
    ssl_get_info_callback = c"SSL_get_info_callback": fn(*const Ssl) -> Option<InfoCallback>;
    ssl_set_info_callback = c"SSL_set_info_callback": fn(*mut Ssl, Option<InfoCallback>);
    ssl_set_msg_callback = c"SSL_set_msg_callback": fn(*mut Ssl, Option<MessageCallback>);
    ssl_set_cert_cb = c"SSL_set_cert_cb": fn(*mut Ssl, Option<CertificateCallback>, *mut c_void);
    ssl_ctrl = c"SSL_ctrl": fn(*mut Ssl, c_int, c_long, *mut c_void) -> c_long;
    ssl_do_handshake = c"SSL_do_handshake": fn(*mut Ssl) -> c_int;
    ssl_in_init = c"SSL_in_init": fn(*const Ssl) -> c_int;
    ssl_read_ex = c"SSL_read_ex": fn(*mut Ssl, *mut c_void, usize, *mut usize) -> c_int;
    ssl_write_ex = c"SSL_write_ex": fn(*mut Ssl, *const c_void, usize, *mut usize) -> c_int;
    ssl_shutdown = c"SSL_shutdown": fn(*mut Ssl) -> c_int;
    ssl_get_error = c"SSL_get_error": fn(*const Ssl, c_int) -> c_int;
    ssl_renegotiate_pending = c"SSL_renegotiate_pending": fn(*const Ssl) -> c_int;
    ssl_version = c"SSL_version": fn(*const Ssl) -> c_int;
    ssl_session_reused = c"SSL_session_reused": fn(*const Ssl) -> c_int;
    ssl_get1_session = c"SSL_get1_session": fn(*mut Ssl) -> *mut SslSession;
    ssl_get_ssl_ctx = c"SSL_get_SSL_CTX": fn(*const Ssl) -> *mut SslCtx;
    ssl_ctx_ctrl = c"SSL_CTX_ctrl": fn(*mut SslCtx, c_int, c_long, *mut c_void) -> c_long;
    ssl_ctx_set_keylog_callback = c"SSL_CTX_set_keylog_callback": fn(*mut SslCtx, Option<KeylogCallback>);
    ssl_set_session = c"SSL_set_session": fn(*mut Ssl, *mut SslSession) -> c_int;
    ssl_get0_peer_certificate = c"SSL_get0_peer_certificate": fn(*const Ssl) -> *mut X509;
    x509_to_der = c"i2d_X509": fn(*const X509, *mut *mut c_uchar) -> c_int;
    session_get_id = c"SSL_SESSION_get_id": fn(*const SslSession, *mut c_uint) -> *const c_uchar;
    session_free = c"SSL_SESSION_free": fn(*mut SslSession);
    session_from_der = c"d2i_SSL_SESSION":
        fn(*mut *mut SslSession, *mut *const c_uchar, c_long) -> *mut SslSession;
    session_to_der = c"i2d_SSL_SESSION": fn(*const SslSession, *mut *mut c_uchar) -> c_int;
    err_clear_error = c"ERR_clear_error": fn();
    err_peek_error = c"ERR_peek_error": fn() -> c_ulong;
    err_print_errors_cb = c"ERR_print_errors_cb": fn(PrintCallback, *mut c_void);
    err_lib_error_string = c"ERR_lib_error_string": fn(c_ulong) -> *const c_char;
    err_reason_error_string = c"ERR_reason_error_string": fn(c_ulong) -> *const c_char;
}

impl OpenSsl {
    /// Empties this thread's queue of errors. It mostly is empty, which is cheaper to ask than to make so.
    pub fn clear_errors(&self) {
        // SAFETY: the functions take nothing, and touch nothing but the queue of this thread.
        unsafe {
            if (self.err_peek_error)() != 0 {
                (self.err_clear_error)();
            }
        }
    }
}

/// Does the work of a callback of OpenSSL. A panic ends here, with the default answer: it must not unwind into C.
pub(super) fn guarded<T: Default>(work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_default()
}

/// Gives the functions, or nothing where the process has no OpenSSL 3.
pub fn get() -> Option<&'static OpenSsl> {
    static OPENSSL: OnceLock<Option<OpenSsl>> = OnceLock::new();
    OPENSSL
        .get_or_init(|| {
            // A name that BoringSSL has not, and whose type no release has changed.
            symbol(c"OpenSSL_version_num")?;
            let openssl = OpenSsl::load()?;
            // SAFETY: the function takes nothing, and only answers.
            let version = unsafe { (openssl.version_num)() };
            (version >> 28 == 3).then_some(openssl)
        })
        .as_ref()
}

/// Looks a name up in the program and the libraries that it is linked with.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with a NUL.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}
