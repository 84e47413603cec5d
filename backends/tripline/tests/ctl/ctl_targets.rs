//! Every command of `tripline ctl` against the real server, for each kind of target: the only breaker of a file, a named one, a
//! member of a family, an unknown name, an unknown key, and a key of a breaker that is not a family.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::thread;

use crate::fake_server::ctl;
use crate::support::{Finished, QUICK, Server, eventually, run, tripline, wait};

/// The exit code of a command, and a text in its output: in standard output, or of a failure in standard error.
type Expected = (i32, &'static str);

/// A command, and what it does for the only breaker of a file, for a named one, and for a member of a family.
type Row = (&'static [&'static str], [Expected; 3]);

/// Commands about the whole server, or about none.
const FOR_ALL: [&[&str]; 3] = [&["fleet"], &["scenario"], &["completions", "bash"]];
/// Commands that run until a signal.
const ENDLESS: [&str; 2] = ["watch", "events"];

const fn same(expected: Expected) -> [Expected; 3] {
    [expected; 3]
}

/// A change of settings, which a member cannot have.
const fn setting(text: &'static str) -> [Expected; 3] {
    [(0, text), (0, text), (1, "a member has the settings of its family; change those of tenants (409)")]
}

/// In this order: each row leaves the breaker closed and enabled.
const ROWS: [Row; 41] = [
    (&["status"], same((0, ": closed"))),
    (&["list"], [(0, "default  closed"), (0, "search  closed"), (0, "acme  closed")]),
    (&["watch"], same((0, " closed; latency"))),
    (
        &["events"],
        [(0, "retry: "), (0, "retry: "), (1, "a member of a family has no events of its own; `watch` polls")],
    ),
    (&["get"], same((0, "latency-window-size"))),
    (&["get", "latency"], same((0, "250"))),
    (&["get", "trip_confidence"], same((0, "0"))),
    (&["set", "latency", "300"], setting("latency: 300 ms, saved")),
    (&["set", "half_open_max_calls", "2"], setting("half_open_max_calls: 2")),
    (
        &["disable"],
        [(0, "enabled: off, saved"), (0, "enabled: off, saved"), (3, "enabled: off, not saved: a member's switch")],
    ),
    (
        &["enable"],
        [(0, "enabled: on, saved"), (0, "enabled: on, saved"), (3, "enabled: on, not saved: a member's switch")],
    ),
    (
        &["enable", "--fleet"],
        [(1, "this process is in no fleet"), (1, "this process is in no fleet"), (1, "is for the whole family")],
    ),
    (&["request"], same((0, "status    ok"))),
    (&["latencies", "--above", "0"], same((0, ""))),
    (&["memory"], same((0, "share"))),
    (&["fleet"], same((1, "this process is in no fleet"))),
    (&["trigger", "memory"], same((0, "state: open"))),
    (&["restore"], same((0, "state: "))),
    (&["reset", "--yes"], same((0, "state: closed"))),
    (&["trigger", "latency"], same((0, "state: open"))),
    (&["request"], same((2, "drill"))),
    (&["status"], same((2, ": open"))),
    (&["list", "--open"], [(2, "default  open"), (2, "search  open"), (2, "acme  open")]),
    (&["reset", "--yes"], same((0, "state: closed"))),
    (&["force-open"], same((0, "state: forced open"))),
    (&["watch"], same((2, "forced open"))),
    (&["reset", "--yes"], same((0, "state: closed"))),
    (&["staged-alerts"], same((0, "pending_alerts_count"))),
    (&["alert", "test"], same((1, "no pager is on"))),
    (&["opsgenie", "status"], same((0, "enabled"))),
    (&["opsgenie", "toggle", "off"], setting("opsgenie-toggle: off")),
    (&["opsgenie", "priority", "P2"], setting("opsgenie-priority: P2")),
    (&["opsgenie", "triggers", "open=on"], setting("opsgenie-triggers: open=on")),
    (&["opsgenie", "tags", "a"], setting("opsgenie-tags: a")),
    (
        &["opsgenie", "cooldown", "5"],
        [
            (0, "opsgenie-cooldown: 5 s"),
            (1, "opsgenie.alert_cooldown_seconds applies to all breakers and cannot be set for one"),
            (1, "a member has the settings of its family"),
        ],
    ),
    (&["delay", "1ms"], same((0, "1ms"))),
    (&["scenario"], same((0, "memory_overload"))),
    (&["scenario", "memory_overload"], same((0, "memory runs out"))),
    (&["scenario", "reset_normal"], same((0, "requests are fast"))),
    (&["reset", "--yes"], same((0, "state: closed"))),
    (&["completions", "bash"], same((0, "_tripline"))),
];

/// Runs a command. One that runs until a signal ends with its first line, and has the exit code of a signal's end.
fn finished(server: &Server, breaker: Option<&str>, arguments: &[&str]) -> Finished {
    let url = format!("http://{}", server.address);
    let option: Vec<&str> = breaker.iter().flat_map(|breaker| ["--breaker", breaker]).collect();
    if !ENDLESS.contains(&arguments[0]) {
        return ctl(&url, &[arguments, &option].concat());
    }
    let mut child =
        tripline(server.folder()).args(["ctl", "--url", &url]).args(arguments).args(option).spawn().unwrap();
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let mut output = BufReader::new(child.stdout.take().unwrap());
    if output.read_line(&mut stdout).unwrap() > 0 {
        let ended = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(ended.success());
    }
    let code = wait(&mut child).code();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    Finished { code, stdout, stderr }
}

#[track_caller]
fn assert_expected(finished: &Finished, (code, text): Expected, what: &str) {
    assert_eq!(finished.code, Some(code), "{what}: {finished:?}");
    let output = if code == 1 { &finished.stderr } else { &finished.stdout };
    assert!(output.contains(text), "{what}: no {text:?} in {finished:?}");
    assert!(code != 1 || finished.stderr.lines().count() == 1, "{what}: one error on one line: {finished:?}");
}

fn families() -> Server {
    let server = Server::start(&format!("{QUICK}\n[breakers.search]\n[breakers.tenants]\nkey = \"header:x-tenant\"\n"));
    for key in ["acme", "globex"] {
        assert_eq!(server.get(&format!("/test/tenants/keys/{key}")).status, 200);
    }
    // A new member reads memory within a second.
    eventually("a reading of memory", || {
        finished(&server, Some("tenants/acme"), &["memory"]).stdout.contains("share").then_some(())
    });
    server
}

/// Tests all targets at the same time: they do not affect each other.
fn each<T: Send>(targets: impl Iterator<Item = T>, test: impl Fn(T) + Sync) {
    let test = &test;
    thread::scope(|scope| {
        let threads: Vec<_> = targets.map(|target| scope.spawn(move || test(target))).collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn every_command_works_for_each_kind_of_breaker_or_gives_one_error() {
    let (alone, families) = (Server::start(QUICK), families());
    let targets = [(&alone, None), (&families, Some("search")), (&families, Some("tenants/acme"))];
    each(targets.into_iter().enumerate(), |(place, (server, breaker))| {
        for (arguments, expected) in ROWS {
            let what = format!("{arguments:?} of {breaker:?}");
            assert_expected(&finished(server, breaker, arguments), expected[place], &what);
        }
    });
    assert_eq!(finished(&families, Some("tenants/globex"), &["status"]).code, Some(0), "the other member is as before");
}

#[test]
fn every_command_rejects_a_breaker_and_a_key_that_do_not_exist() {
    let server = families();
    let targets = [("gone", "\"gone\""), ("tenants/initech", "initech"), ("search/acme", "search is not a family")];
    each(targets.into_iter(), |(breaker, word)| {
        let mut seen = BTreeSet::new();
        for (arguments, expected) in ROWS.into_iter().filter(|(arguments, _)| seen.insert(*arguments)) {
            let expected = match arguments {
                _ if FOR_ALL.contains(&arguments) => expected[1],
                // The first call for a key creates its member, see below.
                ["request"] if breaker == "tenants/initech" => continue,
                _ => (1, word),
            };
            let what = format!("{arguments:?} of {breaker}");
            assert_expected(&finished(&server, Some(breaker), arguments), expected, &what);
        }
    });
    assert_expected(&finished(&server, Some("tenants/initech"), &["request"]), (0, "status    ok"), "the first call");
    assert_expected(&finished(&server, Some("tenants/initech"), &["status"]), (0, "tenants: closed"), "its member");
    assert_eq!(
        finished(&server, Some("tenants"), &["list"]).stdout.lines().count(),
        5,
        "three keys and the shared one"
    );
}

#[test]
fn the_demo_endpoint_is_slow_or_short_of_memory_behind_one_member_or_the_family() {
    let server = families();
    let delays =
        || ["acme", "globex"].map(|key| server.get(&format!("/test/tenants/keys/{key}")).json()["delay_ms"].clone());
    let states = || {
        let rows = server.get("/breakers/tenants/keys").json();
        let state = |key: &str| {
            let row = rows["keys"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
            row["state"].as_str().unwrap().to_owned()
        };
        ["*", "acme", "globex"].map(state)
    };
    let done = |breaker: &str, arguments: &[&str]| {
        assert_eq!(finished(&server, Some(breaker), arguments).code, Some(0), "{breaker} {arguments:?}");
    };
    done("tenants", &["delay", "1ms"]);
    done("tenants/acme", &["delay", "3ms"]);
    assert_eq!(delays(), [3, 1]);
    done("tenants", &["delay", "2ms"]);
    assert_eq!(delays(), [2, 2]);
    done("tenants/globex", &["scenario", "memory_overload"]);
    assert_eq!(states(), ["closed", "closed", "open"]);
    done("tenants", &["scenario", "memory_overload"]);
    assert_eq!(states(), ["open"; 3]);
    done("tenants", &["scenario", "reset_normal"]);
    done("tenants", &["reset", "--yes"]);
    assert_eq!(states(), ["closed"; 3]);
}

/// The names of the commands in this help.
fn commands(arguments: &[&str]) -> BTreeSet<String> {
    let help = run(Path::new(env!("CARGO_MANIFEST_DIR")), &[arguments, &["--help"]].concat()).stdout;
    let all = help.split_once("Commands:\n").unwrap().1.lines().take_while(|line| !line.is_empty());
    // A continued line is indented further.
    let names = all.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn the_table_has_every_command() {
    for (place, before) in [(0, &["ctl"][..]), (1, &["ctl", "opsgenie"]), (1, &["ctl", "alert"])] {
        let is_below = |arguments: &&&[&str]| arguments.starts_with(&before[1..]);
        let rows: Vec<&[&str]> = ROWS.iter().map(|(arguments, _)| *arguments).collect();
        let tested: BTreeSet<String> = rows.iter().filter(is_below).map(|row| row[place].to_owned()).collect();
        assert_eq!(tested, commands(before), "{before:?}");
    }
}
