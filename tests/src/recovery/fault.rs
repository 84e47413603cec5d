//! Faults of a service: kind, duration, and the behaviour of callers that are rejected.

use std::time::Duration;

use tripline_core::Instant;

/// Duration of healthy service at the start of every simulation.
pub(super) const WELL_BEFORE_S: f64 = 60.0;

/// A fault of a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Every call is slow.
    Slow,
    /// Every call is slow for a while, then none, and so on.
    Flapping {
        /// Duration of a slow period, in seconds.
        slow_s: f64,
        /// Duration of a healthy period, in seconds.
        fine_s: f64,
    },
    /// No call returns before its caller gives up.
    Hang,
    /// Calls take this many thresholds longer at first, then gradually less.
    Fading {
        /// How much longer at first.
        thresholds: f64,
        /// The time in which this falls to 1/e, in seconds.
        fades_by_e_in_s: f64,
    },
    /// 10 to 20 % of the calls are slow.
    Some,
    /// The service has this share of its capacity. Calls take longer the more are in flight, so it does not recover by
    /// itself at the end of the fault.
    Overload {
        /// The remaining capacity, as a ratio.
        capacity: f64,
    },
}

/// The behaviour of rejected callers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Callers {
    /// The caller leaves.
    Leave,
    /// The caller retries after the announced wait, until its patience ends.
    ComeBack {
        /// Patience since the first attempt, in seconds.
        patience_s: f64,
        /// Maximum additional delay of a retry, in seconds.
        spread_s: f64,
    },
}

/// The condition of the service at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Condition {
    Well,
    Slow,
    SomeSlow,
    Hanging,
    Fading(f64),
    Loaded { capacity: f64 },
}

/// A fault from its beginning until well after its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scenario {
    /// Its name in the table.
    pub name: &'static str,
    /// The fault.
    pub fault: Fault,
    /// Duration of the fault, in seconds.
    pub fault_s: f64,
    /// Whether the duration varies by up to 30 % between services, so that waits do not end just before or after the
    /// fault for all.
    pub varies: bool,
    /// Duration of the simulation after the fault, in seconds.
    pub after_s: f64,
    /// The behaviour of rejected callers.
    pub callers: Callers,
}

/// The scenarios of the table.
pub fn scenarios() -> [Scenario; 13] {
    let fading = Fault::Fading { thresholds: 4.0, fades_by_e_in_s: 30.0 };
    let crowd = Callers::ComeBack { patience_s: 60.0, spread_s: 0.0 };
    let back_within = |spread_s| Callers::ComeBack { patience_s: 20.0, spread_s };
    let overload = Scenario::new("overload for 10 s", Fault::Overload { capacity: 0.125 }, 10.0, 100.0);
    let again = Fault::Flapping { slow_s: 60.0, fine_s: 50.0 };
    [
        Scenario::new("slow for 2 s", Fault::Slow, 2.0, 90.0),
        Scenario::new("slow for 5 s", Fault::Slow, 5.0, 90.0),
        Scenario::new("slow for 1 min", Fault::Slow, 60.0, 240.0),
        Scenario::new("slow for 10 min", Fault::Slow, 600.0, 400.0),
        Scenario::new("slow 20 s, fine 10 s, for 10 min", Fault::Flapping { slow_s: 20.0, fine_s: 10.0 }, 600.0, 400.0),
        Scenario { varies: false, ..Scenario::new("slow for 1 min, 50 s later for 2 s", again, 112.0, 240.0) },
        Scenario::new("hangs for 1 min", Fault::Hang, 60.0, 240.0),
        Scenario::new("fades over 1 min", fading, 60.0, 240.0),
        Scenario::new("10 to 20 % slow for 5 min", Fault::Some, 300.0, 400.0),
        overload,
        Scenario { name: "overload for 10 s, callers back within 15 s", callers: back_within(15.0), ..overload },
        Scenario { name: "overload for 10 s, callers back within 5 s", callers: back_within(5.0), ..overload },
        Scenario { callers: crowd, ..Scenario::new("slow for 15 s, callers back at once", Fault::Slow, 15.0, 120.0) },
    ]
}

impl Scenario {
    /// Creates a scenario whose rejected callers leave. A fault of a minute or more varies.
    pub const fn new(name: &'static str, fault: Fault, fault_s: f64, after_s: f64) -> Self {
        Self { name, fault, fault_s, varies: fault_s >= 60.0, after_s, callers: Callers::Leave }
    }

    /// Returns the end of the simulation.
    pub(super) fn ends(&self) -> Instant {
        at(WELL_BEFORE_S + self.fault_s + self.after_s)
    }

    pub(super) fn is_load_dependent(&self) -> bool {
        matches!(self.fault, Fault::Overload { .. })
    }

    pub(super) fn condition(&self, now: Instant) -> Condition {
        let since_s = now.since(Instant::ZERO).as_secs_f64() - WELL_BEFORE_S;
        let is_on = (0.0..self.fault_s).contains(&since_s);
        match self.fault {
            Fault::Overload { capacity } => Condition::Loaded { capacity: if is_on { capacity } else { 1.0 } },
            // The fault fades; it does not end.
            Fault::Fading { thresholds, fades_by_e_in_s } if since_s >= 0.0 => {
                Condition::Fading(thresholds * (-since_s / fades_by_e_in_s).exp())
            }
            _ if !is_on => Condition::Well,
            Fault::Slow => Condition::Slow,
            Fault::Flapping { slow_s, fine_s } if since_s % (slow_s + fine_s) < slow_s => Condition::Slow,
            Fault::Hang => Condition::Hanging,
            Fault::Some => Condition::SomeSlow,
            Fault::Flapping { .. } | Fault::Fading { .. } => Condition::Well,
        }
    }
}

/// The instant this many seconds after the clock's start.
pub(super) fn at(seconds: f64) -> Instant {
    Instant::ZERO + Duration::from_secs_f64(seconds)
}
