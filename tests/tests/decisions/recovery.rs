//! Rejected calls, admitted slow calls and time to recover: Tripline compared with common kinds of breakers.
//!
//! `cargo test -p tripline-tests --test decisions recovery -- --nocapture` prints the tables.

use std::fmt::Write;
use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tripline_backends::config::{self, parse};
use tripline_core::{Backoff, Policy, TripAfter};
use tripline_tests::recovery::{
    Callers, Consecutive, Contestant, Fault, FixedWait, HEADER, Medians, NoBreaker, Scenario, Score, Service, Tripline,
    row, scenarios, simulate,
};

const SERVICES: u64 = 20;
const WAIT_S: f64 = 10.0;
const JITTER: f64 = 0.1;
const PROBES: usize = 5;

const TRIPLINE: &str = "Tripline";
const FIXED_WAIT: &str = "fixed wait";
const NO_BREAKER: &str = "none";

const SLOW_2_S: &str = "slow for 2 s";
const SLOW_5_S: &str = "slow for 5 s";
const SLOW_1_MIN: &str = "slow for 1 min";
const SLOW_10_MIN: &str = "slow for 10 min";
const FLAPPING: &str = "slow 20 s, fine 10 s, for 10 min";
const HANGS: &str = "hangs for 1 min";
const PARTLY: &str = "10 to 20 % slow for 5 min";
const OVERLOAD: &str = "overload for 10 s";
const STORM: &str = "overload for 10 s, callers back within 5 s";
const CROWD: &str = "slow for 15 s, callers back at once";

/// A name in the table, and how to make one for a service.
type Entrant = (&'static str, fn(&Service) -> Box<dyn Contestant>);

const ENTRANTS: [Entrant; 5] = [
    (TRIPLINE, |service| tripline(recommended(service), service)),
    ("Tripline, backoff 1", |service| tripline(waiting(service, 1.0, 60), service)),
    (FIXED_WAIT, |service| Box::new(FixedWait::new(service.threshold))),
    ("5 in a row, 1 probe", |service| Box::new(Consecutive::new(service.threshold))),
    (NO_BREAKER, |_| Box::new(NoBreaker)),
];

/// What `tripline init` writes, with the threshold of this service.
fn recommended(service: &Service) -> Policy {
    let mut policy = parse(&config::recommended(), "recommended").unwrap().0.breaker.policy;
    policy.latency_threshold = service.threshold;
    // The waits are judged here; how long evidence must last has tests of its own.
    policy.trip_after = TripAfter::Millis(0);
    policy
}

fn waiting(service: &Service, backoff: f64, at_most_s: u64) -> Policy {
    let mut policy = recommended(service);
    policy.wait_backoff = Backoff::new(backoff).unwrap();
    policy.max_wait_time = Duration::from_secs(at_most_s);
    policy
}

fn tripline(policy: Policy, service: &Service) -> Box<dyn Contestant> {
    Box::new(Tripline::new(policy, service.seed).unwrap())
}

/// More than six calls take to come, also at random, and the last of them to finish, when the service is well.
fn probing_s(service: &Service, scenario: &Scenario) -> f64 {
    20.0 * service.interval(scenario).as_secs_f64() + 2.0 * service.threshold.as_millis_f64() / 1e3
}

fn services() -> impl Iterator<Item = Service> {
    (0..SERVICES).map(Service::draw)
}

/// Works on all of `items` with all the processors there are; in their order.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        std::iter::from_fn(|| {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).map(|item| (index, work(item)))
        })
        .collect::<Vec<_>>()
    };
    let mut results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..thread::available_parallelism().map_or(1, NonZero::get)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    results.sort_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// All services in one scenario with one breaker.
struct Cell {
    scenario: Scenario,
    entrant: &'static str,
    /// One per service, in the same order everywhere.
    scores: Vec<Score>,
}

static CELLS: LazyLock<Vec<Cell>> = LazyLock::new(|| {
    let pairs: Vec<_> =
        scenarios().into_iter().flat_map(|scenario| ENTRANTS.map(|entrant| (scenario, entrant))).collect();
    in_parallel(&pairs, |&(scenario, (entrant, make))| Cell {
        scenario,
        entrant,
        scores: services().map(|service| simulate(&service, &scenario, &mut *make(&service))).collect(),
    })
});

fn scores(scenario: &str, entrant: &str) -> &'static [Score] {
    let found = CELLS.iter().find(|cell| cell.scenario.name == scenario && cell.entrant == entrant);
    &found.unwrap().scores
}

fn medians(scenario: &str, entrant: &str) -> Medians {
    Medians::of(scores(scenario, entrant))
}

fn scenario(name: &str) -> Scenario {
    scenarios().into_iter().find(|scenario| scenario.name == name).unwrap()
}

/// The scores of the recommended settings with something changed.
fn scores_with(scenario: &Scenario, policy: impl Fn(&Service) -> Policy) -> Vec<Score> {
    services().map(|service| simulate(&service, scenario, &mut *tripline(policy(&service), &service))).collect()
}

#[test]
fn under_every_fault_fewer_slow_calls_pass_than_without_a_breaker_and_it_closes_again() {
    let mut table = format!("Medians of {SERVICES} services.\n\n{HEADER}\n");
    for cell in CELLS.iter() {
        writeln!(table, "{}", row(cell.scenario.name, cell.entrant, &Medians::of(&cell.scores))).unwrap();
    }
    println!("{table}");
    for scenario in scenarios() {
        let (ours, unprotected) = (medians(scenario.name, TRIPLINE), medians(scenario.name, NO_BREAKER));
        // Callers that all return within 5 s overload the recovered service again: no breaker of the table closes for good.
        let is_back = ours.back_after_s.is_finite() || scenario.name == STORM;
        assert!(ours.openings >= 1.0 && is_back, "{}: {ours:?}", scenario.name);
        assert!(ours.admitted_slow < unprotected.admitted_slow, "{}: {ours:?}, {unprotected:?}", scenario.name);
    }
}

/// What a longer wait costs and brings: `max_wait_time` trades rejected good calls for admitted slow ones.
#[test]
fn a_shorter_max_wait_rejects_far_fewer_good_calls_and_admits_few_more_slow_ones() {
    let longest = [30, 60, 120, 300];
    let names = [SLOW_1_MIN, SLOW_10_MIN, FLAPPING, PARTLY];
    let pairs: Vec<_> = names.iter().flat_map(|name| longest.map(|at_most_s| (scenario(name), at_most_s))).collect();
    let all =
        in_parallel(&pairs, |(scenario, at_most_s)| scores_with(scenario, |service| waiting(service, 2.0, *at_most_s)));
    println!("{HEADER}");
    for ((scenario, at_most_s), scores) in pairs.iter().zip(&all) {
        println!("{}", row(scenario.name, &format!("max_wait_time {at_most_s} s"), &Medians::of(scores)));
        for (score, service) in scores.iter().zip(services()).filter(|_| scenario.name == SLOW_10_MIN) {
            let most = *at_most_s as f64 * (1.0 + JITTER) + probing_s(&service, scenario);
            assert!(score.back_after_s.unwrap() <= most, "{at_most_s} s: {score:?}");
        }
    }
    println!();
    let of = |wanted: u64| {
        let found = pairs.iter().position(|(scenario, at_most_s)| scenario.name == SLOW_10_MIN && *at_most_s == wanted);
        Medians::of(&all[found.unwrap()])
    };
    assert!(of(60).rejected_good < of(300).rejected_good / 2.0);
    assert!(of(60).admitted_slow < of(300).admitted_slow * 2.5);
    assert!(of(60).admitted_slow < medians(SLOW_10_MIN, FIXED_WAIT).admitted_slow / 10.0);
}

/// One probe is believed too soon where only some calls are slow; many let more slow calls through where all are. A trip within 60 s of
/// closing makes the wait grow as a failed probe does, so a single probe that closes wrongly costs one detection, not a series of
/// short waits: the breaker opens as often with each number of probes, and one probe lets through less than three times what five do.
#[test]
fn a_few_probes_see_more_than_one_and_cost_less_than_many() {
    let probes = [1, 3, 5, 10];
    let pairs: Vec<_> =
        [SLOW_10_MIN, PARTLY].iter().flat_map(|name| probes.map(|probes| (scenario(name), probes))).collect();
    let all = in_parallel(&pairs, |&(scenario, probes)| {
        let scores = scores_with(&scenario, |service| {
            let mut policy = recommended(service);
            policy.half_open_max_calls = probes;
            policy
        });
        Medians::of(&scores)
    });
    println!("{HEADER}");
    for ((scenario, probes), medians) in pairs.iter().zip(&all) {
        println!("{}", row(scenario.name, &format!("half_open_max_calls {probes}"), medians));
    }
    println!();
    let slow = |index: usize| all[index].admitted_slow;
    assert!(slow(2) < slow(3), "10 probes let more slow calls through than 5 where all are slow");
    assert!(slow(6) < slow(4) * 0.65, "5 probes let fewer slow calls through than 1 where some are slow");
    let opened = |index: usize| all[index].openings;
    assert!(opened(4) <= opened(6) * 1.5, "the waits grow with one probe too");
}

#[test]
fn the_same_seed_gives_the_same_scores() {
    for name in [SLOW_5_S, OVERLOAD, CROWD] {
        for (entrant, make) in ENTRANTS {
            let service = Service::draw(7);
            let score = simulate(&service, &scenario(name), &mut *make(&service));
            assert_eq!(score, scores(name, entrant)[7], "{name}, {entrant}");
        }
    }
}

#[test]
fn a_service_that_is_well_is_left_alone() {
    let well = Scenario::new("well", Fault::Slow, 0.0, 600.0);
    for score in scores_with(&well, recommended) {
        assert_eq!((score.openings.len(), score.rejected), (0, 0));
    }
}

#[test]
fn a_dependency_that_stays_slow_is_asked_ever_more_rarely() {
    let longest_s = recommended(&Service::draw(0)).max_wait_time.as_secs_f64();
    for minutes in [1, 5, 30] {
        let lasting = Scenario::new("lasting", Fault::Slow, f64::from(minutes) * 60.0, 0.0);
        // Long faults last up to 30 % longer.
        let lasts_s = lasting.fault_s * 1.3;
        let grown = (1.0 + lasts_s / (WAIT_S * (1.0 - JITTER))).log2().min((longest_s / WAIT_S).log2() + 1.0);
        let at_the_longest = lasts_s / (longest_s * (1.0 - JITTER));
        let most = 2.0 + grown + if lasts_s > 2.0 * longest_s { at_the_longest } else { 0.0 };
        for (score, service) in scores_with(&lasting, recommended).iter().zip(services()) {
            let openings = &score.openings;
            assert!(!openings.is_empty() && openings.len() as f64 <= most, "{minutes} min: {openings:?}, not {most}");
            assert!(openings.iter().skip(1).all(|opening| !opening.from_closed), "it never closed: {openings:?}");
            let until_asked = probing_s(&service, &lasting);
            for pair in openings.windows(2) {
                // Jitter may take a tenth off the later one, and have given a tenth to the earlier one.
                let least = (pair[0].span_s - until_asked) * 2.0 * (1.0 - JITTER) / (1.0 + JITTER);
                assert!(pair[1].span_s >= least.min(longest_s * (1.0 - JITTER)), "{openings:?}");
                assert!(pair[0].span_s <= longest_s * (1.0 + JITTER) + until_asked, "{openings:?}");
            }
        }
    }
}

#[test]
fn after_a_short_fault_it_is_back_once_the_wait_and_the_probes_are_over() {
    for name in [SLOW_2_S, SLOW_5_S] {
        let scenario = scenario(name);
        for (score, service) in scores(name, TRIPLINE).iter().zip(services()) {
            let [opening] = score.openings[..] else { panic!("{name}: {score:?}") };
            let closed_at_s = 60.0 + scenario.fault_s + score.back_after_s.unwrap();
            let not_closed_s = closed_at_s - opening.at_s;
            let most = WAIT_S + probing_s(&service, &scenario);
            assert!((WAIT_S..most).contains(&not_closed_s), "{name}: {not_closed_s} s, not {most}");
        }
    }
}

#[test]
fn a_short_fault_costs_no_more_good_calls_than_with_a_fixed_wait() {
    for name in [SLOW_2_S, SLOW_5_S] {
        assert!(medians(name, TRIPLINE).rejected_good <= medians(name, FIXED_WAIT).rejected_good, "{name}");
        assert!(medians(name, TRIPLINE).admitted_slow <= medians(name, FIXED_WAIT).admitted_slow, "{name}");
        for (ours, theirs) in scores(name, TRIPLINE).iter().zip(scores(name, FIXED_WAIT)) {
            let most = theirs.rejected_good as f64 * 1.1 + 10.0;
            assert!(ours.rejected_good as f64 <= most, "{name}: {}, not {most}", ours.rejected_good);
        }
    }
}

#[test]
fn under_a_lasting_fault_far_fewer_slow_calls_are_let_through_than_with_a_fixed_wait() {
    for (name, times_fewer) in [(SLOW_1_MIN, 3), (SLOW_10_MIN, 15), (HANGS, 15), (FLAPPING, 2)] {
        for (ours, theirs) in scores(name, TRIPLINE).iter().zip(scores(name, FIXED_WAIT)) {
            let (ours, theirs) = (ours.admitted_slow, theirs.admitted_slow);
            assert!(ours * times_fewer <= theirs, "{name}: {ours} slow calls, and {theirs} with a fixed wait");
        }
    }
}

#[test]
fn never_are_more_probes_let_through_than_allowed() {
    for cell in CELLS.iter().filter(|cell| cell.entrant == TRIPLINE) {
        let most = cell.scores.iter().map(|score| score.most_probes).max();
        assert_eq!(most, Some(PROBES), "{}", cell.scenario.name);
    }
    let crowd = scenario(CROWD);
    for probes in [1, 3, 20] {
        let limited = |service: &Service| {
            let mut policy = recommended(service);
            policy.half_open_max_calls = probes;
            policy
        };
        for score in scores_with(&crowd, limited) {
            assert_eq!(score.most_probes, usize::from(probes));
        }
    }
}

/// A thousand callers wait for the very instant at which a breaker lets calls through again, and the service is still slow.
#[test]
fn a_crowd_that_waits_for_the_end_of_the_wait_is_no_stampede() {
    let busy = |service: Service| service.with_interval(Duration::from_millis(10));
    let crowd = Scenario { callers: Callers::ComeBack { patience_s: 60.0, spread_s: 0.0 }, ..scenario(CROWD) };
    for service in services().map(busy) {
        let ours = simulate(&service, &crowd, &mut *tripline(recommended(&service), &service));
        let theirs = simulate(&service, &crowd, &mut FixedWait::new(service.threshold));
        assert!(theirs.most_slow_at_once >= 900, "{theirs:?}");
        // Beside the probes there are the few slow calls of a service that is well again.
        assert!(ours.most_slow_at_once <= 3 * PROBES, "{ours:?}");
    }
}

#[test]
fn an_overloaded_service_that_cannot_come_back_by_itself_does_when_calls_are_rejected() {
    for (ours, unprotected) in scores(OVERLOAD, TRIPLINE).iter().zip(scores(OVERLOAD, NO_BREAKER)) {
        assert_eq!(ours.openings.len(), 1, "{ours:?}");
        assert!(ours.back_after_s.unwrap() < WAIT_S, "{ours:?}");
        assert!(ours.admitted_slow * 20 <= unprotected.admitted_slow, "{ours:?}");
    }
}

#[test]
fn the_wait_falls_back_when_the_incident_is_over() {
    let twice = Scenario::new("twice", Fault::Flapping { slow_s: 60.0, fine_s: 300.0 }, 800.0, 120.0);
    for (score, service) in scores_with(&twice, recommended).iter().zip(services()) {
        let until_asked = probing_s(&service, &twice);
        let trips: Vec<_> = score.openings.iter().filter(|opening| opening.from_closed).collect();
        assert!(trips.len() >= 2, "{score:?}");
        assert!(trips.iter().all(|trip| trip.span_s <= WAIT_S + until_asked), "{:?}", score.openings);
        let longest = score.openings.iter().map(|opening| opening.span_s).fold(0.0, f64::max);
        assert!(longest >= 4.0 * WAIT_S * (1.0 - JITTER), "it had grown: {:?}", score.openings);
    }
}
