//! Using the breaker on a microcontroller: choosing its size, passing time, and its cost. This module has no code.
//!
//! The core needs no allocator, no operating system, no atomics and no floating point unit, and it cannot panic.
//! `tests/firmware` in the repository proves that: it links every public entry point with `panic-never` and without an
//! allocator, and runs in qemu on a Cortex-M3. `bash .ci/firmware` runs it and prints the figures on this page.
//!
//! # Choosing `N`
//!
//! [`Breaker<N>`](crate::Breaker) has room for `N` samples of 8 bytes each, and needs 576 bytes in addition.
//!
//! | `N` | 16 | 64 | 256 |
//! |---|---|---|---|
//! | RAM, bytes | 704 | 1088 | 2624 |
//!
//! At a percentile p, at least 2 / (1 − p) samples are needed before a single slow call is no longer the percentile: 4
//! for 0.5, 20 for 0.9, 40 for 0.95. Fewer suffice if a single slow call may trip;
//! [`Policy::minimum_samples`](crate::Policy) sets the minimum. A larger window reacts later and errs less often. `N`
//! is an upper limit: the window in use is [`Policy::latency_window_size`](crate::Policy), which can change at run
//! time.
//!
//! # Passing time
//!
//! Time is an [`Instant`](crate::Instant): nanoseconds since an arbitrary start, in 64 bits. The breaker never reads a
//! clock. [`TickExtender`](crate::TickExtender) converts a 32-bit counter that wraps; it needs at least one reading in
//! each half turn. No 64-bit atomics are needed: the interrupt passes its 32 bits on, and the owner of the breaker
//! extends them.
//!
//! Every behaviour of the clock is defined. The end of a call that lies in the past is clamped to the latest instant. A
//! clock that was set back by a second or more is detected at the second such reading, and time continues from its
//! latest instant. A forward jump ends waits and expires samples, once.
//!
//! The breaker has one owner (`&mut`). Do not share it with an interrupt: let the handler put finished calls into a
//! queue, such as `heapless::spsc`, and let the main loop take them out. `tests/firmware/src/bin/interrupt.rs` shows
//! this. Poll the events: the queue holds [`EVENT_CAPACITY`](crate::EVENT_CAPACITY) of them, and counts the oldest ones
//! that it drops beyond that.
//!
//! # What a call costs
//!
//! Instructions on a Cortex-M3 (no floating point unit) at opt-level `s`, over unfavourable calls: rising, falling and
//! alternating latencies, both ends of the range, failures, noise around the threshold. Evidence, failure rate and
//! trend are on for half of the calls, and for all calls of the worst case. The other half uses the default policy,
//! which asks for evidence too.
//!
//! | window | 16 | 64 | 256 | 16, no `trend` | 64, no `trend` | 256, no `trend` |
//! |---|---|---|---|---|---|---|
//! | admit, mean | 590 | 601 | 546 | 570 | 576 | 529 |
//! | admit, worst | 828 | 843 | 816 | 816 | 831 | 804 |
//! | record, mean | 1192 | 1247 | 1286 | 1104 | 1095 | 996 |
//! | record, worst | 3360 | 5214 | 5306 | 1583 | 1605 | 1533 |
//! | record and trip, worst | 5263 | 7053 | 6909 | 3130 | 3138 | 3058 |
//! | record after all but the newest expired | 2193 | 6446 | 22934 | 1513 | 3805 | 12436 |
//!
//! The admission that ends a wait takes at most 424 instructions. A slow probe, which opens the breaker again for
//! longer, takes 2633, even the hundredth in a row.
//!
//! **The bound for real-time use.** Samples expire in the first call after they became too old, admissions included. If
//! E samples expire at once, E < window, an admission takes at most 860 + 75·E instructions and a record at most 7200 +
//! 75·E; without `trend`, 860 + 45·E and 3200 + 45·E. No other cost grows with the window. To keep E small, call
//! [`handle_timeout`](crate::Breaker::handle_timeout) more often than samples can accumulate. If the newest sample is
//! too old as well, the window is emptied at once. These bounds are measured, not derived from the code, and CI checks
//! them.
//!
//! [`percentile`](crate::Breaker::percentile), [`handle_policy`](crate::Breaker::handle_policy) and
//! [`trend`](crate::Breaker) read every sample; do not call them in an interrupt. The stack is at most 688 bytes deep,
//! 512 of them for the percentile.
//!
//! # Flash
//!
//! With every entry point linked: 16,952 bytes with the trend, 14,854 without, at opt-level `s`. The feature
//! `escalation` adds 2,370 bytes. In addition, a firmware contains once 7 KiB of the compiler's 64-bit and floating
//! point arithmetic and memory copying.
//!
//! Evidence takes 4.5 KB of it. Its own functions are 2,834 bytes: the steps of the failure test 444 and its tables 88,
//! the three sums 256 + 204 + 154, the removal of stalled calls 164, the tolerance about 350, the logarithm 144, and
//! the views ([`evidence`](crate::Breaker::evidence), [`trip_evidence`](crate::Breaker::trip_evidence), saving and
//! restoring the tolerance) about 600. The rest is in its callers: deriving the steps from a policy 554, counting the
//! window again in `handle_policy`, and the trip. The target of 13.5 KiB is missed by 3,128 bytes; opt-level `z` saves
//! about 950 of them.
//!
//! # Without the trend
//!
//! `default-features = false` removes [`Trend`](crate::Trend), its settings and its sums. On a core without a floating
//! point unit the trend is the main cost: without it the worst case of recording falls to less than a third. Each call
//! still has one floating point multiplication, which finds the index of the percentile, and a division if the failure
//! rate is on. An integer version of these would halve neither the time nor the flash, and would round differently from
//! the host, so there is none.
//!
//! # A memory forecast
//!
//! The feature `forecast` is off by default. It adds 8 bytes to a breaker and the type `MemoryForecast`, which the
//! firmware feeds. The type takes 6 KiB and floating point arithmetic for up to eight lines per reading. The figures on
//! this page do not include it.
//!
//! # Storing a policy
//!
//! With the feature `serde` a [`Policy`](crate::Policy) can be written and read in any format of serde, for example
//! postcard, without an allocator. A value out of range is rejected. A format without field names, such as postcard,
//! must be read with the same features with which it was written.
//!
//! # A complete example
//!
//! ```
//! use core::num::NonZeroU32;
//! use core::time::Duration;
//!
//! use tripline_core::{Breaker, EventKind, Latency, Outcome, Policy, StateKind, TickExtender, TripAfter};
//!
//! /// Stands for a free-running timer of 1 MHz, shortly before it wraps.
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
