//! What others can do is said; and whatever panics, it is noticed.

use std::{future::pending, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

async fn bind(config: Config) -> Server {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::bind(&Config { listen, ..config }).await.unwrap()
}

/// Waits until something is so.
async fn until(what: impl Fn() -> bool) {
    let since = Instant::now();
    while !what() {
        assert!(since.elapsed() < DEADLINE, "it must not take this long");
        sleep(Duration::from_millis(5)).await;
    }
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A client of the seed's wire that is in the room.
async fn join(relay: &Relay, address: SocketAddr, others: u32) -> Socket {
    let (socket, _) = connect_async(format!("ws://{address}/")).await.unwrap();
    until(|| relay.room().count_by_wire().0 == others + 1).await;
    socket
}

#[tokio::test]
async fn a_relay_that_loses_a_part_ends_and_names_it() {
    for part in ["lane seed", "lane v1", "time keeper", "folder follower", "folder look"] {
        let folder = tempfile::tempdir().unwrap();
        let samples = Some(folder.path().to_owned());
        let server = bind(Config { samples, ..Config::default() }).await;
        server.alarm().inject(part);
        // So that even one who waits for something to do has it.
        server.reload().notify_one();
        let ran = timeout(DEADLINE, server.run(pending())).await;
        let named = if part == "folder look" { "folder follower" } else { part };
        assert_eq!(ran.expect("it ends"), Err(Lost(named)));
    }
}

#[tokio::test]
async fn a_part_that_is_lost_while_the_relay_ends_is_named_too() {
    let server = bind(Config::default()).await;
    let (address, relay) = (server.address(), server.relay.clone());
    let clients = async {
        let _stays = join(&relay, address, 0).await;
        relay.alarm.inject("lane seed");
    };
    let ran = timeout(DEADLINE, Box::pin(server.run(clients))).await;
    assert_eq!(ran.expect("it ends"), Err(Lost("lane seed")));
}

#[tokio::test]
async fn a_client_whose_connection_panics_leaves_the_room_and_the_others_stay() {
    let server = bind(Config::default()).await;
    let (address, relay) = (server.address(), server.relay.clone());
    let clients = async {
        let mut stays = join(&relay, address, 0).await;
        let mut panics = join(&relay, address, 1).await;
        relay.alarm.inject("connection");
        panics.send(Message::text("anything")).await.unwrap();
        assert!(panics.next().await.is_none_or(|end| end.is_err()), "it is cut off");
        until(|| relay.room().count_by_wire().0 == 1).await;
        until(|| relay.doors.connections() == 1).await;
        assert_eq!(relay.counts.panicked.get(), 1);
        stays.send(Message::text("trigger-input")).await.unwrap();
        assert_eq!(stays.next().await.unwrap().unwrap(), Message::text("trigger-output"));
    };
    timeout(DEADLINE, Box::pin(server.run(clients))).await.expect("it is quick").unwrap();
}

#[tokio::test]
async fn a_request_that_panics_ends_its_connection_alone_and_is_counted() {
    let server = bind(Config::default()).await;
    let (address, relay) = (server.address(), server.relay.clone());
    let clients = async {
        relay.alarm.inject("request");
        assert!(connect_async(format!("ws://{address}/")).await.is_err());
        until(|| relay.doors.connections() == 0).await;
        assert_eq!(relay.counts.panicked.get(), 1);
        join(&relay, address, 0).await;
    };
    timeout(DEADLINE, Box::pin(server.run(clients))).await.expect("it is quick").unwrap();
}

#[test]
fn failed_accepts_are_told_of_once_however_many_and_again_after_a_while_without() {
    let begin = Instant::now();
    let mut failed = FailedAccepts::default();
    assert_eq!(failed.end(begin), None, "none has failed");
    for episode in 0..2 {
        let begin = begin + episode * Duration::from_mins(2);
        for tenth in 0..600 {
            let now = begin + tenth * ACCEPT_PAUSE;
            assert_eq!(failed.add(now), tenth == 0);
            // A client has left, and its descriptor is taken at once.
            assert_eq!(failed.end(now), None);
        }
        let last = begin + 599 * ACCEPT_PAUSE;
        assert_eq!(failed.end(last + ACCEPT_EPISODE), Some(600));
        assert_eq!(failed.end(last + 2 * ACCEPT_EPISODE), None, "it is told once");
    }
}

#[test]
fn what_others_can_do_is_said_where_others_can_come() {
    let said = |ip: &str, open, encrypted| exposure(ip.parse().unwrap(), open, encrypted);
    for local in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(said(local, true, false), None, "{local}");
    }
    for (open, encrypted, named) in [
        (true, false, &["--token", "--tls"][..]),
        (true, true, &["--token"]),
        (false, false, &["--tls", "token"]),
    ] {
        for ip in ["0.0.0.0", "::", "192.168.1.20"] {
            let said = said(ip, open, encrypted).unwrap();
            assert!(named.iter().all(|part| said.contains(part)), "{said}");
        }
    }
    assert!(!said("0.0.0.0", true, true).unwrap().contains("encrypted"));
    assert_eq!(said("0.0.0.0", false, true), None);
}
