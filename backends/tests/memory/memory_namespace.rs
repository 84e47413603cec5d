//! The memory source in real namespaces: the process finds its group through the paths of a container.
//!
//! Each test restarts this program with `unshare`. If the system does not allow that, the test reports that it is
//! skipped, or fails if `TRIPLINE_REQUIRE_NAMESPACES` is set.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::{Command, Output};

use crate::memory_tree::Tree;
use tripline_backends::memory::{MemorySourceKind, open};

/// Set in the child process: the memory source to read.
const SOURCE: &str = "TRIPLINE_TEST_MEMORY_SOURCE";
/// Prefix of the reading that the child prints.
const MARK: &str = "reading: ";

/// Mounts the files of the tree `$1` over those of this process, then executes the other arguments. `exec` keeps the
/// process ID, and thus the files.
const MOUNT_AND_RUN: &str = r#"
set -e
tree=$1; shift
for file in self/cgroup self/mountinfo meminfo pressure/memory; do
  if [ -e "$tree/proc/$file" ]; then mount --bind "$tree/proc/$file" "/proc/$(echo "$file" | sed "s/^self/$$/")"; fi
done
if [ -d "$tree/sys/fs/cgroup" ]; then mount --bind "$tree/sys/fs/cgroup" /sys/fs/cgroup; fi
exec "$@"
"#;

/// Not a test on its own: the part of the other tests that runs in their namespace.
#[test]
#[ignore = "started by the other tests in a namespace"]
fn child() {
    let source = std::env::var(SOURCE).unwrap().parse::<MemorySourceKind>().unwrap();
    let source = open(source).unwrap();
    let reading = source.read().unwrap();
    println!("\n{MARK}{} {:?} {:?} {:?}", source.name(), reading.level, reading.sample.used, reading.sample.limit);
}

fn unshare(options: &[&str], script: &str, arguments: &[&str], kind: &str) -> std::io::Result<Output> {
    let program = std::env::current_exe()?;
    Command::new("unshare")
        .args(options)
        .args(["sh", "-c", script, "sh"])
        .args(arguments)
        .arg(program)
        .args(["--exact", "memory_namespace::child", "--ignored", "--nocapture"])
        .env(SOURCE, kind)
        .output()
}

/// Whether such namespaces are available; reports it if not.
fn is_possible(options: &[&str], probe: &str) -> bool {
    let output = Command::new("unshare").args(options).args(["sh", "-c", probe]).output();
    let why = match output {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(std::env::var_os("TRIPLINE_REQUIRE_NAMESPACES").is_none(), "unshare {options:?}: {why}");
    eprintln!("SKIPPED: no namespaces here: unshare {options:?}: {why}");
    false
}

#[track_caller]
fn reading(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix(MARK));
    line.unwrap_or_else(|| panic!("{}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr))).to_owned()
}

#[test]
fn in_a_mount_namespace_the_files_of_a_container_are_found() {
    let options = ["--user", "--map-root-user", "--mount"];
    let probe = "mount --bind /proc/meminfo /proc/meminfo && mount --bind /proc/$$/cgroup /proc/$$/mountinfo";
    if !is_possible(&options, probe) {
        return;
    }
    for (fixture, source, expected) in [
        ("v2_pod", "auto", "cgroup Some(\"memory.max of /pod\") 984612864 Some(1073741824)"),
        ("v2_active_file", "auto", "cgroup Some(\"memory.max of /app\") 61865984 Some(1073741824)"),
        ("v2_high", "cgroup", "cgroup Some(\"memory.high of /app\") 1037041664 Some(1073741824)"),
        ("v1_pod", "auto", "cgroup Some(\"memory.limit_in_bytes of /kubepods/pod\") 990904320 Some(1073741824)"),
        ("namespace", "auto", "cgroup Some(\"memory.max of /kube/pod\") 503316480 Some(536870912)"),
        (
            "huge_pages",
            "sysinfo",
            "sysinfo Some(\"MemTotal of the machine without its huge pages\") 4294967296 Some(17179869184)",
        ),
    ] {
        let tree = Tree::fixture(fixture);
        let output = unshare(&options, MOUNT_AND_RUN, &[tree.root().to_str().unwrap()], source).unwrap();
        assert_eq!(reading(&output), expected, "{fixture}");
    }
}

#[test]
fn in_a_real_control_group_namespace_the_group_of_the_process_is_found() {
    let Ok(group) = open(MemorySourceKind::Cgroup) else {
        eprintln!("SKIPPED: no control group with memory");
        return;
    };
    let options = ["--user", "--map-root-user", "--mount", "--cgroup"];
    if !is_possible(&options, "true") {
        return;
    }
    // The kernel now shows the own group as "/", with the mounts the same number of levels above it ("/../..").
    let found = reading(&unshare(&options, r#"exec "$@""#, &[], "cgroup").unwrap());
    let expected = group.read().unwrap();
    assert!(found.starts_with("cgroup ") && found.ends_with(&format!("{:?}", expected.sample.limit)), "{found}");
    let level = format!("{:?}", expected.level);
    assert!(found.contains(&level), "{found}: expected {level}");
}
