//! Alerts as structured log events, for those who alert from their logs.

use async_trait::async_trait;
use tripline_runtime::core::{Latency, MemorySample};
use tripline_runtime::{Alert, AlertSink, DeliveryError, Stage};

/// Writes every alert as one `tracing` event of the target `tripline::alert`: a warning when an incident begins, an
/// information when it is over. It cannot fail and does not wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogSink;

#[async_trait]
impl AlertSink for LogSink {
    fn name(&self) -> &'static str {
        "log"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let breaker = alert.breaker.as_str();
        let (incident, stage) = (alert.incident, alert.stage.as_str());
        let cause = alert.cause.as_str();
        let seen = &alert.snapshot;
        let percentile_ms = seen.percentile.map(Latency::as_millis_f64);
        let threshold_ms = seen.threshold.as_millis_f64();
        // Two decimals are more than anybody reads.
        let memory_percent = seen.memory.and_then(MemorySample::ratio).map(|ratio| (ratio * 10_000.0).round() / 100.0);
        let (breaker_is, trend) = (seen.state.as_str(), seen.trend.as_str());
        if let Stage::Resolved(_) = alert.stage {
            tracing::info!(
                target: "tripline::alert",
                breaker, incident, stage, cause, state = breaker_is, stalled_at_trip = seen.stalled_at_trip, percentile_ms, threshold_ms, memory_percent, trend,
                "incident is over"
            );
        } else {
            tracing::warn!(
                target: "tripline::alert",
                breaker, incident, stage, cause, state = breaker_is, stalled_at_trip = seen.stalled_at_trip, percentile_ms, threshold_ms, memory_percent, trend,
                "incident"
            );
        }
        Ok(())
    }
}
