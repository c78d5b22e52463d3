//! TLS handshakes: from an accepted socket to an encrypted stream.
//!
//! Whether a peer is admitted is decided before. That also bounds the number of handshakes under way; how
//! long each may take is bounded here.

use std::{io, sync::Arc, time::Duration};

use rustls::{ServerConfig, server::Acceptor};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, SemaphorePermit},
    task::yield_now,
    time::{error::Elapsed, timeout},
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

/// How long a handshake may take, from the accepted socket on: as long as the head of a request.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first byte of a TLS connection: a record of the handshake.
const HANDSHAKE_RECORD: u8 = 0x16;

/// What a peer speaks.
#[derive(Debug)]
pub(super) enum Accepted {
    /// TLS; the handshake is complete.
    Tls(Box<TlsStream<TcpStream>>),
    /// Apparently HTTP without TLS.
    Plain(TcpStream),
}

/// Why a handshake failed.
#[derive(Debug, Error)]
pub(super) enum HandshakeError {
    #[error("the TLS handshake timed out")]
    Timeout(#[from] Elapsed),
    #[error("the TLS handshake failed: {0}")]
    Failed(#[from] io::Error),
    #[error("neither TLS nor HTTP")]
    Unknown,
}

/// Accepts TLS connections.
#[derive(Debug)]
pub(crate) struct TlsAcceptor {
    config: Arc<ServerConfig>,
    turns: Semaphore,
}

impl TlsAcceptor {
    pub(crate) fn new(config: Arc<ServerConfig>) -> Self {
        Self { config, turns: Semaphore::new(1) }
    }

    /// Performs the handshake.
    ///
    /// # Errors
    /// If it fails or takes too long.
    pub(super) async fn accept(&self, stream: TcpStream) -> Result<Accepted, HandshakeError> {
        timeout(HANDSHAKE_TIMEOUT, async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 0 {
                return Err(HandshakeError::Unknown);
            }
            match first[0] {
                HANDSHAKE_RECORD => Ok(Accepted::Tls(Box::new(self.handshake(stream).await?))),
                // The method of a request.
                b'A'..=b'Z' => Ok(Accepted::Plain(stream)),
                _ => Err(HandshakeError::Unknown),
            }
        })
        .await?
    }

    async fn handshake(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        // A signature and a key agreement take some tenths of a millisecond of the main thread, which
        // also answers probes. So one handshake computes at a time, and other tasks run between two: a
        // class that connects all at once delays nobody by more than one handshake.
        let turn: Option<SemaphorePermit> = self.turns.acquire().await.ok();
        let rest = hello.into_stream(self.config.clone());
        yield_now().await;
        drop(turn);
        rest.await
    }
}
