//! Firmware stores its policy in its own format: here postcard, into a buffer and without an allocator.
#![allow(clippy::unwrap_used)]

use core::num::NonZeroU16;
use core::time::Duration;

use tripline_core::{Latency, Percentile, Policy, Ratio};

#[test]
fn a_policy_comes_back_from_postcard() {
    let mut policy = Policy::default();
    policy.enabled = false;
    policy.latency_threshold = Latency::MAX;
    policy.percentile = Percentile::new(0.999).unwrap();
    policy.latency_window_size = NonZeroU16::MAX;
    policy.minimum_samples = Some(0);
    policy.failure_rate_threshold = Ratio::new(1.0).unwrap();
    policy.wait_time = Duration::new(3, 999_999_999);
    policy.max_wait_time = Duration::MAX;
    let mut room = [0; 160];
    let written = postcard::to_slice(&policy, &mut room).unwrap();
    assert_eq!(postcard::from_bytes::<Policy>(written).unwrap(), policy);
}

#[test]
fn a_value_out_of_range_is_rejected() {
    let mut room = [0; 160];
    let written = postcard::to_slice(&Policy::default(), &mut room).unwrap();
    let percentile = 0.95_f64.to_le_bytes();
    let at = written.windows(8).position(|bytes| bytes == percentile).unwrap();
    written[at..at + 8].copy_from_slice(&1.5_f64.to_le_bytes());
    assert!(postcard::from_bytes::<Policy>(written).is_err());
}

#[test]
fn nanoseconds_beyond_a_second_are_carried_and_never_overflow() {
    let mut room = [0; 160];
    let mut policy = Policy::default();
    policy.latency_max_age = Duration::new(u64::MAX, 7);
    let written = postcard::to_slice(&policy, &mut room).unwrap();
    // The seconds take ten bytes as a varint; the byte behind them is the 7.
    let seconds = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
    let at = written.windows(10).position(|bytes| bytes == seconds).unwrap();
    let mut longer = [0; 170];
    let cut = at + 10;
    // 4,294,967,295 ns instead.
    longer[..cut].copy_from_slice(&written[..cut]);
    longer[cut..cut + 5].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]);
    let rest = written.len() - cut - 1;
    longer[cut + 5..cut + 5 + rest].copy_from_slice(&written[cut + 1..]);
    let read = postcard::from_bytes::<Policy>(&longer).unwrap();
    assert_eq!(read.latency_max_age, Duration::MAX);
    assert_eq!(read.wait_time, policy.wait_time);
}
