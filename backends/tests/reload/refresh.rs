//! Files that a configuration names, such as certificates, are read again when an operator requests a reload.
#![cfg(all(feature = "reload", unix))]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tripline_backends::config::Config;
use tripline_backends::reload::{Applier, LoadedConfig};

/// Time limit of a test. No test comes near it unless something is wrong.
const TOO_LONG: Duration = Duration::from_secs(30);

/// Counts the requests to read the named files again.
#[derive(Default)]
struct Refreshed(Arc<AtomicUsize>);

impl Applier for Refreshed {
    fn apply(&mut self, _: &Config, _: &Config) {}

    fn refresh(&mut self, _: &Config) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_reload_of_the_same_file_lets_all_read_again_what_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breakers.toml");
    fs::write(&path, "latency_threshold = 100\n").unwrap();
    let no_environment = || Box::new(|_: &str| None);
    let file = LoadedConfig::file(&path, no_environment()).unwrap();
    let text = LoadedConfig::text("latency_threshold = 100\n", "text", no_environment()).unwrap();
    for loaded in [file, text] {
        let refreshed = Arc::<AtomicUsize>::default();
        let live = loaded.start(vec![Box::new(Refreshed(refreshed.clone()))]).unwrap();
        live.reload();
        let deadline = Instant::now() + TOO_LONG;
        while refreshed.load(Ordering::SeqCst) < 1 {
            assert!(Instant::now() < deadline, "it is not asked");
            thread::yield_now();
        }
        assert_eq!(live.reloads(), 0);
    }
}
