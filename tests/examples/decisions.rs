//! Scores the trip decision, and those of peers, on services by mechanism: `cargo run --release -p tripline-tests
//! --example decisions`.
//!
//! Arguments: the number of services of each kind and rate (default 6), the first seed (default 0), and the share of
//! the full observation time of healthy services (default 1).

use tripline_tests::services::judge::{Result, judge};
use tripline_tests::services::{Kind, Service, methods, report};

/// Calls per second, and observation time of a healthy service in seconds.
const RATES: [(f64, f64); 4] = [(5.0, 5_400.0), (50.0, 3_600.0), (200.0, 1_800.0), (1_000.0, 600.0)];

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<f64>().ok());
    let services = arguments.next().unwrap_or(6.0) as u64;
    let first_seed = arguments.next().unwrap_or(0.0) as u64;
    let length = arguments.next().unwrap_or(1.0);
    let names: Vec<&str> = methods::all().iter().map(|(name, _)| *name).collect();

    let cases: Vec<(Kind, f64, f64, u64)> = Kind::all()
        .flat_map(|kind| RATES.map(|(rate, length_s)| (kind, rate, length_s * length)))
        .flat_map(|(kind, rate, length_s)| (0..services).map(move |seed| (kind, rate, length_s, first_seed + seed)))
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let results: Vec<Result> = std::thread::scope(|scope| {
        let work = || {
            let mut methods = methods::all();
            let mut results = Vec::new();
            // Relaxed: each case is taken once; nothing else depends on it.
            while let Some(&(kind, rate, length_s, seed)) =
                cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
            {
                results.extend(judge(&Service::new(kind, rate, seed, length_s), &mut methods));
            }
            results
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });

    println!(
        "## Healthy kinds, all rates\n\n{}",
        report::methods(&results, &names, |r| matches!(r.kind, Kind::Healthy(_)))
    );
    let harsh = |r: &Result| matches!(r.kind, Kind::Harsh(_)) && r.rate >= report::BUSY;
    println!("## Harsher kinds, from 50 calls a second\n\n{}", report::methods(&results, &names, harsh));
    println!("## Services tripping of pairs, and trips an hour\n\n{}", report::kinds(&results, &names, |_| true));
    for (rate, _) in RATES {
        println!("## Failing kinds at {rate} calls a second: median seconds; m missed, e early\n");
        println!("{}", report::failing(&results, &names, |r| (r.rate - rate).abs() < 0.5));
    }
    println!(
        "## Failing kinds from 50 calls a second\n\n{}",
        report::failing(&results, &names, |r| r.rate >= report::BUSY)
    );
    println!("## Cost of a day in seconds of traffic, from 50 calls a second\n\n{}", report::costs(&results, &names));
    println!("## Healthy services on which Tripline trips\n");
    for r in results.iter().filter(|r| r.method == 0 && r.delay_s.is_none() && r.false_trips > 0) {
        println!(
            "- {:?}, {} calls a second, threshold {} ms: {} in {:.2} h",
            r.kind,
            r.rate,
            r.threshold_us / 1_000,
            r.false_trips,
            r.healthy_hours
        );
    }
    println!("\n## Targets\n\n| | at most | measured | reached |\n|---|---|---|---|");
    for target in report::targets(&results, 0, 2) {
        println!("{}", target.row());
    }
}
