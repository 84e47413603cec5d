//! The worst level of the hierarchy and its used memory, on file trees from real systems.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;

use crate::memory_tree::{MIB, Tree, V1_MOUNT, V2_MOUNT};
use proptest::prelude::*;
use tripline_backends::memory::{Cgroup, MemoryUsed, Sysinfo};
use tripline_runtime::{MemoryReading, MemorySource};

const KUBE_POD: &str = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f2e.slice";

fn is_exhausted(reading: &MemoryReading) -> bool {
    reading.sample.ratio().unwrap() >= 0.8
}

/// Reads a group fixture with both figures.
fn read(name: &str) -> [MemoryReading; 2] {
    let tree = Tree::fixture(name);
    [MemoryUsed::Unreclaimable, MemoryUsed::WorkingSet]
        .map(|figure| tree.open().unwrap().counting(figure).read().unwrap())
}

#[track_caller]
fn assert_reading(reading: &MemoryReading, level: &str, used: u64, limit: u64) {
    let found = (reading.level.as_deref(), reading.sample.used, reading.sample.limit);
    assert_eq!(found, (Some(level), used, Some(limit)));
}

#[test]
fn a_full_pod_counts_although_the_own_group_is_small() {
    let [free, working_set] = read("v2_pod");
    assert_reading(&free, "memory.max of /pod", 996_147_200 - 10_485_760 - MIB, 1 << 30);
    assert_reading(&working_set, "memory.max of /pod", 996_147_200 - 5_242_880, 1 << 30);
    assert!(is_exhausted(&free) && is_exhausted(&working_set));
    let [free, working_set] = read("v1_pod");
    assert_reading(&free, "memory.limit_in_bytes of /kubepods/pod", 996_147_200 - 5_242_880, 1 << 30);
    assert_eq!(free, working_set, "nothing else is reported there");
}

#[test]
fn the_neighbour_in_a_nested_pod_counts() {
    let [free, _] = read("nested_pods");
    assert_reading(&free, &format!("memory.max of {KUBE_POD}"), (1980 - 50) * MIB, 2 << 30);
    assert!(is_exhausted(&free));
}

#[test]
fn reclaimable_slab_and_clean_file_pages_are_not_used() {
    for name in ["v2_slab", "v2_active_file"] {
        let [free, working_set] = read(name);
        assert!(!is_exhausted(&free), "{name}: {free:?}");
        assert!(is_exhausted(&working_set), "{name}: {working_set:?}");
    }
}

#[test]
fn file_pages_that_must_be_written_first_are_used() {
    let [free, _] = read("v2_dirty");
    assert_reading(&free, "memory.max of /app", (1000 - 200) * MIB, 1 << 30);
}

#[test]
fn stalls_confirm_what_the_kernel_does_not_give_back() {
    let [free, working_set] = read("v2_thrashing");
    assert_eq!(free, working_set);
    assert!(is_exhausted(&free));
}

#[test]
fn failed_allocations_confirm_it_for_a_while() {
    let tree = Tree::fixture("v2_active_file");
    let source = tree.open().unwrap();
    assert!(!is_exhausted(&source.read().unwrap()));
    tree.write("sys/fs/cgroup/app/memory.events", "low 0\nhigh 0\nmax 4800\noom 1\noom_kill 1\n");
    assert_eq!((0..40).take_while(|_| is_exhausted(&source.read().unwrap())).count(), 20);
    tree.write("sys/fs/cgroup/app/memory.events", "low 0\nhigh 9\nmax 9999\noom 1\noom_kill 1\n");
    assert!(!is_exhausted(&source.read().unwrap()), "reclaim at the limit is no shortage");
}

#[test]
fn a_heap_at_its_limit_needs_no_confirmation() {
    let [free, _] = read("v2_anonymous");
    assert_reading(&free, "memory.max of /app", 1000 * MIB, 1 << 30);
    assert!(is_exhausted(&free));
}

#[test]
fn unreadable_confirmations_hide_nothing_and_are_no_error() {
    for name in ["v2_anonymous", "v2_active_file"] {
        let before = read(name);
        let tree = Tree::fixture(name);
        tree.write("sys/fs/cgroup/app/memory.pressure", [0xff, 0xfe]);
        tree.write("sys/fs/cgroup/app/memory.events", "");
        assert_eq!(tree.read(), before[0]);
        tree.remove("sys/fs/cgroup/app/memory.pressure");
        tree.remove("sys/fs/cgroup/app/memory.events");
        assert_eq!(tree.read(), before[0]);
    }
}

#[test]
fn memory_high_is_a_limit_and_named() {
    let [free, working_set] = read("v2_high");
    assert_reading(&free, "memory.high of /app", 1_038_090_240 - MIB, 1 << 30);
    assert!(is_exhausted(&free) && is_exhausted(&working_set));
    let [free, _] = read("systemd_slices");
    assert_reading(&free, "memory.high of /prod.slice/prod-web.slice/app.service", 880 * MIB, 960 * MIB);
}

#[test]
fn version_1_and_hybrid_machines() {
    let [free, working_set] = read("v1_container");
    let hidden = "memory.limit_in_bytes of a group above /docker/abc";
    assert_reading(&free, hidden, 330 * MIB, 400 * MIB);
    assert_reading(&working_set, hidden, 340 * MIB, 400 * MIB);
    let [free, _] = read("hybrid_v1_memory");
    assert_reading(&free, "memory.limit_in_bytes of /system.slice", 880 * MIB, 1 << 30);
    let [free, working_set] = read("hybrid_v2_memory");
    assert_reading(&free, "memory.max of /app", 150 * MIB, 256 * MIB);
    assert_reading(&working_set, "memory.max of /app", 180 * MIB, 256 * MIB);
}

#[test]
fn levels_outside_of_the_namespace_count() {
    let [free, _] = read("namespace");
    assert_reading(&free, "memory.max of /kube/pod", 480 * MIB, 512 * MIB);
}

#[test]
fn a_limit_above_the_machines_memory_is_named_as_that() {
    let tree = Tree::app(Some(64 * 1024), 100, 0);
    assert_reading(&tree.read(), "MemTotal, below memory.max of /app", 100 * MIB, 16 << 30);
}

#[test]
fn without_any_limit_no_level_is_named() {
    let reading = Tree::app(None, 700, 100).read();
    assert_eq!((reading.level, reading.sample.limit), (None, None));
}

#[test]
fn a_level_that_counts_nothing_holds_at_least_what_is_below_it() {
    let tree = Tree::app(None, 700, 100);
    tree.write("sys/fs/cgroup/memory.max", (800 * MIB).to_string());
    assert_reading(&tree.read(), "memory.max of /", 600 * MIB, 800 * MIB);
}

/// Reads a machine fixture with both figures.
fn machine(name: &str) -> [MemoryReading; 2] {
    let tree = Tree::fixture(name);
    [MemoryUsed::Unreclaimable, MemoryUsed::WorkingSet]
        .map(|figure| Sysinfo::at(tree.root()).unwrap().counting(figure).read().unwrap())
}

#[test]
fn the_zfs_cache_above_its_minimum_is_not_used() {
    let [free, available] = machine("zfs");
    assert_reading(&free, "MemTotal of the machine", 17 << 30, 64 << 30);
    assert_reading(&available, "MemTotal of the machine", 55 << 30, 64 << 30);
    let [free, _] = machine("zfs_stalling");
    assert_reading(&free, "MemTotal of the machine", 55 << 30, 64 << 30);
    let [free, _] = machine("zfs_lxc");
    assert_reading(&free, "MemTotal of the machine", 7680 * MIB, 8 << 30);
}

#[test]
fn huge_pages_that_are_set_aside_are_no_ordinary_memory() {
    let [free, available] = machine("huge_pages");
    assert_reading(&free, "MemTotal of the machine without its huge pages", 4 << 30, 16 << 30);
    assert_reading(&available, "MemTotal of the machine", 52 << 30, 64 << 30);
}

#[test]
fn a_machine_without_usable_meminfo_is_an_error() {
    let tree = Tree::fixture("zfs");
    let source = Sysinfo::at(tree.root()).unwrap();
    tree.write("proc/meminfo", "MemTotal: many kB\n");
    for error in [source.read().unwrap_err(), Sysinfo::at(tree.root()).unwrap_err()] {
        assert!(error.to_string().contains("proc/meminfo"), "{error}");
    }
    tree.remove("proc/meminfo");
    assert!(Sysinfo::at(tree.root()).unwrap_err().to_string().contains("proc/meminfo"));
}

/// One level of a random tree, in units that make equal shares likely.
#[derive(Debug, Clone)]
struct RandomLevel {
    /// `memory.max` and `memory.high`.
    limits: [Option<u64>; 2],
    usage: u64,
    /// Inactive, active, dirty and slab memory.
    stat: [u64; 4],
    stalls: bool,
}

fn levels() -> impl Strategy<Value = Vec<RandomLevel>> {
    let limit = || prop_oneof![2 => Just(None), 3 => (1..40_u64).prop_map(Some)];
    let level = ([limit(), limit()], 0..50_u64, [0..20_u64, 0..20, 0..20, 0..20], any::<bool>())
        .prop_map(|(limits, usage, stat, stalls)| RandomLevel { limits, usage, stat, stalls });
    proptest::collection::vec(level, 1..6)
}

fn group_path(depth: usize) -> String {
    (0..=depth).fold(String::new(), |mut path, level| {
        let _ = write!(path, "/l{level}");
        path
    })
}

fn write_tree(levels: &[RandomLevel], is_v2: bool) -> Tree {
    let own = group_path(levels.len() - 1);
    let tree = if is_v2 {
        Tree::new(&format!("0::{own}\n"), V2_MOUNT)
    } else {
        Tree::new(&format!("3:memory:{own}\n"), V1_MOUNT)
    };
    for (depth, level) in levels.iter().enumerate() {
        let [inactive, active, dirty, slab] = level.stat;
        let write = |file: &str, text: String| {
            let mount = if is_v2 { "sys/fs/cgroup" } else { "sys/fs/cgroup/memory" };
            tree.write(&format!("{mount}{}/{file}", group_path(depth)), text);
        };
        if is_v2 {
            for (file, limit) in ["memory.max", "memory.high"].into_iter().zip(level.limits) {
                write(file, limit.map_or("max\n".to_owned(), |limit| format!("{limit}\n")));
            }
            write("memory.current", level.usage.to_string());
            let stat = format!(
                "inactive_file {inactive}\nactive_file {active}\nfile_dirty {dirty}\nslab_reclaimable {slab}\n"
            );
            write("memory.stat", stat);
            write(
                "memory.pressure",
                format!("full avg10={}.00 avg60=0.00 avg300=0.00 total=0\n", u8::from(level.stalls) * 30),
            );
        } else {
            write("memory.limit_in_bytes", level.limits[0].unwrap_or(i64::MAX as u64).to_string());
            write("memory.usage_in_bytes", level.usage.to_string());
            let stat = format!("total_inactive_file {inactive}\ntotal_active_file {active}\ntotal_dirty {dirty}\n");
            write("memory.stat", stat);
        }
    }
    tree
}

/// All limits of all levels, the group's own first: name, used, limit.
fn naive(levels: &[RandomLevel], is_v2: bool, figure: MemoryUsed) -> Vec<(String, u64, u64)> {
    let files = if is_v2 { ["memory.max", "memory.high"] } else { ["memory.limit_in_bytes", ""] };
    let mut all = Vec::new();
    for (depth, level) in levels.iter().enumerate().rev() {
        let [inactive, active, dirty, slab] = level.stat.map(u64::cast_signed);
        let usage = level.usage.cast_signed();
        let slab = if is_v2 { slab } else { 0 };
        let given_back = (inactive + active - dirty).max(0);
        let used = match figure {
            MemoryUsed::WorkingSet => usage - inactive,
            _ if level.stalls && is_v2 => (usage - inactive).max(0).max(usage - given_back - slab),
            _ => usage - given_back - slab,
        };
        for (file, limit) in files.into_iter().zip(level.limits).filter(|(file, _)| !file.is_empty()) {
            if let Some(limit) = limit {
                all.push((format!("{file} of {}", group_path(depth)), used.max(0).cast_unsigned(), limit));
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_worst_level_is_the_one_that_a_naive_model_finds(levels in levels(), is_v2: bool, working_set: bool) {
        let figure = if working_set { MemoryUsed::WorkingSet } else { MemoryUsed::Unreclaimable };
        let tree = write_tree(&levels, is_v2);
        let reading = Cgroup::discover_at(tree.root()).unwrap().counting(figure).read().unwrap();
        let all = naive(&levels, is_v2, figure);
        // All limits are below 50, so the smallest difference of two shares is far above the rounding error.
        let share = |used: u64, limit: u64| used as f64 / limit as f64;
        let worst = all.iter().map(|(_, used, limit)| share(*used, *limit)).fold(f64::NEG_INFINITY, f64::max);
        let Some(limit) = reading.sample.limit else {
            prop_assert!(all.is_empty() && reading.level.is_none(), "{:?} {:?}", all, reading);
            return Ok(());
        };
        let found = (reading.level.as_deref().unwrap().to_owned(), reading.sample.used, limit);
        prop_assert!((share(found.1, found.2) - worst).abs() < 1e-9, "{:?} {:?}", found, all);
        let first = all.iter().find(|(_, used, limit)| (share(*used, *limit) - worst).abs() < 1e-9);
        // A level without usage has the same share of all its limits.
        prop_assert!(all.contains(&found) && (worst == 0.0 || first == Some(&found)), "{:?} {:?}", found, all);
    }
}
