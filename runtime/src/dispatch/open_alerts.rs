//! The alerts that are open when the process ends.

use crate::dispatch::mailbox::{LaneState, Mailbox};
use crate::dispatch::pagers::keeps_open;

impl Mailbox {
    /// Logs the alerts that are, or may be, open when the process ends.
    pub(super) fn log_open(&self) {
        // Not under the lock.
        let keeping: Vec<&str> =
            self.sinks().iter().filter(|(_, sink)| keeps_open(sink)).map(|(label, _)| label.as_str()).collect();
        let open: Vec<_> = {
            let state = self.state();
            let lanes = state.lanes.iter().filter(|lane| keeping.contains(&lane.sink.as_str()));
            let owned = |lane: &LaneState| {
                let (sink, kind) = (lane.sink.clone(), lane.kind.as_str());
                let of_lane = |(incident, alias, confirmed): (u64, Option<&str>, bool)| {
                    (sink.clone(), kind, incident, alias.map(str::to_owned), confirmed)
                };
                lane.queue.open().map(of_lane).collect::<Vec<_>>()
            };
            lanes.flat_map(owned).collect()
        };
        let breaker = self.breaker.as_str();
        for (sink, kind, incident, alias, confirmed) in open {
            if self.is_durable {
                let words = "an alert stays open over the stop; the next start goes on";
                tracing::info!(breaker, sink, kind, incident, alias, confirmed, "{words}");
            } else {
                let words = "an alert stays open at the stop and no state is kept: close it by hand, or set state_dir";
                tracing::warn!(breaker, sink, kind, incident, alias, confirmed, "{words}");
            }
        }
    }
}
