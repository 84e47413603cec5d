//! The calls of the family and the optional breaker, and the commands of their operators.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use smol::future::or;
use tripline_runtime::{Breaker, Clock as _};

use super::callers;
use super::extras::{Extra, ExtraStep, FAMILY, KEYS, OPTIONAL};
use super::mood::Mood;
use super::operator::{self, Answer, Command};
use super::script::What;
use super::state::{MINUTE, Simulation};

type Findings = Rc<RefCell<Vec<(&'static str, String)>>>;

impl Simulation {
    /// Makes a call of each, and returns the time until the next ones.
    pub(super) fn call_extras(&mut self) -> Duration {
        let now = self.world.now();
        let circuits = self.process.as_ref().map(|process| process.circuits.clone());
        if let Some(circuits) = circuits.filter(|_| !self.seen.is_stopping) {
            let optional = circuits.get(OPTIONAL);
            let is_bad = optional.is_some() && self.extras.optional != Mood::Healthy;
            self.extras.optional_bad_since = is_bad.then(|| self.extras.optional_bad_since.unwrap_or(now));
            if let Some(circuit) = optional {
                self.call(circuit.breaker(), self.extras.optional);
            }
            let family = circuits.family(FAMILY);
            for key in KEYS {
                let is_first = key == KEYS[0];
                if !is_first && self.extras.random.chance(0.5) {
                    continue;
                }
                let Some(Ok(member)) = family.as_ref().map(|family| family.get(key)) else { continue };
                let mood = if is_first { self.extras.tenant } else { Mood::Healthy };
                if is_first {
                    // Where there is no room the shared member guards it, with the calls of others.
                    let is_bad = mood != Mood::Healthy && member.key() == Some(key);
                    self.extras.tenant_bad_since = is_bad.then(|| self.extras.tenant_bad_since.unwrap_or(now));
                }
                self.call(&member, mood);
            }
        }
        let mean = if self.extras.is_healthy() { 10_000 } else { 1_500 };
        self.extras.random.around(Duration::from_millis(mean)).max(Duration::from_millis(50))
    }

    fn call(&mut self, breaker: &Breaker, mood: Mood) {
        let planned = callers::plan(mood, &mut self.extras.random);
        let (Some(process), Ok(permit)) = (&self.process, breaker.try_start_owned()) else { return };
        let (clock, end) = (self.world.clock(), self.world.now() + planned.latency);
        process.spawn(&self.world, async move {
            clock.sleep_until(end).await;
            permit.finish(planned.outcome);
        });
    }

    /// Applies the lasting faults of their services.
    pub(super) fn apply_extras(&mut self, active: &[What]) {
        let mood = |extra| {
            let moods = active.iter().rev().filter_map(|what| match what {
                What::Extra(ExtraStep::Unhealthy(other, mood)) if *other == extra => Some(*mood),
                _ => None,
            });
            moods.into_iter().next().unwrap_or(Mood::Healthy)
        };
        (self.extras.optional, self.extras.tenant) = (mood(Extra::Optional), mood(Extra::Tenant));
    }

    /// Sends a command to the family, or to the member of the first key, which may not exist.
    pub(super) fn operate_family(&mut self, is_member: bool, command: Command, findings: &Findings) {
        if self.seen.is_stopping {
            return;
        }
        self.truths[0].touched = self.world.now();
        let Some(process) = &self.process else { return };
        let (router, findings, clock) = (process.router.clone(), findings.clone(), self.world.clock());
        let target = if is_member { format!("{FAMILY}/keys/{}", KEYS[0]) } else { FAMILY.to_owned() };
        let late = clock.now() + 2 * MINUTE;
        process.spawn(&self.world, async move {
            let missing = async {
                clock.sleep_until(late).await;
                Answer { status: 0, text: "no answer in time".to_owned() }
            };
            let answer = or(operator::command(router, &target, command), missing).await;
            let is_expected = matches!(answer.status, 200 | 409) || is_member && answer.status == 404;
            if !is_expected {
                let detail = format!("{target}: {command:?}: {} {}", answer.status, answer.text);
                findings.borrow_mut().push(("answers", detail));
            }
        });
    }

    /// Marks the alerts of breakers that the process that starts does not have: no process knows of them.
    pub(super) fn lose_removed(&self) {
        let Some(process) = &self.process else { return };
        let config = process.live.config();
        let mut network = self.platform.network.state();
        network.service.lose(|alert| config.settings_of(&alert.breaker).is_none());
    }
}
