//! The folders of this process's group and of the groups above it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use tripline_runtime::MemoryError;

use super::super::kernel_file::{malformed, unreadable};
use super::tables::{self, Mount, Place, Version};

/// Maximum number of folders that are searched for the group that lists this process.
const MAX_SEARCHED: usize = 10_000;

/// A group and all visible groups above it, its own first.
#[derive(Debug)]
pub(super) struct Location {
    pub(super) version: Version,
    /// The folder of each group, and its path in the hierarchy for people.
    pub(super) groups: Vec<(PathBuf, String)>,
}

/// Finds the group named in `cgroup`, the text of `/proc/self/cgroup`. All paths are below `root`.
pub(super) fn locate(root: &Path, cgroup: &[u8]) -> Result<Location, MemoryError> {
    let Some((version, place)) = tables::own_place(cgroup) else {
        let expected = "a hierarchy with the memory controller, or of version 2";
        return Err(malformed(&root.join("proc/self/cgroup"), cgroup, expected));
    };
    let table = root.join("proc/self/mountinfo");
    let mountinfo = fs::read(&table).map_err(|error| unreadable(&table, error))?;
    let mut mounts = tables::mounts(&mountinfo);
    mounts.retain(|mount| mount.version == version);
    // The mount that shows the most levels shows the most limits.
    mounts.sort_by_key(|mount| (std::cmp::Reverse(mount.root.ups), mount.root.names.len()));
    let found = mounts.iter().find_map(|mount| groups(root, mount, &place));
    // If the group is not found below a mount that shows levels outside this process's namespace, it is still somewhere
    // below that mount, and the limits of the mounted group apply to it.
    let Some(groups) = found.or_else(|| mounts.iter().find_map(|mount| top_if_above(root, mount, &place))) else {
        let why = "no mounted hierarchy with the memory controller shows the group of this process";
        return Err(unreadable(&table, io::Error::new(io::ErrorKind::NotFound, why)));
    };
    Ok(Location { version, groups })
}

/// The groups from that of the process up to the mount point; `None` if it is not found below this mount.
fn groups(root: &Path, mount: &Mount, place: &Place) -> Option<Vec<(PathBuf, String)>> {
    let top = folder(root, mount);
    let below = below(&mount.root, place)?;
    let own = if below.unnamed == 0 { top.join(&below.path) } else { find_by_process(&top, &below)? };
    let path = own.strip_prefix(&top).ok()?;
    own.is_dir().then(|| path.ancestors().map(|path| (top.join(path), shown(mount, path))).collect())
}

/// The mount point, if the group is somewhere below it.
fn top_if_above(root: &Path, mount: &Mount, place: &Place) -> Option<Vec<(PathBuf, String)>> {
    let is_above = below(&mount.root, place).is_some_and(|below| below.unnamed > 0);
    is_above.then(|| vec![(folder(root, mount), shown(mount, Path::new("")))])
}

/// The path of a group in its hierarchy, for people: the path of the mount's root, as far as this process can name it,
/// followed by the path below the mount. Control characters are escaped.
fn shown(mount: &Mount, below: &Path) -> String {
    let names = mount.root.names.iter().map(std::ffi::OsString::as_os_str).chain(below.iter());
    let mut path = String::new();
    for name in names {
        path.push('/');
        for char in name.to_string_lossy().chars() {
            if char.is_control() { path.extend(char.escape_default()) } else { path.push(char) }
        }
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

fn folder(root: &Path, mount: &Mount) -> PathBuf {
    root.join(mount.point.strip_prefix("/").unwrap_or(&mount.point))
}

/// The path from a mount point down to a group.
#[derive(Debug, PartialEq, Eq)]
struct Below {
    /// Number of leading levels outside the namespace of this process, whose names it cannot know. `path` follows them.
    unnamed: usize,
    path: PathBuf,
}

fn below(mount_root: &Place, place: &Place) -> Option<Below> {
    if mount_root.ups == place.ups {
        let names = place.names.strip_prefix(mount_root.names.as_slice())?;
        return Some(Below { unnamed: 0, path: names.iter().collect() });
    }
    // A mount of a group beside the namespace's root (`/../name`) cannot contain what is below that root.
    let unnamed = mount_root.ups.checked_sub(place.ups)?;
    mount_root.names.is_empty().then(|| Below { unnamed, path: place.names.iter().collect() })
}

/// The folder `below.unnamed` levels below `top` that lists this process.
fn find_by_process(top: &Path, below: &Below) -> Option<PathBuf> {
    let own_id = std::process::id().to_string();
    let mut open = vec![(top.to_owned(), below.unnamed)];
    let mut searched = 0;
    while let Some((folder, levels)) = open.pop() {
        searched += 1;
        if searched > MAX_SEARCHED {
            return None;
        }
        if levels == 0 {
            let group = folder.join(&below.path);
            if fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|ids| ids.lines().any(|id| id == own_id)) {
                return Some(group);
            }
            continue;
        }
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        open.extend(folders.map(|entry| (entry.path(), levels - 1)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ups: usize, names: &[&str]) -> Place {
        Place { ups, names: names.iter().map(Into::into).collect() }
    }

    #[test]
    fn a_group_is_shown_by_its_path_in_the_hierarchy() {
        let mount = |root| Mount { version: Version::V2, root, point: "/mnt".into() };
        for (root, below, expected) in [
            (at(0, &[]), "", "/"),
            (at(0, &[]), "a/b", "/a/b"),
            (at(0, &["docker", "x"]), "", "/docker/x"),
            (at(0, &["docker"]), "a\n\u{1b}[1m", "/docker/a\\n\\u{1b}[1m"),
            (at(2, &[]), "kube/c1", "/kube/c1"),
        ] {
            assert_eq!(shown(&mount(root), Path::new(below)), expected);
        }
    }

    #[test]
    fn the_way_down_is_what_is_left_of_the_path_after_the_root_of_the_mount() {
        let cases = [
            (at(0, &[]), at(0, &["a", "b"]), Some((0, "a/b"))),
            (at(0, &["a"]), at(0, &["a", "b"]), Some((0, "b"))),
            (at(0, &["a", "b"]), at(0, &["a", "b"]), Some((0, ""))),
            (at(0, &["a"]), at(0, &["ab"]), None),
            (at(0, &["a"]), at(0, &[]), None),
            (at(1, &["x"]), at(1, &["x", "y"]), Some((0, "y"))),
            (at(2, &[]), at(0, &["a"]), Some((2, "a"))),
            (at(2, &[]), at(1, &["a"]), Some((1, "a"))),
            (at(2, &["x"]), at(0, &["a"]), None),
            (at(0, &[]), at(1, &["a"]), None),
        ];
        for (mount, place, expected) in cases {
            let expected = expected.map(|(unnamed, path)| Below { unnamed, path: path.into() });
            assert_eq!(below(&mount, &place), expected, "{mount:?} {place:?}");
        }
    }
}
