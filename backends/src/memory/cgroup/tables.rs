//! The two tables that lead a process to its control group: `/proc/self/cgroup` and `/proc/self/mountinfo`. Pure.

use std::ffi::OsString;
use std::path::{Component, PathBuf};

/// The interface of a control group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// The position of a group in its hierarchy, as seen from this process's namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of levels above the root of the namespace: the leading `..`.
    pub(super) ups: usize,
    /// The names below that level.
    pub(super) names: Vec<OsString>,
}

/// One mounted hierarchy that may own the memory controller.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) version: Version,
    /// The group that the mount point shows.
    pub(super) root: Place,
    pub(super) point: PathBuf,
}

/// The group that this process's memory is charged to.
///
/// A hierarchy of version 1 with the memory controller owns it, whatever else is mounted; without one, only version 2
/// can.
pub(super) fn own_place(cgroup: &[u8]) -> Option<(Version, Place)> {
    let mut v2 = None;
    for line in cgroup.split(|&byte| byte == b'\n') {
        // hierarchy:controllers:path; only the path may contain more colons.
        let mut fields = line.splitn(3, |&byte| byte == b':');
        let (Some(hierarchy), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if controllers.split(|&byte| byte == b',').any(|controller| controller == b"memory") {
            return Some((Version::V1, place(path.to_vec())));
        }
        if hierarchy == b"0" && controllers.is_empty() {
            v2 = Some((Version::V2, place(path.to_vec())));
        }
    }
    v2
}

/// All mounts of version 2, and the mounts of version 1 with the memory controller.
pub(super) fn mounts(mountinfo: &[u8]) -> Vec<Mount> {
    mountinfo.split(|&byte| byte == b'\n').filter_map(mount).collect()
}

/// One line: `id parent device root point options [optional fields]… - type source super-options`.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let root = fields.nth(3)?;
    let point = fields.next()?;
    fields.next()?; // The options of the mount itself, followed by any number of optional fields.
    fields.find(|&field| field == b"-")?;
    let version = match fields.next()? {
        b"cgroup2" => Version::V2,
        b"cgroup" if fields.nth(1)?.split(|&byte| byte == b',').any(|option| option == b"memory") => Version::V1,
        _ => return None,
    };
    Some(Mount { version, root: place(unescape(root)), point: path_from(unescape(point)) })
}

/// Decodes the escapes of mountinfo: a backslash and three octal digits for white space and the backslash itself.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), after)
            }
            _ => (first, after),
        };
        plain.push(byte);
        rest = after;
    }
    plain
}

fn place(path: Vec<u8>) -> Place {
    let mut place = Place::default();
    for component in path_from(path).components() {
        match component {
            Component::ParentDir if place.names.pop().is_none() => place.ups += 1,
            Component::Normal(name) => place.names.push(name.to_owned()),
            _ => {}
        }
    }
    place
}

#[cfg(unix)]
fn path_from(bytes: Vec<u8>) -> PathBuf {
    <OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_from(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ups: usize, names: &[&str]) -> Place {
        Place { ups, names: names.iter().map(OsString::from).collect() }
    }

    #[test]
    fn version_1_owns_memory_where_it_has_the_controller() {
        let hybrid = b"9:name=systemd:/a\n4:cpu,memory:/b:c/d\n0::/e\n";
        assert_eq!(own_place(hybrid), Some((Version::V1, at(0, &["b:c", "d"]))));
        let v2_owns = b"9:name=systemd:/a\n3:cpu,memory_like:/b\n0::/e\n";
        assert_eq!(own_place(v2_owns), Some((Version::V2, at(0, &["e"]))));
        assert_eq!(own_place(b"9:name=systemd:/a\n"), None);
        assert_eq!(own_place(b""), None);
    }

    #[test]
    fn a_place_outside_of_the_namespace_counts_its_levels() {
        assert_eq!(place(b"/".to_vec()), at(0, &[]));
        assert_eq!(place(b"/../..".to_vec()), at(2, &[]));
        assert_eq!(place(b"/../x/y".to_vec()), at(1, &["x", "y"]));
        assert_eq!(place(b"/x/../../y".to_vec()), at(1, &["y"]));
    }

    #[test]
    fn mounts_are_found_with_optional_fields_and_escapes() {
        let text = br"25 1 0:22 / /proc rw - proc proc rw
31 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
35 31 0:32 /docker/a\040b /sys/fs/c\134g rw,relatime shared:9 master:4 - cgroup cgroup rw,memory
41 31 0:38 /../.. /sys/fs/uni\011fied rw - cgroup2 - rw,nsdelegate
";
        let expected = [
            Mount { version: Version::V1, root: at(0, &["docker", "a b"]), point: r"/sys/fs/c\g".into() },
            Mount { version: Version::V2, root: at(2, &[]), point: "/sys/fs/uni\tfied".into() },
        ];
        assert_eq!(mounts(text), expected);
    }

    #[test]
    fn what_is_no_escape_stays() {
        for plain in [&br"\"[..], br"\04", br"\048", br"\777", br"a\b"] {
            assert_eq!(unescape(plain), plain);
        }
        assert_eq!(unescape(br"\134\040\377"), b"\\ \xff");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            own_place(&text);
            mounts(&text);
        }

        #[test]
        fn nothing_that_looks_like_a_table_makes_it_panic(text in r"([0-9:/. \\,-]|memory|cgroup2?|\n){0,60}") {
            own_place(text.as_bytes());
            mounts(text.as_bytes());
        }

        #[test]
        fn every_name_survives_the_escapes(name in "[a-z \\\\\t]{1,12}") {
            let escaped: String = name.chars().map(|c| match c {
                'a'..='z' => c.to_string(),
                _ => format!("\\{:03o}", u32::from(c)),
            }).collect();
            let line = format!("1 2 0:3 /{escaped} /mnt rw - cgroup2 none rw");
            prop_assert_eq!(&mounts(line.as_bytes())[0].root, &at(0, &[&name]));
        }
    }
}
