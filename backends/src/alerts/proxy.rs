//! The proxy that a sink's configuration names.

use crate::config::Secret;
use crate::http_client::{HyperClient, Proxies, ProxyError};

/// The client for a sink: with `none` it connects directly, with an address through that proxy, else as it does anyway.
pub(super) fn client_of(client: &HyperClient, setting: Option<&Secret>) -> Result<HyperClient, ProxyError> {
    Ok(match setting.map(Secret::expose) {
        None | Some("") => client.clone(),
        Some("none") => client.clone().proxies(Proxies::none()),
        Some(address) => client.clone().proxies(Proxies::one(address)?),
    })
}
