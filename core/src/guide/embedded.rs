//! On a microcontroller: how to choose, feed and afford a breaker. There is no code in this module.
//!
//! The core needs no allocator, no operating system, no atomics and no floating point unit, and nothing in it can panic.
//! `tests/firmware` in the repository proves that: it links every public entry point with `panic-never` and without an
//! allocator, and runs in qemu on a Cortex-M3. `bash .ci/firmware` does it, and prints the figures of this page.
//!
//! # Choosing `N`
//!
//! [`Breaker<N>`](crate::Breaker) has room for `N` samples of 8 bytes each, and needs 576 bytes beside them.
//!
//! | `N` | 16 | 64 | 256 |
//! |---|---|---|---|
//! | RAM, bytes | 704 | 1088 | 2624 |
//!
//! A percentile p needs at least 2 / (1 − p) samples before one slow call alone is not the percentile: 4 for 0.5, 20
//! for 0.9, 40 for 0.95. If one slow call may trip, fewer will do; [`Policy::minimum_samples`](crate::Policy) says how many there must be.
//! Beyond that a larger window reacts later and is wrong more seldom. `N` is a ceiling: the window in use is
//! [`Policy::latency_window_size`](crate::Policy) and may change while it runs.
//!
//! # Passing time
//!
//! Time is an [`Instant`](crate::Instant): nanoseconds since any start, in 64 bits. The breaker never reads a clock. A
//! 32-bit counter that wraps becomes one with [`TickExtender`](crate::TickExtender), which wants one reading in each half turn.
//! No 64-bit atomics are needed: the interrupt passes its 32 bits on, and the breaker's owner extends them.
//!
//! Whatever the clock does is defined. An end that lies in the past is clamped to the latest instant. A clock that was
//! set back by a second or more is noticed at the second such reading, and time goes on from where it was. A jump forward
//! ends waits and ages samples, once.
//!
//! The breaker has one owner (`&mut`). Do not share it with an interrupt; let the handler put finished calls into a queue,
//! such as `heapless::spsc`, and the main loop take them out. `tests/firmware/src/bin/interrupt.rs` is such a program.
//! Poll the events; where they pile up, the oldest of [`EVENT_CAPACITY`](crate::EVENT_CAPACITY) go, and are counted.
//!
//! # What a call costs
//!
//! Instructions on a Cortex-M3 (no floating point unit) at opt-level `s`, over calls that no rule likes: rising, falling
//! and alternating latencies, both ends of the range, failures, noise around the threshold. Evidence, failure rate and
//! trend are switched on for half of the calls, and for all of the worst; the other half is under the default policy, which asks for
//! evidence too.
//!
//! | window | 16 | 64 | 256 | 16, no `trend` | 64, no `trend` | 256, no `trend` |
//! |---|---|---|---|---|---|---|
//! | ask, mean | 590 | 601 | 546 | 570 | 576 | 529 |
//! | ask, worst | 828 | 843 | 816 | 816 | 831 | 804 |
//! | record, mean | 1153 | 1218 | 1288 | 1069 | 1068 | 996 |
//! | record, worst | 3309 | 5163 | 5301 | 1543 | 1565 | 1534 |
//! | record and trip, worst | 5211 | 7006 | 6903 | 3090 | 3098 | 3058 |
//! | record after all but the newest expired | 2155 | 6420 | 22935 | 1478 | 3780 | 12946 |
//!
//! The ask that ends a wait takes at most 424, and a slow probe, which opens the breaker again for longer,
//! 2634, the hundredth in a row included.
//!
//! **The bound for real-time use.** Samples expire in the first call after they became too old, also in one that asks.
//! With E samples that expire at once, E < window, asking takes at most 860 + 75·E instructions and recording at most 7200 +
//! 75·E; without `trend` 860 + 45·E and 3200 + 45·E. Nothing else grows with the window. Who calls
//! [`handle_timeout`](crate::Breaker::handle_timeout) more often than samples can pile up keeps E small; where the newest is too
//! old as well, the window is emptied at once. The measured figures, not the code, give these bounds, and CI holds them.
//!
//! [`percentile`](crate::Breaker::percentile), [`handle_policy`](crate::Breaker::handle_policy) and
//! [`trend`](crate::Breaker) look at every sample: not in an interrupt. The stack is at most 688 bytes
//! deep, 512 of them for the percentile.
//!
//! # What it takes of the flash
//!
//! With every entry point linked: 16,952 bytes with the trend, 14,854 without, at opt-level `s`, and 2,370 more with the feature `escalation`; beside
//! that 7 KiB of 64-bit and floating point arithmetic and memory copying of the compiler's, which a firmware has once.
//!
//! Evidence that lasts takes 4.5 KB of it. Its own functions are 2,834 bytes: the steps of the failure test 444 and its tables 88, the three sums
//! 256 + 204 + 154, taking back 164, the tolerance about 350, the logarithm 144, and what shows it ([`evidence`](crate::Breaker::evidence),
//! [`trip_evidence`](crate::Breaker::trip_evidence), keeping and restoring the tolerance) about 600. The rest is in what calls them: deriving the steps
//! from a policy 554, counting the window again in `handle_policy`, and the trip. The target of 13.5 KiB is missed by 3,128 bytes; at opt-level `z`
//! about 950 of them go.
//!
//! # Without the trend
//!
//! `default-features = false` leaves [`Trend`](crate::Trend), its settings and its sums out. On a core without a
//! floating point unit the trend is what costs: the worst case of recording falls to less than a third. That is why it is a
//! feature. One floating point multiplication is left in each call, which finds the place of the percentile, and a division where
//! the failure rate is on. An integer version of these would neither halve the time nor the flash, and would round
//! differently from the host, so there is none.
//!
//! # A memory forecast
//!
//! The feature `forecast` is left out by default. It adds 8 bytes to a breaker, and brings
//! `MemoryForecast`, which the firmware feeds: 6 KiB, and floating point arithmetic for up to eight lines per
//! reading. None of the figures of this page contain it.
//!
//! # Keeping a policy
//!
//! With the feature `serde` a [`Policy`](crate::Policy) can be written and read in any format of serde's, for instance
//! postcard, without an allocator. What is out of range is rejected. A format without names, such as postcard, must be
//! read with the same features that it was written with.
//!
//! # A complete example
//!
//! ```
//! use core::num::NonZeroU32;
//! use core::time::Duration;
//!
//! use tripline_core::{Breaker, EventKind, Latency, Outcome, Policy, StateKind, TickExtender, TripAfter};
//!
//! /// Stands for a free-running timer of 1 MHz, close before it wraps.
//! struct Timer(u32);
//!
//! impl Timer {
//!     fn counter(&mut self) -> u32 {
//!         self.0 = self.0.wrapping_add(50);
//!         self.0
//!     }
//!
//!     fn transfer(&mut self, micros: u32) -> Result<(), ()> {
//!         self.0 = self.0.wrapping_add(micros);
//!         Ok(())
//!     }
//! }
//!
//! let mut policy = Policy::default();
//! policy.latency_threshold = Latency::from_micros(800);
//! policy.wait_time = Duration::from_millis(50);
//! // A bus has no hiccups of seconds.
//! policy.trip_after = TripAfter::Millis(20);
//! policy.warm_up = Duration::ZERO;
//!
//! let mut timer = Timer(u32::MAX - 10_000);
//! let mut clock = TickExtender::new(NonZeroU32::new(1_000_000).ok_or("not zero")?, timer.0);
//! let mut breaker = Breaker::<64>::new(policy, 7).map_err(|_| "the window fits")?;
//! let mut lamp = false;
//! let mut lit = 0;
//!
//! for round in 0..400 {
//!     let start = clock.instant(timer.counter());
//!     match breaker.try_admit(start) {
//!         Ok(generation) => {
//!             let result = timer.transfer(if (100..200).contains(&round) { 950 } else { 200 });
//!             let end = clock.instant(timer.counter());
//!             let outcome = if result.is_ok() { Outcome::Ok } else { Outcome::Failed };
//!             breaker.handle_finished(end, generation, Latency::between(start, end), outcome);
//!         }
//!         Err(_rejection) => timer.0 = timer.0.wrapping_add(1_000), // do something else for a millisecond
//!     }
//!     while let Some(event) = breaker.poll_event() {
//!         if let EventKind::Transition { to, .. } = event.kind {
//!             lamp = to == StateKind::Open;
//!             lit += u32::from(lamp);
//!         }
//!     }
//! }
//! assert!(lit > 0, "the bus was slow");
//! assert!(!lamp && breaker.state().kind() == StateKind::Closed, "and is well again");
//! # Ok::<(), &str>(())
//! ```
