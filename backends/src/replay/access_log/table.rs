//! The table of formats: each is a file with a row.

use super::row::{LogFormat, Row};
use super::{
    alb, apache, caddy, csv_fields, envoy, envoy_json, haproxy, json_fields, logfmt, lograge, ltsv, nginx, nginx_json,
    positions, traefik, traefik_json, w3c,
};

/// Of formats that understand as many of the first lines, the one that comes first is taken.
static FORMATS: [&Row; 18] = [
    &envoy::ROW,
    &traefik::ROW,
    &nginx::ROW,
    &apache::ROW,
    &haproxy::ROW,
    &alb::ROW,
    &caddy::ROW,
    &traefik_json::ROW,
    &envoy_json::ROW,
    &nginx_json::ROW,
    &lograge::JSON,
    &json_fields::ROW,
    &ltsv::ROW,
    &w3c::ROW,
    &lograge::TEXT,
    &logfmt::ROW,
    &csv_fields::ROW,
    &positions::ROW,
];

impl LogFormat {
    /// All formats, in the order in which they are tried.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        FORMATS.iter().map(|row| Self(row))
    }

    /// The format of this name, as in `--format nginx`.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|format| format.name() == name)
    }
}
