//! A suggestion as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use tripline_runtime::BreakerName;
use tripline_runtime::core::Latency;

use super::fault_injection::Fault;
use super::segments::Incident;
use super::suggestion::{Proposal, Side, Suggestion};

impl Suggestion {
    /// Writes it for programs: one JSON object on one line. Times are milliseconds where they end in `_ms`.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn write_json(&self, output: &mut impl Write) -> io::Result<()> {
        self.write_object(None, output)
    }

    /// As [`Suggestion::write_json`], with the name of the breaker that it is for.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn write_breaker_json(&self, name: &BreakerName, output: &mut impl Write) -> io::Result<()> {
        self.write_object(Some(name.as_str()), output)
    }

    fn write_object(&self, breaker: Option<&str>, output: &mut impl Write) -> io::Result<()> {
        let recording = &self.recording;
        let json = Json {
            breaker,
            calls: recording.calls,
            failed: recording.failed,
            duration_seconds: (recording.to_nanos as f64 - recording.from_nanos as f64) / 1e9,
            calls_per_second: recording.calls_per_second.0,
            percentile_ms: recording.percentile.map(Latency::as_millis_f64),
            stretch_calls: recording.stretch_calls,
            segments: recording.segments,
            typical_stretch_ms: recording.typical.map(Latency::as_millis_f64),
            worst_calm_stretch_ms: recording.worst_calm.map(Latency::as_millis_f64),
            hiccups: recording.hiccups,
            incidents: recording.incidents.iter().map(incident).collect(),
            healthy: self.is_healthy,
            doubts: &self.doubts,
            proposal: self.proposal.as_ref().map(proposal),
            unusable: self.report.usage.unusable.reasons().collect(),
            excluded: self.report.usage.excluded,
            nul_bytes: self.report.usage.nul_bytes,
            origin_changes: self.report.usage.origin_changes,
            sides: self.proposal.iter().flat_map(|proposal| &proposal.sides).map(side).collect(),
        };
        serde_json::to_writer(&mut *output, &json)?;
        writeln!(output)
    }
}

#[derive(Serialize)]
struct Json<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<&'a str>,
    calls: u64,
    failed: u64,
    duration_seconds: f64,
    calls_per_second: f64,
    percentile_ms: Option<f64>,
    stretch_calls: u64,
    #[serde(rename = "stretches")]
    segments: u64,
    typical_stretch_ms: Option<f64>,
    worst_calm_stretch_ms: Option<f64>,
    hiccups: u64,
    incidents: Vec<IncidentJson>,
    healthy: bool,
    doubts: &'a [String],
    proposal: Option<ProposalJson>,
    unusable: BTreeMap<&'static str, u64>,
    excluded: u64,
    nul_bytes: u64,
    origin_changes: u64,
    sides: Vec<SideJson<'a>>,
}

#[expect(clippy::struct_field_names, reason = "the unit")]
#[derive(Serialize)]
struct IncidentJson {
    from_at_ms: f64,
    to_at_ms: f64,
    worst_stretch_ms: f64,
}

/// Under the names of the configuration.
#[derive(Serialize)]
struct ProposalJson {
    percentile: f64,
    latency_threshold: f64,
    latency_window_size: u16,
    trip_confidence: f64,
    headroom: bool,
    /// Every key of the configuration that is proposed, those that stay as in the base included.
    keys: BTreeMap<String, serde_json::Value>,
    missed_faults: Vec<String>,
}

#[derive(Serialize)]
struct SideJson<'a> {
    setting: &'a str,
    false_trips: u64,
    trips: u64,
    rejected: u64,
    rejected_fine: u64,
    open_seconds: f64,
    open_share: f64,
    faults: Vec<FaultJson>,
}

#[derive(Serialize)]
struct FaultJson {
    fault: String,
    tried: usize,
    tripped: usize,
    median_seconds: Option<f64>,
    median_calls: Option<u64>,
}

fn incident(incident: &Incident) -> IncidentJson {
    IncidentJson {
        from_at_ms: incident.from_nanos as f64 / 1e6,
        to_at_ms: incident.to_nanos as f64 / 1e6,
        worst_stretch_ms: incident.worst.as_millis_f64(),
    }
}

fn proposal(proposal: &Proposal) -> ProposalJson {
    let policy = &proposal.policy;
    let proposed = proposal.keys.iter().map(|proposed| (proposed.key.to_owned(), proposed.value.as_str()));
    let kept = proposal.kept.iter().map(|(key, value)| (key.clone(), value.as_str()));
    // Numbers, truth values and plain text are written alike in TOML and JSON.
    let keys = proposed.chain(kept).map(|(key, value)| {
        (key, serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::String(value.to_owned())))
    });
    ProposalJson {
        percentile: policy.percentile.get(),
        latency_threshold: policy.latency_threshold.as_millis_f64(),
        latency_window_size: policy.latency_window_size.get(),
        trip_confidence: policy.trip_confidence.get(),
        headroom: proposal.has_headroom,
        keys: keys.collect(),
        missed_faults: proposal.missed_faults().into_iter().map(|(fault, _)| fault.words()).collect(),
    }
}

fn side(side: &Side) -> SideJson<'_> {
    let figures = &side.cost.figures;
    let faults = Fault::ALL.into_iter().zip(&side.delays).map(|(fault, delay)| FaultJson {
        fault: fault.words(),
        tried: delay.tried,
        tripped: delay.tripped,
        median_seconds: delay.median.map(|(after, _)| after.as_secs_f64()),
        median_calls: delay.median.map(|(_, calls)| calls),
    });
    SideJson {
        setting: &side.name,
        false_trips: side.cost.false_trips,
        trips: figures.trips,
        rejected: figures.rejected,
        rejected_fine: figures.rejected_fine,
        open_seconds: figures.open.as_secs_f64(),
        open_share: figures.open_share(),
        faults: faults.collect(),
    }
}
