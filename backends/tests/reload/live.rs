//! Configuration changes at run time: saved completely, reloaded, and never lost.
#![cfg(all(feature = "reload", unix))]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use tempfile::TempDir;
use tripline_backends::config::{Change, Config, load, parse};
use tripline_backends::reload::{Applied, Applier, ChangeError, LiveConfig, LoadedConfig};
use tripline_runtime::core::{Breaker as Core, Outcome};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, BreakerName};

/// Time limit of a test. No test comes near it unless something is wrong.
const TOO_LONG: Duration = Duration::from_secs(30);

struct Subject {
    folder: TempDir,
    path: PathBuf,
    breaker: Breaker,
    live: LiveConfig,
}

fn start(path: &Path) -> (Breaker, LiveConfig) {
    let opened = LoadedConfig::file(path, Box::new(|_| None)).unwrap();
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock).policy(opened.config().breaker.policy.clone()).build().unwrap();
    let live = opened.start(vec![Box::new(breaker.clone())]).unwrap();
    (breaker, live)
}

impl Subject {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("breakers.toml");
        fs::write(&path, text).unwrap();
        let (breaker, live) = start(&path);
        Self { folder, path, breaker, live }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn set(&self, key: &str, x: f64) -> Result<Applied, ChangeError> {
        block_on(self.live.change(Change::set(key, x).unwrap(), "a test"))
    }

    fn threshold(&self) -> u32 {
        self.breaker.read(|core| core.policy().latency_threshold.as_millis())
    }

    /// Replaces the file in one step, as most editors do.
    fn replace(&self, text: &str) {
        replace(&self.path, text);
    }

    /// The other files in the folder.
    fn litter(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).filter(|name| name != "breakers.toml").collect()
    }
}

fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + TOO_LONG;
    let (_keep, never) = mpsc::channel::<()>();
    while !holds() {
        assert!(Instant::now() < deadline, "not within {TOO_LONG:?}: {what}");
        let _ = never.recv_timeout(Duration::from_millis(5));
    }
}

// ----- saving

#[test]
fn a_change_is_in_force_and_saved_when_it_is_answered_with_comments_order_and_mode_kept() {
    let text = "# mine\nwait_time = 9 # s\n\nlatency_threshold = 300 # ms\n[http]\n# end\n";
    let subject = Subject::new(text);
    fs::set_permissions(&subject.path, fs::Permissions::from_mode(0o640)).unwrap();
    let applied = subject.set("latency_threshold", 250.0).unwrap();
    assert_eq!((applied.saved, applied.reason), (true, None));
    assert_eq!(subject.threshold(), 250);
    assert_eq!(subject.text(), text.replace("300", "250"));
    assert_eq!(fs::metadata(&subject.path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(subject.litter(), [""; 0], "nothing is left behind");
    assert_eq!((subject.live.reloads(), subject.live.config_error()), (0, None), "our own write is no reload");
}

#[test]
fn a_linked_file_is_changed_where_it_is_and_stays_linked() {
    let folder = tempfile::tempdir().unwrap();
    let (link, real) = (folder.path().join("link.toml"), folder.path().join("real.toml"));
    fs::write(&real, "latency_threshold = 300\n").unwrap();
    symlink("real.toml", &link).unwrap();
    let (_, live) = start(&link);
    assert!(block_on(live.change(Change::set("wait_time", 3.0).unwrap(), "a test")).unwrap().saved);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(real).unwrap(), "latency_threshold = 300\nwait_time = 3\n");
}

#[test]
fn a_value_that_the_others_do_not_allow_changes_nothing() {
    let text = "wait_time = 5\nmax_wait_time = 60\n";
    let subject = Subject::new(text);
    let error = subject.set("wait_time", 61.0).unwrap_err();
    assert!(matches!(error, ChangeError::Conflict(_)), "{error}");
    assert!(error.to_string().contains("max_wait_time"), "{error}");
    assert_eq!(subject.text(), text);
    assert_eq!(subject.breaker.read(|core| core.policy().wait_time), Duration::from_secs(5));
}

#[test]
fn a_file_with_problems_is_left_as_it_is_and_nothing_changes() {
    let subject = Subject::new("latency_threshold = 300\n");
    for bad in ["latency_threshold = \n", "latency_threshold = -5\n", "\u{0}"] {
        subject.replace(bad);
        let error = subject.set("latency_threshold", 250.0).unwrap_err();
        assert!(matches!(error, ChangeError::File(_)), "{bad:?}: {error}");
        assert_eq!((subject.text().as_str(), subject.threshold()), (bad, 300));
    }
}

#[test]
fn an_edit_by_others_just_before_comes_into_force_with_the_change() {
    let subject = Subject::new("latency_threshold = 300\n");
    subject.replace("latency_threshold = 300\nwait_time = 77 # theirs\n");
    assert!(subject.set("latency_threshold", 250.0).unwrap().saved);
    assert_eq!(subject.text(), "latency_threshold = 250\nwait_time = 77 # theirs\n");
    assert_eq!(subject.breaker.read(|core| core.policy().wait_time), Duration::from_secs(77));
}

#[test]
fn two_processes_that_change_the_same_file_lose_nothing() {
    const CHANGES: u32 = 60;
    let first = Subject::new("# shared\n");
    let (_breaker, second) = start(&first.path);
    let keys = [("latency_threshold", &first.live), ("wait_time", &second)];
    let whole = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers = keys.map(|(key, live)| {
            scope.spawn(move || {
                for x in 1..=CHANGES {
                    assert!(block_on(live.change(Change::set(key, x).unwrap(), "a test")).unwrap().saved);
                }
            })
        });
        let reader = scope.spawn(|| {
            while !whole.load(Ordering::Relaxed) {
                let text = fs::read_to_string(&first.path).unwrap();
                assert!(text.starts_with("# shared\n"), "{text}");
                parse(&text, "f").unwrap();
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        whole.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    let text = first.text();
    let (config, _) = load(&first.path).unwrap();
    assert_eq!(config.breaker.policy.latency_threshold.as_millis(), CHANGES, "{text}");
    assert_eq!(config.breaker.policy.wait_time, Duration::from_secs(CHANGES.into()), "{text}");
    eventually("both know both", || {
        [&first.live, &second].iter().all(|live| live.config().breaker.policy == config.breaker.policy)
    });
}

#[test]
fn an_editor_that_replaces_the_file_meanwhile_loses_nothing() {
    let subject = Subject::new("wait_time = 1\n");
    let done = AtomicBool::new(false);
    let last = thread::scope(|scope| {
        let editor = scope.spawn(|| {
            let mut seconds = 1;
            let (_keep, never) = mpsc::channel::<()>();
            while !done.load(Ordering::Relaxed) && seconds < 3_000 {
                seconds += 1;
                // A person types more slowly than this.
                let _ = never.recv_timeout(Duration::from_millis(100));
                subject.replace(&format!("# edited\nwait_time = {seconds}\nmax_wait_time = 4000\n"));
                // A change of another key never reverts the last edit.
                eventually("the file is whole", || load(&subject.path).is_ok());
                let (config, _) = load(&subject.path).unwrap();
                assert_eq!(config.breaker.policy.wait_time, Duration::from_secs(seconds), "{}", subject.text());
            }
            seconds
        });
        for x in 1..=15 {
            // An editor that never pauses may prevent the save, which is reported.
            match subject.set("latency_threshold", f64::from(x)) {
                Ok(applied) => assert!(applied.saved),
                Err(error) => assert!(matches!(error, ChangeError::Busy), "{error}"),
            }
        }
        done.store(true, Ordering::Relaxed);
        editor.join().unwrap()
    });
    assert!(subject.set("latency_threshold", 7.0).unwrap().saved);
    let (config, _) = load(&subject.path).unwrap();
    assert_eq!(config.breaker.policy.wait_time, Duration::from_secs(last));
    assert_eq!(config.breaker.policy.latency_threshold.as_millis(), 7);
    assert_eq!(subject.litter(), [""; 0]);
}

#[test]
fn a_change_whose_caller_is_gone_is_made_all_the_same() {
    let subject = Subject::new("# the defaults\n");
    let change = Change::set("latency_threshold", 9.0).unwrap();
    let mut future = Box::pin(subject.live.change(change, "a client that hangs up"));
    assert!(block_on(futures_lite::future::poll_once(&mut future)).is_none_or(|applied| applied.is_ok()));
    drop(future);
    eventually("it is saved", || subject.text() == "# the defaults\nlatency_threshold = 9\n");
    eventually("it is in force", || subject.threshold() == 9);
}

// ----- changes that cannot be saved

#[test]
fn a_read_only_file_is_left_alone_and_the_change_holds_until_the_file_says_otherwise() {
    let text = "latency_threshold = 300\n";
    let subject = Subject::new(text);
    fs::set_permissions(&subject.path, fs::Permissions::from_mode(0o444)).unwrap();
    let applied = subject.set("latency_threshold", 250.0).unwrap();
    assert!(!applied.saved);
    assert!(applied.reason.unwrap().contains("read-only"));
    assert_eq!((subject.threshold(), subject.text().as_str()), (250, text));
    let told = subject.live.config_error().unwrap();
    assert!(told.contains("not saved") && told.contains("latency_threshold"), "{told}");

    // Another key changed in the file: the API's change stays in force.
    subject.replace("latency_threshold = 300\nwait_time = 9\n");
    let wait = || subject.breaker.read(|core| core.policy().wait_time);
    eventually("the file is read", || wait() == Duration::from_secs(9));
    assert_eq!(subject.threshold(), 250);
    assert!(subject.live.config_error().is_some());
    // The same key changed in the file: the file is the later change.
    subject.replace("latency_threshold = 200\nwait_time = 9\n");
    eventually("the file is read", || subject.threshold() == 200);
    eventually("all is well", || subject.live.config_error().is_none());
}

#[test]
fn what_could_not_be_saved_is_saved_with_the_next_change_that_can() {
    let subject = Subject::new("latency_threshold = 300\n");
    let mode = |mode| fs::set_permissions(&subject.path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o444);
    assert!(!subject.set("latency_threshold", 250.0).unwrap().saved);
    mode(0o644);
    assert!(subject.set("wait_time", 9.0).unwrap().saved);
    assert_eq!(subject.text(), "latency_threshold = 250\nwait_time = 9\n");
    assert_eq!(subject.live.config_error(), None);
}

#[test]
fn a_file_that_is_gone_or_never_was_is_not_made() {
    let subject = Subject::new("latency_threshold = 300\n");
    fs::remove_file(&subject.path).unwrap();
    let applied = subject.set("latency_threshold", 250.0).unwrap();
    assert_eq!((applied.saved, subject.threshold(), subject.path.exists()), (false, 250, false));

    let live = LoadedConfig::text("", "none", Box::new(|_| None)).unwrap().start(Vec::new()).unwrap();
    let applied = block_on(live.change(Change::set("wait_time", 900.0).unwrap(), "a test")).unwrap();
    assert_eq!((applied.saved, applied.reason.as_deref()), (false, Some("there is no configuration file")));
    assert_eq!(live.config().breaker.policy.max_wait_time, Duration::from_secs(900));
}

#[test]
fn a_secret_of_the_environment_is_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breakers.toml");
    fs::write(&path, "[opsgenie]\nteam = \"\"\n").unwrap();
    let environment = |name: &str| match name {
        "OPSGENIE_API_KEY" => Some("key-of-the-environment".to_owned()),
        "OPSGENIE_TEAM" => Some("team-of-the-environment".to_owned()),
        _ => None,
    };
    let live = LoadedConfig::file(&path, Box::new(environment)).unwrap().start(Vec::new()).unwrap();
    let change = Change::set("opsgenie.enabled", true).unwrap();
    assert!(block_on(live.change(change, "a test")).unwrap().saved);
    assert_eq!(live.config().breaker.opsgenie.api_key.as_ref().unwrap().expose(), "key-of-the-environment");
    assert_eq!(live.config().breaker.opsgenie.team, "team-of-the-environment");
    assert_eq!(fs::read_to_string(&path).unwrap(), "[opsgenie]\nteam = \"\"\nenabled = true\n");
}

// ----- reloading

#[test]
fn an_edited_file_comes_into_force_and_the_window_is_kept() {
    let subject = Subject::new("latency_threshold = 300\n");
    for _ in 0..5 {
        subject.breaker.try_start().unwrap().finish(Outcome::Ok);
    }
    subject.replace("latency_threshold = 200\nlatency_window_size = 3\n");
    eventually("the file is read", || subject.threshold() == 200);
    assert_eq!(subject.breaker.read(Core::samples), 3, "the newest");
    // The same for a file that is written in place.
    fs::write(&subject.path, "latency_threshold = 100\n").unwrap();
    eventually("the file is read", || subject.threshold() == 100);
    eventually("both are counted", || subject.live.reloads() == 2);
}

#[test]
fn a_bad_edit_keeps_what_is_running_and_is_reported_once_until_it_is_mended() {
    let good = "latency_threshold = 300\n";
    let subject = Subject::new(good);
    for (i, (bad, words)) in [
        ("latency_threshold = -5\n", ":1: latency_threshold = -5"),
        ("latency_threshold = \n", "not valid TOML"),
        ("", "is empty"),
    ]
    .into_iter()
    .enumerate()
    {
        subject.replace(bad);
        eventually("the problem is told", || subject.live.config_error().is_some_and(|told| told.contains(words)));
        assert_eq!((subject.threshold(), subject.live.reload_errors()), (300, i as u64 + 1));
    }
    fs::remove_file(&subject.path).unwrap();
    eventually("the problem is told", || {
        subject.live.config_error().is_some_and(|told| told.contains("cannot be read"))
    });
    subject.replace(good);
    eventually("all is well", || subject.live.config_error().is_none());
    assert_eq!((subject.threshold(), subject.live.reloads()), (300, 0));
}

#[test]
fn a_config_map_that_is_swapped_comes_into_force() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let version = |name: &str, ms: u32| {
        fs::create_dir(top.join(name)).unwrap();
        fs::write(top.join(name).join("breakers.toml"), format!("latency_threshold = {ms}\n")).unwrap();
        symlink(name, top.join("..data_tmp")).unwrap();
        fs::rename(top.join("..data_tmp"), top.join("..data")).unwrap();
    };
    version("..1", 300);
    symlink("..data/breakers.toml", top.join("breakers.toml")).unwrap();
    let (breaker, live) = start(&top.join("breakers.toml"));
    for (name, old, ms) in [("..2", "..1", 200), ("..3", "..2", 100)] {
        version(name, ms);
        fs::remove_dir_all(top.join(old)).unwrap();
        eventually("the map is read", || breaker.read(|core| core.policy().latency_threshold.as_millis()) == ms);
    }
    assert_eq!(live.config_error(), None);
}

#[test]
fn an_editor_that_disabled_the_breaker_disabled_it_and_no_other_change_does() {
    let subject = Subject::new("latency_threshold = 300\n");
    subject.breaker.disable();
    subject.set("latency_threshold", 250.0).unwrap();
    assert!(!subject.breaker.enabled(), "a change of another key leaves it");
    subject.breaker.enable();
    subject.replace("enabled = false\n");
    eventually("it is disabled", || !subject.breaker.enabled());
}

#[test]
fn an_applier_that_panics_does_not_prevent_the_next_change() {
    let seen = Arc::new(AtomicBool::new(false));
    let noted = seen.clone();
    let panics = |_: &Config, _: &Config| panic!("on purpose");
    let watcher =
        move |old: &Config, new: &Config| noted.store(old.breaker.policy != new.breaker.policy, Ordering::SeqCst);
    let opened = LoadedConfig::text("", "none", Box::new(|_| None)).unwrap();
    let live = opened.start(vec![Box::new(panics), Box::new(watcher)]).unwrap();
    for seconds in [3.0, 4.0] {
        seen.store(false, Ordering::SeqCst);
        block_on(live.change(Change::set("wait_time", seconds).unwrap(), "a test")).unwrap();
        assert!(seen.load(Ordering::SeqCst));
    }
}

/// Breakers of the given names, each following the file.
fn start_named(path: &Path, names: &[&str]) -> (Vec<Breaker>, LiveConfig) {
    let opened = LoadedConfig::file(path, Box::new(|_| None)).unwrap();
    let breakers = names.iter().map(|name| {
        let settings = opened.config().settings_of(name).unwrap();
        let builder = Breaker::builder(Arc::new(ManualClock::default())).name(BreakerName::new(name).unwrap());
        builder.policy(settings.policy.clone()).build().unwrap()
    });
    let breakers: Vec<Breaker> = breakers.collect();
    let appliers = breakers.iter().map(|breaker| Box::new(breaker.clone()) as Box<dyn Applier>).collect();
    let live = opened.start(appliers).unwrap();
    (breakers, live)
}

#[test]
fn each_named_breaker_follows_its_own_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breakers.toml");
    let text = "latency_threshold = 100\n[templates.slow]\nlatency_threshold = 900\n[breakers.a]\n\
                [breakers.b] # here\ninherit = \"slow\"\n";
    fs::write(&path, text).unwrap();
    let (breakers, live) = start_named(&path, &["a", "b"]);
    let thresholds =
        || breakers.iter().map(|b| b.read(|core| core.policy().latency_threshold.as_millis())).collect::<Vec<_>>();
    assert_eq!(thresholds(), [100, 900]);

    let change = Change::set("latency_threshold", 250.0).unwrap().of_breaker(breakers[1].name()).unwrap();
    assert!(block_on(live.change(change, "a test")).unwrap().saved);
    assert_eq!(thresholds(), [100, 250]);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}latency_threshold = 250\n"));

    // The root is the base of breakers without their own value.
    replace(&path, &text.replace("= 100", "= 120"));
    live.reload();
    eventually("the new base", || thresholds() == [120, 900]);
    // A removed breaker keeps its last settings, even if only the root is left.
    replace(&path, "latency_threshold = 130\n[breakers.a]\n");
    live.reload();
    eventually("the shorter file", || thresholds() == [130, 900]);
    replace(&path, "latency_threshold = 140\n");
    live.reload();
    eventually("the root alone", || live.config().breakers.is_empty());
    assert_eq!(thresholds(), [130, 900]);
}
