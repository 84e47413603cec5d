//! TLS towards an upstream: roots, client certificate and protocols.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::config::{UpstreamProtocol, UpstreamTls};
use crate::proxy::tls::{certificates, private_key};

/// Returns the TLS settings of an upstream's connections.
///
/// # Errors
/// An error if a file cannot be read, or contains no certificate or key.
pub(super) fn client_config(settings: &UpstreamTls, protocol: UpstreamProtocol) -> io::Result<ClientConfig> {
    let roots = match &settings.ca {
        Some(path) => roots_of(path)?,
        None => roots_of_system(),
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    let mut config = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => {
            builder.with_client_auth_cert(certificates(certificate)?, private_key(key)?).map_err(io::Error::other)?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = match protocol {
        UpstreamProtocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        UpstreamProtocol::H1 => vec![b"http/1.1".to_vec()],
        UpstreamProtocol::H2 => vec![b"h2".to_vec()],
    };
    Ok(config)
}

/// What the files hold, as a number; another one where any of them has changed.
///
/// # Errors
/// Where a file cannot be read.
pub(super) fn fingerprint(settings: &UpstreamTls) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for path in [&settings.ca, &settings.certificate, &settings.key].into_iter().flatten() {
        let content = fs::read(path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        content.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn roots_of(path: &Path) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
    }
    Ok(roots)
}

/// Returns the system's roots or, without any, those that Mozilla trusts.
fn roots_of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}
