//! The trip decision, judged on synthetic services beside other ways of deciding. The tables are in `core/src/how_it_decides.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tripline_core::{Confidence, Latency, Policy};
use tripline_tests::contest::peers::{Peer, Statistic};
use tripline_tests::contest::{HEAD, Life, Method, Score, Tripline};
use tripline_tests::traffic::{Setting, Shape};

const PER_SHAPE: u64 = 40;

fn policy(setting: &Setting, confidence: f64, trend: bool) -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_micros((setting.threshold_ms * 1_000.0) as u32);
    policy.trip_confidence = Confidence::new(confidence).unwrap();
    policy.trend_analysis = trend;
    policy
}

fn lives(setting: &Setting, shapes: &[Shape], seeds: std::ops::Range<u64>) -> Vec<Life> {
    let threshold_us = (setting.threshold_ms * 1_000.0) as u32;
    let of_shape = |&shape: &Shape| seeds.clone().map(move |seed| Life::new(&shape.service(setting, seed), threshold_us));
    shapes.iter().flat_map(of_shape).collect()
}

#[test]
fn print_the_table() {
    let setting = Setting::STEADY;
    let threshold_us = 300_000;
    let mut lives_of_all = lives(&setting, &Shape::HEALTHY, 0..PER_SHAPE);
    lives_of_all.extend(lives(&setting, &Shape::FAILING, 0..PER_SHAPE));
    println!("{HEAD}");
    let mut table: Vec<(String, Box<dyn Method>)> = vec![];
    for (name, statistic, bound) in [
        ("original, trend off", Statistic::Original, 0.0),
        ("plain percentile, 21 calls at least", Statistic::Percentile, 0.0),
        ("binomial bound on the window, 0.999", Statistic::Binomial, 6.9),
        ("likelihood ratio over the window, 6", Statistic::LikelihoodRatio, 6.0),
        ("Shiryaev-Roberts of 10 %, e^6", Statistic::ShiryaevRoberts(0.1), 6.0),
        ("one sum of +13 / -1, 59 (exact for 0.9)", Statistic::Cusum(13.0), 59.0),
        ("one sum of +8 / -1, 36 (exact for 0.99)", Statistic::Cusum(8.0), 36.0),
        ("one sum of +5 / -1, 24, and calls in flight on top", Statistic::CusumAndInFlight(5.0), 24.0),
    ] {
        table.push((name.into(), Box::new(Peer::new(statistic, bound, threshold_us))));
    }
    for (confidence, trend) in [(0.0, false), (0.0, true), (0.5, false), (0.8, false), (0.9, false), (0.95, false), (0.95, true), (0.99, false)] {
        let name = format!("tripline, trip_confidence {confidence}, trend {}", if trend { "on" } else { "off" });
        table.push((name, Box::new(Tripline::new(&policy(&setting, confidence, trend)))));
    }
    for (name, mut method) in table {
        let score = Score::of(method.as_mut(), &lives_of_all);
        println!("{}", score.row(&name));
        println!("    {:?} missed {:?}", score.false_trips.iter().fold(std::collections::BTreeMap::<Shape,u32>::new(), |mut m, s| { *m.entry(*s).or_default() += 1; m }), score.missed);
    }
}

#[test]
fn lab_hang() {
    let setting = Setting::STEADY;
    let many = lives(&setting, &[Shape::Hanging], 100..500);
    let pauses = lives(&setting, &[Shape::Pauses,Shape::ColdStart,Shape::HeavyTail,Shape::LogNormal,Shape::JustBelow,Shape::Swing], 100..400);
    for c in [0.9,0.95,0.97,0.99] {
        let mut m = Tripline::new(&policy(&setting, c, false));
        let score = Score::of(&mut m, &many);
        let h = Score::of(&mut m, &pauses);
        println!("c {c}: hang {} ; false of {}: {:?}", score.median_delay(), pauses.len(), h.false_trips.iter().fold(std::collections::BTreeMap::<Shape,u32>::new(), |mut m, s| { *m.entry(*s).or_default() += 1; m }));
    }
}
