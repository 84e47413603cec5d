//! Metrics of the fleet.

use tripline_runtime::FleetStatus;

use super::encoder::Encoder;

/// Renders the fleet as this replica sees it, in the format of [`render`](super::render).
pub fn render_fleet(status: &FleetStatus) -> String {
    let mut text = Encoder::default();
    text.gauge("tripline_fleet_up", "Whether the engine of the fleet answered the last request.")
        .sample(&[], u8::from(status.is_up));
    text.gauge("tripline_fleet_alone", "Whether this replica pages alone because the engine is unreachable.")
        .sample(&[], u8::from(status.is_alone));
    text.gauge("tripline_fleet_members", "Replicas of the fleet.").sample(&[], status.members);
    let mut open = text.gauge("tripline_fleet_open", "Replicas in an incident whose breaker is not closed.");
    for breaker in &status.breakers {
        open.sample(&[("breaker", breaker.name.as_str())], breaker.open);
    }
    text.counter("tripline_fleet_claims_total", "Alert stages that this replica claimed to send for all replicas.")
        .sample(&[], status.claims);
    text.counter("tripline_fleet_fallback_total", "Number of times this replica began to page alone.")
        .sample(&[], status.fallbacks);
    text.into_string()
}
