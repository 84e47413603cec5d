//! Metrics of alert delivery.

use tripline_runtime::{DeliveryCount, DeliveryStats};

use super::encoder::{Encoder, Family};

pub(super) fn write(text: &mut Encoder, stats: &DeliveryStats) {
    let counts = stats.deliveries();
    each(text.counter("tripline_alerts_sent_total", "Alerts that a sink accepted."), &counts, |count| count.sent);
    each(text.counter("tripline_alerts_failed_total", "Alerts that were given up."), &counts, |count| count.failed);
    let retries = text.counter("tripline_alert_retries_total", "Attempts that failed and are retried.");
    each(retries, &counts, |count| count.retried);
    let rejections = text.counter("tripline_alert_rejections_total", "Attempts that a sink rejected.");
    each(rejections, &counts, |count| count.rejected);
    each(text.gauge("tripline_alerts_waiting", "Alerts not delivered yet."), &counts, |count| count.waiting);

    let help = "Whether a sink rejects alerts; it pages no one until the configuration or the receiver changes.";
    let mut family = text.gauge("tripline_alert_sink_rejecting", help);
    for (breaker, sink, rejects) in stats.sinks() {
        family.sample(&[("breaker", breaker.as_str()), ("sink", sink.as_str())], u8::from(rejects));
    }

    let stores = stats.stores();
    if stores.is_empty() {
        return;
    }
    let help = "Failed saves of incident and alerts.";
    let mut family = text.counter("tripline_alert_state_failures_total", help);
    for store in &stores {
        family.sample(&[("breaker", store.breaker.as_str())], store.failures);
    }
    let help = "Whether the last save of incident and alerts failed.";
    let mut family = text.gauge("tripline_alert_state_failing", help);
    for store in &stores {
        family.sample(&[("breaker", store.breaker.as_str())], u8::from(store.is_failing));
    }
}

fn each(mut family: Family<'_>, counts: &[DeliveryCount], value: impl Fn(&DeliveryCount) -> u64) {
    for count in counts {
        let labels = [
            ("breaker", count.breaker.as_str()),
            ("sink", count.sink.as_str()),
            ("kind", count.kind.as_str()),
            ("stage", count.stage),
        ];
        family.sample(&labels, value(count));
    }
}
