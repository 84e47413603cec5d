//! The management API: routes, events, guard and server.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod all_events;
mod dashboard;
mod event_stream;
mod http_api;
mod http_events;
mod http_openapi;
mod http_retune;
mod http_server;
mod http_settings;
mod http_status;
mod http_support;
mod http_token;
