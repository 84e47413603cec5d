//! Messages: which parts are forwarded, and in which form.

use crate::client::{Client, exchange, get};
use crate::fixture::{Fixture, one_upstream};
use crate::upstream::{OK, Recorder};

#[test]
fn head_and_statuses_without_a_body_have_none_and_the_connection_goes_on() {
    let upstream = Recorder::answering(|seen, exchange| {
        let answer: &[u8] = match seen.path().as_str() {
            "/204" => b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
            "/304" => b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\netag: \"a\"\r\n\r\n",
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n",
        };
        exchange.send(answer);
    });
    let proxy = Fixture::to(&upstream.url(), "");
    let mut client = Client::connect(proxy.address);
    for (method, path, status) in [("HEAD", "/", 200), ("GET", "/204", 204), ("GET", "/304", 304), ("HEAD", "/", 200)] {
        client.send(format!("{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let response = client.response_to(method).unwrap();
        assert_eq!(response.status, status, "{path}");
        if method == "HEAD" {
            assert_eq!(response.field("content-length").as_deref(), Some("1234"));
        }
    }
}

#[test]
fn a_response_with_a_length_and_chunks_is_read_as_chunks_and_loses_its_length() {
    let upstream = Recorder::answering(|_, exchange| {
        exchange
            .send(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    });
    let proxy = Fixture::to(&upstream.url(), "");
    let response = get(proxy.address, "/");
    assert_eq!((response.status, response.text().as_str()), (200, "abc"));
    assert_eq!(response.field("content-length"), None);
}

#[test]
fn an_invalid_response_is_a_502() {
    for answer in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        "HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n",
        "",
    ] {
        let upstream = Recorder::answering(move |_, exchange| {
            exchange.send(answer);
            exchange.close();
        });
        let proxy = Fixture::to(&upstream.url(), "");
        let response = get(proxy.address, "/");
        assert_eq!(response.status, 502, "{answer:?}");
        assert_eq!(response.field("cache-control").as_deref(), Some("no-store"));
        assert_eq!(proxy.counts("up").failed, 1, "{answer:?}");
    }
}

#[test]
fn hop_by_hop_fields_of_the_response_are_stripped_and_interim_ones_skipped() {
    let upstream = Recorder::answering(|_, exchange| {
        exchange.send(
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nconnection: x-a\r\nconnection: x-b\r\nx-a: 1\r\nx-b: 2\r\n\
             x-c: 3\r\nkeep-alive: timeout=5\r\nproxy-authenticate: x\r\nupgrade: h2\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\
             content-length: 2\r\n\r\nok",
        );
    });
    let proxy = Fixture::to(&upstream.url(), "");
    let mut client = Client::connect(proxy.address);
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let response = client.response().unwrap();
    assert_eq!(response.status, 200);
    for name in ["x-a", "x-b", "keep-alive", "proxy-authenticate", "upgrade", "connection", "link"] {
        assert_eq!(response.field(name), None, "{name}");
    }
    assert_eq!(response.field("x-c").as_deref(), Some("3"));
    assert_eq!(response.field("set-cookie").as_deref(), Some("a=1, b=2"));
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks_and_the_connection_is_closed() {
    let upstream = Recorder::answering(|_, exchange| {
        exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    });
    let proxy = Fixture::to(&upstream.url(), "");
    let response = exchange(proxy.address, "GET / HTTP/1.0\r\nhost: a\r\n\r\n");
    assert_eq!((response.status, response.text().as_str()), (200, "abc"));
    assert_eq!(response.field("transfer-encoding"), None);
    assert!(upstream.seen()[0].line().ends_with("HTTP/1.1"));
}

#[test]
fn a_connection_is_used_again_and_the_one_that_the_upstream_closed_is_not() {
    let upstream = Recorder::answering(|seen, exchange| {
        exchange.send(OK);
        if seen.path() == "/last" {
            exchange.close();
        }
    });
    let proxy = Fixture::to(&upstream.url(), "");
    for path in ["/", "/", "/last"] {
        assert_eq!(get(proxy.address, path).status, 200);
    }
    assert_eq!(upstream.connections(), 1);
    for _ in 0..20 {
        assert_eq!(get(proxy.address, "/").status, 200);
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn bodies_above_the_limit_are_a_413() {
    let upstream = Recorder::start();
    let config = format!("[proxy]\nmax_body = 5\n{}", one_upstream(&upstream.url(), ""));
    let proxy = Fixture::new(&config);
    let post = |fields: &str, body: &str| {
        exchange(proxy.address, &format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{body}")).status
    };
    assert_eq!(post("content-length: 5", "12345"), 200);
    assert_eq!(post("content-length: 6", "123456"), 413);
    assert_eq!(post("transfer-encoding: chunked", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), 200);
    assert_eq!(post("transfer-encoding: chunked", "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"), 413);
    assert_eq!(proxy.counts("up").failed, 0);
}

#[test]
fn a_head_that_does_not_come_is_a_408_and_an_idle_connection_just_ends() {
    let upstream = Recorder::start();
    let config = format!("[proxy]\nheader_timeout = 0.2\n{}", one_upstream(&upstream.url(), ""));
    let proxy = Fixture::new(&config);
    for begun in ["G", "GET / HTTP/1.1\r\nhost: a\r\n", "PRI * HTTP"] {
        let mut client = Client::connect(proxy.address);
        client.send(begun);
        assert_eq!(client.response().map(|response| response.status), Some(408), "{begun}");
        assert!(client.is_closed());
    }
    let mut silent = Client::connect(proxy.address);
    assert!(silent.is_closed());
    let mut idle = Client::connect(proxy.address);
    idle.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(idle.response().map(|response| response.status), Some(200));
    assert!(idle.is_closed());
}

#[test]
fn routes_match_host_path_and_method_and_the_first_counts() {
    let (one, two) = (Recorder::start(), Recorder::start());
    let config = format!(
        "[upstreams.one]\nurl = \"{}\"\n[upstreams.two]\nurl = \"{}\"\n\
         [[routes]]\nhost = \"Shop.Example\"\nupstream = \"two\"\n\
         [[routes]]\npath = \"/a\"\nmethods = [\"POST\"]\nupstream = \"two\"\nbreaker = \"off\"\n\
         [[routes]]\npath = \"/a\"\nupstream = \"one\"\n",
        one.url(),
        two.url()
    );
    let proxy = Fixture::new(&config);
    let ask = |method: &str, path: &str, host: &str| {
        exchange(
            proxy.address,
            &format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\r\n"),
        )
    };
    assert_eq!(ask("GET", "/x", "shop.example:8000").status, 200);
    assert_eq!((one.seen().len(), two.seen().len()), (0, 1));
    assert_eq!(ask("POST", "/a/b?q", "a").status, 200);
    assert_eq!((one.seen().len(), two.seen().len()), (0, 2));
    assert_eq!(ask("GET", "/a?q", "a").status, 200);
    assert_eq!((one.seen().len(), two.seen().len()), (1, 2));
    let none = ask("GET", "/ab", "a");
    assert_eq!((none.status, none.text().as_str()), (404, "{\"error\":\"no route\"}"));
    assert_eq!(proxy.counts("two").ok, 1, "the route without a breaker counts nowhere");
}

#[test]
fn who_the_client_is_is_said_as_configured_and_believed_only_of_trusted_proxies() {
    let ask = "GET / HTTP/1.1\r\nhost: a:1\r\nx-forwarded-for: 9.9.9.9\r\nx-forwarded-proto: https\r\nx-forwarded-host: h\r\n\
               forwarded: for=9.9.9.9\r\nx-forwarded-other: o\r\n\r\n";
    for (settings, has, lacks) in [
        (
            "",
            vec!["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http\r", "x-forwarded-host: a:1"],
            vec!["9.9.9.9", "other"],
        ),
        ("forwarded = \"off\"", vec![], vec!["forwarded", "9.9.9.9"]),
        (
            "forwarded = \"forwarded\"",
            vec!["\nforwarded: for=127.0.0.1;host=\"a:1\";proto=http\r"],
            vec!["x-forwarded", "9.9.9.9"],
        ),
        (
            "trusted_proxies = [\"127.0.0.0/8\"]\nforwarded = \"both\"",
            vec![
                "x-forwarded-for: 9.9.9.9, 127.0.0.1",
                "x-forwarded-proto: https",
                "x-forwarded-host: h",
                "forwarded: for=9.9.9.9, for=127.0.0.1;host=\"a:1\";proto=http",
            ],
            vec![],
        ),
    ] {
        let upstream = Recorder::start();
        let proxy = Fixture::new(&format!("[proxy]\n{settings}\n{}", one_upstream(&upstream.url(), "")));
        assert_eq!(exchange(proxy.address, ask).status, 200);
        let text = upstream.seen()[0].text();
        assert!(has.iter().all(|has| text.contains(has)), "{settings}: {text}");
        assert!(lacks.iter().all(|lacks| !text.contains(lacks)), "{settings}: {text}");
    }
}

#[test]
fn the_host_that_an_upstream_gets_is_as_configured() {
    let upstream = Recorder::start();
    let own = format!("host: {}\r\n", upstream.address);
    for (setting, host) in
        [("", "host: a\r\n"), ("host = \"upstream\"", own.as_str()), ("host = \"b:81\"", "host: b:81\r\n")]
    {
        upstream.forget();
        let proxy = Fixture::to(&upstream.url(), setting);
        get(proxy.address, "/");
        assert!(upstream.seen()[0].text().contains(host), "{setting}");
    }
}

#[test]
fn what_is_no_request_is_answered_in_words() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "");
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(40 << 10));
    let target = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(17 << 10));
    for (request, status, words) in [
        ("nonsense\r\n\r\n", 400, "invalid request\n"),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400, "invalid request\n"),
        (long.as_str(), 431, "request head too large\n"),
        (target.as_str(), 414, "request target too long\n"),
        ("GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n", 400, "invalid target\n"),
    ] {
        let mut client = Client::connect(proxy.address);
        // On a reused connection, and on a new one.
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(client.response().unwrap().text(), "ok");
        client.send(request);
        for response in [client.response().unwrap(), exchange(proxy.address, request)] {
            assert_eq!((response.status, response.text().as_str()), (status, words));
            assert_eq!(response.field("cache-control").as_deref(), Some("no-store"));
            // A target that is merely too long is read to its end.
            assert!(status == 414 || response.field("connection").as_deref() == Some("close"));
        }
        assert!(status == 414 || client.is_closed());
    }
}

#[test]
fn an_empty_400_of_the_upstream_stays_empty() {
    let upstream = Recorder::answering(|_, exchange| {
        exchange.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    let proxy = Fixture::to(&upstream.url(), "");
    for _ in 0..3 {
        let response = get(proxy.address, "/");
        assert_eq!((response.status, response.text().as_str()), (400, ""));
    }
}
