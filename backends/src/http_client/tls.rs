//! Trusted certificates, and the TLS handshake.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{ClientConfig, RootCertStore};
use smol::lock::OnceCell;

use super::connect::Stream;
use super::error::TransportError;
use crate::text::shown;

/// Speaks TLS with trusted servers. The certificates are read once, at the first handshake.
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
        // An IPv6 address in a URL is in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|error| TransportError::Tls(error.to_string()))?;
        let extra = &self.extra;
        let connector = self.connector.get_or_try_init(|| async { connector(extra.clone()).await }).await?;
        connector.connect(name, stream).await.map_err(|error| TransportError::Tls(error.to_string()))
    }
}

async fn connector(extra: Vec<CertificateDer<'static>>) -> Result<TlsConnector, TransportError> {
    let invalid = |error: futures_rustls::rustls::Error| TransportError::Tls(error.to_string());
    // The certificates are files.
    let mut roots = smol::unblock(trusted_roots).await?;
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

/// The certificates that the environment names, otherwise those that the system trusts. If the system has none (as in an empty
/// container): those that Mozilla trusts.
fn trusted_roots() -> Result<RootCertStore, TransportError> {
    let named = named_in_environment();
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if !named.is_empty() && roots.is_empty() {
        let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let reason = if reasons.is_empty() { "it contains none".to_owned() } else { reasons.join("; ") };
        return Err(TransportError::Tls(format!("{named} gives no certificate to trust: {reason}; allowed: PEM")));
    }
    for error in &found.errors {
        if named.is_empty() {
            tracing::debug!(%error, "a system certificate cannot be read");
        } else {
            tracing::warn!(%error, "a certificate of {named} cannot be read");
        }
    }
    if roots.is_empty() {
        tracing::info!("the system has no trusted certificates; using those of Mozilla");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

/// The variables that name certificates, such as `SSL_CERT_FILE = /etc/ca.pem`; empty if none is set.
fn named_in_environment() -> String {
    let set = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let named: Vec<String> = set.map(|(name, value)| format!("{name} = {}", shown(Path::new(&value)))).collect();
    named.join(", ")
}

/// The problem with the certificates that the environment names; `None` if it names none. Reads files.
pub(super) fn environment_problem() -> Option<TransportError> {
    (!named_in_environment().is_empty()).then(trusted_roots)?.err()
}
