//! State on disk: complete after a kill at any time, never the state of another breaker, and never lost silently.
#![cfg(feature = "state_dir")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use tripline_backends::state_dir::{ForeignState, Opened, StateDir, StateDirError};
use tripline_runtime::core::Policy;
use tripline_runtime::test_util::{MemoryStore, RecordingSink, World};
use tripline_runtime::{
    Breaker, BreakerName, DeliveryError, DurableState, StateStore as _, SupervisedBreaker, supervise,
};

/// A state with an ongoing incident and a waiting alert.
fn state() -> DurableState {
    let world = World::new(1);
    let (store, sink) = (Arc::new(MemoryStore::default()), Arc::new(RecordingSink::default()));
    sink.set_down(Some(DeliveryError::Retryable { after: None, reason: "busy".to_owned() }));
    let breaker = Breaker::builder(world.clock()).name(name()).policy(Policy::default()).build().unwrap();
    world.supervise([SupervisedBreaker::new(breaker.clone()).sink(sink).store(store.clone())]);
    breaker.simulate_latency();
    world.run_until_idle();
    let state = store.last().unwrap();
    assert!(state.lanes[0].incidents[0].waiting.is_some());
    state
}

fn numbered(number: u64) -> DurableState {
    let mut state = state();
    state.staging.last_incident = number;
    state
}

fn name() -> BreakerName {
    BreakerName::new("payments").unwrap()
}

fn open(root: &Path) -> Opened {
    StateDir::open(root, &name()).unwrap()
}

fn file(root: &Path) -> PathBuf {
    root.join("payments").join("state.json")
}

/// Saves a state and releases the folder. Returns the bytes of the file.
fn saved(root: &Path, state: &DurableState) -> Vec<u8> {
    block_on(open(root).store.save(state)).unwrap();
    fs::read(file(root)).unwrap()
}

#[test]
fn what_is_saved_is_there_at_the_next_start() {
    let root = tempfile::tempdir().unwrap();
    let opened = open(root.path());
    assert_eq!((opened.state, opened.problems), (None, vec![]));
    let state = state();
    block_on(opened.store.save(&numbered(7))).unwrap();
    block_on(opened.store.save(&state)).unwrap();
    drop(opened.store);
    let opened = open(root.path());
    assert_eq!((opened.state, opened.problems), (Some(state), vec![]));
}

#[test]
fn a_breaker_that_is_connected_goes_on_where_the_process_before_ended() {
    let root = tempfile::tempdir().unwrap();
    for (trips, open_at_the_end) in [(true, 1), (false, 0)] {
        let world = World::new(1);
        let sink = Arc::new(RecordingSink::default());
        let breaker = Breaker::builder(world.clock()).name(name()).policy(Policy::default()).build().unwrap();
        // The thread of the last save may hold the folder slightly longer than the world.
        let opened = eventually(|| StateDir::open(root.path(), &name()).ok());
        let watch = opened.connect(SupervisedBreaker::new(breaker.clone()).sink(sink.clone()));
        let (supervisor, dispatcher, stop) = supervise(world.clock(), [watch], 1);
        let ended = Rc::new(Cell::new(false));
        let place = ended.clone();
        world.spawn(supervisor.run());
        world.spawn(async move {
            dispatcher.run().await;
            place.set(true);
        });
        world.run_until_idle();
        if trips {
            breaker.simulate_latency();
        } else {
            breaker.reset();
        }
        // Saving takes real time.
        let told = eventually(|| {
            world.run_until_idle();
            sink.all().last().cloned()
        });
        assert_eq!((told.incident, usize::from(!told.stage.is_end())), (1, open_at_the_end));
        stop.stop(Duration::from_secs(60));
        eventually(|| {
            world.run_until_idle();
            ended.get().then_some(())
        });
        assert_eq!(lanes_on_disk(root.path()), open_at_the_end);
    }
}

#[test]
fn two_breakers_have_two_folders() {
    let root = tempfile::tempdir().unwrap();
    let first = open(root.path());
    let second = StateDir::open(root.path(), &BreakerName::new("Payments").unwrap()).unwrap();
    block_on(first.store.save(&state())).unwrap();
    drop(second.store);
    assert_eq!(StateDir::open(root.path(), &BreakerName::new("Payments").unwrap()).unwrap().state, None);
}

#[test]
fn removing_the_lock_file_lets_no_second_store_in() {
    let root = tempfile::tempdir().unwrap();
    let _first = open(root.path());
    let folder = fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(folder.join("lock")).unwrap();
    let error = StateDir::open(root.path(), &name()).unwrap_err();
    assert!(matches!(&error, StateDirError::InUse { .. }), "{error}");
}

#[test]
fn a_folder_is_one_stores_only() {
    let root = tempfile::tempdir().unwrap();
    let first = open(root.path());
    let error = StateDir::open(root.path(), &name()).unwrap_err();
    assert!(matches!(&error, StateDirError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    drop(first);
    open(root.path());
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    saved(root.path(), &state());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file(root.path())), 0o600);
    assert_eq!(mode(&root.path().join("payments")), 0o700);
}

/// Writes `bytes` to the state file: it must be set aside unchanged, and the store must work.
fn assert_set_aside(root: &Path, bytes: &[u8]) -> ForeignState {
    fs::write(file(root), bytes).unwrap();
    let opened = open(root);
    assert_eq!(opened.state, None);
    let [problem] = &opened.problems[..] else { panic!("{:?}", opened.problems) };
    assert_eq!(problem.was, file(root));
    assert_eq!(fs::read(&problem.now).unwrap(), bytes);
    let told = problem.to_string();
    assert!(told.contains(&problem.now.display().to_string()) && told.contains(&problem.why.to_string()), "{told}");
    block_on(opened.store.save(&numbered(5))).unwrap();
    assert!(fs::read(&problem.now).unwrap() == bytes, "it stays");
    problem.why.clone()
}

#[test]
fn a_torn_file_is_set_aside_wherever_it_is_torn() {
    let root = tempfile::tempdir().unwrap();
    let whole = saved(root.path(), &state());
    for length in (0..whole.len() - 1).step_by(97) {
        let why = assert_set_aside(root.path(), &whole[..length]);
        assert!(matches!(why, ForeignState::Unreadable { .. }), "{length}: {why}");
    }
    // Only the line end is missing, which is harmless.
    fs::write(file(root.path()), &whole[..whole.len() - 1]).unwrap();
    assert_eq!(open(root.path()).problems, []);
}

#[test]
fn a_file_that_was_changed_is_set_aside() {
    let root = tempfile::tempdir().unwrap();
    let text = String::from_utf8(saved(root.path(), &numbered(41))).unwrap();
    let changed = text.replace("\"last_incident\":41", "\"last_incident\":42");
    assert_ne!(changed, text);
    assert_eq!(assert_set_aside(root.path(), changed.as_bytes()), ForeignState::Changed);
    for place in (0..text.len() - 1).step_by(61) {
        let mut bytes = text.clone().into_bytes();
        bytes[place] ^= 0x01;
        assert_set_aside(root.path(), &bytes);
    }
}

#[test]
fn a_file_of_something_else_is_set_aside_with_what_it_is() {
    let root = tempfile::tempdir().unwrap();
    let text = String::from_utf8(saved(root.path(), &state())).unwrap();
    let newer = text.replace("\"version\":1", "\"version\":2");
    assert_eq!(assert_set_aside(root.path(), newer.as_bytes()), ForeignState::OtherVersion { version: 2 });
    let foreign = text.replace("tripline-state", "recipes");
    assert_eq!(
        assert_set_aside(root.path(), foreign.as_bytes()),
        ForeignState::Foreign { format: "recipes".to_owned() }
    );
    for bytes in [&b""[..], b"\0\0\0\0", b"[]", b"{}", b"name: value\n", "ünï".as_bytes(), b"\xff\xfe", b"null"] {
        assert!(matches!(assert_set_aside(root.path(), bytes), ForeignState::Unreadable { .. }), "{bytes:?}");
    }
    let deep = "[".repeat(100_000);
    assert!(matches!(assert_set_aside(root.path(), deep.as_bytes()), ForeignState::Unreadable { .. }));
    let large = vec![b' '; 16 * 1024 * 1024 + 1];
    assert!(matches!(assert_set_aside(root.path(), &large), ForeignState::TooLarge { .. }));
}

#[test]
fn the_state_of_another_breaker_is_set_aside() {
    let root = tempfile::tempdir().unwrap();
    let text = saved(root.path(), &state());
    let other = BreakerName::new("orders").unwrap();
    fs::create_dir(root.path().join("orders")).unwrap();
    fs::write(root.path().join("orders/state.json"), &text).unwrap();
    let opened = StateDir::open(root.path(), &other).unwrap();
    assert_eq!(opened.state, None);
    assert_eq!(opened.problems[0].why, ForeignState::OtherBreaker { breaker: name() });
    assert_eq!(fs::read(&opened.problems[0].now).unwrap(), text);
}

#[test]
fn what_was_set_aside_before_is_not_overwritten() {
    let root = tempfile::tempdir().unwrap();
    saved(root.path(), &state());
    for number in 1..=3 {
        fs::write(file(root.path()), format!("rubbish {number}")).unwrap();
        let opened = open(root.path());
        assert_eq!(opened.problems[0].now, root.path().join(format!("payments/state.json.set-aside-{number}")));
    }
    let first = fs::read_to_string(root.path().join("payments/state.json.set-aside-1")).unwrap();
    assert_eq!(first, "rubbish 1");
}

#[test]
fn a_folder_in_the_place_of_the_state_is_set_aside() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path()));
    fs::create_dir(file(root.path())).unwrap();
    let opened = open(root.path());
    assert_eq!(opened.problems[0].why, ForeignState::NoFile);
    block_on(opened.store.save(&state())).unwrap();
}

#[test]
fn a_root_that_is_no_folder_is_an_error_that_says_so() {
    let root = tempfile::tempdir().unwrap();
    let taken = root.path().join("file");
    fs::write(&taken, b"").unwrap();
    let error = StateDir::open(&taken, &name()).unwrap_err();
    assert!(matches!(&error, StateDirError::NotWritable { .. }), "{error}");
    assert!(error.to_string().contains("must be a folder that this user may write to"), "{error}");
    assert!(error.to_string().contains(&taken.display().to_string()), "{error}");
}

#[test]
fn a_save_that_fails_says_so_and_keeps_what_was_kept() {
    let root = tempfile::tempdir().unwrap();
    let opened = open(root.path());
    block_on(opened.store.save(&numbered(1))).unwrap();
    // A folder cannot be written like a file.
    let in_the_way = root.path().join("payments/state.json.next");
    fs::create_dir(&in_the_way).unwrap();
    block_on(opened.store.save(&numbered(2))).unwrap_err();
    fs::remove_dir(&in_the_way).unwrap();
    drop(opened.store);
    let opened = open(root.path());
    assert_eq!(opened.state.unwrap().staging.last_incident, 1);
    block_on(opened.store.save(&numbered(3))).unwrap();
}

fn lanes_on_disk(root: &Path) -> usize {
    let value: serde_json::Value = serde_json::from_slice(&fs::read(file(root)).unwrap()).unwrap();
    value["state"]["lanes"].as_array().unwrap().len()
}

fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not happen within a minute");
        std::thread::yield_now();
    }
}
