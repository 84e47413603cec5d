//! A fleet whose server fails.

use crate::dropping_proxy::DroppingProxy;
use crate::redis_server::RedisServer;
use crate::replicas::Replicas;

#[test]
fn a_server_that_is_killed_and_comes_back_empty_pages_no_second_time() {
    let Some(mut redis) = RedisServer::start_in_ci("a server that is killed") else { return };
    let replicas = Replicas::start(&redis, 3, 0);
    replicas.trip(0);
    replicas.until(30, "it pages", Replicas::is_open);
    redis.restart();
    replicas.until(30, "all are members again", |it| it.all_count(3));
    std::thread::park_timeout(std::time::Duration::from_secs(20));
    let alerts = replicas.alerts();
    assert_eq!((alerts.len(), alerts[0].count), (1, 1), "no second page");
    replicas.all_recover([0]);
}

#[test]
fn a_server_that_forgets_everything_in_mid_incident_pages_no_second_time() {
    let Some(redis) = RedisServer::start_in_ci("a server that forgets") else { return };
    let replicas = Replicas::start(&redis, 3, 0);
    replicas.trip(0);
    replicas.until(30, "it pages", Replicas::is_open);
    assert_eq!(redis.command("FLUSHALL"), "+OK");
    replicas.trip(1);
    std::thread::park_timeout(std::time::Duration::from_secs(20));
    let alerts = replicas.alerts();
    assert_eq!((alerts.len(), alerts[0].count), (1, 1), "no second page");
    replicas.all_recover([0, 1]);
}

#[test]
fn a_server_that_pauses_delays_the_page_and_nothing_else() {
    let Some(redis) = RedisServer::start_in_ci("a server that pauses") else { return };
    let replicas = Replicas::start(&redis, 3, 0);
    assert_eq!(redis.command("CLIENT PAUSE 4000 ALL"), "+OK");
    replicas.trip(0);
    replicas.trip(1);
    replicas.until(60, "it pages", Replicas::is_open);
    replicas.all_recover([0, 1]);
    assert_eq!(replicas.alerts().len(), 1);
}

#[test]
fn a_server_out_of_reach_has_each_process_page_alone_and_close_nothing_until_it_is_back() {
    let Some(mut redis) = RedisServer::start_in_ci("a server out of reach") else { return };
    let replicas = Replicas::start(&redis, 2, 0);
    redis.kill();
    replicas.trip(0);
    replicas.trip(1);
    replicas.until(60, "both page alone", |it| it.alerts().first().is_some_and(|alert| alert.count == 2));
    assert_eq!(replicas.alerts().len(), 1, "under one alias");
    let message = replicas.alerts()[0].created["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("fleet engine unreachable; seen by this replica"), "{message}");
    replicas.recover(0);
    replicas.recover(1);
    std::thread::park_timeout(std::time::Duration::from_secs(10));
    assert!(replicas.is_open(), "no process closes alone");
    redis.restart();
    replicas.until(60, "the fleet closes it", |it| !it.is_open());
    assert!(replicas.shows(0, "tripline_fleet_fallback_total", 1));
}

#[test]
fn a_process_behind_a_partition_pages_alone_and_the_fleet_closes_it() {
    let Some(redis) = RedisServer::start_in_ci("a partition") else { return };
    let proxy = DroppingProxy::to(redis.port);
    let mut replicas = Replicas::none(&redis.url(), 0);
    for number in 0..3 {
        let launch = if number == 0 { replicas.launch_at(0, &proxy.url()) } else { replicas.launch(number) };
        replicas.servers.push(Some(launch.start()));
    }
    replicas.until(20, "all are members", |it| it.all_count(3));
    proxy.drop_all(true);
    replicas.trip(0);
    replicas.until(60, "it pages alone", Replicas::is_open);
    replicas.trip(1);
    std::thread::park_timeout(std::time::Duration::from_secs(10));
    assert_eq!(replicas.alerts().len(), 1, "one alias, one alert");
    replicas.recover(0);
    replicas.recover(1);
    proxy.drop_all(false);
    replicas.until(90, "the fleet closes it", |it| !it.is_open());
}
