#![allow(clippy::indexing_slicing)]
use core::num::NonZeroU16;

use super::*;
use crate::policy::Policy;
use crate::units::{Confidence, Percentile};

const FAST_CALL: Option<Slowness> = None;

fn rule(percentile: f64, size: u16, confidence: f64) -> EvidenceRule {
    let mut policy = Policy::default();
    policy.percentile = Percentile::new(percentile).unwrap();
    policy.latency_window_size = NonZeroU16::new(size).unwrap();
    policy.trip_confidence = Confidence::new(confidence).unwrap();
    EvidenceRule::new(&policy).unwrap()
}

fn slow(percent_of_threshold: u32) -> Option<Slowness> {
    Slowness::of(Latency::from_millis(percent_of_threshold), Latency::from_millis(100))
}

/// A test that has seen many fast calls.
fn rested(rule: &EvidenceRule) -> Evidence {
    let mut evidence = Evidence::new(Some(rule));
    (0..100_000).for_each(|_| evidence.finished(rule, FAST_CALL, false));
    assert!(evidence.is_at_rest() && evidence.returned == 0);
    evidence
}

/// How many calls like this it takes, if fewer than a million.
fn calls_until_enough(rule: &EvidenceRule, call: Option<Slowness>) -> Option<usize> {
    let mut evidence = rested(rule);
    (1..1_000_000).find(|_| {
        evidence.finished(rule, call, false);
        evidence.is_enough(rule, 0)
    })
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
fn calls_that_are_barely_slow_take_longer_to_convince_than_very_slow_ones() {
    let rule = rule(0.95, 64, 0.95);
    let very = calls_until_enough(&rule, slow(250)).unwrap();
    let barely = calls_until_enough(&rule, slow(101)).unwrap();
    assert_eq!((very, barely), (5, 9));
}

#[test]
fn a_hanging_call_counts_in_full_until_it_comes_back_and_then_as_it_deserves() {
    let rule = rule(0.95, 64, 0.95);
    let mut direct = rested(&rule);
    let mut by_way_of_stalling = rested(&rule);
    for _ in 0..3 {
        direct.finished(&rule, slow(130), false);
        by_way_of_stalling.stalled(&rule, 1, false);
        assert!(by_way_of_stalling.quick > direct.quick);
        by_way_of_stalling.finished(&rule, slow(130), true);
        assert!(by_way_of_stalling.quick.abs_diff(direct.quick) <= 3, "rounded down each time");
        assert_eq!(by_way_of_stalling.patient, direct.patient);
        assert_eq!(by_way_of_stalling.hanging, 0);
    }
}

#[test]
fn five_calls_that_hang_are_enough_where_slow_ones_were_rare() {
    let rule = rule(0.95, 64, 0.95);
    let quiet = rested(&rule);
    // As many fast ones between them as 12 % leave.
    let hang = |mut evidence: Evidence, count: u16| {
        for _ in 1..count {
            evidence.stalled(&rule, 1, false);
            (0..7).for_each(|_| evidence.finished(&rule, FAST_CALL, false));
        }
        evidence.stalled(&rule, 1, false);
        evidence.is_enough(&rule, count)
    };
    assert!(!hang(quiet, 4) && hang(quiet, 5));
    // Where slow calls come back often they are no news.
    let mut used_to_it = quiet;
    for _ in 0..10 {
        used_to_it.finished(&rule, slow(300), false);
        (0..30).for_each(|_| used_to_it.finished(&rule, FAST_CALL, false));
    }
    assert!(!hang(used_to_it, 5), "{used_to_it:?}");
    // Nor is there news in a test that has seen little.
    assert!(!hang(Evidence::new(Some(&rule)), 5));
}

#[test]
fn calls_that_hang_and_come_back_at_once_are_a_pause_and_no_breach() {
    let rule = rule(0.95, 64, 0.95);
    let mut evidence = rested(&rule);
    for pause in 0..200 {
        (0..3).for_each(|_| evidence.stalled(&rule, 1, false));
        assert!(!evidence.is_enough(&rule, 3), "pause {pause}: {evidence:?}");
        (0..3).for_each(|_| evidence.finished(&rule, slow(180), true));
        (0..100).for_each(|_| evidence.finished(&rule, FAST_CALL, false));
    }
}

/// A little above the share that is allowed, for good, is for the patient test.
#[test]
fn one_barely_slow_call_in_ten_is_found_in_the_end_and_one_in_twenty_is_not() {
    let rule = rule(0.95, 64, 0.95);
    let found = |one_in: usize| {
        let mut evidence = rested(&rule);
        (1..100_000).find(|call| {
            evidence.finished(&rule, if call % one_in == 0 { slow(110) } else { FAST_CALL }, false);
            evidence.is_enough(&rule, 0)
        })
    };
    assert!(found(10).is_some_and(|calls| calls < 700), "{:?}", found(10));
    assert_eq!(found(20), None);
}

#[test]
fn where_every_call_may_be_slow_no_number_of_slow_calls_is_evidence() {
    for percentile in [f64::MIN_POSITIVE, f64::EPSILON / 2.0, 1e-9] {
        assert_eq!(calls_until_enough(&rule(percentile, 1, 1e-9), slow(300)), None, "{percentile:e}");
    }
}

#[test]
fn no_sum_leaves_its_range() {
    for percentile in [0.001, 0.5, 0.9, 0.95, 0.999, 1.0] {
        for confidence in [1e-9, 0.9, 0.99, 1.0_f64.next_down()] {
            let rule = rule(percentile, u16::MAX, confidence);
            let mut evidence = Evidence::new(Some(&rule));
            for more in [u16::MAX, 0, u16::MAX, 1] {
                evidence.stalled(&rule, more, false);
                (0..70_000).for_each(|_| evidence.finished(&rule, slow(101), false));
                (0..10).for_each(|_| evidence.finished(&rule, FAST_CALL, true));
            }
            assert!(evidence.quick <= rule.quick().bound() + rule.quick().slow(), "{evidence:?}");
            assert!(evidence.patient <= rule.patient().bound() + rule.patient().slow(), "{evidence:?}");
        }
    }
}
