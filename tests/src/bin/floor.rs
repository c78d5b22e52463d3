//! The floor: a fan-out that costs only the kernel's part.
//!
//! `floor COUNT` accepts COUNT WebSocket clients, and then writes one frame to each for each bang
//! of the last client: one blocking `write` per socket, on one thread. It validates nothing. It is
//! a baseline for comparisons.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use anyhow::{Context, Result, ensure};

/// Length of a bang from the load generator: two bytes of header, four of mask, the text.
const BANG_BYTES: usize = 6 + "trigger-input".len();
const OUTPUT: &[u8] = b"\x81\x0etrigger-output";
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn main() -> Result<()> {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let count: usize = count.context("usage: floor COUNT")?;
    ensure!(count > 0, "COUNT must be at least 1");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("Server started: http://{}", listener.local_addr()?);
    let mut clients = (0..count).map(|_| accept(&listener)).collect::<Result<Vec<_>>>()?;
    let mut buffer = vec![0; BANG_BYTES * 1024];
    let mut unread = 0;
    loop {
        let read = clients[count - 1].read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        unread += read;
        while unread >= BANG_BYTES {
            unread -= BANG_BYTES;
            for client in &mut clients {
                client.write_all(OUTPUT)?;
            }
        }
    }
}

fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let (mut client, _) = listener.accept()?;
    client.set_nodelay(true)?;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        let read = client.read(&mut buffer)?;
        ensure!(read > 0, "a client left during its handshake");
        head.extend_from_slice(&buffer[..read]);
    }
    client.write_all(ACCEPTED)?;
    Ok(client)
}
