//! TLS and HTTP/2: one proxy behind another, over https.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::client::{exchange, get};
use crate::fixture::{Fixture, one_upstream};
use crate::upstream::Recorder;

/// A certificate authority, and a certificate for localhost.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let certificates = Self { folder: tempfile::tempdir().unwrap() };
        certificates.write();
        certificates
    }

    /// Replaces all of them.
    fn write(&self) {
        let folder = &self.folder;
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        fs::write(folder.path().join("tls.crt"), certificate.pem()).unwrap();
        fs::write(folder.path().join("tls.key"), key.serialize_pem()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

/// A proxy with TLS in front of the upstream.
fn inner(certificates: &Certificates, upstream: &Recorder) -> Fixture {
    Fixture::new(&inner_config(certificates, upstream))
}

fn inner_config(certificates: &Certificates, upstream: &Recorder) -> String {
    format!(
        "[proxy]\nforwarded = \"off\"\ntls.certificate = {}\ntls.key = {}\n{}",
        quoted(&certificates.path("tls.crt")),
        quoted(&certificates.path("tls.key")),
        one_upstream(&upstream.url(), "")
    )
}

fn outer(certificates: &Certificates, inner: &Fixture, more: &str) -> Fixture {
    Fixture::new(&outer_config(certificates, inner, more))
}

fn outer_config(certificates: &Certificates, inner: &Fixture, more: &str) -> String {
    let url = format!("https://localhost:{}", inner.address.port());
    let ca = format!("tls.ca = {}\n{more}", quoted(&certificates.path("ca.pem")));
    one_upstream(&url, &ca)
}

#[test]
fn https_between_two_proxies_with_both_protocols() {
    let certificates = Certificates::new();
    let upstream = Recorder::start();
    for protocol in ["auto", "h1", "h2"] {
        upstream.forget();
        let inner = inner(&certificates, &upstream);
        let outer = outer(&certificates, &inner, &format!("protocol = \"{protocol}\""));
        let ask = "POST /a?b HTTP/1.1\r\nhost: shop.example\r\ncookie: a=1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        for _ in 0..3 {
            let response = exchange(outer.address, ask);
            assert_eq!((response.status, response.text().as_str()), (200, "ok"), "{protocol}");
        }
        let seen = upstream.seen()[0].text();
        assert!(seen.starts_with("POST /a?b HTTP/1.1\r\n") && seen.contains("host: shop.example\r\n"), "{seen}");
        assert!(seen.contains("3\r\nabc\r\n"), "{seen}");
        assert_eq!((outer.counts("up").ok, inner.counts("up").ok), (3, 3));
        // All requests of one thread share a connection, with either protocol.
        assert!(inner.metric("tripline_proxy_connections") <= 1.0, "{protocol}");
    }
}

#[test]
fn a_certificate_of_another_authority_is_a_502() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let upstream = Recorder::start();
    let inner = inner(&certificates, &upstream);
    let outer = outer(&others, &inner, "");
    let response = get(outer.address, "/");
    assert_eq!((response.status, response.text().as_str()), (502, "no TLS with the upstream\n"));
    assert!(upstream.seen().is_empty());
}

#[test]
fn cleartext_http_2_by_prior_knowledge() {
    let upstream = Recorder::start();
    let inner = Fixture::to(&upstream.url(), "");
    let outer = Fixture::to(&format!("http://{}", inner.address), "protocol = \"h2\"");
    for _ in 0..3 {
        assert_eq!(get(outer.address, "/x").status, 200);
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[0].text().contains("x-forwarded-for: 127.0.0.1\r\n"), "{}", seen[0].text());
    inner.breaker("up").force_open();
    let rejected = get(outer.address, "/x");
    assert_eq!(rejected.status, 503);
    assert!(rejected.field("x-tripline").is_some_and(|why| why.contains("forced_open")), "{}", rejected.head);
}

#[test]
fn a_reload_reads_certificates_again_and_open_connections_go_on_with_the_old_ones() {
    for protocol in ["h1", "h2"] {
        let certificates = Certificates::new();
        let upstream = Recorder::start();
        let inner_config = inner_config(&certificates, &upstream);
        let inner = Fixture::new(&inner_config);
        let outer_config = outer_config(&certificates, &inner, &format!("protocol = \"{protocol}\""));
        let (outer, unused) = (Fixture::new(&outer_config), Fixture::new(&outer_config));
        assert_eq!(get(outer.address, "/").status, 200);
        certificates.write();
        inner.apply(&inner_config);
        assert_eq!(get(outer.address, "/").status, 200, "its connection is there");
        assert_eq!(get(unused.address, "/").status, 502, "it knows the old authority only");
        inner.wait_for_metric("tripline_proxy_connections", 1.0);
        for proxy in [&outer, &unused] {
            proxy.apply(&outer_config);
            assert_eq!(get(proxy.address, "/").status, 200, "{protocol}");
        }
        // A missing or incomplete file changes nothing.
        fs::write(certificates.path("tls.key"), "").unwrap();
        assert!(inner.rejects(&inner_config));
        fs::remove_file(certificates.path("ca.pem")).unwrap();
        assert!(outer.rejects(&outer_config));
        assert_eq!(get(outer.address, "/").status, 200);
    }
}

#[test]
fn while_it_leaves_a_connection_of_http_2_goes_away_after_its_requests() {
    let upstream = Recorder::start();
    let inner = Fixture::to(&upstream.url(), "");
    let outer = Fixture::to(&format!("http://{}", inner.address), "protocol = \"h2\"");
    assert_eq!(get(outer.address, "/").status, 200);
    assert!((inner.metric("tripline_proxy_connections") - 1.0).abs() < f64::EPSILON);
    inner.proxy.leave();
    inner.wait_for_metric("tripline_proxy_connections", 0.0);
    for _ in 0..5 {
        assert_eq!(get(outer.address, "/").status, 200, "accepting goes on");
    }
    inner.wait_for_metric("tripline_proxy_connections", 0.0);
    assert_eq!(upstream.seen().len(), 6);
}
