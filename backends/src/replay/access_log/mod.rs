//! Access logs: each line is a call, with its time, its length and its outcome.
//!
//! A format is a file with a row, and a line in the [table](table). Lines that cannot be used are passed over and counted by
//! reason, because a log of a million lines has some. Prefixes of collectors are taken off for every format.

mod alb;
mod apache;
mod caddy;
mod combined;
#[cfg(test)]
mod combined_tests;
mod common_names;
mod csv_fields;
mod detect;
mod duration;
mod entry;
mod envoy;
mod envoy_json;
mod error;
mod fields;
mod fluent_bit;
mod haproxy;
mod header;
mod json_fields;
mod json_object;
mod log;
mod log_limits;
mod logfmt;
mod lograge;
mod ltsv;
mod nginx;
mod nginx_json;
mod number;
mod outcome;
mod partial_lines;
mod plan;
mod positions;
mod prefix;
mod reorder_buffer;
mod request;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod request_tests;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line chooses breakers"))]
mod routing;
mod row;
mod schema;
mod table;
mod time;
mod traefik;
mod traefik_json;
mod w3c;

pub(super) use detect::{Choice, SAMPLE_LINES, choose};
pub use error::LogProblem;
pub(super) use log::Log;
pub use log::LogReport;
pub(crate) use request::{LogRequest, Wanted};
pub(crate) use routing::{Destination, Routing, Target, Unrouted};
pub use row::LogFormat;
