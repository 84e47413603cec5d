#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use super::*;

struct Subject {
    _folder: tempfile::TempDir,
    file: ConfigFile,
}

impl Subject {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut file = ConfigFile::new(folder.path().join("f.toml"));
        file.system.pause = Box::new(|_| ());
        fs::write(&file.path, "mine\n").unwrap();
        Self { _folder: folder, file }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file.path).unwrap()
    }

    /// Others replace the file with these texts, one after the other, each at the last moment.
    fn rewrite_among(
        &mut self,
        theirs: &[&str],
        edit: impl Fn(&str) -> Result<String, Unsaved>,
    ) -> Result<String, Unsaved> {
        let turn = Cell::new(0);
        let theirs: Vec<String> = theirs.iter().map(|text| (*text).to_owned()).collect();
        let path = self.file.path.clone();
        self.file.system.reached = Box::new(move |moment| {
            if moment != Moment::BeforeSwap {
                return;
            }
            if let Some(text) = theirs.get(turn.replace(turn.get() + 1)) {
                let next = path.with_extension("next");
                fs::write(&next, text).unwrap();
                fs::rename(next, &path).unwrap();
            }
        });
        self.file.rewrite("mine\n", &edit)
    }
}

#[allow(clippy::unnecessary_wraps)]
fn add(base: &str) -> Result<String, Unsaved> {
    let kept = base.replace("+added\n", "");
    Ok(format!("{kept}+added\n"))
}

#[test]
fn what_others_write_at_the_last_moment_is_not_lost() {
    for (theirs, expected) in [
        (vec![], "mine\n+added\n"),
        (vec!["theirs\n"], "theirs\n+added\n"),
        (vec!["theirs\n", "theirs again\n"], "theirs again\n+added\n"),
    ] {
        let mut subject = Subject::new();
        assert_eq!(subject.rewrite_among(&theirs, add).unwrap(), expected);
        assert_eq!(subject.text(), expected);
    }
}

#[test]
fn what_others_write_badly_at_the_last_moment_is_theirs_again() {
    let mut subject = Subject::new();
    let problem = subject.file.problem("is bad");
    let reject_theirs =
        |base: &str| if base.starts_with("bad") { Err(Unsaved::Bad(problem.clone())) } else { add(base) };
    assert!(matches!(subject.rewrite_among(&["bad\n"], reject_theirs), Err(Unsaved::Bad(_))));
    assert_eq!(subject.text(), "bad\n");
}

#[test]
fn others_that_never_stop_writing_are_reported() {
    let mut subject = Subject::new();
    let theirs: Vec<String> = (0..2 * MAX_TRIES).map(|n| format!("theirs {n}\n")).collect();
    let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
    assert!(matches!(subject.rewrite_among(&theirs, add), Err(Unsaved::Busy)));
    assert_eq!(subject.text(), format!("theirs {}\n", MAX_TRIES - 1));
}

#[test]
fn what_a_killed_process_left_behind_is_removed_after_a_while() {
    let subject = Subject::new();
    let folder = &subject.file.path.canonicalize().unwrap().parent().unwrap().to_owned();
    let (old, new) = (folder.join(".f.toml.tripline-1-0"), folder.join(".f.toml.tripline-2-0"));
    for path in [&old, &new] {
        fs::write(path, "").unwrap();
    }
    let long_ago = SystemTime::now() - 2 * LEFT_BEHIND;
    File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    subject.file.clean_up();
    assert_eq!((old.exists(), new.exists()), (false, true));
}

#[test]
fn a_writer_that_pauses_after_a_valid_first_half_loses_nothing() {
    for pause_ms in [30, 100, 200] {
        let mut subject = Subject::new();
        let path = subject.file.path.clone();
        // Another process has truncated the file and written its first half.
        fs::write(&path, "first half\n").unwrap();
        let elapsed = Cell::new(Duration::ZERO);
        subject.file.system.pause = Box::new(move |pause| {
            let before = elapsed.replace(elapsed.get() + pause);
            let due = Duration::from_millis(pause_ms);
            if before < due && elapsed.get() >= due {
                let mut file = File::options().append(true).open(&path).unwrap();
                io::Write::write_all(&mut file, b"second half\n").unwrap();
            }
        });
        let text = subject.file.rewrite("mine\n", &add).unwrap();
        assert_eq!(text, "first half\nsecond half\n+added\n", "a pause of {pause_ms} ms");
        assert_eq!(subject.text(), text);
    }
}

/// A system that cannot exchange two names: what was in the file is gone.
fn plain_rename(new: &Path, target: &Path) -> io::Result<Swapped> {
    fs::rename(new, target).map(|()| Swapped::Replaced)
}

#[test]
fn a_text_written_while_ours_was_drafted_is_not_lost_by_a_plain_rename() {
    let mut subject = Subject::new();
    let (path, turn) = (subject.file.path.clone(), Cell::new(0));
    subject.file.system.swap = Box::new(plain_rename);
    subject.file.system.reached = Box::new(move |moment| {
        if moment == Moment::Drafted && turn.replace(turn.get() + 1) == 0 {
            fs::write(&path, "theirs\n").unwrap();
        }
    });
    assert_eq!(subject.file.rewrite("mine\n", &add).unwrap(), "theirs\n+added\n");
    assert_eq!(subject.text(), "theirs\n+added\n");
}

#[test]
fn a_link_that_changes_its_target_while_ours_was_drafted_is_followed() {
    let mut subject = Subject::new();
    let folder = &subject.file.path.parent().unwrap().to_owned();
    let (first, second) = (folder.join("first.toml"), folder.join("second.toml"));
    for target in [&first, &second] {
        fs::write(target, "mine\n").unwrap();
    }
    let link = subject.file.path.clone();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&first, &link).unwrap();
    let (to, turn) = (second.clone(), Cell::new(0));
    subject.file.system.reached = Box::new(move |moment| {
        if moment == Moment::Drafted && turn.replace(turn.get() + 1) == 0 {
            let next = link.with_extension("next");
            std::os::unix::fs::symlink(&to, &next).unwrap();
            fs::rename(next, &link).unwrap();
        }
    });
    assert_eq!(subject.file.rewrite("mine\n", &add).unwrap(), "mine\n+added\n");
    assert_eq!(fs::read_to_string(&first).unwrap(), "mine\n", "the earlier target");
    assert_eq!(fs::read_to_string(&second).unwrap(), "mine\n+added\n", "the later target");
}

#[test]
fn a_file_that_cannot_be_replaced_is_written_in_place() {
    for kind in [io::ErrorKind::ResourceBusy, io::ErrorKind::CrossesDevices] {
        let mut subject = Subject::new();
        subject.file.system.swap = Box::new(move |_, _| Err(kind.into()));
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&subject.file.path).unwrap());
        assert_eq!(subject.file.rewrite("mine\n", &add).unwrap(), "mine\n+added\n");
        assert_eq!(subject.text(), "mine\n+added\n");
        assert_eq!(std::os::unix::fs::MetadataExt::ino(&fs::metadata(&subject.file.path).unwrap()), inode);
        let names = fs::read_dir(subject.file.path.parent().unwrap()).unwrap();
        assert_eq!(names.count(), 1, "nothing is left beside it");
    }
    let mut subject = Subject::new();
    subject.file.system.swap = Box::new(|_, _| Err(io::ErrorKind::StorageFull.into()));
    assert!(matches!(subject.file.rewrite("mine\n", &add), Err(Unsaved::NotWritable(_))));
    assert_eq!(subject.text(), "mine\n");
}
