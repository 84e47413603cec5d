//! The keys of `[upstreams.NAME]`.

use std::time::Duration;

use super::key::{Key, Section, access, key};
use crate::config::proxy::{HostHeader, ServerUrl, Statuses, Upstream, UpstreamProtocol};
use crate::config::range::Range;
use crate::config::text::TextRule;
use crate::config::value::{DAY_SECONDS, Field};

/// What these keys are set in.
type Target = Upstream;

/// The table of an upstream, and its table `tls`.
pub(crate) static UPSTREAM_SECTIONS: [Section<Target>; 2] = [
    Section { path: "", about: "A service that routes forward to. A change takes effect at once.", keys: KEYS },
    Section { path: "tls", about: "How an upstream with https is checked, and what is shown to it.", keys: TLS_KEYS },
];

const SECONDS: Range = Range::new(0.0, DAY_SECONDS, "seconds").without_min();
const MILLIS: f64 = 1_000.0 * DAY_SECONDS;

const KEYS: &[Key<Target>] = &[
    key(
        "url",
        "Address of the service.",
        Field::Text(
            TextRule::Server,
            access!(
                |c, x| {
                    c.servers = vec![x.parse().ok()?];
                    Some(())
                },
                |c| c.servers.first().map(ToString::to_string)
            ),
        ),
    )
    .example("\"http://127.0.0.1:3000\""),
    key(
        "servers",
        "Addresses in place of url, all http or all https. Requests take one after the other.",
        Field::TextsOf(
            "a list of addresses as url takes them, all http or all https",
            access!(
                |c, x| {
                    c.servers = x.iter().map(|url| url.parse().ok()).collect::<Option<Vec<ServerUrl>>>()?;
                    let is_one_scheme = c.servers.iter().all(|url| url.is_https() == c.servers[0].is_https());
                    (is_one_scheme && !c.servers.is_empty()).then_some(())
                },
                |c| Some(c.servers.iter().map(ToString::to_string).collect())
            ),
        ),
    )
    .example("[\"http://10.0.0.1:3000\", \"http://10.0.0.2:3000\"]"),
    key(
        "connect_timeout_ms",
        "For a connection, TLS included.",
        Field::Number(Range::new(1.0, MILLIS, "milliseconds"), access!(time 0.001, connect_timeout)),
    ),
    key(
        "head_timeout",
        "For the head of a response; then the request is answered with 504.",
        Field::Number(SECONDS, access!(time 1.0, head_timeout)),
    ),
    key(
        "idle_timeout",
        "An idle connection is used for so long. Set it below the upstream's own.",
        Field::Number(SECONDS, access!(time 1.0, idle_timeout)),
    ),
    key(
        "max_connections",
        "Requests at a time, over all threads. More wait for pool_timeout_ms, and then are answered with 503 busy.",
        Field::Number(Range::new(1.0, 100_000.0, "connections").whole(), access!(count u32, max_connections)),
    ),
    key(
        "pool_timeout_ms",
        "How long a request waits for one of these places; 0 is not at all.",
        Field::Number(Range::new(0.0, MILLIS, "milliseconds"), access!(time 0.001, pool_timeout)),
    ),
    key(
        "max_idle",
        "Idle connections that are kept, over all threads.",
        Field::Number(Range::new(0.0, 100_000.0, "connections").whole(), access!(count u32, max_idle)),
    ),
    key(
        "resolve_interval",
        "How often the name of the service is resolved again.",
        Field::Number(Range::new(1.0, DAY_SECONDS, "seconds"), access!(time 1.0, resolve_interval)),
    ),
    key(
        "protocol",
        "auto is HTTP/2 where TLS agrees on it, else HTTP/1.1; h2 without TLS is by prior knowledge, as gRPC needs it.",
        Field::Word(UpstreamProtocol::WORDS, access!(word UpstreamProtocol, protocol)),
    ),
    key(
        "host",
        "The Host that the service gets: that of the client, that of its own address, or this one.",
        Field::Text(
            TextRule::HostHeader,
            access!(
                |c, x| {
                    c.host = HostHeader::of(&x)?;
                    Some(())
                },
                |c| Some(c.host.as_str().to_owned())
            ),
        ),
    ),
    key(
        "failure_statuses",
        "Statuses that count as failed calls, each a status or a range.",
        Field::TextsOf(
            Statuses::ALLOWED,
            access!(
                |c, x| {
                    c.failure_statuses = Statuses::new(&x)?;
                    Some(())
                },
                |c| Some(c.failure_statuses.entries())
            ),
        ),
    ),
];

const TLS_KEYS: &[Key<Target>] = &[
    key(
        "ca",
        "PEM file with the authorities of the service's certificate. Not set: those of the system.",
        Field::Text(TextRule::Path, access!(path tls.ca)),
    )
    .example("\"ca.crt\""),
    key(
        "certificate",
        "PEM file with a certificate that is shown to the service.",
        Field::Text(TextRule::Path, access!(path tls.certificate)),
    )
    .example("\"client.crt\""),
    key("key", "PEM file with its key.", Field::Text(TextRule::Path, access!(path tls.key))).example("\"client.key\""),
];
