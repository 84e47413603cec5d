//! The trip decision on independent calls, compared with other methods; `services.rs` has dependent calls.
//!
//! `cargo test -p tripline-tests --test decisions independent_calls -- --nocapture` prints the tables.

use tripline_backends::config::{parse, recommended};
use tripline_core::{Confidence, Latency, Policy};
use tripline_tests::contest::peers::{Peer, Statistic};
use tripline_tests::contest::{HEAD, Life, Score, Tripline};
use tripline_tests::noise::Noise;
use tripline_tests::traffic::{Call, NORMAL_95, Service, Setting, Shape};

/// Services of each shape: 240 healthy and 240 failing ones.
const PER_SHAPE: u64 = 40;

/// What `tripline init` writes, with the threshold of the setting.
fn recommended_policy(setting: &Setting) -> Policy {
    let mut policy = parse(&recommended(), "recommended").unwrap().0.breaker.policy;
    policy.latency_threshold = Latency::from_micros(threshold_us(setting));
    policy
}

fn threshold_us(setting: &Setting) -> u32 {
    (setting.threshold_ms * 1_000.0) as u32
}

fn lives(setting: &Setting, shapes: &[Shape], seeds: std::ops::Range<u64>) -> Vec<Life> {
    let of_shape = |&shape: &Shape| {
        seeds.clone().map(move |seed| Life::new(&Service::draw(shape, setting, seed), threshold_us(setting)))
    };
    shapes.iter().flat_map(of_shape).collect()
}

fn all_shapes() -> Vec<Shape> {
    [Shape::HEALTHY, Shape::FAILING].concat()
}

#[test]
fn the_recommended_configuration_reaches_its_figures_beside_other_ways_of_deciding() {
    let setting = Setting::STEADY;
    let lives = lives(&setting, &all_shapes(), 0..PER_SHAPE);
    println!("{HEAD}");
    for (name, statistic, bound) in [
        ("the original, trend off", Statistic::Original, 0.0),
        ("plain percentile, 21 calls at least", Statistic::Percentile, 0.0),
        ("binomial bound on the window, 0.999", Statistic::Binomial, 6.9),
        ("likelihood ratio over the window, 6", Statistic::LikelihoodRatio, 6.0),
        ("Shiryaev-Roberts for 10 %, e^6", Statistic::ShiryaevRoberts(0.1), 6.0),
        ("one sum, +13 / -1, 59 (exact at 0.9)", Statistic::Cusum(13.0), 59.0),
        ("one sum, +8 / -1, 36 (exact at 0.99)", Statistic::Cusum(8.0), 36.0),
        ("one sum, +5 / -1, 24, calls in flight on top", Statistic::CusumAndInFlight(5.0), 24.0),
    ] {
        println!("{}", Score::of(&mut Peer::new(statistic, bound, threshold_us(&setting)), &lives).row(name));
    }
    let with = |name: &str, confidence: f64, trend: bool| {
        let mut policy = recommended_policy(&setting);
        policy.trip_confidence = Confidence::new(confidence).unwrap();
        policy.trend_analysis = trend;
        if confidence <= 0.0 {
            // Without evidence so few would be no basis for a percentile.
            policy.minimum_samples = None;
        }
        println!("{}", Score::of(&mut Tripline::new(&policy), &lives).row(name));
    };
    with("Tripline, 0 (above is a breach), trend off", 0.0, false);
    with("Tripline, 0, trend on", 0.0, true);
    with("Tripline, 0.8, trend off", 0.8, false);
    with("Tripline, 0.9, trend off", 0.9, false);
    with("Tripline, 0.95, trend on", 0.95, true);
    with("Tripline, 0.99, trend off", 0.99, false);
    let score = Score::of(&mut Tripline::new(&recommended_policy(&setting)), &lives);
    println!("{}", score.row("Tripline as recommended (0.995, trend off)"));

    assert!(score.false_trips.is_empty(), "{:?}", score.false_trips);
    assert_eq!((score.early_trips, score.missed.len()), (0, 0));
    // 20 ms a request: 2.2 s for a step, of which 1.5 s are the tolerance.
    assert!(score.median_delay_of(Shape::Step) <= 110);
    assert!(score.median_delay_of(Shape::Hanging) <= 320);
    assert!(score.median_delay_of(Shape::SlowRamp) <= 600);
}

/// A median of 40 and a count of 240 are uncertain; these are less so.
#[test]
fn the_figures_hold_on_more_services() {
    let setting = Setting::STEADY;
    let score = |lives: &[Life]| Score::of(&mut Tripline::new(&recommended_policy(&setting)), lives);
    let hanging = score(&lives(&setting, &[Shape::Hanging], 100..500));
    println!("12 % hanging, 400 services: {} requests, {} missed", hanging.median_delay(), hanging.missed.len());
    assert!(hanging.missed.is_empty() && hanging.median_delay() <= 300);
    let healthy = score(&lives(&setting, &Shape::HEALTHY, 100..260));
    println!("of 960 healthy services {} tripped: {:?}", healthy.false_trips.len(), healthy.false_trips);
    assert!(healthy.false_trips.len() <= 1, "of 960");
}

/// The guarantee is about a window's length of calls, whatever their rate and threshold, so the score should not hang on them, nor
/// where a pause or a cold start is a burst of many slow calls.
#[test]
fn other_rates_and_thresholds_change_little() {
    println!("{HEAD}");
    for (interval_ms, poisson, threshold_ms, most_false_trips) in [
        (2.0, true, 50.0, 1),
        (20.0, true, 300.0, 1),
        (50.0, true, 2_000.0, 1),
        (200.0, true, 300.0, 1),
        // A cold start of so few calls lasts for half a minute.
        (4_000.0, true, 300.0, 2),
        (5.0, false, 1_000.0, 1),
    ] {
        // At least a minute, of which ten seconds are the warm-up.
        let calls = (60_000.0_f64 / interval_ms).max(3_000.0) as usize;
        let setting = Setting { calls, interval_ms, poisson, threshold_ms };
        let score =
            Score::of(&mut Tripline::new(&recommended_policy(&setting)), &lives(&setting, &all_shapes(), 500..520));
        let arrivals = if poisson { "at random" } else { "evenly" };
        println!("{}", score.row(&format!("a call each {interval_ms} ms, {arrivals}; slow above {threshold_ms} ms")));
        assert!(score.false_trips.len() <= most_false_trips, "of 120: {:?}", score.false_trips);
        assert!(score.missed.is_empty(), "{:?}", score.missed);
    }
}

/// What the percentile lies above for good, if only by a little, is found in the end.
#[test]
fn a_level_a_fifth_above_the_threshold_is_found_in_the_end() {
    for (above, min_found) in [(1.1, 0.3), (1.2, 0.9), (1.35, 1.0)] {
        let delays = delays_of_lasting_levels(above);
        let found = delays.iter().filter(|delay| delay.is_some()).count() as f64 / delays.len() as f64;
        let mut found_after: Vec<usize> = delays.into_iter().flatten().collect();
        found_after.sort_unstable();
        let median = found_after.get(found_after.len() / 2);
        println!(
            "percentile at {above} of the threshold: {:.0} % found within 2,000 requests, median {median:?}",
            100.0 * found
        );
        assert!(found >= min_found, "{above}: {found}");
    }
}

/// Log-normal services whose percentile goes from 0.6 of the threshold to `above` of it after 1,000 of 3,000 calls.
fn delays_of_lasting_levels(above: f64) -> Vec<Option<usize>> {
    const BEFORE: usize = 1_000;
    let setting = Setting::STEADY;
    let service = |seed: u64| {
        let mut noise = Noise::new(seed ^ above.to_bits());
        let sigma = 0.2 + 0.6 * noise.unit();
        let call = |i: usize| {
            let percentile = if i < BEFORE { 0.6 } else { above } * setting.threshold_ms;
            let latency_ms = percentile * (sigma * (noise.gauss() - NORMAL_95)).exp();
            Call { start_us: i as u64 * 20_000, latency_us: (latency_ms * 1_000.0) as u32 }
        };
        let calls = (0..setting.calls).map(call).collect();
        Service { shape: Shape::JustAbove, calls, crossing: Some(BEFORE) }
    };
    let delay = |seed| {
        let life = Life::new(&service(seed), threshold_us(&setting));
        let score = Score::of(&mut Tripline::new(&recommended_policy(&setting)), [&life]);
        score.delays.first().map(|&(_, delay)| delay)
    };
    (0..60).map(delay).collect()
}
