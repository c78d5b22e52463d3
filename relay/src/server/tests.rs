//! Panics are noticed, and exposure is warned about.

use std::{
    future::pending,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::sleep;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::*;
use crate::websocket::client::Wire;

const DEADLINE: Duration = Duration::from_secs(10);

async fn bind(config: Config) -> Server {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::bind(&Config { listen, ..config }).await.unwrap()
}

/// Waits until a condition holds.
async fn until(what: impl Fn() -> bool) {
    let since = Instant::now();
    while !what() {
        assert!(since.elapsed() < DEADLINE, "timed out");
        sleep(Duration::from_millis(5)).await;
    }
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A client of the tutorial wire that is in the room.
async fn join(hub: &Hub, address: SocketAddr, others: usize) -> Socket {
    let (socket, _) = connect_async(format!("ws://{address}/")).await.unwrap();
    until(|| hub.room().count(Wire::Tutorial) == others + 1).await;
    socket
}

#[tokio::test]
async fn a_relay_ends_when_an_essential_part_panics() {
    for part in ["lane tutorial", "lane v1", "timekeeper", "bank watcher", "folder poll"] {
        let folder = tempfile::tempdir().unwrap();
        let samples = Some(folder.path().to_owned());
        let server = bind(Config { samples, ..Config::default() }).await;
        server.supervisor().inject(part);
        // So that the watcher runs at once.
        server.reload().notify_one();
        let ran = timeout(DEADLINE, server.run(pending())).await;
        let named = if part == "folder poll" { "bank watcher" } else { part };
        assert_eq!(ran.expect("it ends"), Err(PartPanicked(named)));
    }
}

#[tokio::test]
async fn a_panic_during_shutdown_is_reported_too() {
    let server = bind(Config::default()).await;
    let (address, state) = (server.address(), server.state.clone());
    let clients = async {
        let _stays = join(&state.hub, address, 0).await;
        state.hub.supervisor.inject("lane tutorial");
    };
    let ran = timeout(DEADLINE, Box::pin(server.run(clients))).await;
    assert_eq!(ran.expect("it ends"), Err(PartPanicked("lane tutorial")));
}

#[tokio::test]
async fn a_client_whose_task_panics_leaves_the_room_and_the_others_stay() {
    let server = bind(Config::default()).await;
    let (address, state) = (server.address(), server.state.clone());
    let clients = async {
        let mut stays = join(&state.hub, address, 0).await;
        let mut panics = join(&state.hub, address, 1).await;
        state.hub.supervisor.inject("connection");
        panics.send(Message::text("anything")).await.unwrap();
        assert!(panics.next().await.is_none_or(|end| end.is_err()), "it is cut off");
        until(|| state.hub.room().count(Wire::Tutorial) == 1).await;
        until(|| state.admission.connections() == 1).await;
        assert_eq!(state.hub.counters.connection_panics.get(), 1);
        stays.send(Message::text("trigger-input")).await.unwrap();
        assert_eq!(stays.next().await.unwrap().unwrap(), Message::text("trigger-output"));
    };
    timeout(DEADLINE, Box::pin(server.run(clients))).await.expect("it is quick").unwrap();
}

#[tokio::test]
async fn a_request_that_panics_ends_only_its_connection_and_is_counted() {
    let server = bind(Config::default()).await;
    let (address, state) = (server.address(), server.state.clone());
    let clients = async {
        state.hub.supervisor.inject("request");
        assert!(connect_async(format!("ws://{address}/")).await.is_err());
        until(|| state.admission.connections() == 0).await;
        assert_eq!(state.hub.counters.connection_panics.get(), 1);
        join(&state.hub, address, 0).await;
    };
    timeout(DEADLINE, Box::pin(server.run(clients))).await.expect("it is quick").unwrap();
}

#[test]
fn exposure_is_warned_about_where_other_machines_can_connect() {
    let warning = |ip: &str, open, encrypted| exposure(ip.parse().unwrap(), open, encrypted);
    for local in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(warning(local, true, false), None, "{local}");
    }
    for (open, encrypted, named) in [
        (true, false, &["--token", "--tls"][..]),
        (true, true, &["--token"]),
        (false, false, &["--tls", "token"]),
    ] {
        for ip in ["0.0.0.0", "::", "192.168.1.20"] {
            let warning = warning(ip, open, encrypted).unwrap();
            assert!(named.iter().all(|part| warning.contains(part)), "{warning}");
        }
    }
    assert!(!warning("0.0.0.0", true, true).unwrap().contains("encrypted"));
    assert_eq!(warning("0.0.0.0", false, true), None);
}
