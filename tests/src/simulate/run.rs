//! One run, of whichever world its seed is about.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tripline_core::Instant;

use super::drive::Driver;
use super::family::FamilyRun;
use super::fleet::FleetRun;
use super::script::{Script, Subject};
use super::trace::Trace;
use super::violation::{Check, Violation};

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// What happened, line by line, where that was asked for.
    pub trace: Vec<String>,
    /// Virtual time that passed.
    pub passed: Duration,
    /// Steps after each of which the invariants were checked.
    pub events: u64,
}

/// Runs a script, and stops at the first invariant that does not hold.
pub fn run(script: &Script, with_trace: bool) -> Outcome {
    run_counted(script, with_trace, &AtomicU64::new(0))
}

/// Does the same as [`run`], and adds 1 to `counted` with every event, so that another thread can detect a run that is stuck.
pub(super) fn run_counted(script: &Script, with_trace: bool, counted: &AtomicU64) -> Outcome {
    let mut events = 0;
    let mut count = || {
        events += 1;
        // Relaxed: a counter.
        counted.fetch_add(1, Ordering::Relaxed);
    };
    let (found, start, at, mut trace) = match script.subject {
        Subject::Process => {
            let mut driver = Driver::new(script, with_trace);
            let start = driver.now();
            let found = caught(|| driver.live(&mut count));
            let ended = (driver.now(), driver.take_trace());
            driver.kill();
            (found, start, ended.0, ended.1)
        }
        Subject::Fleet => {
            let mut fleet = FleetRun::new(script, with_trace);
            let start = fleet.now();
            let found = caught(|| fleet.live(&mut count));
            (found, start, fleet.now(), fleet.trace)
        }
        Subject::Family => {
            if let Some(mut family) = FamilyRun::new(script, with_trace) {
                let start = family.now();
                let found = caught(|| family.live(&mut count));
                (found, start, family.now(), family.trace)
            } else {
                let start = Instant::ZERO;
                (Err(("it starts", "the family is not made".to_owned())), start, start, Trace::new(false))
            }
        }
    };
    let violation = found.err().map(|(invariant, detail)| Violation { invariant, at, detail });
    if let Some(violation) = &violation {
        trace.note(at, || format!("VIOLATION {violation}"));
    }
    Outcome { violation, trace: trace.take(), passed: at.since(start), events }
}

/// A panic is a violation.
fn caught(live: impl FnOnce() -> Check) -> Check {
    catch_unwind(AssertUnwindSafe(live)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(("panic", text.unwrap_or_default()))
    })
}
