//! The keys of `[proxy]`, with values that they accept and values that they reject.

use crate::config_keys::{Case, case, flag};

const DAY: &str = "0 to 86400 (seconds)";
const SOME_TIME: &str = "0 < x <= 86400 (seconds)";

pub(crate) const PROXY_CASES: &[Case] = &[
    case(
        "proxy.listen",
        &["\"127.0.0.1:8000\"", "\"[::1]:0\""],
        &["\"localhost:80\"", "\"\"", "8000"],
        "an IP address with a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
    ),
    case("proxy.mode", &["\"enforce\"", "\"observe\""], &["\"Observe\"", "\"\"", "true"], r#""enforce", "observe""#),
    case("proxy.threads", &["0", "2", "1024"], &["1025", "1.5"], "0 to 1024 (threads, whole)"),
    case(
        "proxy.trusted_proxies",
        &["[]", "[\"10.0.0.0/8\", \"::1\"]"],
        &["\"10.0.0.0/8\"", "[\"10.0.0.0/33\"]", "[\"a\"]", "[1]"],
        "a list, each an IP address or a network such as \"10.0.0.0/8\" or \"fd00::/8\"",
    ),
    case(
        "proxy.forwarded",
        &["\"x-forwarded\"", "\"forwarded\"", "\"both\"", "\"off\""],
        &["\"\"", "\"none\"", "true"],
        r#""x-forwarded", "forwarded", "both", "off""#,
    ),
    case("proxy.access_log", &["\"off\"", "\"text\"", "\"json\""], &["\"\"", "true"], r#""off", "text", "json""#),
    case("proxy.drain_delay", &["0", "5", "86400"], &["86401"], DAY),
    case("proxy.drain_timeout", &["0", "30.5", "86400"], &["86401"], DAY),
    case("proxy.max_body", &["0", "1048576"], &["1.5", "1e16"], "0 to 1000000000000000 (bytes, whole)"),
    case("proxy.header_timeout", &["0.1", "10", "86400"], &["0", "86401"], SOME_TIME),
    case("proxy.tunnel_idle_timeout", &["0.1", "300", "86400"], &["0", "86401"], SOME_TIME),
    case("proxy.max_connections", &["1", "1000000"], &["0", "1000001", "1.5"], "1 to 1000000 (connections, whole)"),
    case(
        "proxy.max_connections_per_client",
        &["0", "1000000"],
        &["1000001", "1.5"],
        "0 to 1000000 (connections, whole)",
    ),
    flag("proxy.response_header"),
    case("proxy.tls.certificate", &["\"\""], &["1", "\"a\\u0000\""], "a path"),
    case("proxy.tls.key", &["\"\""], &["1", "\"a\\u0000\""], "a path"),
];
