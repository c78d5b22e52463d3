//! A WebSocket server that says back what it is told, on the relay's own parts: its handshake, its
//! reader, its outbox, its frames. It is there for conformance suites to be pointed at;
//! `make conformance` points Autobahn's at it.
//!
//! ```text
//! cargo run --release --package downbeat-relay --example echo -- 127.0.0.1:9001
//! ```
//!
//! Two things are otherwise than in the relay: a message may have 16 MiB, because such suites send
//! large ones, and there is nobody to fan out to.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use downbeat_protocol::ClientId;
use downbeat_relay::{
    access::Access,
    clients::Client,
    clock::RelayClock,
    config::Config,
    frame,
    http::{Answer, switch},
    outbox::Outbox,
    reader::{End, Limits, Reader},
    upgrade,
};
use hyper::{
    Request, body::Incoming, server::conn::http1, service::service_fn, upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// Suites send messages of up to 16 MiB, also in fragments of 64 bytes.
const LIMITS: Limits = Limits { message_bytes: 16 << 20, unfinished_bytes: 32 << 20 };

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("Echoes at ws://{}", listener.local_addr()?);
    Ok(serve(listener).await?)
}

/// Serves whoever connects.
///
/// # Errors
/// If accepting fails.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let access = Access::new(&Config::default(), "localhost").map_err(io::Error::other)?;
    let access = Arc::new(access);
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(shake_hands(access.clone(), stream, peer));
    }
}

async fn shake_hands(access: Arc<Access>, stream: TcpStream, peer: SocketAddr) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        let answer = match upgrade::judge(&access, request.method(), request.headers()) {
            Ok(granted) => {
                tokio::spawn(converse(
                    hyper::upgrade::on(&mut request),
                    granted.wire,
                    granted.role,
                ));
                switch(&granted)
            }
            Err(refused) => {
                let mut answer = Answer::new(refused.reason().into());
                *answer.status_mut() = refused.status();
                answer
            }
        };
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.with_upgrades().await {
        eprintln!("{peer}: {error}");
    }
}

async fn converse(
    upgrade: OnUpgrade,
    wire: downbeat_relay::clients::Wire,
    role: downbeat_relay::access::Role,
) {
    let Ok(upgraded) = upgrade.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
    let socket = Arc::new(parts.io.into_inner());
    let clock = RelayClock::start();
    let client = Arc::new(Client::new(ClientId(0), wire, role, Outbox::default(), clock.now()));
    client.outbox.open(socket.clone(), None);
    let early = parts.read_buf.to_vec();
    let mut reader = Reader::new(client.clone(), socket, false, clock, early, LIMITS);
    let end = echo(&client, &mut reader).await;
    reader.part(end).await;
}

async fn echo(client: &Client, reader: &mut Reader) -> End {
    loop {
        match reader.next().await {
            Ok(said) => match said.message {
                Message::Text(text) => client.outbox.send(&frame::text(&text)),
                Message::Binary(bytes) => client.outbox.send(&frame::binary(&bytes)),
                // Pings and closes are answered by the reader.
                _ => {}
            },
            Err(end) => return end,
        }
    }
}
