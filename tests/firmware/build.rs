//! Writes the memory layout for the linker, and the golden vectors as Rust tables.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;

const VECTORS: &str = "../vectors";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::copy("memory.x", out.join("memory.x")).expect("memory.x can be copied");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-changed={VECTORS}");

    let mut tables = String::new();
    percentiles(&mut tables);
    trips(&mut tables);
    fs::write(out.join("vectors.rs"), tables).expect("the tables can be written");
}

/// All percentile vectors.
fn percentiles(out: &mut String) {
    out.push_str("pub static PERCENTILES: &[PercentileVector] = &[\n");
    for v in lines("percentile.jsonl") {
        let (window, percentile, expected) = (&v["window"], &v["percentile"], &v["expected_percentile_ms"]);
        let latencies = &v["latencies_ms"];
        writeln!(
            out,
            "PercentileVector {{ window: {window}, percentile: {percentile}_f64, latencies_ms: &{latencies}, expected_ms: {expected} }},"
        )
        .expect("a string takes it");
    }
    out.push_str("];\n");
}

/// All trip vectors, and the patterns that are about trips.
fn trips(out: &mut String) {
    out.push_str("pub static TRIPS: &[TripVector] = &[\n");
    for v in lines("trip.jsonl") {
        let first = v["first_trip"].as_i64().expect("an index or -1");
        let expected = if first < 0 { "Expected::Never".to_owned() } else { format!("Expected::At({first})") };
        trip(out, &v["config"], &v["latencies_ms"], 0, &expected);
    }
    for v in patterns().iter().filter(|v| v["kind"] == "trip") {
        let expected = match (&v["expected"]["first_trip_index"], &v["expected"]["triggered"]) {
            (Value::Number(index), _) => format!("Expected::At({index})"),
            (_, Value::Bool(true)) => "Expected::Somewhere".to_owned(),
            (_, Value::Bool(false)) => "Expected::Never".to_owned(),
            _ => continue,
        };
        trip(out, &v["config"], &v["latencies_ms"], v["spacing_s"].as_u64().expect("seconds"), &expected);
    }
    out.push_str("];\n");
}

fn trip(out: &mut String, config: &Value, latencies: &Value, spacing_s: u64, expected: &str) {
    let (threshold, window, percentile) = (&config["latency_threshold"], &config["window"], &config["percentile"]);
    let trend = config["trend_analysis_enabled"].as_bool().unwrap_or(false);
    let trend_minimum = config["trend_min_samples"].as_u64().unwrap_or(0);
    writeln!(
        out,
        "TripVector {{ threshold_ms: {threshold}, window: {window}, percentile: {percentile}_f64, trend: {trend}, \
         trend_minimum: {trend_minimum}, latencies_ms: &{latencies}, spacing_s: {spacing_s}, expected: {expected} }},"
    )
    .expect("a string takes it");
}

fn lines(name: &str) -> Vec<Value> {
    read(name).lines().filter(|line| !line.trim().is_empty()).map(parse).collect()
}

fn patterns() -> Vec<Value> {
    parse(&read("patterns.json"))["patterns"].as_array().expect("a list of patterns").clone()
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(VECTORS).join(name)).expect("the vectors stand beside the firmware")
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("a golden vector parses")
}
