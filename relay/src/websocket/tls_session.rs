//! TLS as a seal: plain bytes into records, and records into plain bytes.
//!
//! It touches no socket of its own accord and queues nothing: the [outbox](crate::outbox) writes
//! what is sealed exactly as it writes a plain frame, by the same rules and bounds.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write as _},
    time::Instant,
};

use bytes::Bytes;
use rustls::ServerConnection;

use crate::config::{RECORD_OVERHEAD_BYTES, UNFINISHED_BYTES};

/// One connection's keys, from the end of its handshake on.
pub struct Seal {
    // Boxed, because it is larger than everything else that a plain connection needs.
    session: Box<ServerConnection>,
    /// Bytes read since the last that held something.
    barren: usize,
    /// When the last bytes that were read had arrived, and so all that the session still holds.
    pub(crate) arrived: Instant,
}

impl Seal {
    /// The seal of a session whose handshake is over.
    #[must_use]
    pub fn new(session: ServerConnection) -> Self {
        Self { session: Box::new(session), barren: 0, arrived: Instant::now() }
    }

    /// What is to be written for `plain`. It must be written before anything sealed later.
    ///
    /// # Errors
    /// If the session takes nothing any more.
    pub fn seal(&mut self, mut plain: &[u8]) -> io::Result<Bytes> {
        let mut records = Vec::with_capacity(plain.len() + RECORD_OVERHEAD_BYTES);
        while !plain.is_empty() {
            // The session takes a bounded part, and is emptied after each.
            let taken = self.session.writer().write(plain)?;
            self.empty_into(&mut records);
            if taken == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            plain = &plain[taken..];
        }
        Ok(records.into())
    }

    /// What the session has to say for itself: an alert, an answer to new keys. Mostly nothing.
    pub fn own_words(&mut self) -> Bytes {
        let mut records = Vec::new();
        self.empty_into(&mut records);
        records.into()
    }

    /// The word that nothing more will come, by which the other end tells an end from a cut.
    pub fn end(&mut self) -> Bytes {
        self.session.send_close_notify();
        self.own_words()
    }

    /// Reads plain bytes, by at most one read from `socket`.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has come that holds something, though `socket` may have more;
    /// `InvalidData` if what comes cannot be opened, or holds nothing without end; else why nothing
    /// more will come.
    pub fn open(&mut self, socket: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(count) = self.take(buffer)? {
            return Ok(count);
        }
        let read = self.session.read_tls(socket)?;
        if let Err(error) = self.session.process_new_packets() {
            // Mostly an alert has said it already, and this adds nothing. From here on the session
            // seals nothing more.
            self.session.send_close_notify();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        if let Some(count) = self.take(buffer)? {
            self.barren = 0;
            return Ok(count);
        }
        // Records may be empty, and come and come.
        self.barren += read;
        if self.barren > UNFINISHED_BYTES {
            return Err(ErrorKind::InvalidData.into());
        }
        Err(ErrorKind::WouldBlock.into())
    }

    /// Plain bytes that have been opened; `None` if there are none yet.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.session.reader().read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            // A socket that ends without the last word: the same as an end without TLS. What it
            // could cut off, a WebSocket's own frames would show.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    fn empty_into(&mut self, records: &mut Vec<u8>) {
        while self.session.wants_write() {
            // Writing to memory does not fail.
            let _ = self.session.write_tls(records);
        }
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}
