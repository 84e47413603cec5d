//! The tables, with the targets beside the measured values.

use std::fmt::Write as _;

use super::judge::{self, Result};
use super::{Failing, Harsh, Healthy, Kind};

/// Rate from which on a window covers about a second.
pub const BUSY: f64 = 50.0;

/// The table of methods over the healthy services that the filter takes.
pub fn methods(results: &[Result], names: &[&str], takes: impl Fn(&Result) -> bool) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "| method | tripping, of pairs | false trips/h | rejected | seconds of traffic a day |");
    let _ = writeln!(text, "|---|---|---|---|---|");
    for (method, name) in names.iter().enumerate() {
        let s = judge::healthy(results, method, &takes);
        let _ = writeln!(
            text,
            "| {name} | {} of {} ({:.1} %) | {:.3} | {:.4} % | {:.0} |",
            s.tripping,
            s.pairs,
            percent(s.tripping, s.pairs),
            s.trips_an_hour,
            s.rejected * 100.0,
            s.rejected_s_a_day
        );
    }
    text
}

/// The table of failing kinds: median seconds to the trip, m missed, e early.
pub fn failing(results: &[Result], names: &[&str], takes: impl Fn(&Result) -> bool) -> String {
    let mut text = format!("| kind | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(names.len()));
    for kind in Failing::ALL {
        let _ = write!(text, "| {kind:?} |");
        for method in 0..names.len() {
            let f = judge::failures(results, method, |r| r.kind == Kind::Failing(kind) && takes(r));
            let _ = write!(text, " {:.2}", f.median_s());
            if f.missed > 0 {
                let _ = write!(text, " m{}", f.missed);
            }
            if f.early > 0 {
                let _ = write!(text, " e{}", f.early);
            }
            let _ = write!(text, " |");
        }
        text.push('\n');
    }
    text
}

/// Each healthy kind: services tripping and trips an hour.
pub fn kinds(results: &[Result], names: &[&str], takes: impl Fn(&Result) -> bool) -> String {
    let mut text = format!("| kind | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(names.len()));
    let kinds = Healthy::ALL.into_iter().map(Kind::Healthy).chain(Harsh::ALL.into_iter().map(Kind::Harsh));
    for kind in kinds {
        let _ = write!(text, "| {kind:?} |");
        for method in 0..names.len() {
            let s = judge::healthy(results, method, |r| r.kind == kind && takes(r));
            let _ = write!(text, " {}/{} {:.2} |", s.tripping, s.pairs, s.trips_an_hour);
        }
        text.push('\n');
    }
    text
}

/// Cost of one failure of ten minutes a day, and of the calls rejected on a healthy day.
pub fn costs(results: &[Result], names: &[&str]) -> String {
    let mut text = String::from("| method | failure | healthy | a day | missed |\n|---|---|---|---|---|\n");
    for (method, name) in names.iter().enumerate() {
        let (failure_s, healthy_s, missed) = cost(results, method);
        let sum_s = failure_s + healthy_s;
        let _ = writeln!(text, "| {name} | {failure_s:.1} | {healthy_s:.1} | {sum_s:.1} | {missed} |");
    }
    text
}

fn cost(results: &[Result], method: usize) -> (f64, f64, usize) {
    let failures = judge::failures(results, method, |r| r.rate >= BUSY);
    let healthy = judge::healthy(results, method, |r| r.rate >= BUSY);
    (failures.cost_s, healthy.rejected_s_a_day, failures.missed)
}

/// A target and the measured value.
#[derive(Debug, Clone)]
pub struct Target {
    /// The measured quantity.
    pub what: String,
    /// The measured value.
    pub measured: f64,
    /// The maximum.
    pub at_most: f64,
}

impl Target {
    /// Whether the measured value is allowed.
    pub fn is_reached(&self) -> bool {
        self.measured <= self.at_most
    }

    /// A row of the table.
    pub fn row(&self) -> String {
        let verdict = if self.is_reached() { "yes" } else { "NO" };
        format!("| {} | {:.4} | {:.4} | {verdict} |", self.what, self.at_most, self.measured)
    }
}

/// The targets of the method at `method`, with resilience4j's rule at `resilience4j`; harsher kinds and costs from 50 calls a second.
pub fn targets(results: &[Result], method: usize, resilience4j: usize) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |what: &str, measured: f64, at_most: f64| {
        targets.push(Target { what: what.to_owned(), measured, at_most });
    };
    let plain = judge::healthy(results, method, |r| matches!(r.kind, Kind::Healthy(_)));
    add("healthy: services that trip, %", percent(plain.tripping, plain.pairs), 1.0);
    add("healthy: false trips an hour", plain.trips_an_hour, 0.05);
    add("healthy: rejected, %", plain.rejected * 100.0, 0.02);
    let harsh = judge::healthy(results, method, |r| matches!(r.kind, Kind::Harsh(_)) && r.rate >= BUSY);
    add("harsher: services that trip, %", percent(harsh.tripping, harsh.pairs), 6.0);
    add("harsher: false trips an hour", harsh.trips_an_hour, 0.25);
    add("harsher: rejected, %", harsh.rejected * 100.0, 0.07);
    let failing = judge::failures(results, method, |_| true);
    add("failing: missed", failing.missed as f64, 0.0);
    add("failing: tripped early, %", percent(failing.early, failing.pairs), 1.0);
    let mut medians = Vec::new();
    for kind in Failing::ALL {
        let median_s = judge::median_s(results, method, kind, BUSY);
        if kind.is_sudden() {
            add(&format!("{kind:?}: median seconds, from 50/s"), median_s, 1.8);
        }
        if !kind.is_gradual() {
            medians.push(median_s);
        }
        let peer_s = judge::median_s(results, resilience4j, kind, BUSY);
        add(&format!("{kind:?}: seconds later than resilience4j, from 50/s"), median_s - peer_s.min(1e9), 1.5);
        let at_five = |m: usize| judge::failures(results, m, |r| r.kind == Kind::Failing(kind) && r.rate <= 5.0);
        if !kind.is_gradual() && at_five(method).pairs > 0 {
            let ratio = at_five(method).median_s() / at_five(resilience4j).median_s();
            add(&format!("{kind:?}: share of resilience4j's time at 5/s"), ratio, 0.5);
        }
    }
    medians.sort_by(f64::total_cmp);
    add("median of the medians, from 50/s, s", medians.get(medians.len() / 2).copied().unwrap_or(f64::NAN), 2.0);
    let sum = |(failure_s, healthy_s, _): (f64, f64, usize)| failure_s + healthy_s;
    let share = sum(cost(results, method)) / sum(cost(results, resilience4j));
    add("cost a day: share of resilience4j's", share, 0.05);
    targets
}

fn percent(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}
