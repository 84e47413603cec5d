//! Benchmarks of Tripline.

use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;

use tripline_backends::memory::Cgroup;
use tripline_runtime::core::{Instant, Latency, Outcome, Percentile, Policy};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, Clock};

/// A breaker that stays closed, with a full window.
pub(crate) fn breaker(window: u16, trend: bool, stall_detection: bool) -> Breaker {
    let mut policy = Policy::default();
    policy.latency_window_size = NonZeroU16::new(window).unwrap();
    policy.latency_threshold = Latency::from_millis(300);
    policy.trend_analysis = trend;
    // A row with slow calls stays closed, however the two threads' calls mix.
    policy.percentile = Percentile::new(0.5).unwrap();
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock).policy(policy).stall_detection(stall_detection).build().unwrap();
    let mut call = Call::<0>::new(&breaker);
    for _ in 0..window {
        call.make();
    }
    breaker
}

/// A breaker that reads this clock.
pub(crate) fn on_clock(clock: impl Clock + 'static) -> Breaker {
    Breaker::builder(Arc::new(clock)).stall_detection(false).build().unwrap()
}

/// Calls of one thread, each a little later than the one before, with latencies that vary: asks and finishes with
/// instants given.
// Alone on its cache lines: the time is written with every call.
#[repr(align(128))]
pub(crate) struct Call<'a, const SLOW_EVERY: u64 = 0> {
    breaker: &'a Breaker,
    now_nanos: u64,
    /// Calls up to the next slow one: each of `SLOW_EVERY`, or none for 0.
    until_slow: u64,
}

const FIRST_NANOS: u64 = 2_000_000_000;
/// Between the ends of a thread's calls: about as long as a call takes. Two threads have a time of their own each, which passes at
/// the pace of real time so that they stay as close as two readings of one clock: with a microsecond for each call, a thread that is
/// descheduled for 10 ms would be a second behind, which is a clock that was set back.
const APART_NANOS: u64 = 16;
const SLOW_NANOS: u64 = 400_000_000;

impl<'a, const SLOW_EVERY: u64> Call<'a, SLOW_EVERY> {
    pub(crate) fn new(breaker: &'a Breaker) -> Self {
        Self { breaker, now_nanos: FIRST_NANOS, until_slow: SLOW_EVERY }
    }

    #[expect(clippy::inline_always, reason = "part of the loop of a row, as the calls of the peers are")]
    #[inline(always)]
    pub(crate) fn make(&mut self) {
        self.now_nanos += APART_NANOS;
        let end = Instant::from_nanos(self.now_nanos);
        let mut start = Instant::from_nanos(self.now_nanos - 5_000_000 - (self.now_nanos & 0xFF_FFFF));
        if SLOW_EVERY > 0 {
            self.until_slow -= 1;
            if self.until_slow == 0 {
                self.until_slow = SLOW_EVERY;
                start = Instant::from_nanos(self.now_nanos - SLOW_NANOS);
            }
        }
        if let Ok(permit) = std::hint::black_box(self.breaker).try_acquire() {
            permit.finish(start, end, Outcome::Ok);
        }
    }

    /// Calls made so far.
    pub(crate) fn made(&self) -> u64 {
        (self.now_nanos - FIRST_NANOS) / APART_NANOS
    }
}

/// Dropping a report is cheaper than recording it, so a row that drops a larger share than this is invalid.
const DROPPED_AT_MOST: f64 = 0.001;

/// Ends the run if calls were rejected, or too many reports dropped, or any lost without being counted as dropped.
///
/// `made` calls were made after the breaker was.
pub(crate) fn check_accounts(row: &str, breaker: &Breaker, made: u64) {
    if made == 0 {
        return; // filtered out
    }
    let dropped = breaker.reports_dropped();
    let part = dropped as f64 / made as f64;
    eprintln!("{row}: {dropped} of {made} reports dropped ({:.4} %)", part * 100.0);
    let filled = breaker.read(|core| u64::from(core.policy().latency_window_size.get()));
    let recorded = breaker.read(|core| core.counts().ok) - filled;
    if recorded + dropped != made {
        fail(&format!("{row}: {made} calls were made, but {recorded} recorded and {dropped} dropped"));
    }
    if part > DROPPED_AT_MOST {
        let percent = DROPPED_AT_MOST * 100.0;
        fail(&format!("{row}: more than {percent} % of the reports dropped, so its time counts for nothing"));
    }
}

fn fail(why: &str) {
    eprintln!("bench failed: {why}");
    std::process::exit(1);
}

/// This process's control group; where none can be read, plain files with the same content.
pub(crate) fn cgroup() -> Cgroup {
    Cgroup::discover().unwrap_or_else(|error| {
        eprintln!("memory_sample/cgroup reads plain files instead of a control group: {error}");
        // Its files stay open when the folder goes.
        let folder = tempfile::tempdir().unwrap();
        write_group(folder.path());
        Cgroup::discover_at(folder.path()).unwrap()
    })
}

fn write_group(root: &Path) {
    let files = [
        ("proc/self/cgroup", "0::/bench\n"),
        ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
        ("proc/meminfo", "MemTotal:        8388608 kB\nMemAvailable:    4194304 kB\n"),
        ("sys/fs/cgroup/bench/memory.current", "268435456\n"),
        ("sys/fs/cgroup/bench/memory.max", "536870912\n"),
        ("sys/fs/cgroup/bench/memory.stat", "anon 134217728\nfile 134217728\ninactive_file 67108864\n"),
    ];
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}
