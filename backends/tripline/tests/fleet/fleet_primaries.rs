//! Two primaries, and a failover that loses writes.

use crate::dropping_proxy::DroppingProxy;
use crate::redis_server::RedisServer;
use crate::replicas::Replicas;

/// Starts `count` processes, each with its own proxy to `redis`.
fn start(redis: &RedisServer, count: usize) -> (Replicas, Vec<DroppingProxy>) {
    let proxies: Vec<DroppingProxy> = (0..count).map(|_| DroppingProxy::to(redis.port)).collect();
    let mut replicas = Replicas::none("", 0);
    for (number, proxy) in proxies.iter().enumerate() {
        let server = replicas.launch_at(number, &proxy.url()).start();
        replicas.servers.push(Some(server));
    }
    replicas.until(30, "all are members", |it| it.all_count(count));
    (replicas, proxies)
}

/// Switches these proxies to `redis`.
fn switch(proxies: &[DroppingProxy], redis: &RedisServer) {
    for proxy in proxies {
        proxy.switch_to(redis.port);
    }
}

#[test]
fn a_failover_to_a_server_that_is_behind_pages_no_second_time() {
    let Some(redis) = RedisServer::start_in_ci("a failover that loses writes") else { return };
    let (replicas, proxies) = start(&redis, 3);
    replicas.trip(0);
    replicas.until(20, "the server knows of it", |it| it.stage(0) == "pending");
    // It has the incident, but not the page.
    let behind = redis.copy();
    replicas.until(30, "it pages", Replicas::is_open);
    replicas.until(20, "all know of it", |it| (0..3).all(|number| it.stage(number) == "initial"));
    switch(&proxies, &behind);
    drop(redis);
    replicas.trip(1);
    std::thread::park_timeout(std::time::Duration::from_secs(25));
    let alerts = replicas.alerts();
    assert_eq!((alerts.len(), alerts[0].count), (1, 1), "no second page");
    replicas.all_recover([0, 1]);
}

#[test]
fn two_primaries_open_one_alert_and_the_merge_closes_it_when_all_are_well() {
    let Some(first) = RedisServer::start_in_ci("two primaries") else { return };
    let (replicas, proxies) = start(&first, 4);
    let second = first.copy();
    switch(&proxies[..2], &second);
    replicas.trip(0);
    replicas.trip(3);
    replicas.until(60, "both sides page", |it| it.alerts().first().is_some_and(|alert| alert.count == 2));
    assert_eq!(replicas.alerts().len(), 1, "one alias, one alert");
    switch(&proxies[..2], &first);
    drop(second);
    std::thread::park_timeout(std::time::Duration::from_secs(10));
    replicas.recover(0);
    std::thread::park_timeout(std::time::Duration::from_secs(20));
    assert!(replicas.is_open(), "one is still open");
    replicas.all_recover([3]);
}
