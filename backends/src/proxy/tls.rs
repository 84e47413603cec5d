//! Certificates and keys in PEM files, and TLS on the data port.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsFiles;

/// Returns every certificate of a PEM file; at least one.
pub(super) fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let named = |words: String| io::Error::other(format!("{}: {words}", path.display()));
    let read = CertificateDer::pem_file_iter(path).map_err(|error| named(error.to_string()))?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| named(error.to_string()))?;
    if certificates.is_empty() { Err(named("holds no certificate".to_owned())) } else { Ok(certificates) }
}

/// Returns the first private key of a PEM file.
pub(super) fn private_key(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

/// Returns the TLS settings of the data port; `None` for cleartext.
///
/// # Errors
/// An error if a file cannot be read, or certificate and key do not match.
pub(super) fn server_config(files: &TlsFiles) -> io::Result<Option<Arc<ServerConfig>>> {
    let (Some(certificate), Some(key)) = (&files.certificate, &files.key) else { return Ok(None) };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(certificates(certificate)?, private_key(key)?)
        .map_err(|error| io::Error::other(format!("{}: {error}", certificate.display())))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}
