//! Which breakers of the configuration follow which calls of the log.

use std::fmt;
use std::sync::Arc;

use crate::circuit::{Circuit, Circuits};
use crate::config::{Config, KeySource, RequestPart, RequestParts, Route, Statuses};
use crate::replay::follow::{Destination, LogRequest, Routing, Target, Unrouted, Wanted};
use crate::text::{decoded_segment, without_port, without_query};

/// What the arguments say about the breakers.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// The only breaker that follows the log.
    pub(super) breaker: Option<String>,
    /// Whether `--field key=FIELD` names the field with the key of a family.
    pub(super) has_key_field: bool,
}

/// The routes of the configuration, each with its breaker.
#[derive(Debug)]
pub(super) struct LogRouting {
    entries: Vec<Entry>,
    /// Each breaker that follows the log once.
    followers: Vec<(Circuit, Arc<Target>)>,
    wanted: Wanted,
}

#[derive(Debug)]
struct Entry {
    route: Route,
    /// The statuses that are failures; `None` where the format of the log decides.
    failures: Option<Statuses>,
    guard: Guard,
}

#[derive(Debug)]
enum Guard {
    Off,
    Breaker(Arc<Destination>),
    Family { target: Arc<Target>, key: Key },
}

/// Where the key of a call is.
#[derive(Debug, Clone, Copy)]
enum Key {
    Host,
    PathSegment(u8),
    /// In the field that is named for it.
    Field,
}

/// Why a configuration cannot follow a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RoutingError {
    /// There are several breakers and no routes.
    Several { names: Vec<String> },
    /// `--breaker` names none.
    Unknown { given: String, names: Vec<String> },
    /// There is no breaker.
    Empty,
    /// A route names a breaker that is not there.
    NoBreaker(String),
    /// The key of a family is in no access log.
    Key { breaker: String, key: String },
    /// The keys of several families would be in the same field.
    Keys { breaker: String, key: String, other: String },
}

impl fmt::Display for RoutingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Several { names } => write!(
                f,
                "there are several breakers and no [[routes]] that say which calls are for which; add [[routes]], or pick one \
                 with --breaker NAME: {}",
                names.join(", ")
            ),
            Self::Unknown { given, names } => {
                write!(f, "--breaker {given}: there is no such breaker; allowed: {}", names.join(", "))
            }
            Self::Empty => f.write_str("the configuration has no breaker"),
            Self::NoBreaker(name) => write!(f, "a route is guarded by the breaker {name}, which is not there"),
            Self::Key { breaker, key } => write!(
                f,
                "breakers.{breaker}.key = \"{key}\": an access log has no such part of a request; allowed: \"host\" or \"path:N\", \
                 or --field key=FIELD with the field of the log that has the key"
            ),
            Self::Keys { breaker, key, other } => write!(
                f,
                "breakers.{breaker}.key = \"{key}\": --field key=FIELD is the key \"{other}\" of another family; allowed: one such \
                 key, or --breaker NAME"
            ),
        }
    }
}

impl std::error::Error for RoutingError {}

impl LogRouting {
    /// The breaker of `--breaker`, or the one that there is without `[[routes]]`, for every call; else those of the routes. Breakers that
    /// `previous` has stay the same ones.
    pub(super) fn new(
        choice: &Choice,
        config: &Config,
        circuits: &Circuits,
        previous: Option<&Self>,
    ) -> Result<Self, RoutingError> {
        let mut routing = Self { entries: Vec::new(), followers: Vec::new(), wanted: Wanted::default() };
        let mut key_of_field: Option<String> = None;
        if choice.breaker.is_some() || config.routes.is_empty() {
            let circuit = only(circuits, choice.breaker.as_deref())?;
            let guard = routing.guard(Some(circuit), choice, previous, &mut key_of_field)?;
            routing.add(Entry { route: Route::default(), failures: None, guard });
        } else {
            for route in &config.routes {
                let circuit = circuits.guarding(route).map_err(RoutingError::NoBreaker)?;
                let guard = routing.guard(circuit, choice, previous, &mut key_of_field)?;
                let upstream = config.upstreams.iter().find(|upstream| upstream.name == route.upstream);
                let failures = upstream.map(|upstream| upstream.failure_statuses.clone());
                routing.add(Entry { route: route.clone(), failures, guard });
            }
        }
        Ok(routing)
    }

    /// The breakers that follow the log.
    pub(super) fn circuits(&self) -> impl Iterator<Item = &Circuit> {
        self.followers.iter().map(|(circuit, _)| circuit)
    }

    pub(super) fn follows(&self, circuit: &Circuit) -> bool {
        self.circuits().any(|other| other.is_same(circuit))
    }

    /// Warns of each breaker that gets no calls; one that `choice` picks is the only one that is meant to.
    pub(super) fn warn_of_unused(&self, choice: &Choice, circuits: &Circuits) {
        for circuit in circuits.iter().filter(|circuit| choice.breaker.is_none() && !self.follows(circuit)) {
            tracing::warn!(
                breaker = circuit.name().as_str(),
                "no route leads to the breaker: it gets no calls of the log"
            );
        }
    }

    fn guard(
        &mut self,
        circuit: Option<Circuit>,
        choice: &Choice,
        previous: Option<&Self>,
        key_of_field: &mut Option<String>,
    ) -> Result<Guard, RoutingError> {
        let Some(circuit) = circuit else { return Ok(Guard::Off) };
        let target = self.target(&circuit, previous);
        match circuit.config().family.key.as_ref().filter(|_| target.family.is_some()) {
            None => Ok(Guard::Breaker(Arc::new(Destination { target, key: Box::default() }))),
            Some(source) => {
                let key = key(source, circuit.name().as_str(), choice, key_of_field)?;
                Ok(Guard::Family { target, key })
            }
        }
    }

    fn add(&mut self, entry: Entry) {
        let Entry { route, guard, .. } = &entry;
        self.wanted.host |= route.host.is_some() || matches!(guard, Guard::Family { key: Key::Host, .. });
        self.wanted.method |= !route.methods.is_empty();
        self.wanted.key |= matches!(guard, Guard::Family { key: Key::Field, .. });
        self.entries.push(entry);
    }

    /// The target of a circuit, the same one for the same circuit.
    fn target(&mut self, circuit: &Circuit, previous: Option<&Self>) -> Arc<Target> {
        let known = self.followers.iter().chain(previous.into_iter().flat_map(|previous| &previous.followers));
        let known = known.filter(|(other, _)| other.is_same(circuit)).map(|(_, target)| target.clone()).next();
        let target = known.unwrap_or_else(|| {
            let stall_detection = circuit.config().stall_detection;
            let (breaker, family) = (circuit.breaker().clone(), circuit.family().cloned());
            Arc::new(Target { breaker, family, stall_detection })
        });
        if !self.follows(circuit) {
            self.followers.push((circuit.clone(), target.clone()));
        }
        target
    }
}

/// The breaker for every call.
fn only(circuits: &Circuits, name: Option<&str>) -> Result<Circuit, RoutingError> {
    let names = || circuits.iter().map(|circuit| circuit.name().to_string()).collect::<Vec<_>>();
    match name {
        Some(name) => {
            circuits.get(name).ok_or_else(|| RoutingError::Unknown { given: name.to_owned(), names: names() })
        }
        None if circuits.iter().nth(1).is_some() => Err(RoutingError::Several { names: names() }),
        None => circuits.first().ok_or(RoutingError::Empty),
    }
}

/// Where the log has the key of the family `breaker`; of the field that is named for it there may be one `key_of_field`.
fn key(
    source: &KeySource,
    breaker: &str,
    choice: &Choice,
    key_of_field: &mut Option<String>,
) -> Result<Key, RoutingError> {
    let text = source.to_string();
    let breaker = breaker.to_owned();
    match source {
        KeySource::Host => Ok(Key::Host),
        KeySource::PathSegment(segment) => Ok(Key::PathSegment(*segment)),
        _ if !choice.has_key_field => Err(RoutingError::Key { breaker, key: text }),
        _ => match key_of_field {
            Some(other) if *other != text => Err(RoutingError::Keys { breaker, key: text, other: other.clone() }),
            known => {
                *known = Some(text);
                Ok(Key::Field)
            }
        },
    }
}

impl Routing for LogRouting {
    fn wanted(&self) -> Wanted {
        self.wanted
    }

    fn targets(&self) -> Vec<Arc<Target>> {
        self.followers.iter().map(|(_, target)| target.clone()).collect()
    }

    fn destination(
        &self,
        request: &LogRequest<'_>,
        status: Option<u16>,
    ) -> Result<(Arc<Destination>, Option<bool>), Unrouted> {
        let host = request.host.as_deref().map(String::from_utf8_lossy);
        let path = request.path.as_deref().map(|path| String::from_utf8_lossy(without_query(path)));
        let method = request.method.as_deref().map(String::from_utf8_lossy);
        let parts =
            RequestParts { host: host.as_deref().map(without_port), path: path.as_deref(), method: method.as_deref() };
        for Entry { route, failures, guard } in &self.entries {
            if !route.matches(&parts).map_err(unknown)? {
                continue;
            }
            let destination = match guard {
                Guard::Off => return Err(Unrouted::NotGuarded),
                Guard::Breaker(destination) => destination.clone(),
                Guard::Family { target, key } => {
                    let key = key.of(&parts, request)?;
                    Arc::new(Destination { target: target.clone(), key })
                }
            };
            let is_failure = failures.as_ref().zip(status).map(|(failures, status)| failures.contains(status));
            return Ok((destination, is_failure));
        }
        Err(Unrouted::NoRoute)
    }
}

impl Key {
    /// The key of a call, as the proxy takes it from a request.
    fn of(self, parts: &RequestParts<'_>, request: &LogRequest<'_>) -> Result<Box<str>, Unrouted> {
        let key: Box<str> = match self {
            Self::Host => parts.host.ok_or(Unrouted::NoHost)?.to_ascii_lowercase().into(),
            Self::PathSegment(segment) => {
                let path = parts.path.ok_or(Unrouted::NoPath)?;
                decoded_segment(path, segment).ok_or(Unrouted::InvalidKey)?.into()
            }
            // A request without the header has no key.
            Self::Field => {
                let key = request.key.as_deref().unwrap_or_default();
                str::from_utf8(key).map_err(|_| Unrouted::InvalidKey)?.into()
            }
        };
        if key.chars().any(char::is_control) { Err(Unrouted::InvalidKey) } else { Ok(key) }
    }
}

const fn unknown(part: RequestPart) -> Unrouted {
    match part {
        RequestPart::Host => Unrouted::NoHost,
        RequestPart::Path => Unrouted::NoPath,
        RequestPart::Method => Unrouted::NoMethod,
    }
}
