//! Checks the cost of the core: instructions, RAM and stack, each against its budget. Run it under qemu with `-icount`,
//! which makes every number reproducible.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::mem::size_of;
use core::num::NonZeroU16;
use core::time::Duration;

use cortex_m_rt::entry;
use panic_never as _;
use tripline_core::{Breaker, Confidence, Instant, Latency, Outcome, Policy, Ratio, State, TripAfter};
use tripline_firmware::Check;
use tripline_firmware::measure::{Counter, known_loop, stack_depth};
use tripline_firmware::report::Report;

/// Budgets: bytes.
const RAM_OF_64: u32 = 1_088;
const STACK: u32 = 768;
/// Budgets: instructions.
const ASK_MEAN: u32 = 620;
const ASK_WORST: u32 = 860;
const RECORD_MEAN: u32 = if TREND { 1_320 } else { 1_110 };
/// The worst case of recording before there was evidence that lasts, and 10 %; without the trend evidence is the larger part of it.
const RECORD_WORST: u32 = if TREND { 5_350 } else { 1_610 };
/// A call that trips, once in an incident.
const TRIP_WORST: u32 = if TREND { 7_200 } else { 3_200 };
/// The ask that ends the wait, and a slow probe, which makes the wait grow.
const PROBE_ASK_WORST: u32 = 800;
const PROBE_FAILED_WORST: u32 = 4_000;
/// For each sample that expires within one call, beside the worst case without.
const EXPIRY_EACH: u32 = if TREND { 75 } else { 45 };
/// By so much may the worst case of recording differ between windows of 64 and 256.
const GROWTH_PERCENT: u32 = 5;

const TREND: bool = cfg!(feature = "trend");
const THRESHOLD: Latency = Latency::from_millis(300);

#[entry]
fn main() -> ! {
    let mut report = Report::default();
    let checked = run(&mut report);
    report.take("budgets", checked);
    report.exit()
}

fn run(report: &mut Report) -> Check {
    let counter = Counter::start().ok_or("the timer is taken")?;
    let known = counter.instructions(|| known_loop(1_000));
    report
        .take("the counter counts instructions", if known.abs_diff(2_000) <= 8 { Ok(()) } else { Err("it does not") });

    report.budget("ram_bytes_window_64", size_of::<Breaker<64>>() as u32, RAM_OF_64);
    report.figure("ram_bytes_window_16", size_of::<Breaker<16>>() as u32);
    report.figure("ram_bytes_window_256", size_of::<Breaker<256>>() as u32);
    report.budget("stack_bytes", stack()?, STACK);

    let small = costs::<16>(&counter)?;
    let middle = costs::<64>(&counter)?;
    let large = costs::<256>(&counter)?;
    small.report(report, &NAMES_16, 16);
    middle.report(report, &NAMES_64, 64);
    large.report(report, &NAMES_256, 256);
    let (asked, failed) = probing(&counter)?;
    report.budget("ask_first_probe_worst", asked, PROBE_ASK_WORST);
    report.budget("record_failed_probe_worst", failed, PROBE_FAILED_WORST);
    // Windows below 21 skip a part of the trend, so 16 is no measure for the others.
    let most = middle.record_worst + middle.record_worst * GROWTH_PERCENT / 100;
    report.budget("record_worst_256_against_64", large.record_worst, most);
    Ok(())
}

macro_rules! names {
    ($size:literal) => {
        [
            concat!("ask_mean_", $size),
            concat!("ask_worst_", $size),
            concat!("record_mean_", $size),
            concat!("record_worst_", $size),
            concat!("record_with_trip_worst_", $size),
            concat!("record_with_expiry_worst_", $size),
        ]
    };
}

const NAMES_16: [&str; 6] = names!("16");
const NAMES_64: [&str; 6] = names!("64");
const NAMES_256: [&str; 6] = names!("256");

/// In instructions.
struct Costs {
    ask: Series,
    record_mean: u32,
    record_worst: u32,
    trip_worst: u32,
    expiry_worst: u32,
}

impl Costs {
    fn report(&self, report: &mut Report, names: &[&str; 6], window: u32) {
        let [ask_mean, ask_worst, record_mean, record_worst, trip_worst, expiry_worst] = names;
        report.budget(ask_mean, self.ask.mean(), ASK_MEAN);
        report.budget(ask_worst, self.ask.worst, ASK_WORST);
        report.budget(record_mean, self.record_mean, RECORD_MEAN);
        report.budget(record_worst, self.record_worst, RECORD_WORST);
        report.budget(trip_worst, self.trip_worst, TRIP_WORST);
        report.budget(expiry_worst, self.expiry_worst, RECORD_WORST + window * EXPIRY_EACH);
    }
}

#[derive(Default)]
struct Series {
    sum: u32,
    count: u32,
    worst: u32,
}

impl Series {
    fn add(&mut self, instructions: u32) {
        self.sum += instructions;
        self.count += 1;
        self.worst = self.worst.max(instructions);
    }

    fn mean(&self) -> u32 {
        self.sum.checked_div(self.count).unwrap_or(0)
    }
}

#[inline(never)]
fn costs<const N: usize>(counter: &Counter) -> Result<Costs, &'static str> {
    let mut ask = Series::default();
    let mut record = Series::default();
    let mut trip = Series::default();
    let calls = 12 * N as u32 + 600;
    // The default rules, then everything at once; on calls of every kind, in an order that no rule likes.
    for policy in [policy::<N>(), policy_with_everything::<N>()?] {
        let mut breaker = breaker::<N>(policy)?;
        let mut noise = Noise(1);
        let mut now = Instant::from_millis(1);
        for call in 0..calls {
            now = now + Duration::from_micros(noise.below(20_000).into());
            let mut generation = None;
            let asked = counter.instructions(|| generation = black_box(breaker.try_admit(black_box(now)).ok()));
            let (latency, outcome) = adversary(call, N as u32, &mut noise);
            let closed = breaker.state() == State::Closed;
            if closed {
                ask.add(asked);
            }
            let Some(generation) = generation else {
                breaker.reset(now);
                continue;
            };
            let recorded = counter.instructions(|| {
                breaker.handle_finished(black_box(now), black_box(generation), black_box(latency), black_box(outcome));
            });
            if breaker.state() == State::Closed {
                record.add(recorded);
            } else if closed {
                trip.add(recorded);
            }
        }
    }
    let expiry_worst = expiry::<N>(counter)?;
    Ok(Costs { ask, record_mean: record.mean(), record_worst: record.worst, trip_worst: trip.worst, expiry_worst })
}

/// Rising, falling and alternating stretches, edges of the range and of the threshold, failures and noise.
fn adversary(call: u32, stretch: u32, noise: &mut Noise) -> (Latency, Outcome) {
    let threshold = THRESHOLD.as_micros();
    let micros = match call / stretch % 6 {
        0 => call % 40 * 7_000,
        1 => threshold - call % 40 * 1_000,
        2 => threshold.saturating_sub(1).saturating_add(call % 3),
        3 if call.is_multiple_of(40) => u32::MAX,
        3 => 0,
        4 => noise.below(2 * threshold),
        _ => noise.below(threshold),
    };
    let outcome = if call.is_multiple_of(11) { Outcome::Failed } else { Outcome::Ok };
    (Latency::from_micros(micros), outcome)
}

/// All samples but the newest expire in one call, the most that one can cost: where the newest is too old as well, the
/// window is cleared at once.
fn expiry<const N: usize>(counter: &Counter) -> Result<u32, &'static str> {
    let mut policy = policy_with_everything::<N>()?;
    // The newest so many samples do not expire.
    policy.minimum_samples = Some(1);
    let mut breaker = breaker::<N>(policy)?;
    let max_age = breaker.policy().latency_max_age;
    let mut noise = Noise(9);
    for _ in 1..N {
        let latency = Latency::from_micros(noise.below(THRESHOLD.as_micros()));
        breaker.handle_finished(Instant::ZERO, breaker.generation(), latency, Outcome::Ok);
    }
    let middle = Instant::ZERO + max_age / 2;
    breaker.handle_finished(middle, breaker.generation(), Latency::ZERO, Outcome::Ok);
    let late = Instant::ZERO + max_age + Duration::from_secs(1);
    let generation = breaker.generation();
    let instructions = counter.instructions(|| {
        breaker.handle_finished(black_box(late), black_box(generation), black_box(Latency::ZERO), Outcome::Ok);
    });
    if breaker.samples() == 2 { Ok(instructions) } else { Err("they did not expire") }
}

/// Probing that fails a hundred times in a row: the ask that ends the wait, and the slow probe.
fn probing(counter: &Counter) -> Result<(u32, u32), &'static str> {
    let mut breaker = breaker::<64>(policy_with_everything::<64>()?)?;
    let mut now = Instant::from_millis(1);
    breaker.handle_stalled(now, breaker.generation(), u16::MAX);
    let (mut asks, mut failures) = (Series::default(), Series::default());
    for _ in 0..100 {
        now = now + Duration::from_secs(400);
        let mut generation = None;
        asks.add(counter.instructions(|| generation = black_box(breaker.try_admit(black_box(now)).ok())));
        let generation = generation.ok_or("it is not probing")?;
        failures.add(counter.instructions(|| {
            breaker.handle_finished(black_box(now), generation, black_box(Latency::MAX), black_box(Outcome::Ok));
        }));
    }
    Ok((asks.worst, failures.worst))
}

/// The deepest of what a firmware calls.
fn stack() -> Result<u32, &'static str> {
    let mut breaker = breaker::<64>(policy_with_everything::<64>()?)?;
    let policy = policy_with_everything::<64>()?;
    let mut deepest = 0;
    for call in 0..200_u32 {
        let now = Instant::from_millis(u64::from(call) * 20_000);
        let ask = stack_depth(|| {
            let _ = black_box(breaker.try_admit(black_box(now)));
        });
        let generation = breaker.generation();
        let record = stack_depth(|| {
            breaker.handle_finished(
                black_box(now),
                generation,
                black_box(Latency::from_millis(call * 10)),
                Outcome::Ok,
            );
        });
        let percentile = stack_depth(|| {
            black_box(breaker.percentile());
        });
        let retune = stack_depth(|| {
            let _ = black_box(breaker.handle_policy(black_box(now), black_box(&policy)));
        });
        deepest = deepest.max(ask).max(record).max(percentile).max(retune);
    }
    Ok(deepest)
}

fn breaker<const N: usize>(policy: Policy) -> Result<Breaker<N>, &'static str> {
    Breaker::new(policy, 7).map_err(|_| "the window does not fit")
}

fn policy<const N: usize>() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = THRESHOLD;
    policy.latency_window_size = NonZeroU16::new(N as u16).unwrap_or(NonZeroU16::MIN);
    policy
}

/// Evidence, failure rate and, where it is there, the trend.
fn policy_with_everything<const N: usize>() -> Result<Policy, &'static str> {
    let mut policy = policy::<N>();
    policy.trip_confidence = Confidence::new(0.9).map_err(|error| error.what)?;
    policy.trip_after = TripAfter::Millis(0);
    policy.failure_rate_threshold = Ratio::new(0.5).map_err(|error| error.what)?;
    #[cfg(feature = "trend")]
    {
        policy.trend_analysis = true;
    }
    Ok(policy)
}

/// A linear congruential generator: it only has to be the same on every run.
struct Noise(u32);

impl Noise {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8).checked_rem(limit).unwrap_or(0)
    }
}
