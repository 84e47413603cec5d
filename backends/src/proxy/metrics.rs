//! The metrics of the data plane as Prometheus text.

use std::sync::atomic::Ordering;

use super::flag::Flag;
use super::routes::Table;
use super::worker::Shared;
use crate::metrics::Encoder;

/// Renders the metrics of the data plane.
pub(super) fn render(shared: &Shared) -> String {
    let mut text = Encoder::default();
    let figures = &shared.figures;
    let mut requests = text.counter(
        "tripline_proxy_requests_total",
        "Requests that are over, by what was special about them; \"-\" is nothing.",
    );
    for flag in Flag::ALL {
        requests.sample(&[("flag", flag.as_str())], figures.requests(flag));
    }
    text.gauge("tripline_proxy_connections", "Connections of clients.")
        // Relaxed: a statistic.
        .sample(&[], figures.connections.load(Ordering::Relaxed));
    let table = shared.table();
    let upstreams = table.as_deref().map_or(&[][..], Table::upstreams);
    let mut taken =
        text.gauge("tripline_proxy_upstream_requests", "Requests that have a place in the pool of an upstream.");
    for upstream in upstreams {
        taken.sample(&[("upstream", &upstream.settings.name)], upstream.places.taken());
    }
    let mut places = text.gauge("tripline_proxy_upstream_places", "Places in the pool of an upstream.");
    for upstream in upstreams {
        places.sample(&[("upstream", &upstream.settings.name)], upstream.settings.max_connections);
    }
    let mut idle =
        text.gauge("tripline_proxy_upstream_idle_connections", "Connections to an upstream that wait for a request.");
    for upstream in upstreams {
        idle.sample(&[("upstream", &upstream.settings.name)], upstream.pools.idle());
    }
    if let Some(log) = &shared.access_log {
        text.counter(
            "tripline_proxy_access_lines_dropped_total",
            "Lines of the access log that were dropped because standard output was not read.",
        )
        .sample(&[], log.dropped());
    }
    text.into_string()
}
