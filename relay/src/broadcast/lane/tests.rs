//! A lane over real sockets, in virtual time where it keeps connections alive.

use std::cell::Cell;

use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    broadcast::writer_pool::{CLIENTS_PER_WRITER, MAX_WRITERS},
    websocket::{
        frame::{self, CloseCode},
        outbox::{CutOff, Outbox, Phase},
        transport::Transport,
    },
};

/// A client that connected at the epoch, and the other end of its socket.
async fn connect(wire: Wire) -> (Arc<Client>, TcpStream) {
    connect_as(1, wire).await
}

async fn connect_as(id: u32, wire: Wire) -> (Arc<Client>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (here, _) = listener.accept().await.unwrap();
    here.writable().await.unwrap();
    let client = Client::new(ClientId(id), wire, Outbox::default(), at(0));
    client.outbox.open(Arc::new(Transport::plain(here)));
    (Arc::new(client), there)
}

fn single(text: &'static str) -> JoinedFrames {
    JoinedFrames { bytes: Bytes::from(text), count: 1 }
}

fn lane() -> Lane {
    let counters = Arc::new(Counters::default());
    let (priorities, _) = std::sync::mpsc::sync_channel(MAX_WRITERS);
    let writers = WriterPool::start("writer", &counters, &Arc::default(), &priorities).unwrap();
    Lane::new(writers, RelayClock::start(), counters)
}

fn at(seconds: u64) -> RelayTime {
    RelayTime::from_micros(seconds * 1_000_000)
}

/// A sweep each second after `from` until `to`.
async fn sweep(lane: &mut Lane, from: u64, to: u64) {
    for second in from..to {
        lane.apply(Command::Sweep { now: at(second + 1), last: at(second) }).await;
    }
}

async fn read_to_end(mut there: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    timeout(Duration::from_secs(10), there.read_to_end(&mut rest)).await.unwrap().unwrap();
    rest
}

#[tokio::test]
async fn a_silent_client_is_pinged_every_ten_seconds_and_cut_off_after_thirty() {
    let (client, there) = connect(Wire::Tutorial).await;
    let mut lane = lane();
    lane.apply(Command::Connected(client.clone(), Vec::new())).await;
    sweep(&mut lane, 0, 5).await;
    client.record_received(at(5));
    sweep(&mut lane, 5, 35).await;
    assert_eq!(client.outbox.phase(), Phase::Open);
    sweep(&mut lane, 35, 36).await;
    assert_eq!(client.outbox.phase(), Phase::Cut(CutOff::Silent));
    lane.apply(Command::Left(client.id)).await;
    drop(client);
    let (mut there, mut pings) = (there, [0; 6]);
    there.read_exact(&mut pings).await.unwrap();
    assert_eq!(pings, [0x89, 0, 0x89, 0, 0x89, 0]);
    let end = timeout(Duration::from_secs(10), there.read_u8()).await.unwrap();
    assert!(end.is_err(), "nothing follows");
}

#[tokio::test]
async fn a_client_without_hello_receives_nothing_and_is_closed() {
    let (client, there) = connect(Wire::V1).await;
    let mut lane = lane();
    lane.apply(Command::Connected(client.clone(), Vec::new())).await;
    lane.broadcast(Some(single("not for it")), None).await;
    client.record_received(at(10));
    sweep(&mut lane, 0, 10).await;
    assert_eq!(client.outbox.phase(), Phase::Open);
    sweep(&mut lane, 10, 11).await;
    assert_eq!(client.outbox.phase(), Phase::Closing);
    drop((lane, client));
    assert_eq!(read_to_end(there).await, frame::close(CloseCode::Policy, "no hello"));
}

#[tokio::test]
async fn a_client_that_connects_during_shutdown_is_closed_too() {
    let (client, there) = connect(Wire::V1).await;
    let mut lane = lane();
    lane.apply(Command::Shutdown).await;
    lane.apply(Command::Connected(client.clone(), Vec::new())).await;
    drop((lane, client));
    let close = frame::close(CloseCode::GoingAway, "the relay is shutting down");
    assert_eq!(read_to_end(there).await, close);
}

#[tokio::test]
async fn every_client_receives_every_frame_once_and_in_order() {
    for count in [1, CLIENTS_PER_WRITER - 1, CLIENTS_PER_WRITER, 3 * CLIENTS_PER_WRITER + 1] {
        let (mut lane, mut sockets) = (lane(), Vec::new());
        for id in 1..=count as u32 {
            let (client, there) = connect_as(id, Wire::Tutorial).await;
            lane.apply(Command::Connected(client, Vec::new())).await;
            sockets.push(there);
        }
        for text in ["one ", "two ", "three"] {
            lane.broadcast(Some(single(text)), None).await;
        }
        assert_eq!(lane.counters.deliveries.get(), 3 * count as u64);
        drop(lane);
        for there in sockets {
            assert_eq!(read_to_end(there).await, b"one two three");
        }
    }
}

#[tokio::test]
async fn scheduled_frames_of_one_instant_are_sent_together_at_that_instant() {
    let (client, mut there) = connect(Wire::Tutorial).await;
    let mut lane = lane();
    lane.apply(Command::Connected(client.clone(), Vec::new())).await;
    let clock = lane.clock;
    let due = clock.now().plus_micros(20_000);
    let (sender, commands) = mpsc::channel(8);
    let running = tokio::spawn(run(commands, lane));
    for text in ["first ", "second"] {
        let cue = Cue { at: due, seq: 1, sound: "bell".into() };
        sender.send(Command::BroadcastAt(cue, Bytes::from(text))).await.unwrap();
    }
    let mut received = [0; 12];
    timeout(Duration::from_secs(10), there.read_exact(&mut received)).await.unwrap().unwrap();
    assert!(clock.now() >= due, "{:?} too early", clock.until(due));
    assert_eq!(&received, b"first second");
    drop(sender);
    timeout(Duration::from_secs(10), running).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_single_clients_are_sent_precedes_or_follows_a_broadcast_as_asked() {
    let mut lane = lane();
    let mut sockets = Vec::new();
    for id in 1..=2 {
        let (client, there) = connect_as(id, Wire::V1).await;
        lane.apply(Command::Connected(client, Vec::new())).await;
        lane.apply(Command::Admitted(ClientId(id))).await;
        sockets.push(there);
    }
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let replies = vec![(ClientId(2), text("yes ")), (ClientId(9), text("gone"))];
    let frames = vec![text("one "), text("two ")];
    lane.apply(Command::Deliver(Delivery { frames, replies, ..Delivery::default() })).await;
    lane.apply(Command::Broadcast(text("three "))).await;
    // What the next broadcast depends on precedes it.
    let first = vec![(ClientId(1), text("you ")), (ClientId(9), text("gone"))];
    let frames = vec![text("four ")];
    lane.apply(Command::Deliver(Delivery { first, frames, ..Delivery::default() })).await;
    lane.apply(Command::Broadcast(text("five "))).await;
    lane.send_pending().await;
    drop(lane);
    let [first, second] = sockets.try_into().unwrap();
    assert_eq!(read_to_end(first).await, b"one two three you four five ");
    assert_eq!(read_to_end(second).await, b"one two three yes four five ");
}

#[tokio::test]
async fn others_have_their_turns_while_many_single_clients_are_written_to() {
    let mut lane = lane();
    let client = Client::new(ClientId(1), Wire::V1, Outbox::default(), at(0));
    lane.apply(Command::Connected(Arc::new(client), Vec::new())).await;
    lane.apply(Command::Admitted(ClientId(1))).await;
    let frames = |count| vec![(ClientId(1), Bytes::from_static(b"x")); count];
    let (first, replies) = (frames(1000), frames(1000));
    let (is_done, mut turns) = (Cell::new(false), 0);
    let deliver = async {
        lane.apply(Command::Deliver(Delivery { first, replies, ..Delivery::default() })).await;
        lane.send_pending().await;
        is_done.set(true);
    };
    let others = async {
        while !is_done.get() {
            turns += 1;
            yield_now().await;
        }
    };
    tokio::join!(deliver, others);
    assert!(turns >= 2 * (1000 / MAX_WRITES_AT_ONCE), "{turns}");
    assert_eq!(lane.listeners.find(ClientId(1)).unwrap().outbox.peak(), 2000);
}

#[test]
fn frames_are_joined_in_order_and_taken_once() {
    let mut batch = FrameBatch::default();
    assert_eq!(batch.take(), None);
    batch.add(Bytes::from_static(b"one"));
    assert_eq!(batch.take(), Some(single("one")));
    for text in [&b"one"[..], b"two", b"three"] {
        batch.add(Bytes::from_static(text));
    }
    let bytes = Bytes::from_static(b"onetwothree");
    assert_eq!(batch.take(), Some(JoinedFrames { bytes, count: 3 }));
    assert_eq!(batch.take(), None);
}
