//! TLS by the OpenSSL of the running Node, on connections whose `SSL` object Node itself has made.
//!
//! Node's `tls.TLSSocket` makes an `SSL` from the user's options: certificates, ciphers, versions, session, server
//! name, everything. A [`TlsConnection`] takes the bytes of that object over: its BIOs, and the callbacks by which Node
//! would enter JavaScript. The object stays Node's, which answers all questions about it (`getPeerCertificate`,
//! `verifyError`, ...) and frees it. So no decision about security is made here, and none can differ from Node's.
//!
//! Any thread runs the code, one at a time for one connection. The room imports no other.
//!
//! | file | what |
//! |---|---|
//! | [`openssl`] | the functions of Node's OpenSSL, looked up at run time |
//! | [`capture`] | the `SSL` that Node makes during a call of JavaScript's |
//! | [`connection`] | the connection: handshake, reading, writing, and the way back to Node |
//! | [`engine`] | one `SSL` with BIOs of our own |
//! | [`pipe`] | those BIOs: ciphertext in memory |
//! | [`error`] | OpenSSL's queue of errors, as Node tells of it |
//! | [`exit`] | the end of the process, at which OpenSSL goes |

pub mod capture;
pub mod connection;
pub mod engine;
pub mod error;
mod exit;
pub mod openssl;
mod pipe;

pub use connection::TlsConnection;
pub use engine::{Engine, Notes, Stop, Written};
pub use error::TlsError;
