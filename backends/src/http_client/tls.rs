//! Which certificates are trusted, and the handshake.

use std::fmt;
use std::sync::Arc;

use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{ClientConfig, RootCertStore};
use smol::lock::OnceCell;

use super::connect::Stream;
use super::error::TransportError;

/// Speaks TLS with servers that it trusts. The certificates are read once, when they are needed first.
#[derive(Clone, Default)]
pub(super) struct Tls {
    extra: Vec<CertificateDer<'static>>,
    connector: Arc<OnceCell<TlsConnector>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("extra", &self.extra.len()).finish_non_exhaustive()
    }
}

impl Tls {
    pub(super) fn with(self, certificate: Vec<u8>) -> Self {
        let mut extra = self.extra;
        extra.push(certificate.into());
        Self { extra, connector: Arc::default() }
    }

    pub(super) async fn handshake(&self, host: &str, stream: Stream) -> Result<TlsStream<Stream>, TransportError> {
        // An address of version 6 stands in brackets in a URL.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|error| TransportError::Tls(error.to_string()))?;
        let extra = &self.extra;
        let connector = self.connector.get_or_try_init(|| async { connector(extra.clone()).await }).await?;
        connector.connect(name, stream).await.map_err(|error| TransportError::Tls(error.to_string()))
    }
}

async fn connector(extra: Vec<CertificateDer<'static>>) -> Result<TlsConnector, TransportError> {
    let invalid = |error: futures_rustls::rustls::Error| TransportError::Tls(error.to_string());
    // The system's are files.
    let mut roots = smol::unblock(system_roots).await;
    for certificate in extra {
        roots.add(certificate).map_err(invalid)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(invalid)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The root certificates of the system; without any (as in an empty container) those of Mozilla.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "a certificate of the system cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::info!("the system has no certificates to trust; those that Mozilla trusts are used");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}
