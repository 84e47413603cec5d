//! The control group source on file trees from real systems.
#![cfg(feature = "cgroup")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;

use crate::memory_tree::{MIB, Tree, V1_MOUNT, V1_NONE, V2_MOUNT, mib};
use tripline_runtime::{MemoryError, MemorySource};

#[test]
fn v2_judges_each_level_by_its_own_use() {
    let tree = Tree::new("0::/prod.slice/web.slice/app.service\n", V2_MOUNT);
    tree.v2("sys/fs/cgroup/prod.slice", Some(1024), 900, 1);
    tree.v2("sys/fs/cgroup/prod.slice/web.slice", None, 800, 1);
    tree.v2("sys/fs/cgroup/prod.slice/web.slice/app.service", Some(2048), 700, 100);
    assert_eq!(tree.sample(), mib(899, Some(1024)));
    assert_eq!(tree.open().unwrap().name(), "cgroup");
    tree.v2("sys/fs/cgroup/prod.slice/web.slice/app.service", Some(640), 700, 100);
    assert_eq!(tree.sample(), mib(600, Some(640)));
}

#[test]
fn v2_without_any_limit_has_none() {
    assert_eq!(Tree::app(None, 700, 100).sample(), mib(600, None));
}

#[test]
fn more_inactive_pages_than_usage_is_no_use_and_no_overflow() {
    assert_eq!(Tree::app(Some(512), 100, 101).sample(), mib(0, Some(512)));
}

#[test]
fn a_limit_above_the_machines_memory_is_capped() {
    assert_eq!(Tree::app(Some(64 * 1024), 100, 0).sample(), mib(100, Some(16 * 1024)));
}

#[test]
fn a_group_without_the_controller_counts_as_part_of_the_one_above() {
    let tree = Tree::app(Some(512), 300, 50);
    tree.write("proc/self/cgroup", "0::/app/worker\n");
    tree.write("sys/fs/cgroup/app/worker/cgroup.procs", "");
    assert_eq!(tree.sample(), mib(250, Some(512)));
}

#[test]
fn v2_in_a_container_with_its_own_namespace_reads_at_the_mount_point() {
    let tree = Tree::new("0::/\n", V2_MOUNT);
    tree.v2("sys/fs/cgroup", Some(256), 200, 20);
    assert_eq!(tree.sample(), mib(180, Some(256)));
}

#[test]
fn v2_in_a_container_without_its_own_namespace_starts_at_the_root_of_the_mount() {
    let mount = "30 23 0:26 /kube/pod1/c1 /sys/fs/cgroup ro shared:1 master:2 - cgroup2 cgroup rw\n";
    let tree = Tree::new("0::/kube/pod1/c1/inner\n", mount);
    tree.v2("sys/fs/cgroup", Some(256), 200, 20);
    tree.v2("sys/fs/cgroup/inner", None, 100, 10);
    assert_eq!(tree.sample(), mib(180, Some(256)));
}

/// The whole hierarchy of the machine, seen from a container two levels below its root.
fn nested(own_id: &str) -> Tree {
    let mount = "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    let tree = Tree::new("0::/inner\n", mount);
    tree.v2("sys/fs/cgroup/kube", Some(2048), 1500, 0);
    for (container, id) in [("c1", "1\n"), ("c2", own_id)] {
        tree.v2(&format!("sys/fs/cgroup/kube/{container}"), Some(512), 300, 0);
        tree.v2(&format!("sys/fs/cgroup/kube/{container}/inner"), None, 200, 10);
        tree.write(&format!("sys/fs/cgroup/kube/{container}/inner/cgroup.procs"), id);
    }
    tree.v2("sys/fs/cgroup/kube/c1", Some(64), 60, 0);
    tree
}

#[test]
fn a_mount_from_outside_of_the_namespace_is_searched_for_this_process() {
    let tree = nested(&format!("7\n{}\n", std::process::id()));
    assert_eq!(tree.sample(), mib(1500, Some(2048)));
    tree.v2("sys/fs/cgroup/kube", None, 1500, 0);
    assert_eq!(tree.sample(), mib(300, Some(512)));
}

#[test]
fn a_mount_from_outside_of_the_namespace_counts_itself_where_the_process_is_not_found() {
    let tree = nested("0\n");
    assert!(tree.error().contains("no group of this process has the memory controller"), "{}", tree.error());
    tree.v2("sys/fs/cgroup", Some(4096), 3000, 0);
    assert_eq!(tree.sample(), mib(3000, Some(4096)));
}

#[test]
fn a_mount_that_shows_the_group_goes_before_one_where_it_is_not_found() {
    let tree = nested("0\n");
    tree.v2("sys/fs/cgroup", Some(4096), 3000, 0);
    let mounts = "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n31 23 0:26 / /own rw - cgroup2 cgroup rw\n";
    tree.write("proc/self/mountinfo", mounts);
    tree.v2("own/inner", Some(128), 64, 0);
    assert_eq!(tree.sample(), mib(64, Some(128)));
}

#[test]
fn a_mount_point_may_have_white_space_in_its_name() {
    let tree = Tree::new("0::/app\n", "30 23 0:26 / /mnt/control\\040groups rw - cgroup2 none rw\n");
    tree.v2("mnt/control groups/app", Some(256), 200, 20);
    assert_eq!(tree.sample(), mib(180, Some(256)));
}

#[test]
fn v1_has_its_own_way_to_say_no_limit() {
    let tree = Tree::new("5:memory:/app\n4:cpu:/\n", V1_MOUNT);
    tree.v1("sys/fs/cgroup/memory/app", V1_NONE, V1_NONE.trim(), 300, 100);
    tree.v1("sys/fs/cgroup/memory", V1_NONE, V1_NONE.trim(), 900, 100);
    assert_eq!(tree.sample(), mib(200, None));
}

#[test]
fn v1_judges_each_level_by_its_own_use() {
    let tree = Tree::new("5:cpu,memory:/pod/app\n", V1_MOUNT);
    tree.v1("sys/fs/cgroup/memory/pod/app", &(800 * MIB).to_string(), V1_NONE.trim(), 300, 100);
    tree.v1("sys/fs/cgroup/memory/pod", &(600 * MIB).to_string(), V1_NONE.trim(), 500, 100);
    tree.v1("sys/fs/cgroup/memory", V1_NONE, V1_NONE.trim(), 900, 100);
    assert_eq!(tree.sample(), mib(400, Some(600)));
}

#[test]
fn v1_in_a_container_knows_a_limit_of_a_group_it_cannot_see() {
    let mount = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let tree = Tree::new("5:memory:/docker/abc\n", mount);
    tree.v1("sys/fs/cgroup/memory", V1_NONE, &(400 * MIB).to_string(), 300, 100);
    assert_eq!(tree.sample(), mib(200, Some(400)));
}

#[test]
fn a_hybrid_machine_is_read_where_the_memory_controller_is() {
    let v2_mount = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let tree = Tree::new("5:memory:/app\n1:name=systemd:/x\n0::/x\n", &format!("{v2_mount}{V1_MOUNT}"));
    for group in ["x", "app"] {
        tree.write(&format!("sys/fs/cgroup/unified/{group}/cgroup.procs"), "");
    }
    tree.v1("sys/fs/cgroup/memory/app", &(512 * MIB).to_string(), &(512 * MIB).to_string(), 300, 100);
    assert_eq!(tree.sample(), mib(200, Some(512)));

    // The reverse: version 1 is mounted, but without memory.
    let v1_mount = "36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
    let tree = Tree::new("5:cpu:/x\n0::/app\n", &format!("{v1_mount}{v2_mount}"));
    tree.v2("sys/fs/cgroup/unified/app", Some(256), 200, 20);
    assert_eq!(tree.sample(), mib(180, Some(256)));
}

#[test]
fn a_change_is_seen_without_opening_the_file_again() {
    let tree = Tree::app(Some(512), 100, 0);
    tree.v2("sys/fs/cgroup", None, 100, 0);
    let source = tree.open().unwrap();
    // From here on the group cannot be found again.
    tree.remove("proc/self/mountinfo");
    assert_eq!(source.sample().unwrap(), mib(100, Some(512)));
    tree.v2("sys/fs/cgroup/app", Some(256), 200, 50);
    assert_eq!(source.sample().unwrap(), mib(150, Some(256)));
    tree.v2("sys/fs/cgroup/app", None, 200, 60);
    assert_eq!(source.sample().unwrap(), mib(140, None));
    tree.v2("sys/fs/cgroup", Some(300), 100, 0);
    assert_eq!(source.sample().unwrap(), mib(100, Some(300)));
    tree.write("proc/meminfo", "MemTotal: 131072 kB\n");
    assert_eq!(source.sample().unwrap(), mib(100, Some(128)));
}

#[test]
fn a_process_that_was_moved_is_followed() {
    let tree = Tree::app(Some(512), 100, 0);
    let source = tree.open().unwrap();
    tree.v2("sys/fs/cgroup/other", Some(64), 32, 0);
    tree.write("proc/self/cgroup", "0::/other\n");
    assert_eq!(source.sample().unwrap(), mib(32, Some(64)));
}

#[test]
fn a_reading_that_fails_is_an_error_until_it_succeeds_again() {
    let tree = Tree::app(Some(512), 100, 0);
    let source = tree.open().unwrap();
    for (file, garbage) in [
        ("sys/fs/cgroup/app/memory.current", &b""[..]),
        ("sys/fs/cgroup/app/memory.current", b"lots\n"),
        ("sys/fs/cgroup/app/memory.max", b"-5\n"),
        ("sys/fs/cgroup/app/memory.max", b"\xff\xfe\0"),
        ("sys/fs/cgroup/app/memory.stat", b"anon 1\n"),
        ("sys/fs/cgroup/app/memory.stat", b"inactive_file 99999999999999999999999\n"),
        ("proc/meminfo", b"MemTotal: many kB\n"),
        ("proc/self/cgroup", b"no table\n"),
    ] {
        let good = fs::read(tree.path(file)).unwrap();
        tree.write(file, garbage);
        let error = source.sample().unwrap_err();
        assert!(matches!(error, MemoryError::Malformed { .. }), "{file}: {error:?}");
        assert!(error.to_string().contains(file), "{file}: {error}");
        assert!(tree.error().contains(file), "{file}: {}", tree.error());
        tree.write(file, good);
        assert_eq!(source.sample().unwrap(), mib(100, Some(512)), "{file}");
    }
}

#[test]
fn a_file_that_is_missing_is_named() {
    for (file, named) in [
        ("proc/self/cgroup", "proc/self/cgroup"),
        ("proc/self/mountinfo", "proc/self/mountinfo"),
        ("proc/meminfo", "proc/meminfo"),
        ("sys/fs/cgroup/app/memory.stat", "memory.stat"),
        ("sys/fs/cgroup/app/memory.current", "no group of this process has the memory controller"),
    ] {
        let tree = Tree::app(Some(512), 100, 0);
        tree.remove(file);
        assert!(tree.error().contains(named), "{file}: {}", tree.error());
    }
}

#[test]
fn a_group_that_no_mount_shows_is_an_error() {
    let tree = Tree::app(Some(512), 100, 0);
    for mountinfo in ["", "garbage\n", V1_MOUNT, "30 23 0:26 /other /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"] {
        tree.write("proc/self/mountinfo", mountinfo);
        assert!(tree.error().contains("shows the group of this process"), "{mountinfo}: {}", tree.error());
    }
    tree.write("proc/self/mountinfo", V2_MOUNT);
    tree.write("proc/self/cgroup", "0::/gone (deleted)\n");
    assert!(tree.error().contains("shows the group of this process"), "{}", tree.error());
}
