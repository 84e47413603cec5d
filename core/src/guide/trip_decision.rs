//! How it decides that too many calls are slow, what that promises, and how to argue with it. There is no code in this module.
//!
//! "The 95th percentile of the last 64 calls is above 300 ms" is a weak sign: four slow calls are enough for it, and a service
//! of which 4 % are slow, as it may, has four of them in 64 half of the time. With [`Policy::trip_confidence`](crate::Policy)
//! = c > 0 a *breach* is therefore above **and** evidence that more than p₀ = 1 − percentile of the calls are slow. (With c = 0 a
//! breach is above, the rule of the original.) The evidence is a sequential test, looked at after each call, in O(1) and
//! twelve bytes.
//!
//! # The three tests
//!
//! One test cannot be the best for a step, for a percentile that lies a little too high for good, and for a few
//! calls that never come back. So there are three, each is enough, and each is a sum that calls move up or down and that does not
//! fall below zero (a CUSUM: E. S. Page, *Biometrika* 41, 1954; for such yes-or-no facts M. R. Reynolds and Z. G. Stoumbos,
//! *Journal of Quality Technology* 31, 1999; several side by side: G. Lorden, *Annals of Mathematical Statistics* 42, 1971). In
//! units of one fast call, at the 95th percentile, a window of 64 and c = 0.95:
//!
//! | test | for | a slow call adds | a fast one takes | enough at |
//! |---|---|---|---|---|
//! | quick | a step, a ramp | 8.1, in proportion to its latency: half of it at the threshold, all from twice the threshold on | 1 | 34.9 |
//! | patient | a percentile a little above the threshold, for good | 12.8, however slow it is | 1 | 138 |
//! | hang | calls that do not come back, where slow ones were rare | 20 while it has not come back | 1 | more than 60, and 5 calls hang |
//!
//! The first two are log likelihood ratios, of "a share p₁ is slow" against "a share p₀ is slow", divided by that of a fast
//! call: p₁ is the share at which the odds of being slow are 4.75 (quick) and 2.1 (patient) times as high: 20 % and 10 %.
//! A fresh sum starts below zero by four slow calls, as a cold start is slow for good reasons; fast calls use this up slowly.
//!
//! *Why the quick test weighs.* Services that live near their threshold have many calls just above it and few far above it; a step
//! or a hang does not. So how slow a call was tells them apart. The price is that a level just above the threshold is
//! left to the patient test.
//!
//! *Why the hang test looks back.* How long slow calls take is nowhere limited, and so the number of those in flight means nothing by
//! itself: at 1,000 calls a second, 2 % of calls of 5 s are 100 in flight, and fine. What is news is that calls no longer come
//! back in a service whose slow calls were rare. So each slow call is remembered for 60 fast ones, and with more than four
//! in memory (more than about p₀/3 of the calls, or as long as nothing is known yet) the test is silent. It takes as
//! many fast calls to wake it, about 240 after each start; in its first four thresholds calls that hang are remembered as well, since
//! none may have come back yet (not on 32-bit targets). It is on for percentiles from 0.9 on and c up to 0.99.
//!
//! **Order.** A call enters a test once, when it is decided: a fast one when it finishes, a slow one as soon as it is seen to be
//! older than the threshold (stalled), at the latest when it finishes. Until it comes back a stalled call counts in full; then what
//! was too much is taken back. Whoever tells of stalled calls should tell them one by one, as they become so: the runtime counts by
//! epochs, and lets the calls of an epoch become stalled by and by.
//!
//! # The guarantee
//!
//! *For calls that are independent in the order in which they are decided, and of which each is slow with probability at most p₀,
//! the probability that the quick or the patient test finds a breach within any W consecutive calls (W the window's size) is at most
//! 1 − c, however long they have been running.*
//!
//! Independent calls that start at a steady rate or at random, and are told one by one, are so; calls that start in waves are not
//! (below). W calls may be a long or a short time: at 1,000 a second 64 calls are 64 ms, so that a service that stays exactly
//! at p₀ may trip within a minute, and the promise be kept.
//!
//! Proof. Read backwards in time, a sum at a given call is the maximum of a random walk, and e to the power of that walk
//! is a supermartingale that starts at 1; that is what the steps are chosen for. By Ville's inequality (J. Ville, *Étude critique
//! de la notion de collectif*, 1939) the sum is at or over h with probability at most e⁻ʰ. It can cross h only by a slow
//! call, which is independent of the sum before it and has probability at most p₀, so a given call is the crossing with
//! probability at most p₀·e^(−h + ln(p₁/p₀)) = p₁·e⁻ʰ. One call that may find it crossed, and W − 1 that may cross it, give
//! (1 + (W − 1)·p₁)·e⁻ʰ. With h = ln(1 + W·ρ·p₀) − ln(1 − c) + ln 1.25 for the quick test (ρ its odds ratio; ρ·p₀ ≥ p₁) that is
//! at most 0.8·(1 − c), and with ln 5 for the patient one at most 0.2·(1 − c). Weighing, forgiving, taking back, rounding and "above"
//! only lower them: a sum with smaller steps up lies below the other one at every call, from the same start.
//!
//! The bound is generous. Measured at exactly p₀ (`cargo test -p tripline-tests --test confidence -- --nocapture`): at c = 0.9, where
//! 10 % are promised, 0.2 % to 2.2 % of windows have a breach, over percentiles from 0.5 to 0.99 and windows from 16 to 256; at
//! c = 0.99 at most 0.5 %.
//!
//! *The hang test has no such proof, and is measured instead*, with all three tests on: for independent calls of any share of slow ones up
//! to p₀, that take from 1.3 to 68 thresholds, at 15 and at 300 calls per threshold, at most 0.8 % of windows of 64 have a breach at
//! c = 0.95; 2 % where slow calls never come back at all. Behind the shared breaker services of up to 1,000 calls per threshold, of which
//! up to 3 % are slow, are not shut for one call in a minute, and of 20 starts none trips
//! (`cargo test -p tripline-tests --test high_rates -- --nocapture`).
//!
//! # What is not promised
//!
//! - Slow calls in runs. Five slow calls in a row are what the first five calls of a step look like. Measured with two-state
//!   Markov traffic of 4 % slow calls in runs of 3 on average, 19 % of windows have a breach at c = 0.95 and 12 % at c = 0.99; in runs of
//!   5, 22 % and 16 %. Pauses that make three calls in a row slow, which then come back, are survived; of eight they are not.
//! - Waves. When many calls start together, the slow ones of the wave are decided in a row after the fast ones: of waves of 100 calls
//!   with 3 % slow, 6 % of windows have a breach even at c = 0.99. A page that fires three to five long queries at once is such a
//!   wave, and so is a pool that was idle for less than `latency_max_age` and whose first six or more calls are cold.
//! - So many calls per threshold that a pause is a burst: at 200 calls per threshold 12 of 120 healthy services of the
//!   experiment trip, at up to 40 none.
//! - A change to a share that is just allowed. A service that was calm and of which then 2 % to 5 % of the calls hang for ever is not
//!   over p₀ = 5 %, and yet 8 % to 38 % of such services have a breach within 500 calls.
//! - A share between p₀ and about twice of it, of calls that are barely slow, is found late: a percentile that lies 10 % above the
//!   threshold for good is found within 2,000 requests in 72 % of the services (median 555), 20 % above in all of them (208).
//!
//! # Chosen by experiment
//!
//! `cargo test -p tripline-tests --test decisions -- --nocapture` generates 240 healthy and 240 failing services (a call every 20 ms, slow above
//! 300 ms, 3,000 calls each; `tests/src/traffic` has their shapes and ranges), lets each method live through them, and prints this;
//! it fails if the recommended configuration leaves its targets (at most 1 false trip, none missed, delays ≤ 29 / 21 / 220 / 55, the last
//! one on 400 services, since the median of 40 is uncertain). A *delay* is the number of
//! requests that start between the moment the true percentile crosses the threshold and the trip; 15 is the least possible, as
//! a call must last 300 ms to be slow. *Early* are failing services that had tripped before they failed.
//!
//! | method | false, of 240 | early | missed | delay: all / step / slow ramp / 12 % hanging |
//! |---|---|---|---|---|
//! | the original, trend off | 156 | 41 | 0 | 40 / 49 / 49 / 273 |
//! | plain percentile, 21 calls at least | 152 | 38 | 0 | 40 / 49 / 49 / 273 |
//! | binomial bound on the window, 0.999 (Clopper and Pearson, 1934) | 16 | 0 | 0 | 37 / 26 / 89 / 112 |
//! | likelihood ratio over all lengths of the window (GLR), 6 | 80 | 2 | 0 | 21 / 18 / 67 / 41 |
//! | Shiryaev-Roberts for 10 %, e⁶ | 17 | 0 | 0 | 23 / 19 / 65 / 58 |
//! | one sum, +13 / −1, 59 (its exact bound at c = 0.9, from the Markov chain) | 20 | 0 | 0 | 25 / 19 / 70 / 74 |
//! | one sum, +8 / −1, 36 (exact at 0.99) | 9 | 0 | 0 | 25 / 19 / 85 / 126 |
//! | one sum, +5 / −1, 24, and as much for each call in flight as long as it hangs | 19 | 0 | 0 | 24 / 19 / 90 / 48 |
//! | Tripline, c = 0 (above, calls that hang counted) | 156 | 42 | 0 | 21 / 18 / 47 / 41 |
//! | Tripline, c = 0, trend on | 112 | 14 | 0 | 36 / 41 / 48 / 97 |
//! | Tripline, c = 0.8 | 8 | 0 | 0 | 24 / 18 / 93 / 53 |
//! | Tripline, c = 0.9 | 0 | 0 | 0 | 25 / 18 / 100 / 56 |
//! | **Tripline, c = 0.95, recommended** | **0** | **0** | **0** | **26 / 19 / 101 / 56**; hanging, of 400 services: 54 |
//! | Tripline, c = 0.95, trend on | 0 | 0 | 0 | 45 / 41 / 102 / 124 |
//! | Tripline, c = 0.99 | 0 | 0 | 0 | 29 / 19 / 105 / 65 |
//!
//! So `tripline init` recommends `trip_confidence = 0.95` and no trend analysis: with evidence, asking for a rise as well makes no trip truer
//! and every trip later. (0.9 has no false trip here either; 0.95 is for traffic that is less kind.) Of 960 more healthy services none tripped. Raise c where
//! each false trip is dear; 0.99 costs up to ten calls. And it recommends `minimum_samples = 5`: with evidence more add nothing, and
//! with 21 a service with a call every four seconds never has as many within `latency_max_age`, and never trips.
//!
//! Nearest to beating it is to count calls in flight for as long as they hang, which is quicker where 12 % hang. It was not taken, because it
//! depends on how many calls are in flight and not on their share, and calls 3 % of long polls an outage.
