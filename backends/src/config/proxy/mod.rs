//! `[proxy]`, `[upstreams.NAME]` and `[[routes]]`: what `tripline proxy` forwards, and where to.

mod model;
mod network;
mod read;
mod route;
mod statuses;
mod upstream;

pub use model::{AccessLog, Forwarded, Measure, Proxy, ProxyMode, RejectedAnswer, TlsFiles};
pub use network::Network;
pub(crate) use read::{ROUTES, UPSTREAMS, read};
pub use route::{Guard, RequestPart, RequestParts, Route};
pub use statuses::Statuses;
pub use upstream::{HostHeader, ServerUrl, Upstream, UpstreamProtocol, UpstreamTls};
