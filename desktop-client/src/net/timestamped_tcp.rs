//! A TCP stream that keeps the arrival time of the data that was last read from it.
//!
//! It lies below TLS and the WebSocket, neither of which passes timestamps on.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use downbeat_platform::packet_timestamps;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, ToSocketAddrs},
};

/// A TCP stream with the arrival time of its last read.
#[derive(Debug)]
pub(super) struct TimestampedTcp {
    socket: TcpStream,
    arrived: Instant,
}

impl TimestampedTcp {
    /// Connects, with `TCP_NODELAY` and, where the system has them, packet timestamps.
    ///
    /// # Errors
    /// As [`TcpStream::connect`].
    pub(super) async fn connect(to: impl ToSocketAddrs) -> io::Result<Self> {
        let socket = TcpStream::connect(to).await?;
        // Nagle's algorithm would hold a bang back until the last probe is acknowledged.
        socket.set_nodelay(true)?;
        packet_timestamps::enable(&socket);
        Ok(Self { socket, arrived: Instant::now() })
    }

    /// When the data that was last read arrived at this machine.
    pub(super) fn arrived(&self) -> Instant {
        self.arrived
    }
}

impl AsyncRead for TimestampedTcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(context))?;
            match packet_timestamps::try_read(&self.socket, buffer.initialize_unfilled()) {
                Ok((count, arrived)) => {
                    self.arrived = arrived;
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // A spurious readiness event; tokio has cleared it and wakes this task again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for TimestampedTcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
