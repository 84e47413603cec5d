//! Alerts as structured log events, for those who alert from their logs.

use async_trait::async_trait;
use tripline_runtime::core::TripReason;
use tripline_runtime::{Alert, AlertSink, DeliveryError, Stage};

use crate::alerts::format::{ended_by, lasted_seconds, memory_percent, percentile_ms, two_decimals};

/// Writes every alert as one `tracing` event of the target `tripline::alert`: a warning when an incident begins or
/// stays, an information when it is over. It cannot fail and does not wait.
///
/// Alias and priority are there where the alert has a page, as behind [`Staged`](crate::alerts::Staged).
#[derive(Debug, Clone, Copy, Default)]
pub struct LogSink;

/// One event, at the level that the stage has.
macro_rules! log_alert {
    ($level:ident, $alert:expr, $message:literal) => {
        tracing::$level!(
            target: "tripline::alert",
            breaker = $alert.breaker.as_str(),
            key = $alert.key.as_deref(),
            fleet = $alert.fleet.as_ref().map(tracing::field::display),
            incident = $alert.incident,
            kind = $alert.kind.as_str(),
            stage = $alert.stage.as_str(),
            ended_by = ended_by($alert.stage),
            cause = $alert.cause.as_str(),
            alias = $alert.page.as_ref().map(|page| page.alias.as_str()),
            priority = $alert.page.as_ref().map(|page| page.priority.as_str()),
            announce_reset = $alert.announce_reset,
            lasted_seconds = lasted_seconds($alert),
            state = $alert.snapshot.state.as_str(),
            trip_reason = $alert.snapshot.trip_reason.map(TripReason::as_str),
            why = $alert.snapshot.explanation.map(tracing::field::display),
            drill = $alert.is_drill,
            passed_after_seconds = $alert.passed_after.map(|after| two_decimals(after.as_secs_f64())),
            stalled_at_trip = $alert.snapshot.stalled_at_trip,
            percentile_ms = percentile_ms(&$alert.snapshot),
            threshold_ms = $alert.snapshot.threshold.as_millis_f64(),
            memory_percent = $alert.snapshot.memory.and_then(memory_percent),
            memory_level = $alert.snapshot.memory_level.as_deref(),
            trend = $alert.snapshot.trend.as_str(),
            $message
        )
    };
}

#[async_trait]
impl AlertSink for LogSink {
    fn name(&self) -> &'static str {
        "log"
    }

    fn keeps_open(&self) -> bool {
        false
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        match alert.stage {
            Stage::Resolved(_) => log_alert!(info, alert, "incident is over"),
            Stage::Superseded => log_alert!(info, alert, "incident continues under another alert"),
            Stage::Escalated => log_alert!(warn, alert, "incident stays"),
            _ => log_alert!(warn, alert, "incident"),
        }
        Ok(())
    }
}
