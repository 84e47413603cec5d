//! Values with a unit and a range. Every value that exists is valid.

use core::fmt;
use core::time::Duration;

use crate::time::Instant;

/// A value is outside the range of its type.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct OutOfRange {
    /// The name of the value, e.g. `"percentile"`.
    pub what: &'static str,
    /// The allowed range, e.g. `"0 < x <= 1"`.
    pub allowed: &'static str,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} out of range; allowed: {}", self.what, self.allowed)
    }
}

impl core::error::Error for OutOfRange {}

/// Defines a newtype over `f64` with a range.
macro_rules! ranged_f64 {
    ($(#[$doc:meta])* $name:ident, $what:literal, $allowed:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(try_from = "f64", into = "f64"))]
        pub struct $name(f64);

        impl $name {
            #[doc = concat!("Creates a value with ", $allowed, ".")]
            ///
            /// # Errors
            #[doc = concat!("[`OutOfRange`] for anything else, NaN and infinities included.")]
            pub fn new(value: f64) -> Result<Self, OutOfRange> {
                let ok: fn(f64) -> bool = $ok;
                if ok(value) { Ok(Self(value)) } else { Err(OutOfRange { what: $what, allowed: $allowed }) }
            }

            /// Returns the value as a plain number.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = OutOfRange;
            fn try_from(value: f64) -> Result<Self, OutOfRange> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }
    };
}

ranged_f64! {
    /// The quantile of the window that is compared with the threshold, as a ratio: 0 < x ≤ 1.
    Percentile, "percentile", "0 < x <= 1", |x| x > 0.0 && x <= 1.0
}

ranged_f64! {
    /// The required confidence of a breach: 0 ≤ c < 1; 0 = no evidence required.
    Confidence, "trip_confidence", "0 <= c < 1", |x| (0.0..1.0).contains(&x)
}

ranged_f64! {
    /// A share: 0 ≤ x ≤ 1.
    Ratio, "ratio", "0 <= x <= 1", |x| (0.0..=1.0).contains(&x)
}

ranged_f64! {
    /// The share of memory at which the latch sets: 0 < x < 1.
    MemoryThreshold, "memory_threshold", "0 < x < 1", |x| x > 0.0 && x < 1.0
}

ranged_f64! {
    /// The factor by which the wait grows each time that probing fails: 1 ≤ x ≤ 100.
    Backoff, "wait_backoff", "1 <= x <= 100", |x| (1.0..=100.0).contains(&x)
}

impl Percentile {
    /// Returns the index of the percentile among `n` samples sorted ascending: min(⌊n·p⌋, n−1), computed in `f64`.
    ///
    /// 0 without samples. The original computes it the same way, and its test vectors check this.
    // Without an FPU each conversion needs code, so one copy is enough there.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn index(self, n: u32) -> u32 {
        let floor = (f64::from(n) * self.0) as u32;
        floor.min(n.saturating_sub(1))
    }
}

impl Default for Percentile {
    /// 0.95.
    fn default() -> Self {
        Self(0.95)
    }
}

impl Confidence {
    /// No evidence is required: a percentile above the threshold is a breach, the rule of the original.
    pub const ZERO: Self = Self(0.0);
}

impl Default for Confidence {
    /// 0.995.
    fn default() -> Self {
        Self(0.995)
    }
}

impl Default for MemoryThreshold {
    /// 0.8.
    fn default() -> Self {
        Self(0.8)
    }
}

impl Default for Backoff {
    /// 2.
    fn default() -> Self {
        Self(2.0)
    }
}

impl Ratio {
    /// 0.
    pub const ZERO: Self = Self(0.0);
    /// 1.
    pub const ONE: Self = Self(1.0);

    /// Converts `percent`, at most 100.
    pub(crate) const fn from_percent(percent: u8) -> Self {
        Self(if percent > 100 { 1.0 } else { percent as f64 / 100.0 })
    }
}

/// The latency of a call: whole microseconds, rounded down, saturating at `u32::MAX` (71 minutes 34.967295 s).
///
/// ```
/// use core::time::Duration;
/// use tripline_core::Latency;
///
/// assert_eq!(Latency::from(Duration::from_millis(3)).as_micros(), 3_000);
/// assert_eq!(Latency::from(Duration::from_secs(1 << 40)), Latency::MAX);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Latency(u32);

impl Latency {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// The longest latency that is stored exactly; longer ones are stored as this value.
    pub const MAX: Self = Self(u32::MAX);

    /// Creates a latency of `micros` microseconds.
    pub const fn from_micros(micros: u32) -> Self {
        Self(micros)
    }

    /// Creates a latency of `millis` milliseconds, saturating.
    pub const fn from_millis(millis: u32) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Returns the time from `start` to `end`; zero if `end` is before `start`.
    pub const fn between(start: Instant, end: Instant) -> Self {
        let micros = end.nanos_since(start) / 1_000;
        if micros > u32::MAX as u64 { Self::MAX } else { Self(micros as u32) }
    }

    /// Returns microseconds.
    pub const fn as_micros(self) -> u32 {
        self.0
    }

    /// Returns milliseconds, rounded down.
    pub const fn as_millis(self) -> u32 {
        self.0 / 1_000
    }

    /// Returns milliseconds with their fraction.
    pub fn as_millis_f64(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }

    /// Returns nanoseconds.
    pub(crate) const fn as_nanos(self) -> u64 {
        (self.0 as u64).wrapping_mul(1_000)
    }
}

impl From<Duration> for Latency {
    fn from(span: Duration) -> Self {
        u32::try_from(span.as_micros()).map_or(Self::MAX, Self)
    }
}

impl From<Latency> for Duration {
    fn from(latency: Latency) -> Self {
        Duration::from_micros(u64::from(latency.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_infinity_are_rejected_everywhere() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300] {
            assert!(Percentile::new(bad).is_err());
            assert!(Confidence::new(bad).is_err());
            assert!(Ratio::new(bad).is_err());
            assert!(MemoryThreshold::new(bad).is_err());
            assert!(Backoff::new(bad).is_err());
        }
    }

    #[test]
    fn the_index_is_the_originals() {
        let p95 = Percentile::default();
        assert_eq!(p95.index(0), 0);
        assert_eq!(p95.index(1), 0);
        assert_eq!(p95.index(20), 19);
        assert_eq!(p95.index(64), 60);
        assert_eq!(Percentile::new(1.0).map(|p| p.index(64)), Ok(63));
    }
}
