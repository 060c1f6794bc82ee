//! Ports for servers whose address others must know before they start.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that the kernel gives to outgoing connections and to port 0, so that nobody takes a port between
/// the moment it is found free and the moment its server binds it.
const FIRST: u16 = 10_000;
const N_PORTS: u16 = 20_000;

/// A port of the loopback address that nobody listens on, never given out twice by this process.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let start = u32::from(N_PORTS) * (std::process::id() % 97) / 97;
    for _ in 0..N_PORTS {
        let step = u32::from(GIVEN.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from((start + step) % u32::from(N_PORTS)).expect("smaller than N_PORTS");
        let port = FIRST + offset;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}
