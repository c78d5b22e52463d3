//! A TCP connection that remembers when what was last read from it had arrived.
//!
//! It lies below TLS and the WebSocket, neither of which says so.

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

/// A connection to the relay's machine.
#[derive(Debug)]
pub(super) struct Cable {
    socket: TcpStream,
    arrived: Instant,
}

impl Cable {
    /// Connects.
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

    /// When what was last read had arrived at this machine.
    pub(super) fn arrived(&self) -> Instant {
        self.arrived
    }
}

impl AsyncRead for Cable {
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
                // It only seemed ready; it will wake this task when it is.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Cable {
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
