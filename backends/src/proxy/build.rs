//! Builds the table of routes from the configuration.

use std::fmt;
use std::io;
use std::sync::Arc;

use tripline_runtime::Mode;

use super::guard::{Guard, Key};
use super::routes::{Route, Table};
use super::upstream::Upstream;
use crate::circuit::Circuits;
use crate::config::{self, Config, ProxyMode};

/// The error of a configuration that the proxy cannot use.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// There is no route.
    NoRoutes,
    /// A route names an undefined upstream.
    NoUpstream(String),
    /// A route names an undefined breaker.
    NoBreaker(String),
    /// The breaker of a route is a family whose key no request has.
    CallerKey(String),
    /// A certificate or key of an upstream cannot be used.
    UpstreamTls {
        /// The upstream.
        upstream: String,
        /// The cause.
        error: io::Error,
    },
    /// The certificate or key of the data port cannot be used.
    Tls(io::Error),
    /// The system provides no socket or no thread.
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
                write!(f, "a route is guarded by the breaker {name}, which is not there")
            }
            Self::CallerKey(name) => write!(
                f,
                "breakers.{name}.key = \"caller\": a route takes the key from the request; allowed: \"header:NAME\", \"host\" or \"path:N\""
            ),
            Self::UpstreamTls { upstream, error } => write!(f, "upstreams.{upstream}.tls: {error}"),
            Self::Tls(error) => write!(f, "proxy.tls: {error}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProxyError {}

/// Builds the table of `config`. Upstreams with the same settings and certificates as in `previous` keep their
/// connections and slots.
pub(super) fn table(
    config: &Config,
    circuits: &Circuits,
    threads: usize,
    previous: Option<&Table>,
) -> Result<Table, ProxyError> {
    if config.routes.is_empty() {
        return Err(ProxyError::NoRoutes);
    }
    let mut upstreams: Vec<Arc<Upstream>> = Vec::new();
    for settings in &config.upstreams {
        let kept = previous.map_or(Ok(None), |table| table.upstream(settings));
        let upstream =
            kept.and_then(|kept| kept.map_or_else(|| Upstream::new(settings.clone(), threads).map(Arc::new), Ok));
        upstreams.push(upstream.map_err(|error| ProxyError::UpstreamTls { upstream: settings.name.clone(), error })?);
    }
    let upstream = |name: &str| {
        let found = upstreams.iter().find(|upstream| upstream.settings.name == name);
        found.cloned().ok_or_else(|| ProxyError::NoUpstream(name.to_owned()))
    };
    let routes = config.routes.iter().map(|route| {
        Ok(Arc::new(Route {
            settings: route.clone(),
            upstream: upstream(&route.upstream)?,
            guard: guard(route, circuits, config.proxy.mode)?,
            fallback: route.fallback.as_deref().map(upstream).transpose()?,
        }))
    });
    let routes = routes.collect::<Result<Vec<_>, ProxyError>>()?;
    Ok(Table { routes, upstreams })
}

/// What guards a route. Its breakers learn whether their rejections are carried out.
fn guard(route: &config::Route, circuits: &Circuits, mode: ProxyMode) -> Result<Guard, ProxyError> {
    let Some(circuit) = circuits.guarding(route).map_err(ProxyError::NoBreaker)? else { return Ok(Guard::Off) };
    let mode = match mode {
        ProxyMode::Enforce => Mode::Enforce,
        ProxyMode::Observe => Mode::Observe,
    };
    circuit.breaker().set_mode(mode);
    let Some(family) = circuit.family() else { return Ok(Guard::Breaker(circuit.breaker().clone())) };
    let key = circuit.config().family.key.as_ref().and_then(Key::of);
    let key = key.ok_or_else(|| ProxyError::CallerKey(circuit.name().to_string()))?;
    Ok(Guard::Family { members: family.clone(), key, mode })
}
