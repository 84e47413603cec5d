//! The reverse proxy, with raw bytes over real sockets against an upstream that records them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod client;
mod client_certificate;
mod families;
mod fixture;
mod hostile;
mod life;
mod messages;
mod outcomes;
mod pool;
mod requirements;
mod secure;
mod tunnels;
mod upstream;
