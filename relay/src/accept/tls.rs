//! The door that speaks TLS: from an accepted socket to one whose handshake is over.
//!
//! It decides nothing about who may come in. How many handshakes are under way is bounded by the
//! [doors](crate::doors), which every socket has passed before; how long each may take, here.

use std::{io, sync::Arc};

use rustls::{ServerConfig, server::Acceptor};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, SemaphorePermit},
    task::yield_now,
    time::{error::Elapsed, timeout},
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::config::HANDSHAKE_TIMEOUT;

/// The first byte of a TLS connection: a record of a handshake.
const HANDSHAKE_RECORD: u8 = 0x16;

/// What came through the door.
#[derive(Debug)]
pub enum Opened {
    /// One who speaks TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// One who seems to speak HTTP without it.
    Plain(TcpStream),
}

/// Why nobody came.
#[derive(Debug, Error)]
pub enum HandshakeError {
    /// It took too long.
    #[error("the TLS handshake took too long")]
    Late(#[from] Elapsed),
    /// It failed, or the socket did.
    #[error("the TLS handshake failed: {0}")]
    Failed(#[from] io::Error),
    /// It was neither TLS nor HTTP.
    #[error("neither TLS nor HTTP")]
    Garbage,
}

/// The door that speaks TLS.
#[derive(Debug)]
pub struct TlsDoor {
    config: Arc<ServerConfig>,
    turns: Semaphore,
}

impl TlsDoor {
    /// A door that shows what `config` has to show.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self { config, turns: Semaphore::new(1) }
    }

    /// Lets one in.
    ///
    /// # Errors
    /// If it does not shake hands in time, or at all.
    pub async fn open(&self, stream: TcpStream) -> Result<Opened, HandshakeError> {
        timeout(HANDSHAKE_TIMEOUT, async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 0 {
                return Err(HandshakeError::Garbage);
            }
            match first[0] {
                HANDSHAKE_RECORD => Ok(Opened::Tls(Box::new(self.shake_hands(stream).await?))),
                // A method.
                b'A'..=b'Z' => Ok(Opened::Plain(stream)),
                _ => Err(HandshakeError::Garbage),
            }
        })
        .await?
    }

    async fn shake_hands(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        // Signing and agreeing on keys takes a few tenths of a millisecond of the thread that also
        // answers probes. So they take turns, and between two everyone else has one: a class that
        // comes all at once delays nobody by more than one handshake.
        let turn: Option<SemaphorePermit> = self.turns.acquire().await.ok();
        let rest = hello.into_stream(self.config.clone());
        yield_now().await;
        drop(turn);
        rest.await
    }
}
