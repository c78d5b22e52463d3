//! One socket, plain or with TLS, for both directions.
//!
//! The [reader](super::reader) reads bytes from it and the [outbox](super::outbox) writes to it. With TLS
//! both directions share a session. What the session itself has to send (alerts, key updates) stays in the
//! session until the outbox takes it: so one writer alone decides the order of the records.
//!
//! Nothing here waits, except where a method is `async`, and nothing is queued.

use std::{
    borrow::Cow,
    io::{self, IoSlice, Read},
    net::{Shutdown, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use downbeat_platform::packet_timestamps;
use rustls::ServerConnection;
use socket2::SockRef;
use tokio::{
    io::{Interest, Ready},
    net::TcpStream,
};

use super::tls_session::TlsSession;

/// A connected socket and, over TLS, its session.
#[derive(Debug)]
pub struct Transport {
    socket: TcpStream,
    tls: Option<Mutex<TlsSession>>,
}

impl Transport {
    /// A socket without TLS.
    #[must_use]
    pub fn plain(socket: TcpStream) -> Self {
        Self { socket, tls: None }
    }

    /// A socket whose TLS handshake is complete.
    pub(crate) fn tls(socket: TcpStream, session: ServerConnection) -> Self {
        Self { socket, tls: Some(Mutex::new(TlsSession::new(session))) }
    }

    /// Has the kernel timestamp what arrives: the clocks of clients are only as good as the instants at
    /// which their probes are said to have arrived.
    pub(crate) fn enable_timestamps(&self) {
        packet_timestamps::enable(&self.socket);
    }

    /// The other end's address; `None` if it is gone.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads decrypted bytes, and returns when they arrived.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing to read yet; `InvalidData` if the peer violates TLS; else those
    /// of the socket.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<(usize, Instant)> {
        let Some(mut tls) = self.session() else {
            return packet_timestamps::try_read(&self.socket, buffer);
        };
        // Bytes that the session decrypted earlier arrived with the read that brought them.
        let mut raw = TimestampedSocket { socket: &self.socket, arrived: tls.arrived };
        let read = tls.read(&mut raw, buffer);
        let arrived = raw.arrived;
        tls.arrived = arrived;
        read.map(|count| (count, arrived))
    }

    /// Reads bytes as they come, without decrypting them: for a peer that is no longer listened to.
    pub(crate) fn read_raw(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.try_read(buffer)
    }

    /// The bytes to write for `frame`: the frame itself or, with TLS, its records, after what the session
    /// has to send itself. They must be written before any that are encoded later.
    ///
    /// # Errors
    /// If the TLS session is closed.
    pub(crate) fn encode<'a>(&self, frame: &'a Bytes) -> io::Result<Cow<'a, Bytes>> {
        match self.session() {
            // Not cloned: the writers would contend for the reference count of the frame.
            None => Ok(Cow::Borrowed(frame)),
            Some(mut tls) => tls.encrypt(frame).map(Cow::Owned),
        }
    }

    /// What the TLS session has to send itself; mostly nothing. The same rule of order applies.
    pub(crate) fn take_pending(&self) -> Bytes {
        self.session().map(|mut tls| tls.take_pending()).unwrap_or_default()
    }

    /// Has the TLS session announce that nothing more will be sent. The end of a plain socket announces
    /// itself.
    pub(crate) fn close_notify(&self) {
        if let Some(mut tls) = self.session() {
            tls.close_notify();
        }
    }

    /// Writes encoded bytes, as far as the kernel accepts them.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.try_write(bytes)
    }

    /// The same from several buffers in one system call.
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.try_write_vectored(slices)
    }

    /// Waits until the socket is ready for any of `interest`.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.socket.ready(interest).await
    }

    /// Waits until the socket accepts bytes.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Ends the outgoing half of the socket.
    pub(crate) fn shutdown_write(&self) {
        // If it fails, the socket is gone already, and the next read reports that.
        let _ = SockRef::from(&self.socket).shutdown(Shutdown::Write);
    }

    /// Has the kernel discard its unsent bytes when the socket is closed. It would otherwise keep them for
    /// minutes, for a peer that has not read for long.
    pub(crate) fn discard_unsent_on_close(&self) {
        // If it fails, the kernel keeps them for as long as it tries to send them.
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }

    fn session(&self) -> Option<MutexGuard<'_, TlsSession>> {
        // No code panics while it holds the lock.
        self.tls.as_ref().map(|tls| tls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The socket as the TLS session reads it.
struct TimestampedSocket<'a> {
    socket: &'a TcpStream,
    /// When the bytes of the last read arrived.
    arrived: Instant,
}

impl Read for TimestampedSocket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (count, arrived) = packet_timestamps::try_read(self.socket, buffer)?;
        self.arrived = arrived;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
