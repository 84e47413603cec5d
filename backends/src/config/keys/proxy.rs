//! The `[proxy]` section and its table `tls`.

use std::time::Duration;

use super::key::{Key, Section, access, key};
use crate::config::model::Config;
use crate::config::proxy::{AccessLog, Forwarded, Network, ProxyMode};
use crate::config::range::Range;
use crate::config::text::TextRule;
use crate::config::value::{DAY_SECONDS, Field};

/// What these keys are set in.
type Target = Config;

pub(super) const SECTION: Section<Target> =
    Section { path: "proxy", about: "The data port of `tripline proxy`. Other commands do not use it.", keys: KEYS };

pub(super) const TLS: Section<Target> = Section {
    path: "proxy.tls",
    about: "TLS on the data port. The files are read again when the configuration has changed.",
    keys: TLS_KEYS,
};

const SECONDS: Range = Range::new(0.0, DAY_SECONDS, "seconds");
const SOME_SECONDS: Range = SECONDS.without_min();

const KEYS: &[Key<Target>] = &[
    key(
        "listen",
        "Address for requests. The management API is never there, but on http.listen.",
        Field::Text(
            TextRule::Listen,
            access!(
                |c, x| {
                    c.proxy.listen = x.parse().ok()?;
                    Some(())
                },
                |c| Some(c.proxy.listen.to_string())
            ),
        ),
    )
    .restart_required(),
    key(
        "mode",
        "observe decides, counts and alerts, and rejects no request.",
        Field::Word(ProxyMode::WORDS, access!(word ProxyMode, proxy.mode)),
    )
    .restart_required(),
    key(
        "threads",
        "Threads that forward; 0 is one for each core.",
        Field::Number(Range::new(0.0, 1_024.0, "threads").whole(), access!(count u32, proxy.threads)),
    )
    .restart_required(),
    key(
        "trusted_proxies",
        "Addresses and networks whose X-Forwarded-* and Forwarded fields are kept. Those of others are replaced.",
        Field::TextsOf(
            "a list, each an IP address or a network such as \"10.0.0.0/8\" or \"fd00::/8\"",
            access!(
                |c, x| {
                    c.proxy.trusted_proxies =
                        x.iter().map(|text| text.parse::<Network>().ok()).collect::<Option<Vec<_>>>()?;
                    Some(())
                },
                |c| Some(c.proxy.trusted_proxies.iter().map(ToString::to_string).collect())
            ),
        ),
    )
    .restart_required()
    .example("[\"10.0.0.0/8\"]"),
    key(
        "forwarded",
        "Which fields say who the client is: X-Forwarded-For, -Proto and -Host, or Forwarded of RFC 7239.",
        Field::Word(Forwarded::WORDS, access!(word Forwarded, proxy.forwarded)),
    )
    .restart_required(),
    key(
        "access_log",
        "A line for each request on standard output: text is combined with rt= and a flag, and `tripline replay` reads it.",
        Field::Word(AccessLog::WORDS, access!(word AccessLog, proxy.access_log)),
    )
    .restart_required(),
    key(
        "drain_delay",
        "Between SIGTERM and the end of accepting, while /ready answers 503.",
        Field::Number(SECONDS, access!(time 1.0, proxy.drain_delay)),
    )
    .restart_required(),
    key(
        "drain_timeout",
        "For requests in flight after that; what is left is cut.",
        Field::Number(SECONDS, access!(time 1.0, proxy.drain_timeout)),
    )
    .restart_required(),
    key(
        "max_body",
        "Largest body of a request; 0 is no limit. More is answered with 413.",
        Field::Number(
            Range::new(0.0, 1e15, "bytes").whole(),
            access!(
                |c, x| {
                    c.proxy.max_body = x as u64;
                    Some(())
                },
                |c| Some(c.proxy.max_body as f64)
            ),
        ),
    )
    .restart_required(),
    key(
        "header_timeout",
        "For the head of a request, which then is answered with 408, and for the next request on a connection.",
        Field::Number(SOME_SECONDS, access!(time 1.0, proxy.header_timeout)),
    )
    .restart_required(),
    key(
        "tunnel_idle_timeout",
        "A WebSocket without traffic ends after this time.",
        Field::Number(SOME_SECONDS, access!(time 1.0, proxy.tunnel_idle_timeout)),
    )
    .restart_required(),
    key(
        "max_connections",
        "Connections of clients at a time; more wait in the queue of the system.",
        Field::Number(
            Range::new(1.0, 1_000_000.0, "connections").whole(),
            access!(count u32, proxy.max_connections),
        ),
    )
    .restart_required(),
    key(
        "max_connections_per_client",
        "Of these for one client address; 0 is no limit.",
        Field::Number(
            Range::new(0.0, 1_000_000.0, "connections").whole(),
            access!(count u32, proxy.max_connections_per_client),
        ),
    )
    .restart_required(),
    key(
        "response_header",
        "Rejections say why in the field x-tripline.",
        Field::Flag(access!(same proxy.response_header)),
    )
    .restart_required(),
];

const TLS_KEYS: &[Key<Target>] = &[
    key(
        "certificate",
        "PEM file with the certificate, followed by the chain. With key: the data port speaks TLS.",
        Field::Text(TextRule::Path, access!(path proxy.tls.certificate)),
    )
    .restart_required()
    .example("\"tls.crt\""),
    key("key", "PEM file with the key of the certificate.", Field::Text(TextRule::Path, access!(path proxy.tls.key)))
        .restart_required()
        .example("\"tls.key\""),
];
