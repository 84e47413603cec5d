//! Call durations as a histogram.

use super::encoder::Encoder;
use super::reading::{Reading, seconds};

/// Writes nothing if no breaker keeps a histogram.
pub(super) fn write(text: &mut Encoder, readings: &[Reading]) {
    let kept = || readings.iter().filter_map(|reading| Some((reading.name.as_str(), reading.durations.as_ref()?)));
    if kept().next().is_none() {
        return;
    }
    let help = "Duration of successful and failed calls, including those of earlier generations.";
    let mut family = text.histogram("tripline_call_duration_seconds", help);
    for (breaker, durations) in kept() {
        for (bound, calls) in durations.cumulative() {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| seconds(bound).to_string());
            family.part("_bucket", &[("breaker", breaker), ("le", &bound)], calls);
        }
        family.part("_sum", &[("breaker", breaker)], durations.sum().as_secs_f64());
        family.part("_count", &[("breaker", breaker)], durations.count());
    }
}
