//! A new connection to an upstream.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsConnector, TlsStream};

use super::{Server, Upstream};
use crate::config::UpstreamProtocol;
use crate::proxy::stream::Stream;

/// A connection on which nothing was sent yet.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    pub(crate) address: SocketAddr,
    /// Whether it speaks HTTP/2.
    pub(crate) is_h2: bool,
}

/// The error of a connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    Timeout,
    Resolve(io::Error),
    Connect(io::Error),
    Tls(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no connection in time"),
            Self::Resolve(error) => write!(f, "resolving the name: {error}"),
            Self::Connect(error) => write!(f, "connecting: {error}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
        }
    }
}

/// Connects to the server with this index within `connect_timeout`. With `h1_only` the connection is HTTP/1.1.
pub(crate) async fn connect(upstream: &Upstream, server: usize, h1_only: bool) -> Result<Connected, ConnectError> {
    let Some(server) = upstream.servers.get(server) else {
        return Err(ConnectError::Connect(io::ErrorKind::NotFound.into()));
    };
    let connecting = async {
        let (stream, address) = tcp(server).await?;
        match &upstream.tls {
            Some(tls) if server.url.is_https() => {
                let config = if h1_only { &tls.h1 } else { &tls.any };
                let (stream, is_h2) = secure(server, config.clone(), stream).await.map_err(ConnectError::Tls)?;
                Ok(Connected { stream, address, is_h2 })
            }
            _ => {
                let is_h2 = upstream.settings.protocol == UpstreamProtocol::H2 && !h1_only;
                Ok(Connected { stream: Stream::Plain(stream), address, is_h2 })
            }
        }
    };
    timeout(upstream.settings.connect_timeout, connecting).await.unwrap_or(Err(ConnectError::Timeout))
}

/// Tries one address after the other.
async fn tcp(server: &Server) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let mut last = io::ErrorKind::NotFound.into();
    for address in server.addresses.in_turn().await.map_err(ConnectError::Resolve)? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without it small writes wait for acknowledgements.
                let _ = stream.set_nodelay(true);
                return Ok((stream, address));
            }
            Err(error) => last = error,
        }
    }
    Err(ConnectError::Connect(last))
}

async fn secure(server: &Server, config: Arc<ClientConfig>, stream: TcpStream) -> io::Result<(Stream, bool)> {
    let name = ServerName::try_from(server.url.host().to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((Stream::Tls(Box::new(TlsStream::Client(stream))), is_h2))
}
