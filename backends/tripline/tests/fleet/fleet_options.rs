//! Options that are off by default: the probe budget, and commands to all replicas.

use crate::redis_server::RedisServer;
use crate::replicas::Replicas;
use crate::support::{Finished, all_the_while, eventually, run};

use std::time::Duration;

fn ctl(replicas: &Replicas, number: usize, arguments: &[&str]) -> Finished {
    let url = format!("http://{}", replicas.of(number).address);
    run(RedisServer::folder().path(), &[&["ctl", "--url", &url], arguments].concat())
}

fn states(replicas: &Replicas) -> Vec<String> {
    replicas.alive().map(|server| server.state()).collect()
}

#[test]
fn a_command_through_one_process_is_carried_out_by_all() {
    let Some(redis) = RedisServer::start("a command to all") else { return };
    let mut replicas = Replicas::none(&redis.url(), 0);
    replicas.fleet_lines = "commands = true\n".to_owned();
    replicas.start_more(3);
    let done = ctl(&replicas, 1, &["--fleet", "disable"]);
    assert_eq!((done.code, done.stdout.trim()), (Some(0), "disable: done by 3 of 3 replicas"), "{done:?}");
    assert_eq!(states(&replicas), ["disabled"; 3]);
    let done = ctl(&replicas, 0, &["enable", "--fleet", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&done.stdout).unwrap()["done"], 3, "{done:?}");
    assert_eq!(states(&replicas), ["closed"; 3]);
    replicas.trip(0);
    replicas.trip(2);
    (0..3).for_each(|number| drop(replicas.of(number).trigger("reset_normal")));
    let done = ctl(&replicas, 1, &["--fleet", "reset", "--yes"]);
    assert_eq!((done.code, done.stdout.trim()), (Some(0), "reset: done by 3 of 3 replicas"), "{done:?}");
    assert_eq!(states(&replicas), ["closed"; 3]);
    replicas.of(2).log_with("executed a command to all replicas");
}

#[test]
fn commands_to_all_are_off_by_default_and_for_three_commands_only() {
    let Some(redis) = RedisServer::start("commands that are off") else { return };
    let mut replicas = Replicas::none(&redis.url(), 0);
    replicas.start_more(1);
    let done = ctl(&replicas, 0, &["--fleet", "disable"]);
    assert!(done.code == Some(1) && done.stderr.contains("fleet.commands = true"), "{done:?}");
    assert_eq!(states(&replicas), ["closed"]);
    for other in [&["--fleet", "status"][..], &["--fleet", "force-open"], &["set", "--fleet", "wait", "5"]] {
        let done = ctl(&replicas, 0, other);
        assert!(done.code == Some(1) && done.stderr.contains("enable, disable and reset only"), "{done:?}");
    }
    let done = ctl(&replicas, 0, &["--fleet", "reset"]);
    assert!(done.code == Some(1) && done.stderr.contains("--yes"), "{done:?}");
    let address = &replicas.of(0);
    let answer = address.post("/breaker/fleet-command", r#"{"action": "reset"}"#);
    assert_eq!(answer.status, 422, "{answer:?}");
    let answer = address.post("/breaker/fleet-command", r#"{"action": "open"}"#);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(address.get("/fleet/command?number=x").status, 400);
}

#[test]
fn no_more_processes_probe_at_once_than_the_budget() {
    let Some(redis) = RedisServer::start_in_ci("a budget of probes") else { return };
    let mut replicas = Replicas::none(&redis.url(), 0);
    // The share is below one of three replicas, so the budget is one.
    replicas.fleet_lines = "probe_share = 0.3\n".to_owned();
    replicas.start_more(3);
    (0..3).for_each(|number| replicas.trip(number));
    (0..3).for_each(|number| drop(replicas.of(number).trigger("reset_normal")));
    let probes = |number: usize| replicas.of(number).get("/test").status == 200;
    let first = eventually("one has leave to probe", || (0..3).find(|&number| probes(number)));
    assert_eq!(replicas.of(first).state(), "half_open");
    let others: Vec<usize> = (0..3).filter(|&number| number != first).collect();
    // All wait times are over after a second; the first replica keeps its permission while it is half-open.
    all_the_while("no other probes", Duration::from_secs(4), || !others.iter().any(|&number| probes(number)));
    replicas.of(first).recovers();
    // Both receive calls: without calls a replica lets its permission expire, and asks again only after 20 to 40 s.
    replicas.until(60, "the others close", |it| {
        for &number in &others {
            it.of(number).get("/test");
        }
        states(it) == ["closed"; 3]
    });
}

#[test]
fn without_the_server_a_budget_holds_no_probe() {
    let Some(mut redis) = RedisServer::start_in_ci("a budget without a server") else { return };
    let mut replicas = Replicas::none(&redis.url(), 0);
    replicas.fleet_lines = "probe_share = 0.01\n".to_owned();
    replicas.start_more(2);
    (0..2).for_each(|number| replicas.trip(number));
    let first = 0;
    replicas.of(first).trigger("reset_normal");
    replicas.of(1).trigger("reset_normal");
    redis.kill();
    (0..2).for_each(|number| replicas.of(number).recovers());
    assert_eq!(states(&replicas), ["closed"; 2]);
}
