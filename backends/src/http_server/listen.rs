//! A listening socket with a longer backlog than the standard library's.

use std::io;
use std::net::{SocketAddr, TcpListener};

/// The backlog: connections that the system holds until they are accepted. The system may have a lower limit.
const BACKLOG: i32 = 1_024;

/// Listens on `address` with a backlog of 1,024 connections.
///
/// # Errors
/// The system's errors: the address is in use, does not belong to this machine, or needs a privilege.
#[cfg(unix)]
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    // A server that restarts takes its address over from connections that are still closing.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Listens on `address`.
///
/// # Errors
/// Those of the system.
#[cfg(not(unix))]
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}
