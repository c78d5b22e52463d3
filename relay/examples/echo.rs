//! A WebSocket echo server made of the relay's own handshake, reader, outbox and frames, for conformance
//! suites: `make conformance` runs Autobahn's against it.
//!
//! ```text
//! cargo run --release --package downbeat-relay --example echo -- 127.0.0.1:9001
//! ```
//!
//! It differs from the relay in two points: a message may have 16 MiB, because such suites send large ones,
//! and there is no broadcast.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use downbeat_protocol::ClientId;
use downbeat_relay::{
    clock::RelayClock,
    config::Config,
    http::{auth::Access, response::Answer, upgrade},
    websocket::{
        client::{Client, Wire},
        decoder::{End, MessageLimits},
        frame,
        outbox::Outbox,
        reader::Reader,
        transport::Transport,
    },
};
use hyper::{
    Request, body::Incoming, server::conn::http1, service::service_fn, upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// Suites send messages of up to 16 MiB, also in fragments of 64 bytes.
const LIMITS: MessageLimits = MessageLimits { message_bytes: 16 << 20, unfinished_bytes: 32 << 20 };

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("Echoes at ws://{}", listener.local_addr()?);
    Ok(serve(listener).await?)
}

/// Serves all connections.
///
/// # Errors
/// If accepting fails.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let access = Access::new(&Config::default(), "localhost").map_err(io::Error::other)?;
    let access = Arc::new(access);
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve_http(access.clone(), stream, peer));
    }
}

async fn serve_http(access: Arc<Access>, stream: TcpStream, peer: SocketAddr) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        let answer = match upgrade::check(&access, request.method(), request.headers()) {
            Ok(granted) => {
                tokio::spawn(serve_websocket(hyper::upgrade::on(&mut request), granted.wire));
                upgrade::switching_protocols(&granted)
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

async fn serve_websocket(upgrade: OnUpgrade, wire: Wire) {
    let Ok(upgraded) = upgrade.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
    let transport = Arc::new(Transport::plain(parts.io.into_inner()));
    let clock = RelayClock::start();
    let client = Arc::new(Client::new(ClientId(0), wire, Outbox::default(), clock.now()));
    client.outbox.open(transport.clone());
    let early = parts.read_buf.to_vec();
    let mut reader = Reader::new(client.clone(), transport, clock, early, LIMITS);
    let end = echo(&client, &mut reader).await;
    reader.finish(end).await;
}

async fn echo(client: &Client, reader: &mut Reader) -> End {
    loop {
        match reader.next().await {
            Ok(received) => match received.message {
                Message::Text(text) => client.outbox.send(&frame::text(&text)),
                Message::Binary(bytes) => client.outbox.send(&frame::binary(&bytes)),
                // The reader answers pings and close frames.
                _ => {}
            },
            Err(end) => return end,
        }
    }
}
