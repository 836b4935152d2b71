//! The certificate and the TLS settings of the https listener.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A key made for this process alone, and the certificate that clients are told to trust.
pub struct Identity {
    /// What every TLS connection is made from.
    pub config: Arc<ServerConfig>,
    /// The certificate, which is its own issuer.
    pub certificate_pem: String,
}

impl Identity {
    /// Makes a new key and a certificate for the loopback addresses.
    pub fn self_signed() -> io::Result<Self> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(io::Error::other)?;
        Ok(Self {
            config: Arc::new(config),
            certificate_pem: made.cert.pem(),
        })
    }
}
