//! `tripline serve` as a process: API, reload, alerts and metrics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[cfg(unix)]
#[path = "../../../tests/alerts/alert_service/mod.rs"]
mod alert_service;
#[path = "../../../tests/api/http_support/mod.rs"]
mod http_support;
#[path = "../support/mod.rs"]
mod support;

#[cfg(unix)]
mod alert_e2e;
#[cfg(unix)]
mod alerts_breakers;
mod alerts_serve;
mod alerts_serve_kill;
#[cfg(unix)]
mod alerts_serve_rejects;
mod alerts_serve_time;
#[cfg(unix)]
mod config_serve;
mod metrics;
mod metrics_page;
#[cfg(unix)]
mod observe;
#[cfg(unix)]
mod observe_several;
#[cfg(unix)]
mod reload_breakers;
mod serve_api;
mod serve_breaker;
#[cfg(unix)]
mod serve_connections;
mod serve_live;
mod serve_process;
mod serve_settings;
#[cfg(unix)]
mod serve_unread_log;
