//! `[upstreams.NAME]` and `[[routes]]`: their parsing, and every problem with its line.

use std::time::Duration;

use tripline_backends::config::{Guard, WarningKind, parse};

fn problems(text: &str) -> Vec<String> {
    parse(text, "f").unwrap_err().problems().iter().map(ToString::to_string).collect()
}

#[test]
fn a_whole_configuration_is_read() {
    let text = r#"
latency_threshold = 250
[breakers.checkout]
wait_time = 7
[upstreams.checkout]
url = "http://127.0.0.1:3000"
connect_timeout_ms = 250
failure_statuses = ["429", "500-599"]
[upstreams.static]
servers = ["https://a.example", "https://b.example:8443"]
[upstreams.static.tls]
ca = "ca.pem"
[[routes]]
host = "Shop.Example"
path = "/checkout"
methods = ["POST"]
upstream = "checkout"
rejected = { status = 429, body = "{}", content_type = "application/json" }
[[routes]]
upstream = "static"
breaker = "assets"
fallback = "checkout"
[[routes]]
upstream = "static"
breaker = "off"
"#;
    let (config, warnings) = parse(text, "f").unwrap();
    let [checkout, other] = config.upstreams.as_slice() else { panic!("{:?}", config.upstreams) };
    assert_eq!(checkout.servers[0].to_string(), "http://127.0.0.1:3000");
    assert_eq!(checkout.connect_timeout, Duration::from_millis(250));
    assert!(checkout.failure_statuses.contains(429) && checkout.failure_statuses.contains(501));
    assert_eq!(other.servers[1].authority(), "b.example:8443");
    let [first, second, third] = config.routes.as_slice() else { panic!("{:?}", config.routes) };
    assert_eq!(first.host.as_deref(), Some("shop.example"));
    assert_eq!((first.rejected.as_ref().map(|answer| answer.status), &first.guard), (Some(429), &Guard::Upstream));
    assert_eq!(second.guard, Guard::Breaker("assets".parse().unwrap()));
    assert_eq!(third.guard, Guard::Off);
    // A breaker that only a route names has the settings of the root.
    let breakers: Vec<(&str, u64, u32)> = config
        .all_breakers()
        .iter()
        .map(|breaker| {
            let policy = &breaker.policy;
            (breaker.name.as_str(), policy.wait_time.as_secs(), policy.latency_threshold.as_millis())
        })
        .collect();
    assert_eq!(breakers, [("checkout", 7, 250), ("assets", 10, 250)]);
    let created: Vec<String> =
        warnings.iter().filter(|w| w.kind == WarningKind::Created).map(ToString::to_string).collect();
    let expected = "f:21: routes[1].breaker: there is no [breakers.assets]; the breaker assets has the settings of the top of the file";
    assert_eq!(created, [expected]);
}

#[test]
fn every_problem_is_named_with_its_line() {
    let text = r#"[upstreams.a]
[upstreams.b]
url = "ftp://x"
max_connections = 0
[upstreams.c]
url = "http://x"
servers = ["http://x"]
[upstreams.d]
servers = ["http://x", "https://y"]
[upstreams."a b"]
url = "http://x"
[upstreams.e]
url = "https://x"
tls.certificate = "c"
[[routes]]
path = "checkout"
upstream = "aa"
[[routes]]
methods = ["get"]
[[routes]]
upstream = "c"
breaker = "off"
fallback = "nothing"
"#;
    assert_eq!(
        problems(text),
        [
            "f:1: upstreams.a: has no url; set url = \"http://HOST:PORT\"",
            "f:3: upstreams.b.url = \"ftp://x\": allowed: an http or https address without path, query, user and password, such as \
         \"http://127.0.0.1:3000\"",
            "f:4: upstreams.b.max_connections = 0: allowed: 1 to 100000 (connections, whole)",
            "f:7: upstreams.c.servers: stands beside url; remove one of them",
            "f:9: upstreams.d.servers = [\"http://x\", \"https://y\"]: allowed: a list of addresses as url takes them, all http or all https",
            "f:10: upstreams.\"a b\": allowed: a name of 1 to 64 characters of a-z A-Z 0-9 . _ -, and not . or ..",
            "f:14: upstreams.e.tls.certificate: needs tls.key beside it",
            "f:16: routes[0].path = \"checkout\": allowed: a path that begins with / and has no ?, # or characters beyond ASCII",
            "f:17: routes[0].upstream = \"aa\": no such upstream; add [upstreams.aa]",
            "f:18: routes[1]: has no upstream; set upstream to the name of an [upstreams.NAME]",
            "f:19: routes[1].methods = [\"get\"]: allowed: a list of methods in upper case, such as [\"GET\", \"POST\"]",
            "f:23: routes[2].fallback: has no effect with breaker = \"off\"; remove one of them",
            "f:23: routes[2].fallback = \"nothing\": no such upstream; add [upstreams.nothing]",
        ]
    );
}

#[test]
fn a_certificate_and_its_key_belong_together() {
    let (config, _) = parse("proxy.tls = { certificate = \"a.crt\", key = \"a.key\" }\n", "f").unwrap();
    assert_eq!(config.proxy.tls.certificate.as_deref(), Some("a.crt".as_ref()));
    assert_eq!(config.proxy.tls.key.as_deref(), Some("a.key".as_ref()));
    assert_eq!(problems("proxy.tls.key = \"a.key\"\n"), ["f:1: proxy.tls.key: needs proxy.tls.certificate beside it"]);
}

#[test]
fn unknown_keys_and_unused_upstreams_are_warned_of() {
    let text = "[upstreams.a]\nurl = \"http://x\"\nhead_timout = 3\n[[routes]]\nupstream = \"a\"\nmatch = \"/\"\n[upstreams.b]\nurl = \"http://x\"\n";
    let (_, warnings) = parse(text, "f").unwrap();
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "f:3: upstreams.a.head_timout: unknown key, ignored; did you mean head_timeout?",
            "f:5: routes[0].upstream: there is no [breakers.a]; the breaker a has the settings of the top of the file",
            "f:6: routes[0].match: unknown key, ignored",
            "f:7: upstreams.b: no route leads to it; add an entry of [[routes]] with it",
        ]
    );
}
