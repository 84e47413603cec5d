//! Event simulation of one breaker between one service and its callers.

use std::time::Duration;

use tripline_core::{Generation, Instant, Latency, StateKind};

use tripline_runtime::test_util::Schedule;

use super::contestant::{Admitted, Contestant};
use super::fault::{Callers, Scenario};
use super::score::{Observer, Score};
use super::service::Service;
use crate::noise::Noise;

/// The score of one contestant in one scenario on one service.
pub fn simulate(service: &Service, scenario: &Scenario, contestant: &mut dyn Contestant) -> Score {
    let scenario = &service.stretched(*scenario);
    let mut simulation = Simulation {
        service,
        scenario,
        watch: Observer::new(service.well_at(scenario)),
        events: Schedule::default(),
        arrivals: Noise::new(service.seed),
        delays: Noise::new(!service.seed),
        calls: 0,
        in_flight: 0,
    };
    simulation.run(contestant);
    simulation.watch.score(scenario.ends())
}

struct Simulation<'a> {
    service: &'a Service,
    scenario: &'a Scenario,
    watch: Observer,
    events: Schedule<Event>,
    arrivals: Noise,
    delays: Noise,
    calls: u64,
    in_flight: usize,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Finish { start: Instant, call: u64, generation: u32, latency: Latency },
    Arrive,
    ComeBack { patient_until: Instant },
}

impl Simulation<'_> {
    fn run(&mut self, contestant: &mut dyn Contestant) {
        self.schedule(Instant::ZERO, Event::Arrive);
        let mut now = Instant::ZERO;
        while let Some(next_at) = self.events.next_at() {
            // A contestant that stays due at one instant must not stop time.
            let look = contestant.next_look().filter(|&look| now < look && look < next_at);
            now = look.unwrap_or(next_at);
            if now >= self.scenario.ends() {
                return;
            }
            if look.is_some() {
                contestant.look(now);
            } else if let Some((_, event)) = self.events.pop() {
                self.handle(now, event, contestant);
            }
            self.watch.state(now, contestant.state());
        }
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        // Ends of calls precede new calls at the same instant.
        let is_call_to_come = !matches!(event, Event::Finish { .. });
        self.events.add(at, u8::from(is_call_to_come), event);
    }

    fn handle(&mut self, now: Instant, event: Event, contestant: &mut dyn Contestant) {
        match event {
            Event::Finish { start, call, generation, latency } => {
                self.in_flight -= 1;
                let call = Admitted { number: call, start, generation: Generation::new(generation) };
                self.watch.finished(call, latency > self.service.threshold);
                contestant.finished(now, call, latency);
            }
            Event::Arrive => {
                let next = now + self.service.until_next(self.scenario, &mut self.arrivals);
                self.schedule(next, Event::Arrive);
                let patience = match self.scenario.callers {
                    Callers::Leave => Duration::ZERO,
                    Callers::ComeBack { patience_s, .. } => Duration::from_secs_f64(patience_s),
                };
                self.ask(now, now + patience, contestant);
            }
            Event::ComeBack { patient_until } => self.ask(now, patient_until, contestant),
        }
    }

    fn ask(&mut self, now: Instant, patient_until: Instant, contestant: &mut dyn Contestant) {
        self.calls += 1;
        let latency = self.service.latency(self.scenario, self.calls, now, self.in_flight + 1);
        let slow = latency > self.service.threshold;
        match contestant.ask(now, self.calls) {
            Ok(call) => {
                self.in_flight += 1;
                self.watch.admitted(call, slow, contestant.state() == StateKind::HalfOpen);
                let generation = call.generation.get();
                let finish = Event::Finish { start: now, call: call.number, generation, latency };
                self.schedule(now + Duration::from(latency), finish);
            }
            Err(wait) => {
                let spread = match self.scenario.callers {
                    Callers::Leave => 0.0,
                    Callers::ComeBack { spread_s, .. } => spread_s * self.delays.unit(),
                };
                // No caller retries at the very instant of its rejection.
                let back = now + wait.max(Duration::from_millis(1)) + Duration::from_secs_f64(spread);
                if back <= patient_until {
                    self.schedule(back, Event::ComeBack { patient_until });
                } else {
                    self.watch.rejected(slow);
                }
            }
        }
    }
}
