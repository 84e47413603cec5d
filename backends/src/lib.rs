//! Adapters of Tripline to its environment: memory sources, configuration, alert sinks, durable state, the tower layer,
//! the management API, metrics, and replay of recorded traffic.
//!
//! The breaker itself is [`tripline_runtime::Breaker`]. This crate adds parts to it, each behind a feature; none is on by default.
//!
#![cfg_attr(feature = "tower", doc = "```")]
#![cfg_attr(not(feature = "tower"), doc = "```ignore")]
//! use std::sync::Arc;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tripline_backends::tower::BreakerLayer;
//! use tripline_runtime::{Breaker, test_util::ManualClock};
//!
//! // A server takes `tripline_runtime::SystemClock`.
//! let breaker = Breaker::builder(Arc::new(ManualClock::default())).build()?;
//! let service = ServiceBuilder::new()
//!     .layer(BreakerLayer::new(breaker.clone()))
//!     .service(service_fn(|name: &'static str| async move { Ok::<_, std::io::Error>(http::Response::new(name)) }));
//!
//! let answer = futures_lite::future::block_on(service.oneshot("hello"));
//! assert_eq!(answer.map(http::Response::into_body).ok(), Some("hello"));
//! assert_eq!(breaker.read(|core| core.counts().ok), 1);
//! # Ok::<(), tripline_runtime::core::CapacityError>(())
//! ```
//!
//! # Types by task
//!
//! | task | types | feature |
//! |---|---|---|
//! | protect a service | `tower::BreakerLayer`, `tower::Classify`, `tower::service_unavailable` | `tower` |
//! | measure memory | `memory::open`, `memory::Cgroup`, `memory::Sysinfo` | `cgroup`, `sysinfo` |
//! | read `breakers.toml` | `config::parse`, `config::load`, `config::Config`, `config::BreakerConfig` | `config` |
//! | change settings at run time | `reload::LoadedConfig`, `reload::LiveConfig`, `config::Change` | `reload` |
//! | page people | `alerts::Alerting`, `alerts::opsgenie::OpsGenieSink`, `alerts::webhook::WebhookSink`, [`log_sink::LogSink`] | `opsgenie`, `webhook` |
//! | survive a restart | `state_dir::StateDir` | `state_dir` |
//! | hold a named breaker with its configuration, alerts and events | `circuit::Circuit`, `circuit::Circuits` | `api` |
//! | operate over HTTP | `api::router`, `api::ApiState`, `api::serve` | `api` |
//! | show metrics | `metrics::render` | `metrics` |
//! | share incidents with other replicas | `fleet::RedisFleet` | `fleet-redis` |
//! | run a complete configuration | `app::App`, `app::Platform` | `app` |
//! | protect a service in any language | `proxy::Proxy` | `proxy` |
//! | try settings on recorded traffic | `replay::run` | `replay` |
//!
//! # Features
#![doc = document_features::document_features!()]
#![forbid(unsafe_code)]

mod alert_subject;
pub mod alerts;
#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "app")]
pub mod app;
#[cfg(feature = "api")]
pub mod circuit;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "config")]
pub mod config;
#[cfg(any(feature = "app", feature = "fleet-redis"))]
pub mod fleet;
#[cfg(feature = "http-client")]
pub mod http_client;
#[cfg(feature = "api")]
pub mod http_server;
pub mod log_sink;
pub mod memory;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "proxy")]
mod process;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(feature = "reload")]
pub mod reload;
#[cfg(feature = "replay")]
pub mod replay;
#[cfg(feature = "state_dir")]
pub mod state_dir;
#[cfg(any(feature = "config", feature = "replay"))]
mod suggest;
#[cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports, reason = "each feature uses its part"))]
mod text;
#[cfg(feature = "tower")]
pub mod tower;
