//! A TCP proxy that can drop all data while it still accepts connections, as in a network partition, and can switch to another server.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct DroppingProxy {
    port: u16,
    drops: Arc<AtomicBool>,
    target: Arc<AtomicU16>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl DroppingProxy {
    /// Starts a proxy in front of this port. It ends with the test process.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            drops: Arc::default(),
            target: Arc::new(port.into()),
            streams: Arc::default(),
        };
        let (drops, target, streams) = (proxy.drops.clone(), proxy.target.clone(), proxy.streams.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Relaxed, like every access in this file: it orders no other memory.
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target.load(Ordering::Relaxed))) else {
                    continue;
                };
                let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                streams.lock().unwrap().extend([server.try_clone().unwrap(), client.try_clone().unwrap()]);
                pass(client, to_server, drops.clone());
                pass(server, to_client, drops.clone());
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Starts or stops dropping every byte.
    pub(crate) fn drop_all(&self, drops: bool) {
        self.drops.store(drops, Ordering::Relaxed);
    }

    /// Simulates a failover: ends all connections; new ones go to this port.
    pub(crate) fn switch_to(&self, port: u16) {
        self.target.store(port, Ordering::Relaxed);
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
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
