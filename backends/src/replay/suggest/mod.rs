//! `tripline suggest`: a threshold, a window and a confidence from a recording of a service that was well.
//!
//! **Method.** The recording is read two to four times.
//!
//! 1. *Stretches.* The calls are cut into stretches of equal size (256 at the 95th percentile: so many that about twelve lie above
//!    it), and the percentile of each is taken. So a slow hour, a pause or a cold start is seen, which a quantile of
//!    everything drowns. Three or more stretches in a row above three times the typical (the median) percentile are taken
//!    to be an *incident*: they do not count for the threshold, and a trip inside one is no false trip. Fewer are a hiccup, and
//!    the proposal is to ride them out.
//! 2. *Window.* Two seconds of calls at the usual rate, as a power of two from 32 to 1,024, and never so small that one slow call
//!    is the percentile.
//! 3. *Threshold.* Candidates begin at the percentile of the worst stretch that is part of no incident, rounded up to two digits, and
//!    each is a quarter above the one before. All of them are replayed through the very breaker that production runs,
//!    stalls included. The proposal is the lowest one without a false trip of which the next lower one has none either:
//!    so the service may get slower by a quarter without a false trip. Where none of the first four will do, higher ones
//!    are tried, and the lower ones with more confidence (0.99 and 0.999); of these the one that finds hanging calls
//!    soonest is taken.
//! 4. *The other side.* Faults are put into recorded calls (the last 8,192 outside of incidents) at eight places, and replayed:
//!    how soon would it have tripped?
//!
//! A recording says nothing of days that it does not hold: record at least one whole cycle of the load.
//!
//! Memory in use does not grow with the recording; that of the replays is the records of as long a stretch of time as the
//! longest call, for each candidate.

mod advice;
mod faults;
mod json;
mod profile;
mod stretches;
mod text;
mod trial;

use std::io::{self, BufRead};
use std::num::NonZeroU16;
use std::time::Duration;

use tripline_runtime::core::{Confidence, Latency, Percentile, Policy};

use super::Report;
use super::compare::Setting;
use super::driver::Totals;
use super::error::ReplayError;
use super::reading::Reading;
use faults::{Kept, Traffic, two_digits_up};
use profile::{MIN_WINDOWS, Profile};
use trial::{Candidate, try_all};

pub use faults::{Delay, Fault};
pub use stretches::Incident;
#[cfg(feature = "cli")]
pub(crate) use text::RECOMMENDED;
pub use trial::Cost;

/// Candidates that are tried at first, each a quarter above the one before.
const FIRST_RUNGS: i32 = 4;
/// And those that are tried where none of these will do.
const ALL_RUNGS: i32 = 10;
/// The service may get slower by this factor without a false trip.
const HEADROOM: f64 = 1.25;
/// Confidences beyond the usual one.
const MORE_CONFIDENCE: [f64; 2] = [0.99, 0.999];
/// Below this, request times that are whole seconds tell no threshold.
const MIN_OF_WHOLE_SECONDS: Latency = Latency::from_millis(2_000);
/// From this share of late lines on, the order of a log says nothing.
const MAX_LATE: f64 = 0.5;
/// The usual one, where the settings ask for none.
const USUAL_CONFIDENCE: f64 = 0.95;

/// What a suggestion starts from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SuggestOptions {
    /// The settings that stay as they are: the percentile and all that is not proposed.
    pub base: Setting,
    /// Keys of the base that are not proposed and differ from the defaults, each with its value as TOML: they belong to a
    /// configuration that is made of the proposal.
    pub kept: Vec<(String, String)>,
    /// Settings whose cost is told beside that of the proposal.
    pub beside: Vec<Setting>,
    /// How the recording is read.
    pub reading: Reading,
}

impl SuggestOptions {
    /// Proposals on top of `base`, compared with `beside`.
    pub fn new(base: Setting, beside: Vec<Setting>) -> Self {
        Self { base, kept: Vec::new(), beside, reading: Reading::default() }
    }
}

/// What came of a recording.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Suggestion {
    /// What was recorded.
    pub recording: Recording,
    /// Whether it shows no incident, and neither many slow stretches nor many failures.
    pub is_healthy: bool,
    /// Whatever keeps it from being a healthy recording of good length; empty where it is one.
    pub doubts: Vec<String>,
    /// The settings to use: those of the base with latency threshold, window and confidence in their place. `None` where
    /// the recording is too short, as the doubts say.
    pub proposal: Option<Proposal>,
    /// What else there is to tell of the input; `most_held` is 0, because the first reading holds no record.
    pub report: Report,
}

/// What was recorded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recording {
    /// Records of any kind.
    pub records: u64,
    /// Calls.
    pub calls: u64,
    /// Of these those that failed.
    pub failed: u64,
    /// When the first record, or the start of its call, was; nanoseconds on the input's own line.
    pub from_nanos: i64,
    /// The last record.
    pub to_nanos: i64,
    /// Calls a second, usually, and in the quietest tenth of the time.
    pub calls_per_second: (f64, f64),
    /// Which percentile is looked at.
    pub percentile_of: Percentile,
    /// That of all calls, within 1 %.
    pub percentile: Option<Latency>,
    /// The longest call.
    pub longest: Option<Latency>,
    /// Whether latencies are written as whole seconds.
    pub has_whole_seconds: bool,
    /// The share of the calls, 0 to 1, whose lines came too late for their place in the order of time.
    pub late_share: f64,
    /// Calls in a stretch.
    pub stretch_calls: u64,
    /// Stretches.
    pub stretches: u64,
    /// The typical stretch's percentile.
    pub typical: Option<Latency>,
    /// That of the worst stretch which is not slow.
    pub worst_calm: Option<Latency>,
    /// Stretches are slow from here on.
    pub slow_from: Option<Latency>,
    /// Slow stretches that are part of no incident.
    pub hiccups: u64,
    /// What looks like incidents.
    pub incidents: Vec<Incident>,
}

/// Settings, and both sides of their trade.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Proposal {
    /// The proposed settings.
    pub policy: Policy,
    /// What the settings that it changes are called.
    pub base: String,
    /// As [`SuggestOptions::kept`].
    pub kept: Vec<(String, String)>,
    /// Whether a breaker with a threshold lower by a quarter has no false trip either.
    pub has_headroom: bool,
    /// For the proposal and then each of [`SuggestOptions::beside`]: its name, what it would have cost, and how soon it finds
    /// each of [`Fault::ALL`].
    pub sides: Vec<Side>,
}

/// What some settings would have cost, and what they would have found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Side {
    /// What they are called.
    pub name: String,
    /// The cost on the recording.
    pub cost: Cost,
    /// How soon each of [`Fault::ALL`] is found.
    pub delays: Vec<Delay>,
}

/// Proposes settings from a recording. `open` gives it from its start, and is called two to four times.
///
/// Takes about five microseconds per record.
///
/// # Errors
/// As [`run`](super::run), and those of `open`.
pub fn suggest<R: BufRead>(
    options: &SuggestOptions,
    mut open: impl FnMut() -> io::Result<R>,
) -> Result<Suggestion, ReplayError> {
    let input = open().map_err(ReplayError::Read)?;
    let (profile, findings) = Profile::read(options.base.policy.percentile, options.reading, input)?;
    let totals = Totals { records: profile.records, shortened: profile.shortened, most_held: 0 };
    let report = Report::new(totals, findings);
    let late = report.log.as_ref().map_or(0, |log| log.late);
    let recording = recorded(&profile, late);
    let window = profile.window(&options.base.policy);
    let mut doubts = advice::doubts(&recording);
    let is_healthy = advice::is_healthy(&recording);
    let Some(worst) = recording.worst_calm.filter(|_| profile.latencies.count() >= MIN_WINDOWS * u64::from(window))
    else {
        let needed = MIN_WINDOWS * u64::from(window);
        if recording.records == 0 {
            doubts = vec![advice::NOTHING_RECORDED.into()];
        } else {
            doubts.insert(0, advice::too_short(profile.latencies.count(), needed, window));
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
    doubts.extend(advice::doubts_of(&proposal, &recording));
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
        percentile_of: profile.stretches().percentile(),
        percentile: profile.latencies.quantile(profile.stretches().percentile()),
        longest: profile.latencies.largest(),
        has_whole_seconds: profile.has_whole_seconds(),
        late_share: late as f64 / profile.calls.max(1) as f64,
        stretch_calls: profile.stretches().size() as u64,
        stretches: profile.stretches().count(),
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
        let usual = usual.or_else(|| Confidence::new(USUAL_CONFIDENCE).ok()).unwrap_or_default();
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
        let (base, kept) = (self.options.base.name.clone(), self.options.kept.clone());
        Ok(Proposal { policy: best.candidate.policy, base, kept, has_headroom: best.has_headroom, sides })
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
        let costs = try_all(candidates, incidents, self.longest, self.options.reading, input, see)?;
        self.kept = Some(kept);
        Ok(costs)
    }

    /// Nothing holds: the highest threshold with the most confidence, whatever it costs.
    fn last_resort(&mut self, usual: Confidence) -> Result<Found, ReplayError> {
        let confidence = Confidence::new(MORE_CONFIDENCE.into_iter().fold(usual.get(), f64::max)).unwrap_or(usual);
        let mut candidate = self.ladder(ALL_RUNGS - 1..ALL_RUNGS, confidence).pop();
        if let Some(candidate) = &mut candidate {
            candidate.must_hold = false;
        }
        let candidate = candidate.unwrap_or_else(|| plain(&self.options.base.policy, true));
        let cost = self.try_all(std::slice::from_ref(&candidate))?.into_iter().flatten().next();
        let nothing = || Cost { false_trips: 0, figures: super::figures::Figures::default() };
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
