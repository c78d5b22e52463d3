//! The floor: a fan-out that costs only the kernel's part.
//!
//! `floor COUNT [v1]` accepts COUNT WebSocket clients, and then writes one frame to each for each bang
//! of the last client: one blocking `write` per socket, on one thread. The frame is the tutorial wire's, or
//! one of `downbeat.v1`. It validates nothing. It is a baseline for comparisons.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use anyhow::{Context, Result, bail, ensure};

/// Length of the header of a client's frame: two bytes and four of mask.
const HEADER_BYTES: usize = 6;

/// The texts of a wire: what the load generator bangs with, and what each client is sent for it.
struct Wire {
    bang: &'static str,
    output: &'static str,
    /// Each client introduces itself first.
    has_hello: bool,
}

const TUTORIAL: Wire = Wire { bang: "trigger-input", output: "trigger-output", has_hello: false };
const V1: Wire = Wire {
    bang: r#"{"type":"trigger"}"#,
    output: r#"{"type":"trigger","seq":500,"play_at":20123456,"sound":"click","gain":1.0,"rate":1.0,"pan":0.0,"by":{"id":110,"name":"crowd 99"}}"#,
    has_hello: true,
};
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().and_then(|count| count.parse().ok());
    let count: usize = count.context("usage: floor COUNT [v1]")?;
    ensure!(count > 0, "COUNT must be at least 1");
    let wire = match arguments.next().as_deref() {
        None => TUTORIAL,
        Some("v1") => V1,
        Some(other) => bail!("the wire is v1 or absent, not {other}"),
    };
    let bang_bytes = HEADER_BYTES + wire.bang.len();
    let output = text_frame(wire.output)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("Server started: http://{}", listener.local_addr()?);
    let mut clients = (0..count).map(|_| accept(&listener, &wire)).collect::<Result<Vec<_>>>()?;
    let mut buffer = vec![0; bang_bytes * 1024];
    let mut unread = 0;
    loop {
        let read = clients[count - 1].read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        unread += read;
        while unread >= bang_bytes {
            unread -= bang_bytes;
            for client in &mut clients {
                client.write_all(&output)?;
            }
        }
    }
}

fn accept(listener: &TcpListener, wire: &Wire) -> Result<TcpStream> {
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
    if wire.has_hello {
        let mut header = [0; HEADER_BYTES];
        client.read_exact(&mut header)?;
        let length = usize::from(header[1] & 0x7f);
        ensure!(length < 126, "a hello of more than 125 bytes");
        client.read_exact(&mut buffer[..length])?;
    }
    Ok(client)
}

fn text_frame(text: &str) -> Result<Vec<u8>> {
    let mut frame = vec![0x81];
    if text.len() < 126 {
        frame.push(text.len() as u8);
    } else {
        frame.push(126);
        frame.extend(u16::try_from(text.len())?.to_be_bytes());
    }
    frame.extend(text.as_bytes());
    Ok(frame)
}
