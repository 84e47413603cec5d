//! From the configuration to the table of routes.

use std::fmt;
use std::io;
use std::sync::Arc;

use http::Method;
use tripline_runtime::{Breaker, Mode};

use super::routes::{Route, Table};
use super::upstream::Upstream;
use crate::circuit::Circuits;
use crate::config::{self, Config, Guard, ProxyMode};

/// Why a configuration cannot be forwarded by.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// There is no route.
    NoRoutes,
    /// A route names an upstream that is not there.
    NoUpstream(String),
    /// A route names a breaker that is not there.
    NoBreaker(String),
    /// A certificate or key of an upstream cannot be used.
    UpstreamTls {
        /// The upstream.
        upstream: String,
        /// Why.
        error: io::Error,
    },
    /// The certificate or key of the data port cannot be used.
    Tls(io::Error),
    /// The system gives no socket or no thread.
    Io(io::Error),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoutes => f.write_str(
                "there is nothing to forward to: give --upstream URL, or set [upstreams.NAME] and [[routes]] in the configuration",
            ),
            Self::NoUpstream(name) => write!(f, "a route leads to the upstream {name}, which is not there"),
            Self::NoBreaker(name) => {
                write!(f, "a route is guarded by the breaker {name}, which is not there; a new breaker needs a restart")
            }
            Self::UpstreamTls { upstream, error } => write!(f, "upstreams.{upstream}.tls: {error}"),
            Self::Tls(error) => write!(f, "proxy.tls: {error}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProxyError {}

/// The table of `config`. Upstreams whose settings are those of `previous` keep their connections and places.
pub(super) fn table(
    config: &Config,
    circuits: &Circuits,
    threads: usize,
    previous: Option<&Table>,
) -> Result<Table, ProxyError> {
    if config.routes.is_empty() {
        return Err(ProxyError::NoRoutes);
    }
    let kept = |settings: &config::Upstream| previous.and_then(|table| table.upstream(settings));
    let mut upstreams: Vec<Arc<Upstream>> = Vec::new();
    for settings in &config.upstreams {
        let upstream = if let Some(upstream) = kept(settings) {
            upstream
        } else {
            let made = Upstream::new(settings.clone(), threads);
            let made = made.map_err(|error| ProxyError::UpstreamTls { upstream: settings.name.clone(), error })?;
            Arc::new(made)
        };
        upstreams.push(upstream);
    }
    let upstream = |name: &str| {
        let found = upstreams.iter().find(|upstream| upstream.settings.name == name);
        found.cloned().ok_or_else(|| ProxyError::NoUpstream(name.to_owned()))
    };
    let routes = config.routes.iter().map(|route| {
        Ok(Arc::new(Route {
            host: route.host.clone(),
            path: route.path.clone(),
            methods: route.methods.iter().filter_map(|name| Method::from_bytes(name.as_bytes()).ok()).collect(),
            upstream: upstream(&route.upstream)?,
            breaker: breaker(route, circuits, config.proxy.mode)?,
            measure: route.measure,
            rejected: route.rejected.clone(),
            fallback: route.fallback.as_deref().map(upstream).transpose()?,
        }))
    });
    let routes = routes.collect::<Result<Vec<_>, ProxyError>>()?;
    Ok(Table { routes, upstreams })
}

/// The breaker of a route, which learns whether its rejections are carried out.
fn breaker(route: &config::Route, circuits: &Circuits, mode: ProxyMode) -> Result<Option<Breaker>, ProxyError> {
    let (name, circuit) = match &route.guard {
        Guard::Off => return Ok(None),
        Guard::First => ("default", circuits.first()),
        Guard::Breaker(name) => (name.as_str(), circuits.get(name.as_str())),
        Guard::Upstream => (route.upstream.as_str(), circuits.get(&route.upstream)),
    };
    let breaker = circuit.ok_or_else(|| ProxyError::NoBreaker(name.to_owned()))?.breaker().clone();
    breaker.set_mode(match mode {
        ProxyMode::Enforce => Mode::Enforce,
        ProxyMode::Observe => Mode::Observe,
    });
    Ok(Some(breaker))
}
