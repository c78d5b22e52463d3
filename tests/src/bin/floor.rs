//! The floor: what a fan-out costs when nothing is done but the kernel's part of it.
//!
//! `floor COUNT` accepts that many WebSocket clients, and then writes one frame to each of them for
//! each bang of the last: one bare, blocking `write` a socket, on one thread. It checks nothing
//! and serves nobody well; it is there to be compared with.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use anyhow::{Context, Result, ensure};

/// A bang as the load generator sends it: two bytes of head, four of mask, the text.
const BANG_BYTES: usize = 6 + "trigger-input".len();
const OUTPUT: &[u8] = b"\x81\x0etrigger-output";
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn main() -> Result<()> {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let count: usize = count.context("usage: floor COUNT")?;
    ensure!(count > 0, "a fan-out to nobody is free");
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
