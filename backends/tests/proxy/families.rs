//! One breaker per tenant, host or path segment.

use crate::client::exchange;
use crate::fixture::Fixture;
use crate::upstream::Recorder;

fn family(key: &str, upstream: &Recorder) -> String {
    format!(
        "[breakers.tenants]\nkey = \"{key}\"\n[upstreams.up]\nurl = \"{}\"\n[[routes]]\nupstream = \"up\"\nbreaker = \"tenants\"\n",
        upstream.url()
    )
}

fn status(proxy: &Fixture, path: &str, host: &str, fields: &str) -> u16 {
    exchange(proxy.address, &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{fields}connection: close\r\n\r\n")).status
}

#[test]
fn one_tenant_is_rejected_and_the_others_are_not() {
    let upstream = Recorder::start();
    for (key, bad, good) in [
        ("header:x-tenant", ("/", "h", "x-tenant: acme\r\n"), ("/", "h", "x-tenant: globex\r\n")),
        ("host", ("/", "ACME:80", ""), ("/", "globex", "")),
        ("path:2", ("/v1/ac%6De/x?y", "h", ""), ("/v1/globex", "h", "")),
    ] {
        let proxy = Fixture::new(&family(key, &upstream));
        let ask = |(path, host, fields)| status(&proxy, path, host, fields);
        assert_eq!((ask(bad), ask(good)), (200, 200), "{key}");
        let circuit = proxy.circuits.get("tenants").unwrap();
        let members = circuit.family().unwrap();
        assert_eq!(members.len(), 2, "{key}");
        members.member("acme").unwrap().force_open();
        assert_eq!((ask(bad), ask(good)), (503, 200), "{key}");
        assert_eq!(members.member("globex").unwrap().read(|core| core.counts().ok), 2, "{key}");
    }
}

#[test]
fn a_call_without_a_key_goes_to_the_shared_member() {
    let upstream = Recorder::start();
    let proxy = Fixture::new(&family("header:x-tenant", &upstream));
    assert_eq!(status(&proxy, "/", "h", ""), 200);
    assert_eq!(status(&proxy, "/", "h", "x-tenant:\r\n"), 200);
    assert_eq!(proxy.counts("tenants").ok, 2);
    proxy.breaker("tenants").force_open();
    assert_eq!(status(&proxy, "/", "h", ""), 503);
    assert_eq!(status(&proxy, "/", "h", "x-tenant: acme\r\n"), 200);
}

#[test]
fn a_key_that_is_no_text_or_has_control_characters_is_a_400() {
    let upstream = Recorder::start();
    let proxy = Fixture::new(&family("header:x-tenant", &upstream));
    assert_eq!(status(&proxy, "/", "h", "x-tenant: a\tb\r\n"), 400);
    let by_path = Fixture::new(&family("path:1", &upstream));
    for path in ["/%0a", "/a%00", "/%ff", "/%c2%85"] {
        assert_eq!(status(&by_path, path, "h", ""), 400, "{path}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn in_observe_mode_no_member_rejects() {
    let upstream = Recorder::start();
    let proxy = Fixture::new(&format!("[proxy]\nmode = \"observe\"\n{}", family("host", &upstream)));
    assert_eq!(status(&proxy, "/", "acme", ""), 200);
    let member = proxy.circuits.get("tenants").unwrap().family().unwrap().member("acme").unwrap();
    member.force_open();
    assert_eq!(status(&proxy, "/", "acme", ""), 200);
    assert_eq!((member.would_reject(), member.rejected()), (1, 0));
}

#[test]
fn a_key_that_only_a_program_gives_guards_no_route() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "");
    assert!(proxy.rejects(&family("caller", &upstream)), "the breaker is not there");
    let fails = std::panic::catch_unwind(|| Fixture::new(&family("caller", &upstream)));
    assert!(fails.is_err());
}
