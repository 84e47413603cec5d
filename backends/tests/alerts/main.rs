//! Alert sinks against a service on loopback.
#![cfg(all(feature = "opsgenie", feature = "webhook"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod alert_service;
mod alerting;
mod alerts_drills;
mod alerts_formats;
mod alerts_guide;
mod alerts_opsgenie;
mod alerts_proxy;
mod alerts_trouble;
mod alerts_webhook;
mod receivers;
