//! The breakers that calls of a log are for.

use std::fmt;
use std::sync::Arc;

use tripline_runtime::{Breaker, Family};

use super::request::{LogRequest, Wanted};

/// Chooses the breaker of each call of a log.
pub(crate) trait Routing: fmt::Debug + Send + Sync {
    /// The parts of a request that the choice depends on.
    fn wanted(&self) -> Wanted;

    /// All breakers that it can choose.
    fn targets(&self) -> Vec<Arc<Target>>;

    /// The breaker of a call with this request, and whether `status` is a failure; `None` where the format decides.
    ///
    /// # Errors
    /// Why the call is for no breaker.
    fn destination(
        &self,
        request: &LogRequest<'_>,
        status: Option<u16>,
    ) -> Result<(Arc<Destination>, Option<bool>), Unrouted>;
}

/// A breaker that follows a log, or a family of them. It was made without stall detection of its own.
#[derive(Debug)]
pub(crate) struct Target {
    /// Of a family its shared member.
    pub(crate) breaker: Breaker,
    pub(crate) family: Option<Family>,
    /// Whether calls that hang count before they end.
    pub(crate) stall_detection: bool,
}

/// The breaker of a call.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) target: Arc<Target>,
    /// The key of the member of a family; empty for the shared one, and where there is no family.
    pub(crate) key: Box<str>,
}

/// One breaker is the same as itself only.
impl PartialEq for Destination {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.target, &other.target) && self.key == other.key
    }
}

/// Why a call of a log is for no breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unrouted {
    /// No route matches.
    NoRoute,
    /// Nothing guards its route.
    NotGuarded,
    /// Its line has no host, and the breaker depends on it.
    NoHost,
    /// Its line has no path.
    NoPath,
    /// Its line has no method.
    NoMethod,
    /// The key is no text, or has control characters.
    InvalidKey,
}

impl Unrouted {
    /// The reason as it is written in JSON and in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::NotGuarded => "not_guarded",
            Self::NoHost => "no_host",
            Self::NoPath => "no_path",
            Self::NoMethod => "no_method",
            Self::InvalidKey => "invalid_key",
        }
    }

    /// The reason of this name, where it is a field that the log lacks.
    pub(crate) fn lacking(name: &str) -> Option<Self> {
        [Self::NoHost, Self::NoPath, Self::NoMethod].into_iter().find(|reason| reason.as_str() == name)
    }

    /// The role of the field that the log lacks.
    const fn lacks(self) -> Option<&'static str> {
        match self {
            Self::NoHost => Some("host"),
            Self::NoPath => Some("path"),
            Self::NoMethod => Some("method"),
            Self::NoRoute | Self::NotGuarded | Self::InvalidKey => None,
        }
    }
}

impl fmt::Display for Unrouted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoute => f.write_str("no route matches"),
            Self::NotGuarded => f.write_str("its route has breaker = \"off\""),
            Self::InvalidKey => f.write_str("its key is not UTF-8, or has control characters; the proxy answers 400"),
            Self::NoHost | Self::NoPath | Self::NoMethod => {
                let part = self.lacks().unwrap_or_default();
                write!(
                    f,
                    "the choice of the breaker depends on the {part}, and the line has none; where every line lacks it, \
                     --field {part}=FIELD names the field that has it"
                )
            }
        }
    }
}
