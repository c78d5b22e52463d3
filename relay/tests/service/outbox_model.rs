//! Model test of the outbox: the model is one list of bytes. Whatever the order of sending, reading and
//! flushing, over a socket with a small buffer, the other end reads a prefix of that list, and all of it
//! unless the client was cut off.
//!
//! A sequential test is enough: the outbox has one lock and no atomics of its own.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use bytes::Bytes;
use downbeat_relay::websocket::{
    frame::{self, CloseCode},
    outbox::{CutOff, MAX_OUTBOX_BYTES, MAX_OUTBOX_FRAMES, Outbox, Phase},
    transport::Transport,
};
use proptest::prelude::*;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
enum Step {
    /// Send a frame of this many bytes.
    Send(usize),
    /// Send this many small frames.
    SendMany(usize),
    /// Read at most this many bytes at the other end.
    Read(usize),
    /// Open the outbox.
    Open,
    /// Write what waits.
    Flush,
    /// Send a close frame.
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_usize..60_000).prop_map(Step::Send),
        1 => Just(Step::Send(MAX_OUTBOX_BYTES + 1)),
        1 => (1_usize..3000).prop_map(Step::SendMany),
        6 => (1_usize..200_000).prop_map(Step::Read),
        1 => Just(Step::Open),
        4 => Just(Step::Flush),
        1 => Just(Step::Close),
    ]
}

/// An outbox, the other end of its socket, and the model.
struct World {
    outbox: Outbox,
    here: Arc<Transport>,
    there: TcpStream,
    sent: Vec<u8>,
    frames: usize,
    read: Vec<u8>,
}

impl World {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (here, _) = listener.accept().await.unwrap();
        here.writable().await.unwrap();
        SockRef::from(&here).set_send_buffer_size(4096).unwrap();
        let here = Arc::new(Transport::plain(here));
        Self { outbox: Outbox::default(), here, there, sent: vec![], frames: 0, read: vec![] }
    }

    /// Sends a frame whose bytes depend on their position in the list.
    fn send(&mut self, length: usize) -> Result<(), TestCaseError> {
        if self.outbox.phase() != Phase::Open {
            self.outbox.send(&Bytes::from_static(b"ignored"));
            return Ok(());
        }
        let at = self.sent.len();
        let frame: Vec<u8> = (at..at + length).map(|at| (at ^ (at >> 8)) as u8).collect();
        self.outbox.send(&Bytes::copy_from_slice(&frame));
        if self.outbox.phase() == Phase::Open {
            self.sent.extend(frame);
            self.frames += 1;
            return Ok(());
        }
        // Only a client that is far behind is cut off.
        prop_assert_eq!(self.outbox.phase(), Phase::Cut(CutOff::Overflow));
        let behind = at + length - self.read.len();
        prop_assert!(
            behind > MAX_OUTBOX_BYTES || self.frames >= MAX_OUTBOX_FRAMES,
            "{} bytes",
            behind
        );
        Ok(())
    }

    fn read(&mut self, most: usize) -> bool {
        let mut buffer = vec![0; most];
        match self.there.try_read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.read.extend(&buffer[..count]);
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }

    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Send(length) => self.send(*length)?,
            Step::SendMany(count) => {
                for _ in 0..*count {
                    self.send(7)?;
                }
            }
            Step::Read(most) => {
                self.read(*most);
                // So that the runtime learns that the socket is writable.
                tokio::task::yield_now().await;
            }
            Step::Open => self.outbox.open(self.here.clone()),
            Step::Flush => self.outbox.flush(),
            Step::Close => {
                if self.outbox.phase() == Phase::Open {
                    self.outbox.close(CloseCode::GoingAway, "bye");
                    if self.outbox.phase() == Phase::Closing {
                        self.sent.extend(frame::close(CloseCode::GoingAway, "bye"));
                    }
                }
            }
        }
        prop_assert!(self.sent.starts_with(&self.read), "read something that was not sent");
        Ok(())
    }

    /// Opens the outbox, if it is not yet, and reads everything.
    async fn finish(&mut self) -> Result<(), TestCaseError> {
        self.outbox.open(self.here.clone());
        let deadline = Instant::now() + DEADLINE;
        let cut = matches!(self.outbox.phase(), Phase::Cut(_));
        while self.read.len() < self.sent.len() && Instant::now() < deadline {
            self.outbox.flush();
            if !self.read(100_000) {
                // After a cut, only what the kernel holds is left.
                if cut && !self.outbox.is_waiting() && !self.is_readable_soon().await {
                    break;
                }
                sleep(Duration::from_micros(200)).await;
            }
        }
        prop_assert!(self.sent.starts_with(&self.read));
        prop_assert!(cut || self.read.len() == self.sent.len(), "incomplete");
        prop_assert!(!self.outbox.is_waiting());
        Ok(())
    }

    async fn is_readable_soon(&self) -> bool {
        timeout(Duration::from_millis(20), self.there.readable()).await.is_ok()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_other_end_reads_what_was_sent(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in &steps {
                world.take(step).await?;
            }
            world.finish().await
        })?;
    }
}
