//! A process that is killed during a save. A separate file: for a moment child processes hold all files that are open
//! here, and thus the locks of other tests.
#![cfg(feature = "state_dir")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use tripline_backends::state_dir::{Opened, StateDir};
use tripline_runtime::core::Policy;
use tripline_runtime::test_util::{MemoryStore, RecordingSink, World};
use tripline_runtime::{Breaker, BreakerName, DurableState, StateStore as _, SupervisedBreaker};

/// A state with an ongoing incident.
fn state() -> DurableState {
    let world = World::new(1);
    let store = Arc::new(MemoryStore::default());
    let breaker = Breaker::builder(world.clock()).policy(Policy::default()).build().unwrap();
    world.supervise([SupervisedBreaker::new(breaker.clone())
        .sink(Arc::new(RecordingSink::default()))
        .store(store.clone())]);
    breaker.simulate_latency();
    world.run_until_idle();
    store.last().unwrap()
}

fn open(root: &Path) -> Opened {
    StateDir::open(root, &BreakerName::default()).unwrap()
}

/// Passes the folder to the process that is killed.
const FOLDER: &str = "TRIPLINE_TEST_STATE_DIR";

/// Not a test on its own: the process that [`a_kill_while_saving_leaves_a_whole_state`] kills.
#[test]
#[ignore = "another test starts it as a process of its own"]
fn saves_until_it_is_killed() {
    let Some(root) = std::env::var_os(FOLDER) else { return };
    let opened = open(Path::new(&root));
    let first = opened.state.map_or(0, |state| state.staging.last_incident);
    let mut state = state();
    for number in first + 1.. {
        state.staging.last_incident = number;
        block_on(opened.store.save(&state)).unwrap();
    }
}

/// Kills the process when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_kill_while_saving_leaves_a_whole_state() {
    let root = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0..20 {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "saves_until_it_is_killed", "--ignored"])
            .env(FOLDER, root.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let child = Killed(child);
        // A different number of saves each time. A concurrent reader sees a complete file too.
        let enough = last + 1 + round % 5;
        let seen = eventually(|| number_on_disk(root.path()).filter(|&number| number >= enough));
        drop(child);
        let opened = open(root.path());
        assert_eq!(opened.problems, [], "round {round}");
        last = opened.state.unwrap().staging.last_incident;
        assert!(last >= seen, "round {round}: {seen} was saved, and {last} is left");
    }
}

fn number_on_disk(root: &Path) -> Option<u64> {
    let text = fs::read(root.join("default/state.json")).ok()?;
    let value: serde_json::Value = serde_json::from_slice(&text).expect("a reader sees a whole file");
    value["state"]["staging"]["last_incident"].as_u64()
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
