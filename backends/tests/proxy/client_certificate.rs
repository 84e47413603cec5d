//! An upstream that accepts only clients with a certificate.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::pki_types::pem::PemObject as _;
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::server::WebPkiClientVerifier;
use futures_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::client::get;
use crate::fixture::{Fixture, one_upstream};
use crate::secure::{Certificates, quoted};
use crate::upstream::OK;

fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().collect::<Result<_, _>>().unwrap()
}

/// A service over TLS whose clients need a certificate of the authority of its own.
fn demanding(its: &Certificates) -> SocketAddr {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&its.path("ca.pem")) {
        roots.add(certificate).unwrap();
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let key = PrivateKeyDer::from_pem_file(its.path("tls.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&its.path("tls.crt")), key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream.unwrap());
            thread::spawn(move || answer(tls));
        }
    });
    address
}

/// Answers each request until the client goes away, or is none that may ask.
fn answer(tls: StreamOwned<ServerConnection, TcpStream>) {
    let mut tls = BufReader::new(tls);
    let mut line = String::new();
    while tls.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        if line == "\r\n" && tls.get_mut().write_all(OK).is_err() {
            break;
        }
        line.clear();
    }
}

/// A proxy whose upstream is at `address`, with these certificates for itself.
fn config(address: SocketAddr, its: &Certificates, certificate: Option<(&Certificates, &Certificates)>) -> String {
    let own = certificate.map(|(certificate, key)| {
        let (certificate, key) = (quoted(&certificate.path("tls.crt")), quoted(&key.path("tls.key")));
        format!("tls.certificate = {certificate}\ntls.key = {key}\n")
    });
    let tls = format!("tls.ca = {}\n{}", quoted(&its.path("ca.pem")), own.unwrap_or_default());
    one_upstream(&format!("https://localhost:{}", address.port()), &tls)
}

#[test]
fn an_upstream_that_asks_for_a_certificate_gets_the_one_of_its_table() {
    let (its, others) = (Certificates::new(), Certificates::new());
    let address = demanding(&its);
    let proxy = Fixture::new(&config(address, &its, Some((&its, &its))));
    for _ in 0..3 {
        let response = get(proxy.address, "/");
        assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    }
    assert_eq!(proxy.counts("up").ok, 3);
    for certificate in [None, Some((&others, &others))] {
        let proxy = Fixture::new(&config(address, &its, certificate));
        assert_eq!(get(proxy.address, "/").status, 502, "{}", certificate.is_some());
        assert_eq!(proxy.counts("up").failed, 1);
    }
    // A key of another certificate is an error of the configuration.
    assert!(proxy.rejects(&config(address, &its, Some((&its, &others)))));
    assert_eq!(get(proxy.address, "/").status, 200);
}
