//! The incoming half of a connection: waits for messages, and sees the connection to its end.
//!
//! Nothing is written here: pongs and close frames go to the client's [`Outbox`](super::outbox::Outbox)
//! like everything else.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use downbeat_protocol::RelayTime;
use tokio::{io::Interest, task::coop::consume_budget, time::timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{
    client::Client,
    decoder::{Decoder, End, MessageLimits, READ_BUFFER_BYTES},
    frame,
    outbox::Phase,
    transport::Transport,
};
use crate::clock::RelayClock;

/// How long a client has to answer a close frame before its socket is closed anyway.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A message costs at least this fraction of the bytes that were read for it: enough to limit empty
/// fragments, and little where one read brought a buffer full of messages.
const READ_BYTES_PER_COST: usize = 4;

/// A message from a client.
#[derive(Debug)]
pub struct Received {
    /// The message.
    pub message: Message,
    /// When its last byte arrived.
    pub(crate) at: RelayTime,
    /// What it costs of the sender's rate, in bytes: its size, or a share of all that was read since the
    /// message before, if that is more. So empty fragments are not free, and messages that arrived
    /// together each pay for themselves.
    pub(crate) cost: usize,
}

/// Reads one client's messages, and flushes its outbox meanwhile.
pub struct Reader {
    client: Arc<Client>,
    transport: Arc<Transport>,
    decoder: Decoder<Incoming>,
}

impl Reader {
    /// A reader of `transport`, to which the client's outbox writes; `early` is what was read past the
    /// handshake.
    #[must_use]
    pub fn new(
        client: Arc<Client>,
        transport: Arc<Transport>,
        clock: RelayClock,
        early: Vec<u8>,
        limits: MessageLimits,
    ) -> Self {
        let incoming = Incoming {
            client: client.clone(),
            transport: transport.clone(),
            clock,
            read_at: clock.now(),
        };
        Self { client, transport, decoder: Decoder::new(incoming, early, limits) }
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn next(&mut self) -> Result<Received, End> {
        loop {
            match self.client.outbox.phase() {
                Phase::Open => {}
                Phase::Closing => return Err(End::ClosedByRelay),
                Phase::Cut(_) => return Err(End::Lost),
            }
            // However much one client sends, the other tasks of this thread get their turn.
            consume_budget().await;
            match self.decoder.decode()? {
                Some(message) => {
                    let (at, read) = (self.decoder.stream().read_at, self.decoder.take_read());
                    let cost = message.len().max(read / READ_BYTES_PER_COST);
                    return Ok(Received { message, at, cost });
                }
                None => self.wait().await.map_err(|_| End::Lost)?,
            }
        }
    }

    /// Sends the last frames and closes the connection.
    pub async fn finish(&mut self, end: End) {
        if let End::Violation(code, reason) = end {
            self.client.outbox.close(code, reason);
        }
        let closing = async {
            match end {
                End::Lost => {}
                End::ClosedByClient => self.flush().await,
                // A socket that is closed with unread data may discard what was sent last, which is the
                // close frame. So read until the client closes.
                End::ClosedByRelay => {
                    self.read_until_close().await;
                    self.flush().await;
                }
                End::Violation(..) => self.discard_until_end().await,
            }
        };
        // The timeout is the answer to a client that does not cooperate.
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
        self.client.outbox.close_notify();
    }

    /// Waits until there may be something to read, and flushes the outbox meanwhile.
    async fn wait(&self) -> io::Result<()> {
        let outbox = &self.client.outbox;
        let mut interest = Interest::READABLE;
        if outbox.is_waiting() {
            interest |= Interest::WRITABLE;
        }
        tokio::select! {
            ready = self.transport.ready(interest) => {
                if ready?.is_writable() {
                    outbox.flush();
                }
            }
            () = outbox.changed() => {}
        }
        Ok(())
    }

    /// Writes what waits, without reading.
    async fn flush(&self) {
        let outbox = &self.client.outbox;
        while outbox.is_waiting() {
            consume_budget().await;
            // Interest in reading would return at once whenever unread data is there, and this loop
            // would never yield.
            if self.transport.writable().await.is_err() {
                return;
            }
            outbox.flush();
        }
    }

    /// Reads and ignores messages until the client's close frame.
    async fn read_until_close(&mut self) {
        loop {
            consume_budget().await;
            match self.decoder.decode() {
                Ok(Some(Message::Close(_))) | Err(_) => return,
                Ok(Some(_)) => {}
                Ok(None) => {
                    if self.wait().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Reads and ignores bytes until the socket ends, for a client whose bytes cannot be decoded. Ends the
    /// outgoing half, which tells the client to end its own.
    async fn discard_until_end(&mut self) {
        let mut scratch = vec![0; READ_BUFFER_BYTES];
        let mut ended = false;
        loop {
            consume_budget().await;
            if !ended && !self.client.outbox.is_waiting() {
                ended = true;
                self.client.outbox.close_notify();
                self.transport.shutdown_write();
            }
            match self.transport.read_raw(&mut scratch) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.wait().await.is_err() {
                        return;
                    }
                }
                Ok(0) | Err(_) => return,
            }
        }
    }
}

/// The decoder's stream: reads come from the transport, writes go to the outbox.
struct Incoming {
    client: Arc<Client>,
    transport: Arc<Transport>,
    clock: RelayClock,
    /// When the bytes of the last read arrived.
    read_at: RelayTime,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.transport.read(buffer);
        if self.transport.is_tls() {
            // Reading may make the session answer: with an alert, with new keys.
            self.client.outbox.send_pending();
        }
        let (count, arrived) = read?;
        self.read_at = self.clock.at(arrived);
        self.client.record_received(self.read_at);
        Ok(count)
    }
}

impl Write for Incoming {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        let outbox = &self.client.outbox;
        let answer = Bytes::copy_from_slice(frame);
        if frame::is_close(&answer) {
            outbox.close_with(&answer);
        } else {
            outbox.send(&answer);
        }
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
