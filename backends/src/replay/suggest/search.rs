//! The search for a proposal.

use std::io::{self, BufRead};
use std::num::NonZeroU16;
use std::time::Duration;

use tripline_runtime::core::{Confidence, Latency, Policy};

use super::candidate::{Candidate, Cost, try_all};
use super::diagnostics;
use super::fault_injection::{Fault, Kept, Traffic, two_digits_up};
use super::profile::{MIN_WINDOWS, Profile};
use super::proposed_keys::proposed_keys;
use super::suggestion::{Proposal, Recording, Side, SuggestOptions, Suggestion};
use crate::replay::driver::Totals;
use crate::replay::error::ReplayError;
use crate::replay::figures::Figures;
use crate::replay::input_report::InputReport;

/// Samples live for this times as long as the quietest time needs.
const AGE_MARGIN: f64 = 1.5;
/// The largest `latency_max_age` that a configuration takes.
const MAX_AGE: Duration = Duration::from_secs(3_600);
/// Candidates that are tried at first, each a quarter above the one before.
const FIRST_RUNGS: i32 = 4;
/// The candidates that are tried where none of these passes.
const ALL_RUNGS: i32 = 10;
/// The service may get slower by this factor without a false trip.
const HEADROOM: f64 = 1.25;
/// Confidences beyond the usual one.
const MORE_CONFIDENCE: [f64; 1] = [0.999];
/// Below this, request times that are whole seconds give no threshold.
const MIN_OF_WHOLE_SECONDS: Latency = Latency::from_millis(2_000);
/// From this share of late lines on, the order of a log says nothing.
const MAX_LATE: f64 = 0.5;
/// The wait with which false trips cost least, proposed in place of the default one.
const WAIT: Duration = Duration::from_secs(3);

/// Proposes settings from a recording. `open` gives it from its start, and is called two to four times.
///
/// Takes about five microseconds per record.
///
/// # Errors
/// As [`run`](crate::replay::run), and those of `open`.
pub fn suggest<R: BufRead>(
    options: &SuggestOptions,
    mut open: impl FnMut() -> io::Result<R>,
) -> Result<Suggestion, ReplayError> {
    let input = open().map_err(ReplayError::Read)?;
    let (profile, findings) = Profile::read(options.base.policy.percentile, &options.reading, input)?;
    let totals = Totals { records: profile.records, shortened: profile.shortened, ..Totals::default() };
    let report = InputReport::new(totals, findings);
    let late = report.log.as_ref().map_or(0, |log| log.late);
    let recording = recorded(&profile, late);
    let window = profile.window(&options.base.policy);
    let mut doubts = diagnostics::doubts(&recording);
    let is_healthy = diagnostics::is_healthy(&recording);
    let Some(worst) = recording.worst_calm.filter(|_| profile.latencies.count() >= MIN_WINDOWS * u64::from(window))
    else {
        let needed = MIN_WINDOWS * u64::from(window);
        if recording.records == 0 {
            doubts = vec![diagnostics::NOTHING_RECORDED.into()];
        } else {
            doubts.insert(0, diagnostics::too_short(profile.latencies.count(), needed, window));
        }
        return Ok(Suggestion { recording, is_healthy: false, doubts, proposal: None, report });
    };
    if recording.late_share >= MAX_LATE {
        return Ok(Suggestion { recording, is_healthy, doubts, proposal: None, report });
    }
    let mut search = Search {
        options,
        open,
        recording: &recording,
        longest: options.reading.longest().min(profile.longest),
        window: NonZeroU16::new(window).unwrap_or(NonZeroU16::MIN),
        worst,
        kept: None,
    };
    let proposal = search.proposal()?;
    if recording.has_whole_seconds && proposal.policy.latency_threshold < MIN_OF_WHOLE_SECONDS {
        return Ok(Suggestion { recording, is_healthy, doubts, proposal: None, report });
    }
    doubts.extend(diagnostics::doubts_of(&proposal));
    Ok(Suggestion { recording, is_healthy, doubts, proposal: Some(proposal), report })
}

fn recorded(profile: &Profile, late: u64) -> Recording {
    let (typical, split) = profile.split().unzip();
    Recording {
        records: profile.records,
        calls: profile.calls,
        failed: profile.failed,
        from_nanos: profile.from,
        to_nanos: profile.to,
        calls_per_second: profile.rates(),
        percentile_of: profile.segments().percentile(),
        percentile: profile.latencies.quantile(profile.segments().percentile()),
        longest: profile.latencies.largest(),
        has_whole_seconds: profile.has_whole_seconds(),
        late_share: late as f64 / profile.calls.max(1) as f64,
        stretch_calls: profile.segments().size() as u64,
        segments: profile.segments().count(),
        typical,
        worst_calm: split.as_ref().map(|split| split.worst_calm),
        slow_from: split.as_ref().map(|split| split.limit),
        hiccups: split.as_ref().map_or(0, |split| split.hiccups),
        incidents: split.map_or_else(Vec::new, |split| split.incidents),
    }
}

/// The way to a proposal.
struct Search<'a, F> {
    options: &'a SuggestOptions,
    open: F,
    recording: &'a Recording,
    longest: i64,
    window: NonZeroU16,
    worst: Latency,
    kept: Option<Kept>,
}

/// A candidate, what it costs, and whether the one below it holds too.
struct Found {
    candidate: Candidate,
    cost: Cost,
    has_headroom: bool,
}

impl<R: BufRead, F: FnMut() -> io::Result<R>> Search<'_, F> {
    fn proposal(&mut self) -> Result<Proposal, ReplayError> {
        let usual = Some(self.options.base.policy.trip_confidence).filter(|confidence| confidence.get() > 0.0);
        let usual = usual.unwrap_or_default();
        let first = vec![self.ladder(0..FIRST_RUNGS, usual)];
        let beside: Vec<Candidate> =
            self.options.beside.iter().map(|setting| plain(&setting.policy, setting.stall_detection)).collect();
        let (mut found, costs) = self.try_ladders(&first, &beside)?;
        let traffic = Traffic::new(self.kept.take().unwrap_or_default());
        if !found.iter().any(|found| found.has_headroom) {
            let mut ladders = vec![self.ladder(FIRST_RUNGS - 1..ALL_RUNGS, usual)];
            let more = MORE_CONFIDENCE.into_iter().filter(|&confidence| confidence > usual.get());
            ladders.extend(more.filter_map(|c| Confidence::new(c).ok()).map(|c| self.ladder(0..FIRST_RUNGS, c)));
            found.extend(self.try_ladders(&ladders, &[])?.0);
        }
        let best = match soonest(found, &traffic)? {
            Some(best) => best,
            None => self.last_resort(usual)?,
        };
        let mut sides = vec![side("proposed", &best.candidate, best.cost, &traffic)?];
        for ((setting, candidate), cost) in self.options.beside.iter().zip(&beside).zip(costs) {
            sides.push(side(&setting.name, candidate, cost, &traffic)?);
        }
        let (policy, has_headroom) = (best.candidate.policy, best.has_headroom);
        let keys = proposed_keys(&policy, &self.options.base.policy, self.recording, has_headroom);
        let is_kept = |(key, _): &&(String, String)| keys.iter().all(|proposed| proposed.key != key);
        let kept = self.options.kept.iter().filter(is_kept).cloned().collect();
        let twice = |typical: Latency| Latency::from_micros(typical.as_micros().saturating_mul(2));
        let is_twice_healthy = self.recording.typical.is_some_and(|typical| twice(typical) <= policy.latency_threshold);
        let base = self.options.base.name.clone();
        Ok(Proposal { policy, base, keys, kept, has_headroom, is_twice_healthy, sides })
    }

    /// Candidates with rising thresholds.
    fn ladder(&self, rungs: std::ops::Range<i32>, confidence: Confidence) -> Vec<Candidate> {
        let worst = f64::from(self.worst.as_micros());
        let thresholds = rungs.map(|rung| two_digits_up(Latency::from_micros((worst * HEADROOM.powi(rung)) as u32)));
        let mut ladder: Vec<Candidate> = thresholds.map(|threshold| self.candidate(threshold, confidence)).collect();
        // At a millisecond, the least that there is, rungs can be the same.
        ladder.dedup_by(|a, b| a.policy == b.policy);
        ladder
    }

    fn candidate(&self, threshold: Latency, confidence: Confidence) -> Candidate {
        let mut policy = self.options.base.policy.clone();
        policy.latency_threshold = threshold;
        policy.latency_window_size = self.window;
        policy.trip_confidence = confidence;
        if policy.wait_time == Policy::default().wait_time {
            policy.wait_time = WAIT;
        }
        // In quiet times samples must live until there are enough.
        let (_, quiet) = self.recording.calls_per_second;
        let minimum = f64::from(policy.effective_minimum_samples());
        if quiet > 0.0 && quiet * policy.latency_max_age.as_secs_f64() < minimum {
            let needed = Duration::from_secs((AGE_MARGIN * minimum / quiet).ceil() as u64).min(MAX_AGE);
            policy.latency_max_age = policy.latency_max_age.max(needed);
        }
        Candidate { policy, stall_detection: self.options.base.stall_detection, must_hold: true }
    }

    /// Tries all candidates in one reading; gives those that hold, and the costs of `beside`.
    fn try_ladders(
        &mut self,
        ladders: &[Vec<Candidate>],
        beside: &[Candidate],
    ) -> Result<(Vec<Found>, Vec<Cost>), ReplayError> {
        let all: Vec<Candidate> = ladders.iter().flatten().chain(beside).cloned().collect();
        let mut costs = self.try_all(&all)?.into_iter();
        let mut found = Vec::new();
        for ladder in ladders {
            let mut below_holds = false;
            for (candidate, cost) in ladder.iter().zip(costs.by_ref()) {
                let holds = cost.is_some();
                found.extend(cost.map(|cost| {
                    // The least threshold that there is may be far above the recording.
                    let is_far = f64::from(candidate.policy.latency_threshold.as_micros())
                        >= f64::from(self.worst.as_micros()) * HEADROOM * HEADROOM
                        && ladder.len() == 1;
                    Found { candidate: candidate.clone(), cost, has_headroom: below_holds || is_far }
                }));
                below_holds = holds;
            }
        }
        Ok((found, costs.flatten().collect()))
    }

    fn try_all(&mut self, candidates: &[Candidate]) -> Result<Vec<Option<Cost>>, ReplayError> {
        let input = (self.open)().map_err(ReplayError::Read)?;
        let incidents = &*self.recording.incidents;
        let mut kept = Kept::default();
        let see = |record: &_| kept.see(record, incidents);
        let costs = try_all(candidates, incidents, self.longest, &self.options.reading, input, see)?;
        self.kept = Some(kept);
        Ok(costs)
    }

    /// No candidate passes: the highest threshold with the most confidence, at any cost.
    fn last_resort(&mut self, usual: Confidence) -> Result<Found, ReplayError> {
        let confidence = Confidence::new(MORE_CONFIDENCE.into_iter().fold(usual.get(), f64::max)).unwrap_or(usual);
        let mut candidate = self.ladder(ALL_RUNGS - 1..ALL_RUNGS, confidence).pop();
        if let Some(candidate) = &mut candidate {
            candidate.must_hold = false;
        }
        let candidate = candidate.unwrap_or_else(|| plain(&self.options.base.policy, true));
        let cost = self.try_all(std::slice::from_ref(&candidate))?.into_iter().flatten().next();
        let nothing = || Cost { false_trips: 0, figures: Figures::default() };
        Ok(Found { candidate, cost: cost.unwrap_or_else(nothing), has_headroom: false })
    }
}

/// Of those with headroom, or of all if there is none, the first of a lone ladder; of several the one that finds hanging calls
/// soonest.
fn soonest(found: Vec<Found>, traffic: &Traffic) -> Result<Option<Found>, ReplayError> {
    let any_headroom = found.iter().any(|found| found.has_headroom);
    let mut best: Option<(Duration, Found)> = None;
    for found in found.into_iter().filter(|found| found.has_headroom == any_headroom) {
        let delay = traffic.delay(&found.candidate, Fault::AllHang)?;
        let delay = delay.median.map_or(Duration::MAX, |(delay, _)| delay);
        if best.as_ref().is_none_or(|(least, _)| delay < *least) {
            best = Some((delay, found));
        }
    }
    Ok(best.map(|(_, found)| found))
}

fn side(name: &str, candidate: &Candidate, cost: Cost, traffic: &Traffic) -> Result<Side, ReplayError> {
    let delays = Fault::ALL.into_iter().map(|fault| traffic.delay(candidate, fault)).collect::<Result<_, _>>()?;
    Ok(Side { name: name.into(), cost, delays })
}

fn plain(policy: &Policy, stall_detection: bool) -> Candidate {
    Candidate { policy: policy.clone(), stall_detection, must_hold: false }
}
