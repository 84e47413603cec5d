//! The configuration of a run, drawn from its seed, and edits of it.

use std::fmt::Write as _;

use super::extras::{FAMILY, MAX_KEYS, OPTIONAL};
use super::random::Random;

/// The breakers of every run.
pub(super) const BREAKERS: [&str; 2] = ["checkout", "search"];

/// A healthy call takes less than all of these, a slow one more.
const THRESHOLDS: [u32; 3] = [200, 300, 500];
/// Latency of a healthy call, in milliseconds.
pub(super) const HEALTHY_MS: (u64, u64) = (5, 60);
/// Latency of a slow call, in milliseconds.
pub(super) const SLOW_MS: (u64, u64) = (900, 2_500);

/// The key of the alert service.
pub(super) const API_KEY: &str = "simulated-key-0123456789";

/// The environment of the process.
pub(super) fn environment(name: &str) -> Option<String> {
    match name {
        "OPSGENIE_API_KEY" => Some(API_KEY.to_owned()),
        "TRIPLINE_FLEET_URL" => Some("redis://fleet.sim".to_owned()),
        "OPSGENIE_API_URL" => Some("https://alerts.sim".to_owned()),
        _ => None,
    }
}

/// Whether the process of this seed has a family, and a breaker that operators add and remove.
pub(super) fn has_extras(seed: u64) -> bool {
    Random::new(seed, 59).below(3) == 0
}

/// Whether the process of this seed is one replica of a fleet.
pub(super) fn has_fleet(seed: u64) -> bool {
    Random::new(seed, 23).below(3) == 0
}

/// Options of the configuration that are off in most seeds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Both replicas must be unwell before the fleet pages.
    pub(super) pages_together: bool,
    /// A replica that pages alone closes its alert alone.
    pub(super) fallback_close: bool,
    /// The replicas of the fleet execute commands to all of them.
    pub(super) takes_commands: bool,
    /// Each member of the family has incidents and alerts of its own.
    pub(super) alerts_per_key: bool,
}

impl Options {
    /// Draws those of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::new(seed, 152);
        let has_options = random.chance(0.4);
        let mut with = |is_possible: bool, share| random.chance(share) && has_options && is_possible;
        Self {
            pages_together: with(has_fleet(seed), 0.5),
            fallback_close: with(has_fleet(seed), 0.5),
            takes_commands: with(has_fleet(seed), 0.7),
            alerts_per_key: with(has_extras(seed) && !has_fleet(seed), 0.7),
        }
    }
}

/// Returns the text of the configuration file.
pub(super) fn text(seed: u64) -> String {
    let mut random = Random::new(seed, 1);
    let mut text = String::from("# as agreed\nmemory_source = \"mock\"\nstate_dir = \"/state\"\n");
    let mut key = |key: &str, value: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{key} = {value}");
    };
    key("latency_threshold", random.one_of(&THRESHOLDS).to_string());
    key("sample_interval_ms", random.one_of(&[8_000, 12_000]).to_string());
    key("latency_window_size", random.one_of(&[20, 64]).to_string());
    key("wait_time", random.one_of(&[3, 10]).to_string());
    key("half_open_max_calls", random.one_of(&[1, 3, 5]).to_string());
    key("recovery_time", random.one_of(&[20, 60]).to_string());
    key("trip_confidence", random.one_of(&["0", "0.9", "0.995", "0.995"]).to_owned());
    key("trend_analysis_enabled", random.one_of(&["false", "false", "false", "true"]).to_owned());
    key("stall_detection", random.one_of(&["true", "true", "false"]).to_owned());
    key("memory_hysteresis", random.one_of(&[0, 5]).to_string());
    let (cooldown, escalation) = (random.one_of(&[0, 60]), random.one_of(&[0, 0, 90]));
    let reset = random.chance(0.5);
    let _ = write!(
        text,
        "\n[opsgenie]\nenabled = true # pages\nteam = \"core\"\nenvironment = \"sim\"\nservice_id = \"7\"\nhostname = \"sim\"\n\
         business = \"test\"\nalert_cooldown_seconds = {cooldown}\ntime_before_send_alert = {escalation}\n\
         trigger_on_breaker_reset = {reset}\ninclude_system_info = false\n\n\
         [webhook]\nenabled = true\nurl = \"https://hook.sim/in\"\n\n"
    );
    let options = Options::of(seed);
    if has_fleet(seed) {
        let page_at = if options.pages_together { 2 } else { 1 };
        let Options { fallback_close, takes_commands, .. } = options;
        let _ = writeln!(
            text,
            "[fleet]\nengine = \"redis\"\npage_at = {page_at}\nfallback_close = {fallback_close}\ncommands = {takes_commands}\n"
        );
    }
    for name in BREAKERS {
        let _ = writeln!(text, "[breakers.{name}] # a dependency\n");
    }
    if has_extras(seed) {
        let per_key = options.alerts_per_key;
        let _ = writeln!(
            text,
            "[breakers.{FAMILY}]\nkey = \"caller\"\nmax_keys = {MAX_KEYS}\nalerts.per_key = {per_key}\n"
        );
    }
    text
}

/// A manual edit of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    /// Another threshold for all breakers.
    Threshold,
    /// Another wait for all breakers.
    Wait,
    /// A comment more.
    Comment,
    /// A text that is not TOML.
    Broken,
    /// A value that is out of range.
    OutOfRange,
    /// An empty file, as while it is written.
    Emptied,
    /// The optional breaker, added or removed.
    Optional,
}

impl Edit {
    pub(super) const ALL: [Self; 6] =
        [Self::Threshold, Self::Wait, Self::Comment, Self::Broken, Self::OutOfRange, Self::Emptied];

    /// Returns the text after the edit.
    pub(super) fn of(self, text: &str, number: u64) -> String {
        let replace = |key: &str, value: String| {
            let lines = text.lines().map(|line| match line.strip_prefix(key) {
                Some(rest) if rest.starts_with(" =") => format!("{key} = {value}\n"),
                _ => format!("{line}\n"),
            });
            lines.collect::<String>()
        };
        match self {
            Self::Threshold => {
                replace("latency_threshold", THRESHOLDS[(number as usize) % THRESHOLDS.len()].to_string())
            }
            Self::Wait => replace("wait_time", (3 + number % 9).to_string()),
            // A file of comments alone would mean a single breaker.
            Self::Comment if text.trim().is_empty() => String::new(),
            Self::Comment => format!("# edit {number}\n{text}"),
            Self::Broken => format!("{text}\nthis is = = no TOML\n"),
            Self::OutOfRange => replace("latency_threshold", "0".to_owned()),
            Self::Emptied => String::new(),
            Self::Optional => toggled(text, &format!("[breakers.{OPTIONAL}]\n")),
        }
    }
}

/// The text without `table`, or with it.
fn toggled(text: &str, table: &str) -> String {
    match text.split_once(table) {
        _ if text.trim().is_empty() => String::new(),
        Some((before, after)) => format!("{before}{after}"),
        None => format!("{text}\n{table}"),
    }
}
