//! A metrics page, parsed as Prometheus does, and checked against its conventions.

use std::collections::{BTreeMap, BTreeSet};

/// The content of a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// All series of one metric.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) series: Vec<Series>,
}

/// The families in their order, or the first invalid line.
pub(crate) fn parse(page: &str) -> Result<Vec<Family>, String> {
    let mut families: Vec<Family> = Vec::new();
    for line in page.lines() {
        let wrong = |what: &str| format!("{what}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| wrong("no help"))?;
            families.push(Family { name: name.into(), kind: String::new(), help: help.into(), series: Vec::new() });
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let family = families.last_mut().ok_or_else(|| wrong("a type before any help"))?;
            let kind = rest.strip_prefix(&format!("{} ", family.name)).ok_or_else(|| wrong("not under its help"))?;
            if !family.kind.is_empty() {
                return Err(wrong("a second type"));
            }
            family.kind.push_str(kind);
        } else {
            let series = parse_series(line).ok_or_else(|| wrong("no series"))?;
            let family = families.last_mut().filter(|family| !family.kind.is_empty());
            family.ok_or_else(|| wrong("a series before its type"))?.series.push(series);
        }
    }
    Ok(families)
}

fn parse_series(line: &str) -> Option<Series> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = match head.split_once('{') {
        Some((name, labels)) => (name, parse_labels(labels.strip_suffix('}')?)?),
        None => (head, BTreeMap::new()),
    };
    Some(Series { name: name.to_owned(), labels, value: value.parse().ok()? })
}

fn parse_labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let (mut value, mut chars) = (String::new(), rest.char_indices());
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        if labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        text = rest.get(end + 1..)?;
        text = text.strip_prefix(',').unwrap_or(text);
    }
    Some(labels)
}

/// The violations of the conventions in a page; empty if there are none.
pub(crate) fn lint(page: &str) -> Vec<String> {
    let families = match parse(page) {
        Ok(families) => families,
        Err(problem) => return vec![problem],
    };
    let mut problems = Vec::new();
    if !page.ends_with('\n') {
        problems.push("the last line does not end".to_owned());
    }
    let mut names = BTreeSet::new();
    for family in &families {
        let mut wrong = |what: String| problems.push(format!("{}: {what}", family.name));
        if !names.insert(&family.name) {
            wrong("described twice".to_owned());
        }
        lint_name(family, &mut wrong);
        lint_series(family, &mut wrong);
        if family.kind == "histogram" {
            lint_histogram(family, &mut wrong);
        }
    }
    problems
}

/// Units that are not base units, and abbreviations of base units.
const NO_BASE_UNITS: [&str; 14] = [
    "ms",
    "millis",
    "milliseconds",
    "us",
    "micros",
    "microseconds",
    "nanos",
    "nanoseconds",
    "minutes",
    "hours",
    "kb",
    "mb",
    "megabytes",
    "percent",
];

fn lint_name(family: &Family, wrong: &mut impl FnMut(String)) {
    let Family { name, kind, help, .. } = family;
    if !is_snake_case(name) {
        wrong("not in snake case".to_owned());
    }
    if !["tripline_", "process_"].iter().any(|prefix| name.starts_with(prefix)) {
        wrong("does not say whose it is".to_owned());
    }
    let words: Vec<&str> = name.split('_').collect();
    words.iter().filter(|word| NO_BASE_UNITS.contains(word)).for_each(|word| wrong(format!("{word} is no base unit")));
    if words.contains(&kind.as_str()) {
        wrong("its type in its name".to_owned());
    }
    match kind.as_str() {
        "counter" if !name.ends_with("_total") => wrong("a counter without _total".to_owned()),
        "gauge" | "histogram" if name.ends_with("_total") => wrong("_total, but no counter".to_owned()),
        "counter" | "gauge" | "histogram" => {}
        other => wrong(format!("the type {other}")),
    }
    if ["_count", "_sum", "_bucket", "_info"].iter().any(|end| name.ends_with(end)) {
        wrong("ends as a part of a histogram or an info does".to_owned());
    }
    if help.trim().is_empty() || !help.ends_with('.') {
        wrong("its help is no sentence".to_owned());
    }
}

fn lint_series(family: &Family, wrong: &mut impl FnMut(String)) {
    let is_histogram = family.kind == "histogram";
    let mut seen = BTreeSet::new();
    let mut label_names = BTreeMap::new();
    for series in &family.series {
        let Series { name, labels, value } = series;
        let suffix = name.strip_prefix(family.name.as_str());
        if !suffix.is_some_and(|suffix| if is_histogram { !suffix.is_empty() } else { suffix.is_empty() }) {
            wrong(format!("{name} among its series"));
        }
        if !seen.insert((name, labels)) {
            wrong(format!("twice: {name} {labels:?}"));
        }
        let these: Vec<&String> = labels.keys().collect();
        if label_names.entry(name).or_insert_with(|| these.clone()) != &these {
            wrong("its series have other labels".to_owned());
        }
        for label in these {
            if !is_snake_case(label) || (label == "le" && !(is_histogram && name.ends_with("_bucket"))) {
                wrong(format!("the label {label}"));
            }
        }
        let is_of_process = name.starts_with("tripline_config_") || name.starts_with("tripline_log_");
        if name.starts_with("tripline_") && !is_of_process && !labels.contains_key("breaker") {
            wrong("does not say which breaker".to_owned());
        }
        if !value.is_finite() || *value < 0.0 || (family.kind == "counter" && value.fract() != 0.0) {
            wrong(format!("the value {value}"));
        }
    }
}

fn lint_histogram(family: &Family, wrong: &mut impl FnMut(String)) {
    let part = |suffix: &str| {
        let name = format!("{}{suffix}", family.name);
        family.series.iter().filter(move |series| series.name == name)
    };
    let known = ["_bucket", "_sum", "_count"].map(|suffix| part(suffix).count()).iter().sum::<usize>();
    if known != family.series.len() {
        wrong("a part that no histogram has".to_owned());
    }
    let mut groups: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    for bucket in part("_bucket") {
        let mut labels = bucket.labels.clone();
        let Some(bound) = labels.remove("le").and_then(|bound| bound.parse().ok()) else {
            return wrong("a bucket without a bound".to_owned());
        };
        groups.entry(labels).or_default().push((bound, bucket.value));
    }
    for counted in part("_count").chain(part("_sum")) {
        if !groups.contains_key(&counted.labels) {
            wrong("no buckets".to_owned());
        }
    }
    for (labels, buckets) in groups {
        if !buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1) {
            wrong("its buckets do not ascend".to_owned());
        }
        let value = |suffix: &str| part(suffix).find(|series| series.labels == labels).map(|series| series.value);
        let (Some(count), Some(sum)) = (value("_count"), value("_sum")) else {
            wrong("no count or no sum".to_owned());
            continue;
        };
        if buckets.last() != Some(&(f64::INFINITY, count)) {
            wrong("the last bucket is not all of them".to_owned());
        }
        if count == 0.0 && sum > 0.0 {
            wrong("a sum of nothing".to_owned());
        }
    }
}

fn is_snake_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.contains("__")
        && !name.ends_with('_')
}
