//! Tests the properties that hold on any input. `tests/tests/core_rules/memory_forecast.rs` measures the accuracy.

use super::*;

const HORIZON: Duration = Duration::from_secs(60);

fn percent(used: u64) -> MemorySample {
    MemorySample { used, limit: Some(100) }
}

/// Takes a leak with one reading per second, from `from_second` on; returns whether memory is forecast to run out at
/// the end.
fn leak(forecast: &mut MemoryForecast, from_second: u64, seconds: u64) -> bool {
    for second in from_second..from_second + seconds {
        let sample = MemorySample { used: 400 + 5 * (second - from_second), limit: Some(1_000) };
        forecast.handle(Instant::from_millis(second * 1_000), sample, HORIZON);
    }
    forecast.exhausted_at().is_some()
}

#[test]
fn any_numbers_at_any_times_are_sound() {
    let mut forecast = MemoryForecast::new();
    let mut bits = 1_u64;
    let mut next = || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        bits
    };
    let ends = [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX];
    let horizons = [0, 1, 1_000, 60_000_000_000, u64::MAX];
    for round in 0..20_000 {
        let mut pick = |small: u64| match next() % 4 {
            0 => ends.iter().copied().nth((next() % 5) as usize).unwrap(),
            1 => next(),
            _ => next() % small,
        };
        let now = Instant::from_nanos(pick(1 << 40));
        let limit = Some(pick(1_000)).filter(|limit| limit % 7 != 3);
        let sample = MemorySample { used: pick(1_000), limit };
        // Long enough with one horizon for lines to be fitted.
        let horizon = Duration::from_nanos(horizons.iter().copied().nth(round / 300 % 5).unwrap());
        let _ = forecast.handle(now, sample, horizon);
    }
}

#[test]
fn lines_through_any_numbers_are_sound_up_to_the_end_of_time() {
    for (from, span) in [(0, 60_000_000_000), (u64::MAX - 30_000_000_000, 60_000_000_000), (0, 1), (7, u64::MAX)] {
        let mut forecast = MemoryForecast::new();
        let mut bits = 99_u64;
        for reading in 0..2_000_u64 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let used = match bits >> 62 {
                0 => u64::MAX,
                1 => bits,
                _ => bits >> 34,
            };
            let limit = if reading % 500 < 250 { u64::MAX } else { 1 + (bits >> 40) };
            let now = Instant::from_nanos(from).plus_nanos(reading.saturating_mul(span / 100));
            let at = forecast.handle(now, MemorySample { used, limit: Some(limit) }, Duration::from_nanos(span));
            assert!(at.is_none_or(|at| at.nanos_since(now) <= span.saturating_add(1)));
        }
    }
}

#[test]
fn a_full_memory_that_still_grows_is_exhausted_now() {
    let mut forecast = MemoryForecast::new();
    for second in 0..300 {
        let sample = MemorySample { used: 400 + second * 10, limit: Some(1_000) };
        forecast.handle(Instant::from_millis(second * 1_000), sample, HORIZON);
    }
    assert_eq!(forecast.exhausted_at(), Some(Instant::from_millis(299_000)));
}

#[test]
fn equal_times_and_a_clock_that_is_set_back_begin_no_line() {
    let mut forecast = MemoryForecast::new();
    for used in 0..100 {
        assert_eq!(forecast.handle(Instant::from_millis(1_000), percent(used), HORIZON), None);
    }
    assert!(leak(&mut forecast, 1_000, 100));
    assert_eq!(forecast.handle(Instant::from_millis(5_000), percent(90), HORIZON), None, "the clock was set back");
    assert_eq!(forecast.buckets.len(), 0);
}

#[test]
fn a_lost_limit_a_long_gap_and_another_horizon_begin_anew() {
    let full = Instant::from_millis(100_000);
    let ends: [fn(&mut MemoryForecast, Instant) -> Option<Instant>; 5] = [
        |forecast, now| forecast.handle(now, MemorySample { used: 90, limit: None }, HORIZON),
        |forecast, now| forecast.handle(now, MemorySample { used: 90, limit: Some(0) }, HORIZON),
        |forecast, now| forecast.handle(now + Duration::from_secs(16), percent(90), HORIZON),
        |forecast, now| forecast.handle(now, percent(90), HORIZON * 2),
        |forecast, now| forecast.handle(now, percent(90), Duration::ZERO),
    ];
    for (index, end) in ends.iter().enumerate() {
        let mut forecast = MemoryForecast::new();
        assert!(leak(&mut forecast, 0, 100));
        assert_eq!(end(&mut forecast, full), None, "case {index}");
        assert_eq!(forecast.buckets.len(), 0, "case {index}");
    }
}

#[test]
fn memory_that_is_given_back_ends_a_forecast_at_once_and_for_good() {
    for seconds in [60, 3_600] {
        let mut forecast = MemoryForecast::new();
        // Two readings in each step: three stable horizons, then a leak that fills memory within two.
        let mut read = |reading: u64, used: u64| {
            let now = Instant::from_millis(reading * seconds * 1_000 / 128);
            forecast.handle(now, MemorySample { used, limit: Some(1_000) }, Duration::from_secs(seconds)).is_some()
        };
        let leaking = |reading: u64| 400 + 600 * reading.saturating_sub(384) / 256;
        let forecast = (0..640).find(|&reading| read(reading, leaking(reading))).unwrap();
        let still = (1..200).filter(|after| read(forecast + after, 500)).count();
        assert_eq!(still, 0, "a horizon of {seconds} s");
    }
}

#[test]
fn a_limit_that_is_raised_moves_the_goal() {
    let mut forecast = MemoryForecast::new();
    assert!(leak(&mut forecast, 0, 100));
    for second in 100..120 {
        let sample = MemorySample { used: 400 + 5 * second, limit: Some(10_000) };
        forecast.handle(Instant::from_millis(second * 1_000), sample, HORIZON);
    }
    assert_eq!(forecast.exhausted_at(), None);
    assert!(forecast.buckets.len() > 50, "nothing was forgotten");
}

#[test]
fn it_takes_so_many_bytes() {
    assert!(size_of::<MemoryForecast>() <= 6_300, "{}", size_of::<MemoryForecast>());
}
