//! Deliberate bugs, to check that the simulation finds them.
//!
//! They are compiled in only with `--cfg tripline_planted_bugs`, which no feature sets. `simulate --planted-bugs` makes
//! such a build and enables them one at a time. Without it [`planted`] is a constant `false`.

/// Whether the bug of this name is enabled.
#[cfg(not(tripline_planted_bugs))]
#[inline]
#[must_use]
pub const fn planted(_name: &str) -> bool {
    false
}

#[cfg(tripline_planted_bugs)]
pub use active::{BUGS, plant, planted};

#[cfg(tripline_planted_bugs)]
mod active {
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// All planted bugs.
    pub const BUGS: [&str; 50] = [
        "core: half-open admits without a limit",
        "core: results of an earlier generation count",
        "core: a failed probe counts as a good one",
        "core: the wait of an open breaker does not end",
        "core: a healthy incident does not end",
        "core: failures do not trip",
        "core: a probe that hangs is waited for",
        "core: a dropped probe keeps its slot",
        "core: memory stays exhausted",
        "core: a call counts twice",
        "core: a good call opens the breaker",
        "hot path: the gate stays open",
        "hot path: rejections are not counted",
        "hot path: calls that hang are not seen",
        "dispatch: alerts go out before they are written down",
        "dispatch: an alert that fails is given up",
        "dispatch: an alert is delivered twice",
        "escalation: an incident that ended is not reported",
        "escalation: incidents are numbered anew after a restart",
        "durable: what operators did is forgotten",
        "durable: an open incident is forgotten",
        "durable: a time is not kept",
        "durable: damaged state is taken as valid",
        "durable: damaged state is not reported",
        "reload: an edit is not seen",
        "reload: a bad edit is not reported",
        "reload: a change that is not saved is not reported",
        "reload: comments are lost",
        "reload: the last breaker keeps its settings",
        "reload: a removed breaker's alert stays open",
        "reload: an added breaker is not supervised",
        "events: a number is left out",
        "events: readers are not woken",
        "events: a reader that returns misses events",
        "events: a task of each reader stays",
        "api: a command is never answered",
        "supervisor: exhausted memory is not sampled",
        "escalation: the second stage is not sent",
        "escalation: the cooldown is ignored",
        "fleet: a lease is not waited for",
        "fleet: replicas that are unwell are not counted",
        "fleet: a report is not sent",
        "fleet: an alert that was paged alone is not handed over",
        "fleet: every replica may probe",
        "fleet: a command is executed again",
        "fleet: a close alone is not reported",
        "family: an open member makes room",
        "family: new members are not supervised",
        "family: idle members stay",
        "family: a member that has alerts of its own is not paged",
    ];

    static ACTIVE: AtomicUsize = AtomicUsize::new(usize::MAX);

    /// Enables the bug with this index; any other number enables none.
    pub fn plant(number: usize) {
        // Relaxed: set before the simulation starts its threads.
        ACTIVE.store(number, Ordering::Relaxed);
    }

    /// Whether the bug of this name is enabled.
    pub fn planted(name: &str) -> bool {
        // Relaxed: as in `plant`.
        BUGS.get(ACTIVE.load(Ordering::Relaxed)).is_some_and(|active| *active == name)
    }
}
