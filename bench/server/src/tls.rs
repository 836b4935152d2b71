//! The certificate and the TLS settings of the https listener.

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{HandshakeKind, ServerConfig};

/// Counts of the TLS handshakes that led to a request, by kind.
///
/// The benchmark reads them to see that a workload's connections are of the kind that the workload says.
#[derive(Debug, Default)]
pub struct Handshakes {
    full: Cell<u64>,
    resumed: Cell<u64>,
}

impl Handshakes {
    /// Adds one handshake; a kind that is not known yet counts as full.
    pub fn count(&self, kind: Option<HandshakeKind>) {
        let counter = match kind {
            Some(HandshakeKind::Resumed) => &self.resumed,
            _ => &self.full,
        };
        counter.set(counter.get() + 1);
    }

    /// The counts as a JSON document.
    pub fn to_json(&self) -> String {
        format!(
            r#"{{"full":{},"resumed":{}}}"#,
            self.full.get(),
            self.resumed.get()
        )
    }
}

/// A key made for this process alone (ECDSA P-256), and the certificate that clients are told to trust.
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
        // Its keys are ECDSA P-256, which most servers on the web have.
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(io::Error::other)?;
        // Session tickets, as nginx sends them: the cache that rustls has instead of them forgets past 256 sessions.
        config.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
        Ok(Self {
            config: Arc::new(config),
            certificate_pem: made.cert.pem(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::{Read, Write};

    use rustls::pki_types::ServerName;
    use rustls::pki_types::pem::PemObject;
    use rustls::{
        ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConnection,
    };

    /// A client that trusts the identity and keeps sessions.
    fn client_of(identity: &Identity) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let pem = identity.certificate_pem.as_bytes();
        roots
            .add(rustls::pki_types::CertificateDer::from_pem_slice(pem).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// Carries the records that wait in one connection to the other.
    fn carry<A, B>(from: &mut rustls::ConnectionCommon<A>, to: &mut rustls::ConnectionCommon<B>) {
        let mut records = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut records).unwrap();
        }
        let mut unread = records.as_slice();
        while !unread.is_empty() {
            to.read_tls(&mut unread).unwrap();
            to.process_new_packets().unwrap();
        }
    }

    /// Connects, reads one byte behind the tickets, and gives the kind that the server says the handshake had.
    fn handshake(identity: &Identity, client: &Arc<ClientConfig>) -> Option<HandshakeKind> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(client.clone(), name).unwrap();
        let mut server = ServerConnection::new(identity.config.clone()).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            carry(&mut client, &mut server);
            carry(&mut server, &mut client);
        }
        server.writer().write_all(b"!").unwrap();
        carry(&mut server, &mut client);
        let mut byte = [0];
        client.reader().read_exact(&mut byte).unwrap();
        assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        server.handshake_kind()
    }

    #[test]
    fn client_that_comes_back_resumes_its_session() {
        let identity = Identity::self_signed().unwrap();
        let client = client_of(&identity);
        let handshakes = Handshakes::default();
        for _ in 0..3 {
            handshakes.count(handshake(&identity, &client));
        }
        handshakes.count(handshake(&identity, &client_of(&identity)));
        assert_eq!(handshakes.to_json(), r#"{"full":2,"resumed":2}"#);
    }
}
