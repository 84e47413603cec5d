//! Applies the proxy setting of a sink.

use crate::config::Secret;
use crate::http_client::{HyperClient, Proxies, ProxyError};

/// The client for a sink: `none` connects directly, a URL selects that proxy, and no setting keeps the proxies of
/// `client`.
pub(super) fn client_of(client: &HyperClient, setting: Option<&Secret>) -> Result<HyperClient, ProxyError> {
    Ok(match setting.map(Secret::expose) {
        None | Some("") => client.clone(),
        Some("none") => client.clone().proxies(Proxies::none()),
        Some(address) => client.clone().proxies(Proxies::one(address)?),
    })
}
