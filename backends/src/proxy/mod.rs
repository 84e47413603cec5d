//! A reverse proxy that protects a service in any language.
//!
//! Requests are matched against the routes of a [`Config`](crate::config::Config), admitted by the breaker of the route
//! and the bulkhead of the upstream, and forwarded over persistent connections. `tripline proxy` is a thin user of it:
//!
//! ```no_run
//! use std::time::Duration;
//! use tripline_backends::app::App;
//! use tripline_backends::proxy::Proxy;
//! use tripline_backends::reload::LoadedConfig;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let loaded = LoadedConfig::file("breakers.toml".as_ref(), Box::new(|name| std::env::var(name).ok()))?;
//! let config = loaded.config().clone();
//! let app = App::start(loaded)?;
//! let listener = tripline_backends::http_server::listen(config.proxy.listen)?;
//! let proxy = Proxy::start(&config, app.circuits(), listener)?;
//! // … until it is time to stop:
//! let cut_off = proxy.drain(Duration::from_secs(30)).await;
//! # Ok(())
//! # }
//! ```
//!
//! The data plane runs on tokio, with one runtime per thread; the rest of the process stays on smol.

mod access_log;
mod answer;
mod body;
mod build;
mod call;
mod clients;
mod connection;
mod exchange;
mod fault;
mod figures;
mod flag;
mod forward;
mod guard;
mod handle;
mod headers;
mod heads;
mod http1_io;
mod listener;
mod metrics;
mod outcome;
mod phase;
mod record;
mod relay;
mod request;
mod rewind;
mod rewrite;
mod routes;
mod stream;
mod tls;
mod upgrade;
mod upstream;
mod worker;

pub use build::ProxyError;
pub use handle::Proxy;
