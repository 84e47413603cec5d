//! Reports that a file may have changed, through whichever links its path goes.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::store::WatchedPath;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// More symbolic links than this lead nowhere.
const MAX_LINKS: usize = 40;

type Points = Arc<Mutex<BTreeSet<PathBuf>>>;

/// Watches the folders in which a path's file, or a link on the way to it, can be replaced.
pub(crate) struct Watch {
    path: PathBuf,
    watcher: Option<RecommendedWatcher>,
    points: Points,
}

impl Watch {
    /// Calls `touched` whenever the file that `path` leads to may have changed. It may call too often.
    pub(crate) fn new(path: PathBuf, touched: impl Fn() + Send + 'static) -> Self {
        let points = Points::default();
        let looked_at = points.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| concerns(&event, &looked_at)) {
                touched();
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(file = %path.display(), %error, "the file cannot be watched for changes; it is polled every second instead");
        }
        Self { path, watcher: watcher.ok(), points }
    }
}

impl WatchedPath for Watch {
    /// Watches the links and folders that the path goes through now; false where changes may come without an event: where
    /// a part cannot be watched, and where a file is mounted alone, whose changes have no event in its folder.
    fn follow(&mut self) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let new = points(&self.path);
        let is_mounted = new.iter().any(|point| is_mount_point(point));
        let folders: BTreeSet<&Path> = new.iter().filter_map(|point| point.parent()).collect();
        let mut all = !folders.is_empty();
        // The watcher is never called with the lock held: it waits for the thread that asks for the lock.
        let old = self.points.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for gone in old.iter().filter_map(|point| point.parent()).filter(|folder| !folders.contains(folder)) {
            // It may be gone itself.
            let _ = watcher.unwatch(gone);
        }
        for folder in folders {
            // Also one that is watched: another folder may have taken its name.
            all &= watcher.watch(folder, RecursiveMode::NonRecursive).is_ok();
        }
        *self.points.lock().unwrap_or_else(PoisonError::into_inner) = new;
        all && !is_mounted
    }
}

/// Whether the event is about a file or link on the way. Reading is none: our own would call us again.
fn concerns(event: &Event, points: &Points) -> bool {
    let is_change = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    let points = points.lock().unwrap_or_else(PoisonError::into_inner);
    is_change && (event.need_rescan() || event.paths.iter().any(|path| points.contains(path)))
}

/// The file that `path` leads to and every symbolic link on the way, each by a path whose folders are no links.
fn points(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let Ok(path) = std::path::absolute(path) else { return found };
    let mut here = PathBuf::new();
    let mut ahead: VecDeque<OsString> = names(&path);
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        match std::fs::read_link(&next) {
            Ok(to) if links < MAX_LINKS => {
                links += 1;
                found.insert(next);
                if to.is_absolute() {
                    here.clear();
                }
                for name in names(&to).into_iter().rev() {
                    ahead.push_front(name);
                }
            }
            _ => {
                if ahead.is_empty() {
                    found.insert(next.clone());
                }
                here = next;
            }
        }
    }
    found
}

/// Whether something is mounted on `path` itself; false where the system does not say.
fn is_mount_point(path: &Path) -> bool {
    std::fs::read_to_string("/proc/self/mountinfo").is_ok_and(|mounts| mounts_name(&mounts, path))
}

/// Whether a line of `mounts`, in the format of `/proc/self/mountinfo`, names `path` as its mount point.
fn mounts_name(mounts: &str, path: &Path) -> bool {
    let Some(path) = path.to_str() else { return false };
    // The kernel escapes what would break a line into fields.
    let escaped = path.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012");
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(escaped.as_str()))
}

fn names(path: &Path) -> VecDeque<OsString> {
    let useful = path.components().filter(|component| *component != Component::CurDir);
    useful.map(|component| component.as_os_str().to_owned()).collect()
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn swapping_a_link_on_the_way_and_replacing_the_file_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        for version in ["..1", "..2"] {
            std::fs::create_dir(top.join(version)).unwrap();
            std::fs::write(top.join(version).join("f.toml"), version).unwrap();
        }
        symlink("..1", top.join("..data")).unwrap();
        symlink("..data/f.toml", top.join("f.toml")).unwrap();
        let (sender, signs) = channel();
        let mut watch = Watch::new(top.join("f.toml"), move || sender.send(()).unwrap());
        assert!(watch.follow());
        let noticed = || signs.recv_timeout(Duration::from_secs(30)).unwrap();

        symlink("..2", top.join("..next")).unwrap();
        std::fs::rename(top.join("..next"), top.join("..data")).unwrap();
        noticed();
        assert!(watch.follow());
        while signs.try_recv().is_ok() {}

        std::fs::write(top.join("..2/next"), "new").unwrap();
        std::fs::rename(top.join("..2/next"), top.join("..2/f.toml")).unwrap();
        noticed();
        while signs.try_recv().is_ok() {}

        std::fs::write(top.join("..2/f.toml"), "in place").unwrap();
        noticed();
    }

    #[test]
    fn reading_the_file_is_no_change() {
        let points: Points = Arc::new(Mutex::new(BTreeSet::from([PathBuf::from("/f")])));
        let event = |kind| Event::new(kind).add_path("/f".into());
        assert!(!concerns(&event(EventKind::Access(AccessKind::Open(AccessMode::Any))), &points));
        assert!(!concerns(&event(EventKind::Access(AccessKind::Close(AccessMode::Read))), &points));
        assert!(concerns(&event(EventKind::Access(AccessKind::Close(AccessMode::Write))), &points));
        assert!(concerns(&event(EventKind::Any), &points));
        assert!(!concerns(&Event::new(EventKind::Any).add_path("/other".into()), &points));
    }

    #[test]
    fn every_link_on_the_way_is_found_and_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("mount/..1")).unwrap();
        std::fs::write(top.join("mount/..1/f.toml"), "").unwrap();
        symlink("..1", top.join("mount/..data")).unwrap();
        symlink("..data/f.toml", top.join("mount/f.toml")).unwrap();
        symlink("../mount", top.join("mount/..1/again")).unwrap();
        symlink(top.join("mount"), top.join("etc")).unwrap();
        let found = points(&top.join("etc/f.toml"));
        let expected = ["etc", "mount/f.toml", "mount/..data", "mount/..1/f.toml"].map(|name| top.join(name));
        assert_eq!(found, BTreeSet::from(expected));
    }

    #[test]
    fn a_file_that_is_mounted_alone_is_recognised() {
        let mounts = "36 35 98:0 / / rw,noatime - ext3 /dev/root rw\n\
                      37 36 0:5 /f /etc/my\\040app/f.toml rw - ext4 /dev/sda1 rw\n";
        assert!(mounts_name(mounts, Path::new("/etc/my app/f.toml")));
        for other in ["/etc/my app", "/etc/my app/f.tom", "/f", "98:0"] {
            assert!(!mounts_name(mounts, Path::new(other)), "{other}");
        }
    }

    #[test]
    fn a_circle_of_links_ends() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        symlink("b", top.join("a")).unwrap();
        symlink("a", top.join("b")).unwrap();
        assert!(points(&top.join("a")).len() <= 2);
    }
}
