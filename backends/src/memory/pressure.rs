//! Whether the kernel confirms that memory is short: stalls (PSI) and failed allocations.

use std::path::PathBuf;

use super::kernel_file::KernelFile;
use super::parse::{keyed, stall_percent};

/// Minimum share of the last 10 s in which all tasks of the level were stalled on memory that confirms a shortage, in
/// percent. By default `systemd-oomd` kills above 60 % for 30 s.
const CONFIRMING_STALL_PERCENT: f64 = 10.0;

/// Number of readings for which a failed allocation confirms a shortage: 10 s at the default `sample_interval_ms`, the
/// period of the PSI average.
const READINGS_AFTER_OOM: u32 = 20;

/// The kernel's own view of a level's shortage. It can only confirm one: a missing or unreadable file confirms nothing
/// and is not an error.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    pressure: Option<KernelFile>,
    events: Option<KernelFile>,
    last_ooms: Option<u64>,
    readings_left: u32,
}

impl Confirmation {
    /// `pressure` is a PSI file, `events` a file with the counters `oom` and `oom_kill`.
    pub(super) fn open(pressure: Option<PathBuf>, events: Option<PathBuf>) -> Self {
        let open = |path: Option<PathBuf>| path.and_then(|path| KernelFile::open(path).ok());
        Self { pressure: open(pressure), events: open(events), ..Self::default() }
    }

    /// Reads the files and returns whether they confirm a shortage now.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> bool {
        let text = self.events.as_ref().and_then(|events| events.read(buffer).ok());
        let ooms = text.and_then(ooms);
        if matches!((self.last_ooms, ooms), (Some(last), Some(now)) if now > last) {
            self.readings_left = READINGS_AFTER_OOM;
        } else {
            self.readings_left = self.readings_left.saturating_sub(1);
        }
        self.last_ooms = ooms.or(self.last_ooms);
        let text = self.pressure.as_ref().and_then(|pressure| pressure.read(buffer).ok());
        let stalls = text.and_then(stall_percent).is_some_and(|percent| percent >= CONFIRMING_STALL_PERCENT);
        stalls || self.readings_left > 0
    }
}

/// Number of failed allocations plus processes killed for lack of memory; `None` if neither is counted.
fn ooms(text: &[u8]) -> Option<u64> {
    let (failed, killed) = (keyed(text, "oom"), keyed(text, "oom_kill"));
    (failed.is_some() || killed.is_some()).then(|| failed.unwrap_or(0).saturating_add(killed.unwrap_or(0)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::kernel_file::BUFFER_LEN;
    use super::*;

    fn psi(full: &str) -> String {
        format!("some avg10=99.00 avg60=9.00 avg300=9.00 total=9\nfull avg10={full} avg60=99.00 avg300=0.00 total=5\n")
    }

    #[test]
    fn full_stalls_confirm_and_some_stalls_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.pressure");
        std::fs::write(&path, "").unwrap();
        let mut confirmation = Confirmation::open(Some(path.clone()), None);
        for (text, confirmed) in [
            (psi("0.00"), false),
            (psi("9.99"), false),
            (psi("10.00"), true),
            (psi("100.00"), true),
            (psi("inf"), false),
            (psi("nan"), false),
            (psi(""), false),
            (String::new(), false),
            ("some avg10=99.00 avg60=0.00 avg300=0.00 total=0\n".to_owned(), false),
        ] {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(confirmation.read(&mut [0; BUFFER_LEN]), confirmed, "{text:?}");
        }
    }

    #[test]
    fn a_new_failed_allocation_confirms_for_a_while_and_an_old_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.events");
        let write = |oom: u64, kills: u64| {
            std::fs::write(&path, format!("low 0\nhigh 7\nmax 9\noom {oom}\noom_kill {kills}\noom_group_kill 0\n"))
                .unwrap();
        };
        write(3, 2);
        let mut confirmation = Confirmation::open(None, Some(path.clone()));
        let mut read = || confirmation.read(&mut [0; BUFFER_LEN]);
        assert!(!read() && !read());
        write(4, 2);
        assert_eq!((0..40).take_while(|_| read()).count(), 20);
        write(4, 3);
        assert!(read());
        std::fs::write(&path, "garbage").unwrap();
        assert!(read(), "an unreadable file changes nothing");
    }

    #[test]
    fn files_that_are_missing_confirm_nothing() {
        assert!(!Confirmation::open(Some("/nowhere/a".into()), Some("/nowhere/b".into())).read(&mut [0; 64]));
    }
}
