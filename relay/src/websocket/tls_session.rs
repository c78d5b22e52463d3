//! A TLS session after its handshake: plain bytes to records, and records to plain bytes.
//!
//! It owns no socket and does no I/O by itself: the [transport](super::transport) passes the bytes.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write as _},
    time::Instant,
};

use bytes::Bytes;
use rustls::ServerConnection;

use super::decoder::MAX_UNFINISHED_BYTES;

/// What encryption adds to a usual frame, in bytes, rounded up. More costs only a reallocation.
const RECORD_OVERHEAD_BYTES: usize = 32;

/// The keys and buffers of one connection.
pub(crate) struct TlsSession {
    // Boxed: it is larger than everything else that a plain connection needs.
    session: Box<ServerConnection>,
    /// Bytes received since the last record that held data.
    bytes_without_data: usize,
    /// When the bytes of the last read arrived, and so all that the session still holds.
    pub(super) arrived: Instant,
}

impl TlsSession {
    pub(super) fn new(session: ServerConnection) -> Self {
        Self { session: Box::new(session), bytes_without_data: 0, arrived: Instant::now() }
    }

    /// The records for `plain`, after those that are pending. They must be written before any that are
    /// encrypted later.
    ///
    /// # Errors
    /// If the session is closed.
    pub(super) fn encrypt(&mut self, mut plain: &[u8]) -> io::Result<Bytes> {
        let mut records = Vec::with_capacity(plain.len() + RECORD_OVERHEAD_BYTES);
        while !plain.is_empty() {
            // The session accepts a bounded part, and is drained after each.
            let taken = self.session.writer().write(plain)?;
            self.drain_into(&mut records);
            if taken == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            plain = &plain[taken..];
        }
        Ok(records.into())
    }

    /// Records of the session's own: an alert, an answer to a key update. Mostly none.
    pub(super) fn take_pending(&mut self) -> Bytes {
        let mut records = Vec::new();
        self.drain_into(&mut records);
        records.into()
    }

    /// Announces the end of the data, which tells the peer that nothing was cut off.
    pub(super) fn close_notify(&mut self) {
        self.session.send_close_notify();
    }

    /// Reads plain bytes, with at most one read from `socket`.
    ///
    /// # Errors
    /// `WouldBlock` if no data has arrived, though `socket` may have more records; `InvalidData` if the
    /// peer sends records that do not decrypt, or records without data and without end; else why
    /// nothing more can be read.
    pub(super) fn read(&mut self, socket: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(count) = self.take_plain(buffer)? {
            return Ok(count);
        }
        let received = self.session.read_tls(socket)?;
        if let Err(error) = self.session.process_new_packets() {
            // Mostly an alert has been queued already, and this adds nothing. From here on the session
            // encrypts nothing more.
            self.session.send_close_notify();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        if let Some(count) = self.take_plain(buffer)? {
            self.bytes_without_data = 0;
            return Ok(count);
        }
        // Records may be empty, in any number.
        self.bytes_without_data += received;
        if self.bytes_without_data > MAX_UNFINISHED_BYTES {
            return Err(ErrorKind::InvalidData.into());
        }
        Err(ErrorKind::WouldBlock.into())
    }

    /// Plain bytes that are decrypted already; `None` if there are none.
    fn take_plain(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.session.reader().read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            // A socket that ends without close_notify is treated as an end without TLS: WebSocket frames
            // would reveal a truncation.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    fn drain_into(&mut self, records: &mut Vec<u8>) {
        while self.session.wants_write() {
            // Writing to memory does not fail.
            let _ = self.session.write_tls(records);
        }
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSession")
    }
}
