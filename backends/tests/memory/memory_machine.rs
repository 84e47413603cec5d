//! The memory sources on the machine that runs the tests, compared with its own values.
#![cfg(any(feature = "cgroup", feature = "sysinfo"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use tripline_backends::memory::{MemorySourceKind, ResidentMemory, open};

/// Reports that a test has nothing to compare with.
fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[cfg(feature = "sysinfo")]
fn mem_total() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
}

#[cfg(feature = "sysinfo")]
#[test]
fn sysinfo_has_the_machines_memory_as_its_limit() {
    let Some(total) = mem_total() else { return skip("no /proc/meminfo") };
    let source = open(MemorySourceKind::Sysinfo).unwrap();
    let sample = source.sample().unwrap();
    assert_eq!(source.name(), "sysinfo");
    assert_eq!(sample.limit, Some(total));
    assert!(sample.used > 0 && sample.used < total, "{sample:?}");
}

#[cfg(all(feature = "cgroup", feature = "sysinfo"))]
#[test]
fn cgroup_agrees_with_what_the_sysinfo_crate_finds_for_this_process() {
    let Ok(group) = open(MemorySourceKind::Cgroup) else { return skip("no control group with memory") };
    let pid = sysinfo::get_current_pid().unwrap();
    let mut system = sysinfo::System::new().unwrap();
    system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[pid]), true);
    let Some(oracle) = system.process(pid).and_then(sysinfo::Process::cgroup_limits) else {
        return skip("the sysinfo crate finds no limits");
    };
    let sample = group.sample().unwrap();
    // Without a limit it reports the memory of the machine.
    assert_eq!(sample.limit.unwrap_or_else(|| mem_total().unwrap()), oracle.total_memory);
    assert!(sample.used > 0, "{sample:?}");
}

#[cfg(all(feature = "cgroup", feature = "sysinfo"))]
#[test]
fn auto_is_cgroup_exactly_where_a_limit_exists() {
    let limited =
        open(MemorySourceKind::Cgroup).and_then(|group| group.sample()).is_ok_and(|sample| sample.limit.is_some());
    let auto = open(MemorySourceKind::Auto).unwrap();
    assert_eq!(auto.name(), if limited { "cgroup" } else { "sysinfo" });
    assert!(auto.sample().unwrap().limit.is_some());
}

#[cfg(all(feature = "cgroup", not(target_os = "linux")))]
#[test]
fn cgroup_says_that_it_needs_linux() {
    let error = open(MemorySourceKind::Cgroup).unwrap_err();
    assert!(error.to_string().contains("only Linux"), "{error}");
}

#[cfg(not(all(feature = "cgroup", feature = "sysinfo")))]
#[test]
fn a_source_that_was_left_out_says_so() {
    let left_out = if cfg!(feature = "cgroup") { MemorySourceKind::Sysinfo } else { MemorySourceKind::Cgroup };
    let error = open(left_out).unwrap_err();
    assert!(error.to_string().contains(&format!("built without the feature \"{left_out}\"")), "{error}");
}

#[test]
fn mock_is_always_there() {
    let mock = open(MemorySourceKind::Mock).unwrap();
    assert_eq!((mock.name(), mock.sample().unwrap().ratio()), ("mock", Some(0.5)));
}

#[test]
fn resident_memory_grows_with_what_is_touched() {
    let resident = ResidentMemory::new();
    let Some(before) = resident.bytes() else {
        assert_ne!(std::env::consts::OS, "linux", "Linux tells its resident memory");
        return skip("no resident memory on this system");
    };
    let touched = std::hint::black_box(vec![1_u8; 64 << 20]);
    let after = resident.bytes().unwrap();
    assert!(after >= before + (60 << 20), "{before} to {after}");
    drop(touched);
}
