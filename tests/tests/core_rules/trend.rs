//! Error rates of `Trend::of` on seeded noise, against its documented limits; `--nocapture` prints the table.

use tripline_core::{Latency, Trend};
use tripline_tests::noise::Noise;
use tripline_tests::statistics::{falls, mann_kendall_most_falls, relative_fitted_rise, sampling_slack};

fn trend_of_micros(values: &[f64]) -> Trend {
    Trend::of(values.iter().map(|&value| Latency::from_micros(value.max(0.0) as u32)), 3)
}

fn trend_of_millis(values: impl IntoIterator<Item = u32>) -> Trend {
    let values: Vec<Latency> = values.into_iter().map(Latency::from_millis).collect();
    Trend::of(values, 3)
}

/// How often windows of `n` values drawn by `draw` are of this class.
fn rate(class: Trend, n: usize, trials: usize, seed: u64, draw: impl Fn(&mut Noise) -> f64) -> f64 {
    let mut noise = Noise::new(seed);
    let hits = (0..trials).filter(|_| {
        let window: Vec<f64> = (0..n).map(|_| draw(&mut noise)).collect();
        trend_of_micros(&window) == class
    });
    hits.count() as f64 / trials as f64
}

#[test]
fn gaussian_noise_rises_at_most_five_percent_of_the_time() {
    for (n, trials) in [(3, 60_000), (4, 40_000), (5, 40_000), (10, 30_000), (17, 20_000), (50, 10_000), (200, 4_000)] {
        // A spread that is small against the mean, and one for which the effect size never holds anything back.
        for share in [0.02, 0.2] {
            let draw = |noise: &mut Noise| 1e6 * (1.0 + share * noise.gauss());
            let rising = rate(Trend::Rising, n, trials, 11, draw);
            let falling = rate(Trend::Falling, n, trials, 11, draw);
            println!("gaussian, deviation {share} of the mean, n {n:3}: rising {rising:.4}, falling {falling:.4}");
            let most = 0.05 + sampling_slack(0.05, trials);
            assert!(rising <= most, "n {n}: rising {rising} of {trials} windows");
            assert!(falling <= most, "n {n}: falling {falling} of {trials} windows");
        }
    }
}

#[test]
fn gaussian_noise_oscillates_at_most_one_percent_of_the_time() {
    for (n, trials) in [(5, 60_000), (6, 40_000), (8, 40_000), (10, 30_000), (20, 20_000), (50, 10_000), (200, 4_000)] {
        let oscillating = rate(Trend::Oscillating, n, trials, 12, |noise| 1e6 * (1.0 + 0.2 * noise.gauss()));
        println!("gaussian, n {n:3}: oscillating {oscillating:.4}");
        assert!(oscillating <= 0.01 + sampling_slack(0.01, trials), "n {n}: {oscillating} of {trials} windows");
    }
}

/// Of the windows that an exact one-sided Mann-Kendall test finds at p < 0.01, with a fitted rise of 5 % of the mean.
#[test]
fn a_rise_that_mann_kendall_finds_is_rising() {
    for (n, wanted) in [(5, 8_000), (6, 8_000), (8, 3_000), (12, 2_000), (20, 2_000), (50, 1_000)] {
        let most_falls = mann_kendall_most_falls(n, 0.01).unwrap();
        for true_rise in [2.0, 4.0] {
            let mut noise = Noise::new(13);
            let (mut found, mut rising) = (0_u32, 0_u32);
            while found < wanted {
                let window: Vec<f64> =
                    (0..n).map(|i| 1e6 + 1e5 * (true_rise * i as f64 / (n - 1) as f64 + noise.gauss())).collect();
                if falls(&window) > most_falls || relative_fitted_rise(&window) < 0.05 {
                    continue;
                }
                found += 1;
                rising += u32::from(trend_of_micros(&window) == Trend::Rising);
            }
            let share = f64::from(rising) / f64::from(found);
            println!("rise of {true_rise} deviations, n {n:3}: rising {share:.4} of {found} found by Mann-Kendall");
            assert!(share >= 0.99, "n {n}, rise of {true_rise}: only {share} of {found}");
        }
    }
}

#[test]
fn five_milliseconds_and_five_seconds_are_treated_alike() {
    let mut noise = Noise::new(14);
    let mut seen = [0; 4];
    for n in [3, 5, 10, 30] {
        for _ in 0..500 {
            let slope = noise.gauss() * 0.3;
            // Whole thousands, so that the small scale loses nothing to rounding.
            let small: Vec<u32> = (0..n)
                .map(|i| ((1.0 + slope * f64::from(i) / f64::from(n) + 0.1 * noise.gauss()) * 5_000.0).max(0.0) as u32)
                .collect();
            let of = |scale: u32| {
                Trend::of(small.iter().map(|&value| Latency::from_micros(value * scale)).collect::<Vec<_>>(), 3)
            };
            let class = of(1);
            assert_eq!(class, of(1_000), "{small:?}");
            assert_eq!(class, of(100_000), "{small:?}");
            match class {
                Trend::TooFew => panic!("n is {n}"),
                Trend::Rising => seen[0] += 1,
                Trend::Falling => seen[1] += 1,
                Trend::Oscillating => seen[2] += 1,
                Trend::Steady => seen[3] += 1,
            }
        }
    }
    assert!(seen.iter().all(|&count| count > 0), "every class was seen: {seen:?}");
}

#[test]
fn a_zigzag_oscillates() {
    for n in [6, 10, 11, 20, 64, 256] {
        assert_eq!(trend_of_millis((0..n).map(|i| if i % 2 == 0 { 100 } else { 200 })), Trend::Oscillating, "n {n}");
    }
    let too_small = (0..20).map(|i| if i % 2 == 0 { 1_000 } else { 1_020 });
    assert_eq!(trend_of_millis(too_small), Trend::Steady, "a deviation of 1 % is no oscillation");
}

#[test]
fn a_flat_zigzag_is_not_rising() {
    for n in 3..=64 {
        let low_first = trend_of_millis((0..n).map(|i| if i % 2 == 0 { 300 } else { 340 }));
        let high_first = trend_of_millis((0..n).map(|i| if i % 2 == 0 { 340 } else { 300 }));
        assert_ne!(low_first, Trend::Rising, "n {n}");
        assert_ne!(high_first, Trend::Rising, "n {n}");
    }
}

#[test]
fn one_outlier_at_the_end_is_not_rising() {
    for n in 5..=64 {
        for outlier in [600, 3_000, 60_000] {
            let window = std::iter::repeat_n(300, n - 1).chain([outlier]);
            assert_ne!(trend_of_millis(window), Trend::Rising, "n {n}, outlier {outlier}");
        }
    }
}

#[test]
fn clean_rises_are_rising_at_every_level() {
    assert_eq!(trend_of_millis((0..50).map(|i| 600 + 14 * i)), Trend::Rising, "600 + 14i");
    assert_eq!(trend_of_millis(5..=35), Trend::Rising, "5 to 35 ms");
    let step = |n: usize| std::iter::repeat_n(200, n).chain(std::iter::repeat_n(600, n));
    for half in [5, 10, 25, 100] {
        assert_eq!(trend_of_millis(step(half)), Trend::Rising, "a step after {half}");
    }
    assert_eq!(trend_of_millis((0..50).map(|i| 800 + 700 * i / 49)), Trend::Rising, "800 to 1500 ms");
    assert_eq!(trend_of_millis((0..50).rev().map(|i| 800 + 700 * i / 49)), Trend::Falling, "and back");
}

#[test]
fn noise_about_a_clean_rise_hides_it_seldom() {
    let mut noise = Noise::new(15);
    let trials = 2_000;
    let rising = (0..trials).filter(|_| {
        let window: Vec<f64> =
            (0..50).map(|i| 1e3 * (800.0 + 700.0 * f64::from(i) / 49.0 + 100.0 * noise.gauss())).collect();
        trend_of_micros(&window) == Trend::Rising
    });
    assert_eq!(rising.count(), trials);
}

#[test]
fn constant_and_extreme_windows_have_a_class() {
    assert_eq!(trend_of_millis([300; 20]), Trend::Steady);
    assert_eq!(trend_of_millis([0; 20]), Trend::Steady);
    assert_eq!(Trend::of([Latency::MAX; 20], 3), Trend::Steady);
    assert_eq!(
        Trend::of([Latency::ZERO, Latency::ZERO, Latency::ZERO, Latency::MAX, Latency::MAX, Latency::MAX], 3),
        Trend::Rising
    );
    assert_eq!(Trend::of([], 0), Trend::TooFew);
    assert_eq!(trend_of_millis([1, 2]), Trend::TooFew);
    assert_eq!(Trend::of([100, 200, 300, 400].map(Latency::from_millis), 5), Trend::TooFew);
    assert_eq!(Trend::of([100, 200, 300, 400].map(Latency::from_millis), 4), Trend::Rising);
}

/// A rise of less than the effect size does not matter, however significant.
#[test]
fn a_significant_rise_that_is_too_small_is_steady() {
    assert_eq!(trend_of_millis((0..50).map(|i| 10_000 + i)), Trend::Steady, "0.5 % of the mean");
    assert_eq!(trend_of_millis((0..50).map(|i| 10_000 + 12 * i)), Trend::Rising, "6 % of the mean");
}

/// The design asks for these rates to be stated; here they must also stay near the promise for Gaussian noise.
#[test]
fn heavy_tails_do_not_rise_more_often() {
    type Draw = (&'static str, fn(&mut Noise) -> f64);
    let families: [Draw; 5] = [
        ("log-normal, sigma 0.5", |noise| 1e5 * (0.5 * noise.gauss()).exp()),
        ("log-normal, sigma 1", |noise| 1e5 * noise.gauss().exp()),
        ("Pareto, alpha 2.5", |noise| 1e5 * noise.unit().powf(-1.0 / 2.5)),
        ("Pareto, alpha 1.5", |noise| 1e5 * noise.unit().powf(-1.0 / 1.5)),
        ("50-fold spikes, 1 %", |noise| 1e5 * if noise.chance(0.01) { 50.0 } else { 1.0 + 0.01 * noise.gauss() }),
    ];
    println!("{:24} {:>5} {:>8} {:>8} {:>12}", "noise", "n", "rising", "falling", "oscillating");
    for (name, draw) in families {
        for (n, trials) in [(3, 20_000), (5, 20_000), (10, 10_000), (50, 4_000), (200, 1_500)] {
            let rising = rate(Trend::Rising, n, trials, 16, draw);
            let falling = rate(Trend::Falling, n, trials, 16, draw);
            let oscillating = rate(Trend::Oscillating, n, trials, 16, draw);
            println!("{name:24} {n:5} {rising:8.4} {falling:8.4} {oscillating:12.4}");
            assert!(rising <= 0.055 + sampling_slack(0.055, trials), "{name}, n {n}: {rising}");
        }
    }
}
