//! Alerts through a proxy: a tunnel for https, absolute URLs for http, exceptions, passwords, and proxies that reject.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::alert_service::{AlertService, Reply, Server, Tls, alert, config, deliver, patient};
use tripline_backends::alerts::opsgenie::OpsGenieSink;
use tripline_backends::alerts::webhook::WebhookSink;
use tripline_backends::config::{Secret, Webhook};
use tripline_backends::http_client::{HyperClient, Proxies};
use tripline_runtime::{DeliveryError, Stage};

/// A proxy that connects every `CONNECT` to one address and records the heads that it receives.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Connects every tunnel to `to`. With any `answer` other than 200 there is no tunnel.
    fn tunnels_to(to: &str, answer: &'static str) -> Self {
        let to = to.split("://").last().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = heads.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (to, kept) = (to.clone(), kept.clone());
                thread::spawn(move || tunnel(stream.unwrap(), &to, answer, &kept));
            }
        });
        Self { address, heads }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn tunnel(client: TcpStream, to: &str, answer: &str, kept: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    kept.lock().unwrap().push(head);
    let mut client = client;
    let _ = client.write_all(answer.as_bytes());
    if !answer.contains(" 200 ") {
        return;
    }
    let server = TcpStream::connect(to).unwrap();
    let (mut from, mut into) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let back = thread::spawn(move || std::io::copy(&mut from, &mut into));
    let mut server = server;
    let mut buffer = [0; 4_096];
    while let Ok(read @ 1..) = reader.read(&mut buffer) {
        if server.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
}

const OK: &str = "HTTP/1.1 200 Connection established\r\nProxy-Agent: test\r\n\r\n";

fn webhook(url: &str, proxy: Option<&str>) -> Webhook {
    let mut webhook = Webhook::default();
    (webhook.enabled, webhook.url, webhook.proxy) = (true, Some(Secret::new(url)), proxy.map(Secret::new));
    webhook
}

fn environment(variables: &[(&str, &str)]) -> HyperClient {
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let (proxies, problems) = Proxies::of_environment(&variable);
    assert!(problems.is_empty());
    patient().proxies(proxies)
}

#[test]
fn https_goes_through_a_tunnel_and_the_certificate_is_that_of_the_server() {
    let tls = Tls::new();
    let receiver = Server::start(|_| Reply::new(204, ""), Some(&tls));
    let proxy = Proxy::tunnels_to(&receiver.url(), OK);
    let with_password = proxy.url().replace("http://", "http://user:p%40ss@");
    let client = environment(&[("HTTPS_PROXY", &with_password)]).trust(tls.certificate.clone());
    let sink = WebhookSink::new(webhook(&format!("{}/hook", receiver.url()), None), client);
    deliver(&sink, &alert(Stage::Single)).unwrap();
    assert_eq!(receiver.requests()[0].target, "/hook");
    let host = receiver.url().replace("https://", "");
    // Base64 of `user:p@ss`.
    let expected =
        format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n");
    assert_eq!(proxy.heads(), [expected]);
    assert!(receiver.requests()[0].header("proxy-authorization").is_none());
}

#[test]
fn http_is_asked_of_the_proxy_by_its_whole_address() {
    let proxy = Server::start(|_| Reply::new(204, ""), None);
    let client = environment(&[("http_proxy", &proxy.url())]);
    let sink = WebhookSink::new(webhook("http://hooks.invalid/a?b=c", None), client);
    deliver(&sink, &alert(Stage::Single)).unwrap();
    let request = &proxy.requests()[0];
    assert_eq!(
        (request.target.as_str(), request.header("host")),
        ("http://hooks.invalid/a?b=c", Some("hooks.invalid"))
    );
}

#[test]
fn a_host_of_no_proxy_and_a_sink_that_says_none_go_directly() {
    let proxy = Proxy::tunnels_to("127.0.0.1:1", "HTTP/1.1 500 \r\n\r\n");
    let receiver = Server::start(|_| Reply::new(204, ""), None);
    let client = environment(&[("HTTP_PROXY", &proxy.url()), ("NO_PROXY", "localhost, 127.0.0.1")]);
    deliver(&WebhookSink::new(webhook(&receiver.url(), None), client), &alert(Stage::Single)).unwrap();
    let client = environment(&[("HTTP_PROXY", &proxy.url())]);
    deliver(&WebhookSink::new(webhook(&receiver.url(), Some("none")), client), &alert(Stage::Single)).unwrap();
    assert_eq!((receiver.requests().len(), proxy.heads().len()), (2, 0));
}

#[test]
fn the_key_of_a_sink_wins_over_the_environment() {
    let tls = Tls::new();
    let service = AlertService::with_tls(&tls);
    let proxy = Proxy::tunnels_to(&service.url(), OK);
    let dead = environment(&[("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "*")]).trust(tls.certificate.clone());
    let mut configured = config(&service.url());
    configured.proxy = Some(Secret::new(proxy.url()));
    deliver(&OpsGenieSink::new(configured, dead), &alert(Stage::Single)).unwrap();
    assert_eq!(service.open().len(), 1);
    assert!(proxy.heads().iter().all(|head| head.starts_with("CONNECT 127.0.0.1:")));
}

#[test]
fn a_proxy_that_says_no_is_named_and_the_alert_is_tried_again() {
    for (answer, words) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "no connection through the proxy: status 407"),
        ("220 smtp\r\n\r\n", "no connection through the proxy: the proxy's answer is no HTTP"),
        ("", "no connection through the proxy: the proxy closed the connection"),
    ] {
        let proxy = Proxy::tunnels_to("127.0.0.1:1", answer);
        let client = environment(&[("HTTPS_PROXY", &proxy.url().replace("http://", "http://user:s3cret-pass@"))]);
        let sink = WebhookSink::new(webhook("https://hooks.invalid/a", None), client);
        let error = deliver(&sink, &alert(Stage::Single)).unwrap_err();
        assert!(matches!(&error, DeliveryError::Retryable { reason, .. } if reason == words), "{error:?}");
        assert!(!format!("{error:?} {sink:?}").contains("s3cret-pass"));
    }
}
