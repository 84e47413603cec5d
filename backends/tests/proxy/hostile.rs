//! The table of raw bytes, `hostile.toml`, against the proxy without other proxies.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use toml::Table;

use crate::client::Client;
use crate::fixture::Fixture;
use crate::upstream::Recorder;

/// A row of the table.
#[derive(Debug)]
struct Row {
    name: String,
    bytes: Vec<u8>,
    status: Vec<u16>,
    closed: bool,
    upstream: Vec<String>,
    has: Vec<String>,
    lacks: Vec<String>,
}

fn rows() -> Vec<Row> {
    let table: Table = include_str!("hostile.toml").parse().unwrap();
    let texts = |row: &Table, key: &str| -> Vec<String> {
        let list = row.get(key).and_then(|value| value.as_array()).cloned().unwrap_or_default();
        list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let rows = table["row"].as_array().unwrap().iter().map(|row| {
        let row = row.as_table().unwrap();
        let long = row.get("long").and_then(toml::Value::as_integer).unwrap_or(0);
        let text = row["in"].as_str().unwrap().replace("%LONG%", &"a".repeat(usize::try_from(long).unwrap()));
        Row {
            name: row["name"].as_str().unwrap().to_owned(),
            bytes: text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(),
            status: row["status"].as_array().unwrap().iter().map(|s| s.as_integer().unwrap() as u16).collect(),
            closed: row.get("closed").and_then(toml::Value::as_bool).unwrap_or(false),
            upstream: texts(row, "upstream"),
            has: texts(row, "has"),
            lacks: texts(row, "lacks"),
        }
    });
    rows.collect()
}

const PROBE: &str = "GET /probe HTTP/1.1\r\nhost: probe\r\nconnection: close\r\n\r\n";

/// The problems of a row; empty if it passes.
fn problems(row: &Row, upstream: &Recorder, proxy: &Fixture, send: impl Fn(&mut Client, &[u8])) -> Vec<String> {
    let mut problems = Vec::new();
    upstream.forget();
    let mut client = Client::connect(proxy.address);
    send(&mut client, &row.bytes);
    let mut status = Vec::new();
    while status.len() < row.status.len() {
        match client.response() {
            Some(response) => status.push(response.status),
            None => break,
        }
    }
    if status != row.status {
        problems.push(format!("status {status:?}"));
        return problems;
    }
    if row.closed {
        if !client.is_closed() {
            problems.push("the connection is not closed".to_owned());
        }
    } else {
        client.send(PROBE);
        match client.response() {
            Some(response) if response.status == 200 => {}
            other => problems.push(format!("the next request: {:?}", other.map(|response| response.head))),
        }
    }
    let mut seen = upstream.seen();
    seen.retain(|seen| seen.path() != "/probe");
    let lines: Vec<String> = seen.iter().map(crate::upstream::Seen::line).collect();
    if lines != row.upstream {
        problems.push(format!("upstream {lines:?}"));
    }
    let all: String = seen.iter().map(crate::upstream::Seen::joined_text).collect();
    for has in row.has.iter().filter(|has| !all.contains(*has)) {
        problems.push(format!("the upstream lacks {has:?} in {all:?}"));
    }
    for lacks in row.lacks.iter().filter(|lacks| all.to_ascii_lowercase().contains(*lacks)) {
        problems.push(format!("the upstream has {lacks:?} in {all:?}"));
    }
    problems
}

#[test]
fn every_row_of_the_table_holds() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "");
    let rows = rows();
    assert!(rows.len() >= 80, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        for problem in problems(row, &upstream, &proxy, |client, bytes| client.send(bytes)) {
            wrong.push(format!("{}: {problem}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The result does not depend on how the bytes are split into segments. A head without any line end is the exception: the proxy
/// waits for it.
#[test]
fn a_split_into_segments_changes_nothing() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "");
    let mut wrong = Vec::new();
    for (number, row) in
        rows().iter().enumerate().filter(|(_, row)| row.bytes.len() < 1_000 && row.bytes.contains(&b'\n'))
    {
        for seed in [number, number + 1_000] {
            let cuts = cuts(row.bytes.len(), seed);
            let split = |client: &mut Client, bytes: &[u8]| {
                let mut from = 0;
                for to in cuts.iter().copied().chain([bytes.len()]) {
                    client.send(&bytes[from..to]);
                    pause();
                    from = to;
                }
            };
            for problem in problems(row, &upstream, &proxy, split) {
                wrong.push(format!("{} at {cuts:?}: {problem}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Up to six random positions within `length` bytes, in order, derived from the seed.
fn cuts(length: usize, seed: usize) -> BTreeSet<usize> {
    let mut random = seed as u64;
    let places = (0..=seed % 6).map(|_| {
        // The constants of Knuth's MMIX generator.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (random >> 33) as usize % length.saturating_sub(1).max(1)
    });
    places.filter(|place| *place < length).collect()
}

/// Makes separate segments of the parts. If they are merged, the test covers less but still holds.
fn pause() {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(Duration::from_millis(2));
}
