//! A TCP connection to the host of a URL.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;
use url::Url;

use super::error::{Phase, TransportError, within};

/// The stream under a connection, encrypted or not.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub(super) type Stream = Box<dyn Io>;

/// Connects to the first address of the host name that answers.
pub(super) async fn tcp(url: &Url, limit: Duration) -> Result<Stream, TransportError> {
    within(limit, Phase::Connect, async {
        let addresses = addresses(url.clone()).await?;
        // An address that does not answer must leave time for the next one.
        let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut last = TransportError::Connect(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        for address in addresses {
            match within(share, Phase::Connect, one(address)).await {
                Ok(stream) => return Ok(Box::new(stream) as Stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    })
    .await
}

async fn addresses(url: Url) -> Result<Vec<SocketAddr>, TransportError> {
    smol::unblock(move || url.socket_addrs(|| None)).await.map_err(TransportError::Connect)
}

async fn one(address: SocketAddr) -> Result<TcpStream, TransportError> {
    let stream = TcpStream::connect(address).await.map_err(TransportError::Connect)?;
    stream.set_nodelay(true).map_err(TransportError::Connect)?;
    Ok(stream)
}
