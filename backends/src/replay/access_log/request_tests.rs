//! The parts of a request that each format has.

use std::sync::{Arc, Mutex};

use super::log::LineReader;
use super::request::{LogRequest, Wanted};
use super::routing::{Destination, Routing, Target, Unrouted};
use super::row::{LogFormat, Rules};
use crate::replay::lines::Lines;
use crate::replay::path_filter::PathFilter;

/// Keeps the request of the last line.
#[derive(Debug, Default)]
struct Seen(Mutex<String>);

impl Routing for Seen {
    fn wanted(&self) -> Wanted {
        Wanted { host: true, method: true, key: true }
    }

    fn targets(&self) -> Vec<Arc<Target>> {
        Vec::new()
    }

    fn destination(
        &self,
        request: &LogRequest<'_>,
        _status: Option<u16>,
    ) -> Result<(Arc<Destination>, Option<bool>), Unrouted> {
        let parts = [&request.method, &request.host, &request.path, &request.key];
        let parts = parts.map(|part| part.as_deref().map_or("-".into(), String::from_utf8_lossy));
        *self.0.lock().unwrap() = parts.join(" ");
        Err(Unrouted::NoRoute)
    }
}

/// Method, host, path and key of the last line, as `format` reads it with these fields.
fn seen(format: &str, text: &str, fields: &[&str]) -> String {
    let fields = fields.iter().map(|field| field.parse().unwrap()).collect();
    let rules = Rules { format: LogFormat::named(format).unwrap(), unit: None, fields, is_guessed: false };
    let seen = Arc::new(Seen::default());
    let mut reader = LineReader::new(rules, PathFilter::default(), Some(seen.clone()));
    let mut lines = Lines::new(text.as_bytes());
    while lines.advance().unwrap() {
        reader.read(lines.line()).unwrap_or_else(|problem| panic!("{format}: {problem}"));
    }
    seen.0.lock().unwrap().clone()
}

#[test]
fn each_format_has_the_method_and_the_path_and_most_the_host() {
    for (format, expected) in [
        ("envoy", "GET shop /a -"),
        ("traefik", "GET - /a -"),
        ("nginx", "GET - /a -"),
        ("apache", "GET - /a -"),
        ("haproxy", "GET - /a -"),
        ("alb", "GET shop.example:443 /a -"),
        ("caddy", "GET - /a -"),
        ("traefik-json", "- - /a -"),
        ("envoy-json", "GET - /a -"),
        ("nginx-json", "GET - /a -"),
        ("lograge", "GET - /a -"),
        ("json-fields", "- - /a -"),
        ("ltsv", "GET - /a -"),
        ("iis", "GET - /a -"),
        ("logfmt", "GET - /a -"),
        ("csv-fields", "- - /a -"),
    ] {
        assert_eq!(seen(format, LogFormat::named(format).unwrap().example(), &[]), expected, "{format}");
    }
}

#[test]
fn a_host_is_read_under_the_names_of_its_format_or_at_a_given_position() {
    let combined = r#"[10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8.4""#;
    let nginx = |after: &str| format!("10.0.0.1 - - {combined} rt=0.050{after}");
    let haproxy = |captures: &str, request: &str| {
        format!(
            "Oct 10 13:55:36 lb haproxy[12]: 192.0.2.6:4000 [10/Oct/2026:13:55:36.310] fe be/s1 0/0/1/48/50 200 512 - - \
             ---- 1/1/0/0/0 0/0 {captures}\"{request}\""
        )
    };
    let istio = r#"[2026-10-10T13:55:36.310Z] "GET /a HTTP/2" 200 - via_upstream - "-" 0 135 4 3 "10.0.0.7" "curl" "id" "shop.example:8080" "10.1.0.2:80" outbound"#;
    let object = |parts: &str| {
        format!(
            r#"{{"time":"2026-10-10T13:55:36Z","status":200,"duration_ms":50,"request_time":0.05,"path":"/a"{parts}}}"#
        )
    };
    for (format, text, fields, expected) in [
        ("nginx", nginx(" host=Shop.Example"), &[][..], "GET Shop.Example /a -"),
        ("nginx", nginx(" host=-"), &[], "GET - /a -"),
        ("nginx", nginx(" vh=b:443"), &["host=vh"], "GET b:443 /a -"),
        ("nginx", format!("b:443 10.0.0.1 - - {combined} rt=0.050"), &["host=1"], "GET b:443 /a -"),
        ("nginx", nginx(" tenant=acme"), &["key=-1"], "GET - /a acme"),
        ("apache", format!("10.0.0.1 - - {combined} 50000 host=b"), &[], "GET b /a -"),
        ("apache", format!("b:443 10.0.0.1 - - {combined} 50000"), &["host=1"], "GET b:443 /a -"),
        ("envoy", istio.to_owned(), &[], "GET shop.example:8080 /a -"),
        ("haproxy", haproxy("", "GET https://b/a HTTP/2.0"), &[], "GET b /a -"),
        ("haproxy", haproxy("{b:80|curl} ", "GET /a HTTP/1.1"), &["host=-2"], "GET b:80 /a -"),
        ("nginx-json", object(r#","request":"GET /a HTTP/1.1","http_host":"b""#), &[], "GET b /a -"),
        ("json-fields", object(r#","authority":"b","method":"POST","x":{"tenant":"acme"}"#), &["key=x.tenant"], "POST b /a acme"),
        ("json-fields", object(r#","verb2":"PUT","target":"b""#), &["host=target", "method=verb2"], "PUT b /a -"),
        ("ltsv", "time:2026-10-10T13:55:36Z\thost:10.0.0.1\tvhost:b\treq:GET /a HTTP/1.1\tstatus:200\treqtime:0.050".into(), &[], "GET b /a -"),
        ("csv-fields", "time,path,status,duration_ms,method,host\n2026-10-10T13:55:36Z,/a,200,50,GET,b".into(), &[], "GET b /a -"),
        ("iis", "#Fields: date time cs-method cs-uri-stem cs-host sc-status time-taken\n2026-10-10 13:55:36 GET /a b 200 50".into(), &[], "GET b /a -"),
        ("text", "2026-10-10T13:55:36Z 50ms /a?b=c:d b:80".into(), &["time=1", "latency=2", "path=3", "host=4"], "- b:80 /a?b=c:d -"),
    ] {
        assert_eq!(seen(format, &text, fields), expected, "{format} {text}");
    }
}
