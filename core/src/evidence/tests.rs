#![allow(clippy::indexing_slicing)]
use core::num::NonZeroU16;
use core::time::Duration;

use super::*;
use crate::monotonic::MonotonicInstant;
use crate::policy::{Policy, TripAfter};
use crate::units::{Confidence, Percentile, Ratio};

const FAST_CALL: Option<Slowness> = None;

pub(super) fn rule(percentile: f64, size: u16, confidence: f64) -> EvidenceRule {
    let mut policy = Policy::default();
    policy.percentile = Percentile::new(percentile).unwrap();
    policy.latency_window_size = NonZeroU16::new(size).unwrap();
    policy.trip_confidence = Confidence::new(confidence).unwrap();
    EvidenceRule::new(&policy).with_tolerance(AUTO)
}

pub(super) fn default_rule() -> EvidenceRule {
    rule(0.95, 64, 0.995)
}

fn ceiling(rule: &EvidenceRule, test: EvidenceTest) -> i32 {
    rule.cusum(test).bound() + rule.cusum(test).step()
}

pub(super) const AUTO: ToleranceRule = ToleranceRule { trip_after: TripAfter::Auto, warm_up_ms: 0 };
const AT_ONCE: ToleranceRule = ToleranceRule { trip_after: TripAfter::Millis(0), warm_up_ms: 0 };

pub(super) fn look(rule: &EvidenceRule, millis: u64) -> Look<'_> {
    Look { rule, now_ms: MonotonicInstant::from_millis(millis).as_wrapping_millis() }
}

fn at_once(rule: &EvidenceRule) -> EvidenceRule {
    rule.with_tolerance(AT_ONCE)
}

fn slow(percent_of_threshold: u32) -> Option<Slowness> {
    Slowness::of(Latency::from_millis(percent_of_threshold), Latency::from_millis(100))
}

fn finish(evidence: &mut Evidence, look: Look<'_>, slowness: Option<Slowness>, counted: bool) {
    evidence.call_seen(look, slowness.is_some());
    evidence.count(look, FinishedCall { slowness, outcome: Outcome::Ok, counted, stalled: 0 });
    if slowness.is_some() {
        evidence.note_age(look, EvidenceTest::Quick);
        evidence.note_age(look, EvidenceTest::Patient);
    }
}

fn fail(evidence: &mut Evidence, look: Look<'_>) {
    let outcome = Outcome::Failed;
    evidence.count(look, FinishedCall { slowness: FAST_CALL, outcome, counted: false, stalled: 0 });
}

/// Returns evidence that has seen many fast calls.
fn rested(rule: &EvidenceRule) -> Evidence {
    let mut evidence = Evidence::new(Some(rule));
    (0..10_000).for_each(|_| finish(&mut evidence, look(rule, 0), FAST_CALL, false));
    assert!(evidence.is_at_rest(rule));
    evidence
}

/// Returns how many such calls reach the bound without a tolerance, if fewer than a million do.
fn calls_until_enough(rule: &EvidenceRule, mut evidence: Evidence, call: Option<Slowness>) -> Option<usize> {
    let rule = &at_once(rule);
    (1..1_000_000).find(|_| {
        finish(&mut evidence, look(rule, 0), call, false);
        evidence.lasting_latency(look(rule, 0), 0).is_some()
    })
}

/// Returns when the quick test's evidence has lasted, with very slow calls every `step_ms` from `from_ms` on.
fn lasts_at(evidence: &mut Evidence, rule: &EvidenceRule, from_ms: u64, step_ms: u64) -> u64 {
    (0..100_000)
        .map(|call| from_ms + call * step_ms)
        .find(|&at| {
            finish(evidence, look(rule, at), slow(300), false);
            evidence.lasting_latency(look(rule, at), 0).is_some()
        })
        .unwrap()
}

#[test]
fn slowness_is_half_at_the_threshold_and_full_at_twice_of_it() {
    assert!(slow(99).is_none() && slow(100).is_none());
    for (percent, expected) in [(101, 129), (150, 192), (199, 254), (200, 256), (10_000, 256), (40_000_000, 256)] {
        let slowness = Slowness::of(Latency::from_micros(percent * 100), Latency::from_micros(100 * 100));
        assert!(slowness.unwrap().0.abs_diff(expected) <= 1, "{percent} %");
    }
    assert_eq!(Slowness::of(Latency::MAX, Latency::from_micros(1)).unwrap().0, 256);
    assert_eq!(Slowness::of(Latency::MAX, Latency::ZERO).unwrap().0, 256);
}

#[test]
fn six_very_slow_calls_convince_and_one_more_after_a_start() {
    let rule = default_rule();
    assert_eq!(calls_until_enough(&rule, rested(&rule), slow(250)), Some(6));
    assert_eq!(calls_until_enough(&rule, Evidence::new(Some(&rule)), slow(250)), Some(7));
    assert_eq!(calls_until_enough(&rule, rested(&rule), slow(101)), Some(12));
}

#[test]
fn a_stalled_call_counts_in_full_until_it_comes_back_and_then_as_it_deserves() {
    let rule = default_rule();
    let mut direct = rested(&rule);
    let mut by_way_of_stalling = rested(&rule);
    for _ in 0..3 {
        finish(&mut direct, look(&rule, 0), slow(130), false);
        by_way_of_stalling.stalled(look(&rule, 0), 1, 1);
        assert!(by_way_of_stalling.sum(EvidenceTest::Quick).sum() > direct.sum(EvidenceTest::Quick).sum());
        finish(&mut by_way_of_stalling, look(&rule, 0), slow(130), true);
        assert!(
            by_way_of_stalling.sum(EvidenceTest::Quick).sum().abs_diff(direct.sum(EvidenceTest::Quick).sum()) <= 3,
            "rounded down each time"
        );
        assert_eq!(by_way_of_stalling.sum(EvidenceTest::Patient).sum(), direct.sum(EvidenceTest::Patient).sum());
    }
}

/// The patient test finds a share slightly above the allowed one.
#[test]
fn one_barely_slow_call_in_ten_is_found_in_the_end_and_one_in_twenty_is_not() {
    let rule = default_rule();
    let found = |one_in: usize| {
        let mut evidence = rested(&rule);
        (1..100_000).find(|call| {
            let slowness = if call % one_in == 0 { slow(110) } else { FAST_CALL };
            finish(&mut evidence, look(&at_once(&rule), 0), slowness, false);
            evidence.lasting_latency(look(&at_once(&rule), 0), 0).is_some()
        })
    };
    assert!(found(10).is_some_and(|calls| calls < 1_000), "{:?}", found(10));
    assert_eq!(found(20), None);
}

#[test]
fn where_every_call_may_be_slow_no_number_of_slow_calls_is_evidence() {
    for percentile in [f64::MIN_POSITIVE, f64::EPSILON / 2.0, 1e-9] {
        let rule = rule(percentile, 1, 1e-9);
        assert_eq!(calls_until_enough(&rule, rested(&rule), slow(300)), None, "{percentile:e}");
    }
}

#[test]
fn no_sum_leaves_its_range() {
    for percentile in [0.001, 0.5, 0.9, 0.95, 0.999, 1.0] {
        for confidence in [1e-9, 0.9, 0.99, 1.0_f64.next_down()] {
            let rule = rule(percentile, u16::MAX, confidence);
            let mut evidence = Evidence::new(Some(&rule));
            for more in [u16::MAX, 0, u16::MAX, 1] {
                evidence.stalled(look(&rule, 0), more, more);
                (0..70_000).for_each(|_| finish(&mut evidence, look(&rule, 0), slow(101), false));
                (0..10).for_each(|_| finish(&mut evidence, look(&rule, 0), FAST_CALL, true));
                evidence.withdraw_stalled(&rule, more, 0);
            }
            assert!(evidence.sum(EvidenceTest::Quick).sum() <= ceiling(&rule, EvidenceTest::Quick), "{evidence:?}");
            assert!(evidence.sum(EvidenceTest::Patient).sum() <= ceiling(&rule, EvidenceTest::Patient), "{evidence:?}");
        }
    }
}

#[test]
fn evidence_must_last_as_long_as_the_tolerance_from_the_call_that_passes_half_of_the_bound() {
    let rule = default_rule();
    let mut evidence = rested(&rule);
    // The third call, at 1,020 ms, begins the excursion.
    assert_eq!(lasts_at(&mut evidence, &rule, 1_000, 10), 2_520);
    // At a low rate the number of calls decides, not the time: six.
    assert_eq!(lasts_at(&mut rested(&rule), &rule, 0, 60_000), 300_000);
}

#[test]
fn an_excursion_that_passes_teaches_three_times_its_length_once_it_is_over_for_good() {
    let rule = default_rule();
    let mut evidence = rested(&rule);
    // From 1,020 to 1,990 ms: 970 ms.
    for at in (1_000..2_000).step_by(10) {
        finish(&mut evidence, look(&rule, at), slow(300), false);
    }
    for at in (2_000..2_900).step_by(10) {
        finish(&mut evidence, look(&rule, at), FAST_CALL, false);
    }
    assert_eq!(evidence.learned_tolerance_ms(), 1_500, "its age has not leaked away yet");
    (0..200).for_each(|_| finish(&mut evidence, look(&rule, 3_000), FAST_CALL, false));
    assert_eq!(evidence.learned_tolerance_ms(), 2_910);
    finish(&mut evidence, look(&rule, 6_000), FAST_CALL, false);
    assert!(evidence.is_at_rest(&rule));
    assert_eq!(lasts_at(&mut evidence, &rule, 10_000, 10), 12_930);
}

#[test]
fn what_never_reached_its_bound_teaches_nothing() {
    let rule = default_rule();
    let mut evidence = rested(&rule);
    for at in [0, 100, 200, 900] {
        finish(&mut evidence, look(&rule, at), slow(300), false);
    }
    (0..1_000).for_each(|call| finish(&mut evidence, look(&rule, 1_000 + call * 10), FAST_CALL, false));
    assert_eq!(evidence.learned_tolerance_ms(), 1_500);
}

#[test]
fn an_interruption_takes_twice_its_length_off_the_age() {
    let rule = default_rule();
    let mut evidence = rested(&rule);
    for at in (1_000..=2_020).step_by(10) {
        finish(&mut evidence, look(&rule, at), slow(300), false);
    }
    // The sum falls after 33 fast calls at one instant, at an age of 1,000 ms.
    (0..40).for_each(|_| finish(&mut evidence, look(&rule, 2_020), FAST_CALL, false));
    assert!(!evidence.sum(EvidenceTest::Quick).is_up());
    // It rises again 200 ms later, at an age of 600 ms; the tolerance is reached 900 ms after that.
    (0..3).for_each(|_| finish(&mut evidence, look(&rule, 2_220), slow(300), false));
    assert!(evidence.sum(EvidenceTest::Quick).is_up());
    assert_eq!(evidence.sum(EvidenceTest::Quick).age(2_220), 600);
    assert_eq!(lasts_at(&mut evidence, &rule, 2_230, 10), 3_120);
}

#[test]
fn an_age_of_a_wrapping_clock_is_right() {
    let rule = default_rule();
    let wrap = 1_u64 << 32;
    assert_eq!(lasts_at(&mut rested(&rule), &rule, wrap - 1_000, 10), wrap + 520);
}

#[test]
fn the_warm_up_asks_for_half_of_it_and_is_over_then() {
    let auto = default_rule();
    let young = ToleranceRule { warm_up_ms: 10_000, ..AUTO };
    let rule = auto.with_tolerance(young);
    let mut evidence = Evidence::new(Some(&rule));
    finish(&mut evidence, look(&rule, 7_000), FAST_CALL, false);
    let tolerance = |evidence: &Evidence, at| evidence.tolerance(look(&rule, at));
    assert_eq!(tolerance(&evidence, 16_999), Tolerance { millis: 5_000, source: ToleranceSource::WarmUp });
    assert_eq!(tolerance(&evidence, 17_000), Tolerance { millis: 1_500, source: ToleranceSource::Start });
    finish(&mut evidence, look(&rule, 17_000), slow(101), false);
    assert_eq!(tolerance(&evidence, 7_000 + (1 << 32)), Tolerance { millis: 1_500, source: ToleranceSource::Start });
    let fixed = auto.with_tolerance(ToleranceRule { trip_after: TripAfter::Millis(700), ..young });
    assert_eq!(evidence.tolerance(look(&fixed, 17_000)), Tolerance { millis: 700, source: ToleranceSource::Fixed });
    let mut fresh = Evidence::new(Some(&rule));
    fresh.call_seen(look(&fixed, 0), false);
    assert_eq!(fresh.tolerance(look(&fixed, 1)), Tolerance { millis: 5_000, source: ToleranceSource::WarmUp });
    assert_eq!(
        fresh.tolerance(look(&auto.with_tolerance(ToleranceRule { warm_up_ms: 10_000, ..AT_ONCE }), 1)).millis,
        0
    );
}

#[test]
fn a_false_trip_triples_the_tolerance_up_to_six_seconds() {
    let mut evidence = Evidence::new(Some(&default_rule()));
    let mut seen = [0; 3];
    for tolerance in &mut seen {
        evidence.false_trip(&default_rule());
        *tolerance = evidence.learned_tolerance_ms();
    }
    assert_eq!(seen, [4_500, 6_000, 6_000]);
    evidence.forget_tolerance();
    evidence.false_trip(&default_rule().with_tolerance(ToleranceRule { trip_after: TripAfter::Millis(100), ..AUTO }));
    assert_eq!(evidence.learned_tolerance_ms(), 1_500, "a fixed one learns nothing");
}

#[test]
fn while_a_queue_drains_evidence_must_last_twice_as_long() {
    let rule = default_rule();
    let lasts = |peak: u16, now: u16, at: u64| {
        let mut evidence = rested(&rule);
        evidence.stalled(look(&rule, 0), peak, peak);
        // Half of the calls that finish are slow, so the quick sum stays high.
        (0..peak).for_each(|_| finish(&mut evidence, look(&rule, at), slow(300), true));
        evidence.lasting_latency(look(&rule, at), now).is_some()
    };
    assert!(!lasts(10, 5, 1_500) && !lasts(10, 5, 2_999) && lasts(10, 5, 3_000));
    assert!(lasts(10, 6, 1_500), "not drained yet");
    let mut few = rested(&rule);
    few.stalled(look(&rule, 0), 4, 4);
    (0..4).for_each(|_| finish(&mut few, look(&rule, 0), slow(300), false));
    assert!(few.lasting_latency(look(&rule, 1_500), 0).is_some(), "no queue");
}

#[test]
fn eight_failed_calls_that_last_are_enough_and_a_good_one_takes_one_back() {
    let rule = default_rule();
    let mut evidence = rested(&rule);
    let failed_calls = |evidence: &mut Evidence, count: u64, from_ms: u64| {
        (0..count).for_each(|call| fail(evidence, look(&rule, from_ms + call)));
    };
    failed_calls(&mut evidence, 8, 0);
    assert!(!evidence.lasting_failures(look(&rule, 1_503)));
    assert!(evidence.lasting_failures(look(&rule, 1_504)), "from the fifth on");
    finish(&mut evidence, look(&rule, 1_504), FAST_CALL, false);
    assert!(!evidence.lasting_failures(look(&rule, 9_000)));
    failed_calls(&mut evidence, 1, 9_000);
    assert!(evidence.lasting_failures(look(&rule, 9_000)));
}

#[test]
fn where_failures_are_off_no_number_of_them_is_evidence() {
    let mut policy = Policy::default();
    policy.failure_rate_threshold = Ratio::ZERO;
    let rule = EvidenceRule::new(&policy);
    let mut evidence = rested(&rule);
    (0..1_000).for_each(|at| fail(&mut evidence, look(&rule, at * 100)));
    assert!(!evidence.lasting_failures(look(&rule, 1_000_000)));
    assert!(evidence.is_at_rest(&rule));
}

#[test]
fn a_warm_up_of_ages_counts_as_an_hour() {
    assert_eq!(ToleranceRule::new(TripAfter::Auto, Duration::MAX).warm_up_ms, 3_600_000);
}
