//! A TCP proxy that can drop everything and still accept, as a network partition does.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub(crate) struct DroppingProxy {
    port: u16,
    drops: Arc<AtomicBool>,
}

impl DroppingProxy {
    /// In front of this port. It ends with the process.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), drops: Arc::default() };
        let drops = proxy.drops.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                pass(client, to_server, drops.clone());
                pass(server, to_client, drops.clone());
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// From now on every byte is lost, or no more.
    pub(crate) fn drop_all(&self, drops: bool) {
        // Relaxed: it orders nothing else.
        self.drops.store(drops, Ordering::Relaxed);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, drops: Arc<AtomicBool>) {
    thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            if !drops.load(Ordering::Relaxed) && to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
