//! A reverse proxy that serves a relay below a path, like nginx with `location /downbeat/` and
//! `proxy_pass http://relay/`. It strips the path, forwards upgrades, and redirects the path
//! without a trailing slash.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::{Context, Result, bail};

/// Largest request head that is forwarded.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// The path without the trailing slash.
const PATH: &str = "/downbeat";

/// A running proxy. Stops accepting connections when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
    /// The path of the request to lose.
    loses: Arc<Mutex<Option<&'static str>>>,
}

impl Proxy {
    /// Starts a proxy in front of `relay`.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn before(relay: SocketAddr) -> Result<Self> {
        Self::start(relay, None)
    }

    /// Starts a proxy in front of `relay` that closes the connection of the first request for `path`.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn losing_once(relay: SocketAddr, path: &'static str) -> Result<Self> {
        Self::start(relay, Some(path))
    }

    fn start(relay: SocketAddr, loses: Option<&'static str>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("binding a port for the proxy")?;
        let address = listener.local_addr()?;
        let ends = Arc::new(AtomicBool::new(false));
        let stop = ends.clone();
        let loses = Arc::new(Mutex::new(loses));
        let to_lose = loses.clone();
        let accepting = std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // The thread ends with its connection. A request that cannot be forwarded closes
                // the connection.
                let to_lose = to_lose.clone();
                std::thread::spawn(move || pass(socket, relay, &to_lose));
            }
        });
        Ok(Self { address, ends, accepting: Some(accepting), loses })
    }

    /// Whether it has lost the request that it was to lose.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.loses.lock().is_ok_and(|path| path.is_none())
    }

    /// The relay's URL behind the proxy, without the trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // Wakes the accepting thread; if this fails, the thread has ended.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Forwards one request, and all data of a WebSocket. The request for the path in `loses` is lost, once.
fn pass(
    mut client: TcpStream,
    relay: SocketAddr,
    loses: &Mutex<Option<&'static str>>,
) -> Result<()> {
    let head = read_head(&mut client)?;
    let (line, headers) = head.split_once("\r\n").context("a request has a first line")?;
    let mut words = line.split(' ');
    let (method, target) = (words.next(), words.next().context("it has a target")?);
    let Some(below) = target.strip_prefix(PATH) else {
        return answer(client, "404 Not Found", "");
    };
    if loses.lock().is_ok_and(|mut path| path.take_if(|path| below == *path).is_some()) {
        return Ok(());
    }
    if !below.starts_with('/') {
        return answer(client, "301 Moved Permanently", &format!("Location: {PATH}/{below}\r\n"));
    }
    let is_upgrade = headers.to_ascii_lowercase().contains("upgrade: websocket");
    // One request per connection, so that only heads need parsing.
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
        // When one side closes, the other is closed too.
        let _ = std::io::copy(&mut from_client, &mut to_relay);
        let _ = to_relay.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut upstream, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = up.join();
    Ok(())
}

/// Reads a request head, including the empty line that ends it.
fn read_head(client: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD_BYTES || client.read(&mut byte)? == 0 {
            bail!("the request head is incomplete");
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
