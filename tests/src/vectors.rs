//! The golden vectors: the behaviour of the original breaker, recorded by running it.

use serde::Deserialize;
use serde::de::DeserializeOwned;

const PATTERNS: &str = include_str!("../vectors/patterns.json");
const PERCENTILES: &str = include_str!("../vectors/percentile.jsonl");
const TRIPS: &str = include_str!("../vectors/trip.jsonl");

/// A percentile of a window that has seen these latencies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PercentileVector {
    /// The kind of series.
    pub family: String,
    /// The window's size.
    pub window: u16,
    /// As a ratio.
    pub percentile: f64,
    /// Fed in this order.
    pub latencies_ms: Vec<u32>,
    /// Of the last `window` of them.
    pub expected_percentile_ms: u32,
}

/// A series, and the call that trips a breaker without trend analysis.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TripVector {
    /// The kind of series.
    pub family: String,
    /// The breaker's settings.
    pub config: Config,
    /// Fed in this order.
    pub latencies_ms: Vec<u32>,
    /// The 0-based call that trips; −1 = none.
    pub first_trip: i64,
}

/// A breaker's settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// In milliseconds.
    pub latency_threshold: u32,
    /// The window's size.
    pub window: u16,
    /// As a ratio.
    pub percentile: f64,
    /// Off where absent.
    #[serde(default)]
    pub trend_analysis_enabled: bool,
    /// 0 where absent.
    #[serde(default)]
    pub trend_min_samples: u16,
}

/// A named shape and its expected result.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Its name.
    pub name: String,
    /// The kind of check.
    pub kind: PatternKind,
    /// The breaker's settings; only `trip` has them.
    pub config: Option<Config>,
    /// Fed in this order.
    pub latencies_ms: Vec<u32>,
    /// Seconds between two calls.
    pub spacing_s: u64,
    /// The expected result.
    pub expected: Expected,
    /// Holds the window, age or minimum of the kinds that have no `config`.
    #[serde(default)]
    pub note: String,
}

/// The kind of check of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatternKind {
    /// Feed the calls and check whether it trips.
    Trip,
    /// Classify the whole series.
    Trend,
    /// Query the window.
    Window,
    /// Query the window for samples that have not expired.
    Expiry,
}

/// The expected result of a pattern; absent fields are not checked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Whether it trips at all.
    pub triggered: Option<bool>,
    /// The 0-based call that trips first.
    pub first_trip_index: Option<usize>,
    /// Whether a call is admitted at the end.
    pub allow_after: Option<bool>,
    /// Whether the series is rising.
    pub positive_trend: Option<bool>,
    /// Whether the window is above 500 ms.
    pub above_500: Option<bool>,
    /// Whether the window is below 500 ms.
    pub below_500: Option<bool>,
    /// The latencies of the window above 500 ms.
    pub latencies_above_500: Option<Vec<u32>>,
    /// Number of samples that have not expired.
    pub recent_count: Option<usize>,
}

/// All percentile vectors.
pub fn percentiles() -> Vec<PercentileVector> {
    lines(PERCENTILES)
}

/// All trip vectors.
pub fn trips() -> Vec<TripVector> {
    lines(TRIPS)
}

/// All patterns.
pub fn patterns() -> Vec<Pattern> {
    #[derive(Deserialize)]
    struct File {
        patterns: Vec<Pattern>,
    }
    parse::<File>(PATTERNS).patterns
}

fn lines<T: DeserializeOwned>(text: &str) -> Vec<T> {
    text.lines().filter(|line| !line.trim().is_empty()).map(parse).collect()
}

#[expect(clippy::expect_used, reason = "a vector that does not parse is a broken test")]
fn parse<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("a golden vector parses")
}
