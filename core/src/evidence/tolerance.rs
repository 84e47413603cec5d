//! The tolerance: how long evidence must last, learned or set.

use core::time::Duration;

use super::test::EvidenceTest;
use crate::policy::TripAfter;

/// Tolerance of a breaker that has seen no call, in milliseconds.
pub(crate) const START_TOLERANCE_MS: u16 = 1_500;
/// Shortest tolerance that can be restored, in milliseconds. Below it false trips treble.
pub(crate) const MIN_TOLERANCE_MS: u16 = 1_000;
/// Longest tolerance that is learned, in milliseconds.
pub(crate) const MAX_TOLERANCE_MS: u16 = 6_000;
/// An excursion that ends by itself, or a false trip, raises the tolerance to this multiple of its length.
pub(crate) const TOLERANCE_FACTOR: u16 = 3;
/// Additional time for which the evidence of the patient test must last, in milliseconds.
pub(crate) const PATIENT_EXTRA_MS: u16 = 3_000;

/// How long evidence must last before the breaker opens, and where that value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tolerance {
    /// Time in milliseconds, without the additional 3 s of the patient test; at most half an hour.
    pub millis: u32,
    /// The source of the value.
    pub source: ToleranceSource,
}

/// The source of a [`Tolerance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ToleranceSource {
    /// The initial value: no hiccup was seen yet.
    Start,
    /// Learned from hiccups that passed by themselves and from false trips.
    Learned,
    /// Half of `warm_up`, which is not over yet.
    WarmUp,
    /// `trip_after` is set to a number.
    Fixed,
}

/// Upper limit of the warm-up, in milliseconds.
const MAX_WARM_UP_MS: u32 = 3_600_000;

impl ToleranceSource {
    /// The name used in status, events and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Learned => "learned",
            Self::WarmUp => "warm_up",
            Self::Fixed => "fixed",
        }
    }
}

/// The policy's settings of the tolerance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToleranceRule {
    pub(crate) trip_after: TripAfter,
    pub(crate) warm_up_ms: u32,
}

impl ToleranceRule {
    /// The `warm_up` of the policy.
    pub(crate) fn warm_up(self) -> Duration {
        Duration::from_millis(self.warm_up_ms.into())
    }

    pub(crate) fn new(trip_after: TripAfter, warm_up: Duration) -> Self {
        Self { trip_after, warm_up_ms: u32::try_from(warm_up.as_millis()).unwrap_or(u32::MAX).min(MAX_WARM_UP_MS) }
    }
}

/// The learned tolerance and the start of the warm-up.
#[derive(Debug, Clone, Copy)]
pub(super) struct ToleranceState {
    learned_ms: u16,
    life: Life,
    first_call_ms: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    NoCall,
    WarmingUp,
    WarmedUp,
}

impl ToleranceState {
    pub(super) const fn new() -> Self {
        Self { learned_ms: START_TOLERANCE_MS, life: Life::NoCall, first_call_ms: 0 }
    }

    #[cfg(target_pointer_width = "64")]
    pub(super) fn has_seen_call(&self) -> bool {
        self.life != Life::NoCall
    }

    pub(super) const fn learned_ms(&self) -> u16 {
        self.learned_ms
    }

    pub(super) const fn set_learned_ms(&mut self, learned_ms: u16) {
        self.learned_ms = learned_ms;
    }

    pub(super) fn restore(&mut self, learned_ms: u16) {
        self.learned_ms = learned_ms.clamp(MIN_TOLERANCE_MS, MAX_TOLERANCE_MS);
    }

    pub(super) fn forget(&mut self) {
        self.learned_ms = START_TOLERANCE_MS;
    }

    /// Sets the start of the warm-up to an earlier call; the warm-up may be over.
    #[cfg(target_pointer_width = "64")]
    pub(super) fn warm_up_since(&mut self, first_call_ms: u32, is_over: bool) {
        self.life = if is_over { Life::WarmedUp } else { Life::WarmingUp };
        self.first_call_ms = first_call_ms;
    }

    /// Begins the warm-up at the first call. Only a bad call checks whether it is over.
    pub(super) fn call_seen(&mut self, rule: ToleranceRule, now_ms: u32, is_unhealthy: bool) {
        match self.life {
            Life::NoCall => {
                self.life = Life::WarmingUp;
                self.first_call_ms = now_ms;
            }
            // Marked as over, so that the wrapping clock does not begin it again.
            Life::WarmingUp if is_unhealthy && now_ms.wrapping_sub(self.first_call_ms) >= rule.warm_up_ms => {
                self.life = Life::WarmedUp;
            }
            _ => {}
        }
    }

    /// Learns from an excursion that reached its bound at this age and ended by itself.
    pub(super) fn passed(&mut self, rule: ToleranceRule, reached_ms: u16, test: EvidenceTest) {
        if reached_ms > 0 && rule.trip_after == TripAfter::Auto {
            self.raise_tolerance(reached_ms.saturating_mul(TOLERANCE_FACTOR).saturating_sub(extra_ms(test)));
        }
    }

    /// Learns from a trip whose first probes were all good.
    pub(super) fn false_trip(&mut self, rule: ToleranceRule) {
        if rule.trip_after == TripAfter::Auto {
            self.raise_tolerance(self.learned_ms.saturating_mul(TOLERANCE_FACTOR));
        }
    }

    fn raise_tolerance(&mut self, wanted_ms: u16) {
        self.learned_ms = self.learned_ms.max(wanted_ms.min(MAX_TOLERANCE_MS));
    }

    /// The tolerance after the warm-up; 0 = trip at once.
    pub(super) fn lasting_ms(&self, rule: ToleranceRule) -> u32 {
        match rule.trip_after {
            TripAfter::Auto => self.learned_ms.into(),
            TripAfter::Millis(millis) => millis.into(),
        }
    }

    /// The minimum that `warm_up` sets at present.
    fn warm_up_ms(&self, rule: ToleranceRule, now_ms: u32) -> u32 {
        let is_young = match self.life {
            Life::NoCall => true,
            Life::WarmingUp => now_ms.wrapping_sub(self.first_call_ms) < rule.warm_up_ms,
            Life::WarmedUp => false,
        };
        if is_young { rule.warm_up_ms / 2 } else { 0 }
    }

    /// Required age of a test's evidence at present; 0 = trip at once.
    pub(super) fn needed_ms(&self, rule: ToleranceRule, now_ms: u32, test: EvidenceTest) -> u32 {
        let lasting = self.lasting_ms(rule);
        if lasting == 0 { 0 } else { lasting.max(self.warm_up_ms(rule, now_ms)).saturating_add(extra_ms(test).into()) }
    }

    /// Returns the source of a required age of `needed_ms`.
    pub(super) fn source(&self, rule: ToleranceRule, needed_ms: u32) -> ToleranceSource {
        if needed_ms > self.lasting_ms(rule) {
            return ToleranceSource::WarmUp;
        }
        match rule.trip_after {
            TripAfter::Millis(_) => ToleranceSource::Fixed,
            TripAfter::Auto if self.learned_ms > START_TOLERANCE_MS => ToleranceSource::Learned,
            TripAfter::Auto => ToleranceSource::Start,
        }
    }
}

const fn extra_ms(test: EvidenceTest) -> u16 {
    if matches!(test, EvidenceTest::Patient) { PATIENT_EXTRA_MS } else { 0 }
}
