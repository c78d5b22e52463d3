//! What HTTP reads, overheard: whether what a client sent ends where a request's head does.
//!
//! The HTTP library does not tell a client that asks for nothing more from one that stops in the
//! middle of a head, nor one that leaves from one whose TLS comes to nothing. The first of each is
//! normal, the second is counted. Nothing is parsed here, and nothing delayed or kept but three bytes.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream, and whoever wants to know what was heard from it.
#[derive(Debug)]
pub struct Overheard<S> {
    stream: S,
    heard: Arc<Heard>,
}

impl<S> Overheard<S> {
    /// `stream`, and what will be heard from it.
    pub fn new(stream: S) -> (Self, Arc<Heard>) {
        let heard = Arc::<Heard>::default();
        (Self { stream, heard: heard.clone() }, heard)
    }

    /// The stream alone.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

/// What was heard from a stream so far.
#[derive(Debug, Default)]
pub struct Heard {
    /// The bytes that came last, the latest lowest.
    last: AtomicU32,
    is_spoilt: AtomicBool,
}

impl Heard {
    /// Whether what came last is the end of a head: an empty line. One who sends no bodies, and so
    /// has asked whatever it began to ask.
    #[must_use]
    pub fn ends_a_head(&self) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        last & 0x00ff_ffff == u32::from_be_bytes(*b"\0\n\r\n")
            || last & 0xffff == u32::from_be_bytes(*b"\0\0\n\n")
    }

    /// Whether something came that cannot be read, such as records of TLS that do not open.
    #[must_use]
    pub fn is_spoilt(&self) -> bool {
        self.is_spoilt.load(Ordering::Relaxed)
    }

    fn note(&self, bytes: &[u8]) {
        let before = self.last.load(Ordering::Relaxed);
        let tail = &bytes[bytes.len().saturating_sub(4)..];
        let last = tail.iter().fold(before, |last, byte| last << 8 | u32::from(*byte));
        self.last.store(last, Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Overheard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        match &read {
            Ok(()) => self.heard.note(&buffer.filled()[before..]),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                self.heard.is_spoilt.store(true, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Overheard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line_however_it_came() {
        for (parts, ends) in [
            (&["GET / HTTP/1.1\r\nHost: a\r\n\r\n"][..], true),
            (&["GET / HTTP/1.1\r\nHost: a\r\n", "\r", "\n"], true),
            (&["GET / HTTP/1.1\n\n"], true),
            (&["GET / HTTP/1.1\r\n\r\nGE"], false),
            (&["GET / HTTP/1.1\r\n\r\n", "G"], false),
            (&["GET / HTTP/1.1\r\n"], false),
            (&[], false),
        ] {
            let heard = Heard::default();
            for part in parts {
                heard.note(part.as_bytes());
            }
            assert_eq!(heard.ends_a_head(), ends, "{parts:?}");
        }
    }
}
