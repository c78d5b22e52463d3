//! What HTTP reads, overheard: whether what a client sent ends in the middle of a request's head.
//!
//! The HTTP library does not tell a client that asks for nothing more from one that stops in the
//! middle of a head, nor one that leaves from one whose TLS comes to nothing. The first of each is
//! normal, the second is counted. Nothing is delayed or kept here, nor parsed beyond the empty line
//! that ends a head; what a body holds is taken for a head, because no request here has one.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

/// Where in a head a stream has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the next, where empty lines mean nothing.
    #[default]
    Between,
    Line,
    /// After a line, where an empty one ends it.
    LineEnd,
    /// What came cannot be read, such as records of TLS that do not open.
    Spoilt,
}

impl Place {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Between, b'\r' | b'\n') | (Self::LineEnd, b'\n') => Self::Between,
            (Self::LineEnd, b'\r') | (Self::Line, b'\n') => Self::LineEnd,
            _ => Self::Line,
        }
    }
}

/// What was heard from a stream so far.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Place>);

impl Heard {
    /// Whether a head began and has not ended.
    #[must_use]
    pub fn is_within_a_head(&self) -> bool {
        matches!(*self.place(), Place::Line | Place::LineEnd)
    }

    /// Whether something came that cannot be read.
    #[must_use]
    pub fn is_spoilt(&self) -> bool {
        *self.place() == Place::Spoilt
    }

    fn note(&self, bytes: &[u8]) {
        let mut place = self.place();
        *place = bytes.iter().fold(*place, |place, byte| place.after(*byte));
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
                *self.heard.place() = Place::Spoilt;
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
        for (parts, is_within) in [
            (&["GET / HTTP/1.1\r\nHost: a\r\n\r\n"][..], false),
            (&["GET / HTTP/1.1\r\nHost: a\r\n", "\r", "\n"], false),
            (&["GET / HTTP/1.1\n\n"], false),
            (&["GET / HTTP/1.1\r\n\r\n\r\n"], false),
            (&["GET / HTTP/1.1\r\n\r\nGE"], true),
            (&["GET / HTTP/1.1\r\n\r\n", "G"], true),
            (&["GET / HTTP/1.1\r\n"], true),
            (&["\r\n\r\n"], false),
            (&[], false),
        ] {
            let heard = Heard::default();
            for part in parts {
                heard.note(part.as_bytes());
            }
            assert_eq!(heard.is_within_a_head(), is_within, "{parts:?}");
        }
    }
}
