//! A configuration file mounted on its own, as in containers: it can be written, but not replaced.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use tripline_backends::config::Change;
use tripline_backends::reload::LoadedConfig;
use tripline_runtime::Breaker;
use tripline_runtime::test_util::ManualClock;

/// Passes the folder to the test inside the mount namespace.
const FOLDER: &str = "TRIPLINE_TEST_MOUNTED_FOLDER";
const TEXT: &str = "# as agreed\nlatency_threshold = 300 # ms\n";

/// The file outside the container, and its mount point.
fn paths(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("outside/breakers.toml"), folder.join("inside/breakers.toml"))
}

#[test]
fn a_file_that_is_mounted_alone_is_saved_and_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    let (outside, inside) = paths(folder.path());
    for path in [&outside, &inside] {
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(path, TEXT).unwrap();
    }
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]).arg(&outside).arg(&inside);
        command
    };
    let can_mount = unshare("mount --bind \"$1\" \"$2\"").output().is_ok_and(|output| output.status.success());
    if !can_mount {
        assert!(std::env::var_os("TRIPLINE_REQUIRE_MOUNTS").is_none(), "a bind mount is required, and not possible");
        eprintln!(
            "SKIPPED: a_file_that_is_mounted_alone_is_saved_and_reloaded needs a mount namespace (unshare --mount)"
        );
        return;
    }
    let test = std::env::current_exe().unwrap();
    let mut command = unshare("mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"");
    command.arg(test).args(["--exact", "reload_mount::inside_of_the_namespace", "--ignored", "--nocapture"]);
    let output = command.env(FOLDER, folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    let saved = fs::read_to_string(&outside).unwrap();
    assert_eq!(saved, "# as agreed\nlatency_threshold = 200 # ms\n", "the last text, outside");
    assert_eq!(fs::read_to_string(&inside).unwrap(), TEXT, "what the mount covered is untouched");
}

#[test]
#[ignore = "runs inside a mount namespace, started by the other test"]
fn inside_of_the_namespace() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (outside, inside) = paths(Path::new(&folder));
    let loaded = LoadedConfig::file(&inside, Box::new(|_| None)).unwrap();
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock).policy(loaded.config().breaker.policy.clone()).build().unwrap();
    let live = loaded.start(vec![Box::new(breaker.clone())]).unwrap();
    let threshold = || breaker.read(|core| core.policy().latency_threshold.as_millis());

    let applied = block_on(live.change(Change::set("latency_threshold", 250.0).unwrap(), "a test")).unwrap();
    assert_eq!((applied.saved, applied.reason, threshold()), (true, None, 250));
    assert_eq!(fs::read_to_string(&inside).unwrap(), TEXT.replace("300", "250"));
    let names = fs::read_dir(inside.parent().unwrap()).unwrap();
    assert_eq!(names.count(), 1, "nothing is left beside it");

    // An edit outside, in place, causes no event in the folder inside.
    fs::write(&outside, TEXT.replace("300", "200")).unwrap();
    let start = Instant::now();
    let (_keep, never) = mpsc::channel::<()>();
    while threshold() != 200 {
        assert!(start.elapsed() < Duration::from_secs(30), "the edit is not noticed");
        let _ = never.recv_timeout(Duration::from_millis(5));
    }
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(live.config_error(), None);
}
