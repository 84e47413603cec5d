//! Random incidents, observations, policies and restarts: staging logs the same as the naive model, and keeps its
//! guarantees.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner, contextualize_config};
use tripline_core::{
    Escalation, EscalationPolicy, Incident, IncidentCause, IncidentEnd, MonotonicInstant, Observation, Stage, Triggers,
    TripReason,
};
use tripline_tests::staging_model::{LoggedAlert, ModelIncident, StagingModel};

#[derive(Debug, Clone)]
enum Input {
    Pass(u64),
    /// The next incident begins, unless one is on.
    Begin(IncidentCause),
    /// The breaker opens in the incident.
    Trip(TripReason),
    Bad(bool),
    End(IncidentEnd),
    Look,
    /// Everything up to the next deadline happens.
    WaitForDeadline,
    Retune(EscalationPolicy),
    /// Killed, and started again so many seconds later.
    Restart(u64),
}

fn policies() -> impl Strategy<Value = EscalationPolicy> {
    let seconds = || prop::sample::select(vec![0_u64, 5, 60, 300]);
    let triggers = (prop::bool::weighted(0.7), any::<bool>(), any::<bool>(), any::<bool>());
    (seconds(), seconds(), triggers).prop_map(|(escalate_after, cooldown, (open, reset, memory, latency))| {
        let mut triggers = Triggers::default();
        triggers.breaker_open = open;
        triggers.breaker_reset = reset;
        triggers.memory_threshold = memory;
        triggers.latency_threshold = latency;
        let mut policy = EscalationPolicy::default();
        policy.triggers = triggers;
        policy.escalate_after = Duration::from_secs(escalate_after);
        policy.cooldown = Duration::from_secs(cooldown);
        policy
    })
}

fn reasons() -> impl Strategy<Value = TripReason> {
    prop::sample::select(TripReason::ALL.to_vec())
}

fn inputs() -> impl Strategy<Value = Input> {
    let causes = prop_oneof![2 => reasons().prop_map(IncidentCause::Trip), 1 => Just(IncidentCause::LatencyCondition),
        1 => Just(IncidentCause::MemoryCondition)];
    let ends = prop_oneof![Just(IncidentEnd::Healthy), Just(IncidentEnd::Operator)];
    prop_oneof![
        8 => prop_oneof![3 => 0..10_u64, 3 => 0..100_u64, 1 => 0..1_000_u64].prop_map(Input::Pass),
        8 => causes.prop_map(Input::Begin),
        3 => reasons().prop_map(Input::Trip),
        4 => any::<bool>().prop_map(Input::Bad),
        4 => ends.prop_map(Input::End),
        12 => Just(Input::Look),
        6 => Just(Input::WaitForDeadline),
        1 => policies().prop_map(Input::Retune),
        2 => (0..400_u64).prop_map(Input::Restart),
    ]
}

/// Escalation and the model with the same inputs.
struct Pair {
    staging: Escalation,
    model: StagingModel,
    incidents: Vec<ModelIncident>,
    is_unhealthy: bool,
    now: Duration,
    /// The clock that staging is shown began then.
    clock_began: Duration,
    logged: Vec<LoggedAlert>,
}

impl Pair {
    fn new(policy: EscalationPolicy) -> Self {
        Self {
            staging: Escalation::new(policy),
            model: StagingModel::default(),
            incidents: Vec::new(),
            is_unhealthy: false,
            now: Duration::ZERO,
            clock_began: Duration::ZERO,
            logged: Vec::new(),
        }
    }

    fn feed(&mut self, input: &Input) {
        match *input {
            Input::Pass(seconds) => self.now += Duration::from_secs(seconds),
            Input::Begin(cause) if self.on().is_none() => {
                let trip = if let IncidentCause::Trip(reason) = cause { Some(reason) } else { None };
                self.incidents.push(ModelIncident { began: self.now, cause, trip, end: None });
                self.is_unhealthy = trip.is_some();
            }
            Input::Trip(reason) => {
                if let Some(incident) = self.on() {
                    incident.trip.get_or_insert(reason);
                    self.is_unhealthy = true;
                }
            }
            Input::Bad(is_unhealthy) => self.is_unhealthy = is_unhealthy,
            Input::End(end) => {
                if let Some(incident) = self.on() {
                    incident.end = Some(end);
                }
            }
            Input::Look => self.look(),
            Input::WaitForDeadline => {
                self.look();
                if let Some(deadline) = self.staging.poll_timeout() {
                    let now = self.clock_began + deadline.since(MonotonicInstant::ZERO);
                    assert!(now > self.now, "a deadline is never in the past");
                    self.now = now;
                    let before = self.logged.len();
                    self.look();
                    // Only an escalation may find that there is nothing to escalate, and then it waits for a breach.
                    assert!(self.logged.len() > before || self.staging.waits_for_breach(), "nothing was due");
                }
            }
            Input::Retune(policy) => self.staging.handle_policy(policy),
            Input::Restart(seconds) => self.restart(Duration::from_secs(seconds)),
            Input::Begin(_) => {}
        }
    }

    fn on(&mut self) -> Option<&mut ModelIncident> {
        self.incidents.last_mut().filter(|incident| incident.end.is_none())
    }

    fn look(&mut self) {
        let before = self.model.log.len();
        self.model.look(self.now, &self.incidents, self.is_unhealthy, self.staging.policy());
        self.staging.handle(self.observation());
        let transitions: Vec<LoggedAlert> = std::iter::from_fn(|| self.staging.poll_transition())
            .map(|it| LoggedAlert { at: self.now, incident: it.incident, kind: it.kind, stage: it.stage })
            .collect();
        let last = self.incidents.len() as u32;
        let expected: Vec<LoggedAlert> = self.model.log[before..].iter().map(|entry| blurred(*entry, last)).collect();
        let actual: Vec<LoggedAlert> = transitions.iter().map(|entry| blurred(*entry, last)).collect();
        assert_eq!(actual, expected, "at {:?}", self.now);
        self.logged.extend(transitions);
    }

    fn observation(&self) -> Observation {
        let at = |when: Duration| MonotonicInstant::ZERO + when.saturating_sub(self.clock_began);
        let incident = self.incidents.last().map(|last| Incident {
            number: self.incidents.len() as u32,
            began_at: at(last.began),
            cause: last.cause,
            trip: last.trip,
            end: last.end,
            end_before: self.incidents.iter().rev().nth(1).and_then(|before| before.end),
        });
        Observation { at: at(self.now), incident, is_unhealthy: self.is_unhealthy }
    }

    /// The incident of which nothing was saved is lost with the process; so it looks before.
    fn restart(&mut self, away: Duration) {
        self.look();
        let mut saved = self.staging.save();
        if let Some(incident) = &mut saved.incident {
            incident.age += away;
        }
        for age in saved.created_ago.iter_mut().flatten() {
            *age += away;
        }
        self.now += away;
        self.clock_began = self.now;
        let number = self.incidents.len() as u32;
        self.staging = Escalation::restore(*self.staging.policy(), MonotonicInstant::ZERO, number, &saved);
    }

    /// What holds whatever happened.
    fn keeps_its_promises(&mut self) {
        if let Some(incident) = self.on() {
            incident.end = Some(IncidentEnd::Healthy);
        }
        self.look();
        let mut stages = BTreeMap::<_, Vec<Stage>>::new();
        for entry in &self.logged {
            stages.entry((entry.incident, entry.kind)).or_default().push(entry.stage);
        }
        for (alert, stages) in stages {
            let (last, others) = stages.split_last().unwrap();
            assert!(last.is_end(), "{alert:?} is closed");
            assert!(others.len() == 1 || others == [Stage::Initial, Stage::Escalated], "{alert:?}: {others:?}");
            assert!(others.iter().all(|stage| !stage.is_end()), "{alert:?}: {others:?}");
        }
        assert!(self.staging.pending().is_none());
    }
}

/// How an incident ended is known of the last two only.
fn blurred(entry: LoggedAlert, last: u32) -> LoggedAlert {
    match entry.stage {
        Stage::Resolved(_) if entry.incident + 1 < last => {
            LoggedAlert { stage: Stage::Resolved(IncidentEnd::Operator), ..entry }
        }
        _ => entry,
    }
}

#[test]
fn staging_sends_what_the_model_sends() {
    let fixed = ProptestConfig { cases: 1_500, rng_seed: RngSeed::Fixed(4), ..ProptestConfig::default() };
    let mut config = contextualize_config(fixed);
    config.failure_persistence = None;
    let seen = RefCell::new(BTreeSet::new());
    TestRunner::new(config)
        .run(&(policies(), vec(inputs(), 1..80)), |(policy, inputs)| {
            let mut pair = Pair::new(policy);
            for input in &inputs {
                pair.feed(input);
            }
            pair.keeps_its_promises();
            seen.borrow_mut().extend(pair.logged.iter().map(|entry| format!("{:?} {:?}", entry.kind, entry.stage)));
            Ok(())
        })
        .unwrap();
    let seen = seen.into_inner();
    // A test that never came to an escalation would show nothing.
    for kind in ["CircuitOpen", "MemoryThreshold", "LatencyThreshold"] {
        for stage in ["Single", "Initial", "Escalated", "Resolved(Healthy)", "Resolved(Operator)"] {
            assert!(seen.contains(&format!("{kind} {stage}")), "{kind} {stage} never came");
        }
    }
    assert!(seen.contains("LatencyThreshold Superseded") && seen.contains("MemoryThreshold Superseded"));
}
