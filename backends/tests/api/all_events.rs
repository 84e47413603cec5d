//! The events of all breakers, over real sockets.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use crate::event_stream::{Event, Reader, Server, run};
use serde_json::{Value, json};
use tripline_backends::api::{ApiState, router};
use tripline_backends::circuit::{Circuit, Circuits};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, BreakerName};

const PATH: &str = "/breakers/events";

fn circuit(name: &str) -> Circuit {
    let builder = Breaker::builder(Arc::new(ManualClock::default())).name(BreakerName::new(name).unwrap());
    Circuit::new(builder.build().unwrap())
}

fn start(names: &[&str]) -> (Circuits, Server) {
    let circuits = Circuits::new();
    for name in names {
        circuits.insert(circuit(name)).unwrap();
    }
    let router = router(ApiState::new(circuits.clone(), ([127, 0, 0, 1], 8080).into())).unwrap();
    (circuits, Server::start(router))
}

async fn transition(reader: &mut Reader, breaker: &str, to: &str) -> Event {
    reader.find("transition", |data| data["breaker"] == breaker && data["to"] == to).await
}

#[test]
fn a_reader_gets_the_rows_of_all_breakers_and_then_what_changes() {
    run(async {
        let (circuits, server) = start(&["checkout", "search"]);
        let mut reader = server.request(PATH, "").await;
        assert!(reader.head.contains("\r\ncontent-type: text/event-stream\r\n"), "{}", reader.head);
        assert_eq!(reader.find("breakers", |_| true).await.data, json!({"breakers": ["checkout", "search"]}));
        let whole: Value = serde_json::from_str(&server.get("/breakers").await).unwrap();
        for row in whole["breakers"].as_array().unwrap() {
            assert_eq!(&reader.next().await.unwrap().data, row);
        }
        transition(&mut reader, "search", "closed").await;

        let search = circuits.get("search").unwrap();
        assert!(search.breaker().force_open());
        // The row and the event arrive in either order.
        let (mut row, mut event) = (None, None);
        while row.is_none() || event.is_none() {
            let next = reader.next().await.unwrap();
            match next.name.as_str() {
                "breaker" if next.data["state"] == "forced_open" => row = Some(next.data),
                "transition" if next.data["to"] == "forced_open" => event = Some(next.data),
                _ => {}
            }
        }
        let (row, event) = (row.unwrap(), event.unwrap());
        assert_eq!((&row["name"], &row["triggered"]), (&json!("search"), &json!(true)));
        assert_eq!(event["breaker"], "search");
        assert_eq!((&event["from"], &event["cause"]), (&json!("closed"), &json!("force_open")));

        circuits.insert(circuit("tenants")).unwrap();
        circuits.remove("checkout").unwrap();
        assert_eq!(reader.find("breakers", |_| true).await.data, json!({"breakers": ["search", "tenants"]}));
        assert_eq!(reader.find("breaker", |_| true).await.data["name"], "tenants");
    });
}

#[test]
fn a_reader_that_comes_back_gets_what_it_missed_of_every_breaker() {
    run(async {
        let (circuits, server) = start(&["checkout", "search"]);
        let mut reader = server.request(PATH, "").await;
        circuits.get("search").unwrap().breaker().disable();
        let last = transition(&mut reader, "search", "disabled").await.id.unwrap();
        drop(reader);
        // Events are recorded even without a reader.
        circuits.get("checkout").unwrap().breaker().disable();
        let mut reader = server.request(PATH, &format!("Last-Event-ID: {last}\r\n")).await;
        loop {
            let event = reader.next().await.unwrap();
            if event.name == "transition" {
                assert_eq!((&event.data["breaker"], &event.data["to"]), (&json!("checkout"), &json!("disabled")));
                break;
            }
        }
    });
}

#[test]
fn a_process_without_breakers_has_no_rows() {
    run(async {
        let (_, server) = start(&[]);
        let mut reader = server.request(PATH, "").await;
        assert_eq!(reader.next().await.unwrap().data, json!({"breakers": []}));
    });
}
