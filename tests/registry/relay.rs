//! What stands between a client and a registry: a relay that holds connections back, or breaks them off.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What happens to a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// All of it passes.
    Free,
    /// After so many bytes in one direction no more pass, until they may.
    HeldAfter(u64),
    /// The first that comes to so many bytes in one direction ends there; then all of it passes.
    OneEndsAfter(u64),
}

/// Which way bytes go.
#[derive(Clone, Copy)]
enum Way {
    ToRegistry = 0,
    ToClient = 1,
}

struct State {
    traffic: Traffic,
    /// What passed, by the way it went.
    passed: [u64; 2],
}

/// A relay on loopback, which serves until the tests end.
pub struct Relay {
    /// What clients call it.
    pub name: String,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Relay {
    /// In front of that registry.
    pub fn new(registry: &str) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let name = listener.local_addr().map_err(failed)?.to_string();
        let state = State { traffic: Traffic::Free, passed: [0; 2] };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let (registry, relay) = (registry.to_owned(), Arc::clone(&shared));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&registry) else { return };
                for (from, to, way) in
                    [(&client, &server, Way::ToRegistry), (&server, &client, Way::ToClient)]
                {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
                    let relay = Arc::clone(&relay);
                    std::thread::spawn(move || pass(from, to, way, &relay));
                }
            }
        });
        Ok(Self { name, shared })
    }

    /// Changes what happens to connections, also to those that there are. Counts anew.
    pub fn set(&self, traffic: Traffic) {
        *lock(&self.shared.0) = State { traffic, passed: [0; 2] };
        self.shared.1.notify_all();
    }

    /// Bytes that passed to the registry and to the client.
    pub fn passed(&self) -> [u64; 2] {
        lock(&self.shared.0).passed
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes bytes on in one direction until there are no more.
fn pass(mut from: TcpStream, mut to: TcpStream, way: Way, (state, changed): &(Mutex<State>, Condvar)) {
    let (mut buffer, mut here) = ([0; 1 << 14], 0);
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let mut held = lock(state);
        while matches!(held.traffic, Traffic::HeldAfter(most) if here >= most) {
            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        if matches!(held.traffic, Traffic::OneEndsAfter(most) if here >= most) {
            held.traffic = Traffic::Free;
            break;
        }
        held.passed[way as usize] += length as u64;
        drop(held);
        here += length as u64;
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // Whichever way ended: neither side hears more. They may have gone already.
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
