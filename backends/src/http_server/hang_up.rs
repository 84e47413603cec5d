//! Clients that close their side of the connection while a request is handled.

use smol::net::TcpStream;

/// Resolves when the client closes its sending half: it waits for the answer, as `nc -N` does, or it has gone. It does not resolve
/// once further bytes have arrived.
pub(super) async fn closed(stream: TcpStream) {
    // Further bytes are read when this request is answered.
    if matches!(stream.peek(&mut [0]).await, Ok(1..)) {
        std::future::pending::<()>().await;
    }
}
