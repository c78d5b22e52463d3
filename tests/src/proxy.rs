//! A reverse proxy that gives a relay a path, as nginx does with `location /downbeat/` and
//! `proxy_pass http://relay/`: it strips the path, passes upgrades on, and leads whoever leaves the last
//! slash out to where it is.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::{Context, Result, bail};

/// Longest head of a request that is passed on.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// The path, without its last slash.
const PATH: &str = "/downbeat";

/// A running proxy. Takes no more connections when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one before `relay`.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn before(relay: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("a proxy cannot listen")?;
        let address = listener.local_addr()?;
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        let accepting = std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                // Ends with its connection; a request that it cannot pass on ends the connection.
                std::thread::spawn(move || pass(socket, relay));
            }
        });
        Ok(Self { address, ends, accepting: Some(accepting) })
    }

    /// Where the relay lies, without the last slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; if that fails, it is gone.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Passes one request on, and all that follows a WebSocket's.
fn pass(mut client: TcpStream, relay: SocketAddr) -> Result<()> {
    let head = read_head(&mut client)?;
    let (line, headers) = head.split_once("\r\n").context("a request has a first line")?;
    let mut words = line.split(' ');
    let (method, target) = (words.next(), words.next().context("it has a target")?);
    let Some(below) = target.strip_prefix(PATH) else {
        return answer(client, "404 Not Found", "");
    };
    if !below.starts_with('/') {
        return answer(client, "301 Moved Permanently", &format!("Location: {PATH}/{below}\r\n"));
    }
    let is_upgrade = headers.to_ascii_lowercase().contains("upgrade: websocket");
    // One request a connection, so that only heads have to be understood.
    let kept =
        |header: &&str| is_upgrade || !header.to_ascii_lowercase().starts_with("connection:");
    let mut passed = vec![format!("{} {below} HTTP/1.1", method.unwrap_or_default())];
    passed.extend(headers.split("\r\n").filter(kept).map(str::to_owned));
    if !is_upgrade {
        passed.insert(1, "Connection: close".to_owned());
    }
    let mut upstream = TcpStream::connect(relay)?;
    for socket in [&client, &upstream] {
        socket.set_nodelay(true)?;
    }
    upstream.write_all(passed.join("\r\n").as_bytes())?;
    let (mut from_client, mut to_relay) = (client.try_clone()?, upstream.try_clone()?);
    let up = std::thread::spawn(move || {
        // Whichever side ends it, the other is told.
        let _ = std::io::copy(&mut from_client, &mut to_relay);
        let _ = to_relay.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut upstream, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = up.join();
    Ok(())
}

/// The head of a request, with the empty line that ends it.
fn read_head(client: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD_BYTES || client.read(&mut byte)? == 0 {
            bail!("no whole head of a request came");
        }
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head)?)
}

fn answer(mut client: TcpStream, status: &str, headers: &str) -> Result<()> {
    let answer =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
    Ok(client.write_all(answer.as_bytes())?)
}
