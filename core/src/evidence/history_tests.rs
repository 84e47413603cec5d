//! The running sums against a naive model that computes everything again from the whole history of calls.
#![allow(clippy::indexing_slicing)]

use std::format;
use std::vec::Vec;

use super::cusum::FAST;
use super::tests::{AUTO, default_rule, look, rule};
use super::*;

/// A call that is decided at `at_ms` and never stalled.
#[derive(Debug, Clone, Copy)]
struct Call {
    at_ms: u64,
    /// In percent of the threshold.
    latency: u32,
    failed: bool,
}

impl Call {
    fn slowness(self) -> Option<Slowness> {
        Slowness::of(Latency::from_millis(self.latency), Latency::from_millis(100))
    }

    /// The change of a sum, positive for a bad call; `None` if the call does not count in this test.
    fn change(self, rule: &EvidenceRule, test: EvidenceTest) -> Option<i32> {
        let cusum = rule.cusum(test);
        match (test, self.slowness()) {
            (EvidenceTest::Failures, _) => Some(if self.failed { cusum.step() } else { -cusum.down() }),
            (EvidenceTest::Quick, Some(slowness)) => Some(slowness.0.cast_signed() * cusum.step() / 256),
            (EvidenceTest::Patient, Some(_)) => Some(cusum.step()),
            (_, None) => (!self.failed).then_some(-FAST),
        }
    }
}

/// From one bad call to one good call.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "all are milliseconds")]
struct Span {
    began_ms: u64,
    /// The age that was left of the spans before.
    credit_ms: u64,
    ended_ms: Option<u64>,
    /// The greatest age at which a bad call found the sum at its bound.
    reached_ms: u64,
}

impl Span {
    fn age_ms(&self, at_ms: u64) -> u64 {
        self.ended_ms.unwrap_or(at_ms) - self.began_ms + self.credit_ms
    }

    /// The age that is left at a time after its end.
    fn left_ms(&self, at_ms: u64) -> u64 {
        let Some(ended_ms) = self.ended_ms else { return self.age_ms(at_ms) };
        self.age_ms(at_ms).min(0x7FFF).saturating_sub(2 * (at_ms - ended_ms))
    }
}

/// What one test is after all `calls`, at the time of the last one.
struct Naive {
    sum: i32,
    age_ms: u64,
    is_at_bound: bool,
    /// The tolerance that this test alone has learned.
    learned_ms: u64,
}

fn naive(calls: &[Call], rule: &EvidenceRule, test: EvidenceTest) -> Naive {
    let cusum = rule.cusum(test);
    let mut sum = if test == EvidenceTest::Failures { 0 } else { -cusum.step() };
    let mut spans: Vec<Span> = Vec::new();
    let (mut learned_ms, mut forgotten) = (1_500_u64, 0);
    for call in calls {
        let Some(change) = call.change(rule, test) else { continue };
        sum = match change {
            bad if bad > 0 => (sum + bad).min(cusum.bound() + cusum.step()),
            good if sum > 0 => (sum + good).max(0),
            _ => (sum + FAST / 8).min(0),
        };
        let is_up = spans.last().is_some_and(|span| span.ended_ms.is_none());
        let left_ms = spans.last().map_or(0, |span| span.left_ms(call.at_ms));
        if !is_up && left_ms == 0 {
            // All spans so far are one disturbance that is over.
            let reached_ms = spans[forgotten..].iter().map(|span| span.reached_ms).max().unwrap_or(0);
            forgotten = spans.len();
            if reached_ms > 0 {
                let extra_ms = if test == EvidenceTest::Patient { 3_000 } else { 0 };
                learned_ms = learned_ms.max((3 * reached_ms).saturating_sub(extra_ms).min(6_000));
            }
        }
        if !is_up && change > 0 && sum > cusum.bound() / 2 {
            spans.push(Span { began_ms: call.at_ms, credit_ms: left_ms, ended_ms: None, reached_ms: 0 });
        } else if is_up && change <= 0 && sum <= cusum.bound() / 2 {
            spans.last_mut().unwrap().ended_ms = Some(call.at_ms);
        }
        if let Some(span) = spans.last_mut()
            && change > 0
            && sum >= cusum.bound()
            && span.ended_ms.is_none()
        {
            span.reached_ms = span.reached_ms.max(span.age_ms(call.at_ms).min(0x7FFF));
        }
    }
    let now_ms = calls.last().map_or(0, |call| call.at_ms);
    let current = spans.last().filter(|span| span.ended_ms.is_none());
    Naive {
        sum,
        age_ms: current.map_or(0, |span| span.age_ms(now_ms)),
        is_at_bound: current.is_some() && sum >= cusum.bound(),
        learned_ms,
    }
}

/// Runs of fast, slow and failed calls, with gaps between calls from milliseconds to seconds.
fn history(seed: u64) -> Vec<Call> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut below = |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % limit
    };
    let (mut calls, mut at_ms) = (Vec::new(), 1_000);
    while calls.len() < 260 {
        let (kind, length, gap_limit) = (below(6), 1 + below(60), [5, 60, 400, 1_500][below(4) as usize]);
        let gap_ms = 1 + below(gap_limit);
        for _ in 0..length {
            at_ms += below(2 * gap_ms);
            let is_odd = below(4) == 0;
            let slow = 101 + below(200) as u32;
            let (latency, failed) = match kind {
                0 | 1 => (20, false),
                2 => (slow, false),
                3 => (20, !is_odd),
                4 => (if is_odd { 20 } else { slow }, below(2) == 0),
                _ => (if is_odd { slow } else { 20 }, is_odd),
            };
            calls.push(Call { at_ms, latency, failed });
        }
    }
    calls
}

#[test]
fn the_sums_ages_and_the_tolerance_are_those_of_the_whole_history() {
    let (mut learned, mut lasted) = (0, [0; 2]);
    for seed in 1..=60 {
        let rule = if seed % 3 == 0 { rule(0.9, 128, 0.9) } else { default_rule() }.with_tolerance(AUTO);
        let calls = history(seed);
        let mut evidence = Evidence::new(Some(&rule));
        for count in 1..=calls.len() {
            let call = calls[count - 1];
            let look = look(&rule, call.at_ms);
            let outcome = if call.failed { Outcome::Failed } else { Outcome::Ok };
            evidence.call_seen(look, call.slowness().is_some() || call.failed);
            evidence.count(look, FinishedCall { slowness: call.slowness(), outcome, counted: false, stalled: 0 });
            if call.slowness().is_some() {
                for test in EvidenceTest::OF_LATENCY {
                    evidence.note_age(look, test);
                }
            }
            if call.failed {
                evidence.note_age(look, EvidenceTest::Failures);
            }

            let [quick, patient, failures] = EvidenceTest::ALL.map(|test| naive(&calls[..count], &rule, test));
            let tolerance_ms = quick.learned_ms.max(patient.learned_ms).max(failures.learned_ms);
            let case = format!("seed {seed}, call {count}: {call:?}");
            assert_eq!(u64::from(evidence.learned_tolerance_ms()), tolerance_ms, "{case}");
            for (test, naive) in EvidenceTest::ALL.into_iter().zip([&quick, &patient, &failures]) {
                assert_eq!(evidence.sum(test).sum(), naive.sum, "{case} {test:?}");
                assert_eq!(u64::from(evidence.age_ms(test, look)), naive.age_ms, "{case} {test:?}");
            }
            let has_lasted = |naive: &Naive, extra_ms| naive.is_at_bound && naive.age_ms >= tolerance_ms + extra_ms;
            let expected = [has_lasted(&quick, 0) || has_lasted(&patient, 3_000), has_lasted(&failures, 0)];
            let decided = [evidence.lasting_latency(look, 0).is_some(), evidence.lasting_failures(look)];
            assert_eq!(decided, expected, "{case}");
            for (times, lasts) in lasted.iter_mut().zip(expected) {
                *times += u32::from(lasts);
            }
            learned += u32::from(tolerance_ms > 1_500);
        }
    }
    // The histories reach what they are to test.
    assert!(learned > 1_000 && lasted.iter().all(|&times| times > 300), "{learned} {lasted:?}");
}
