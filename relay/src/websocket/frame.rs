//! Encodes the frames that the relay sends: complete and unmasked (RFC 6455, section 5.2).
//!
//! A frame is encoded once and written to any number of sockets. The WebSocket library would encode it
//! once per client.

use bytes::{BufMut as _, Bytes, BytesMut};

const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;
const FINAL_CLOSE: u8 = 0x88;

/// An empty ping.
pub(crate) const PING: Bytes = Bytes::from_static(&[0x89, 0]);

/// A text message in one frame.
#[must_use]
pub fn text(message: &str) -> Bytes {
    encode(FINAL_TEXT, message.as_bytes())
}

/// A binary message in one frame. The relay sends none; the echo example does.
#[must_use]
pub fn binary(message: &[u8]) -> Bytes {
    encode(FINAL_BINARY, message)
}

fn encode(first: u8, message: &[u8]) -> Bytes {
    let length = message.len();
    let mut frame = BytesMut::with_capacity(length + 10);
    frame.put_u8(first);
    // The shortest of the three forms, as the RFC demands.
    if let Ok(length) = u8::try_from(length)
        && length < 126
    {
        frame.put_u8(length);
    } else if let Ok(length) = u16::try_from(length) {
        frame.put_u8(126);
        frame.put_u16(length);
    } else {
        frame.put_u8(127);
        frame.put_u64(length as u64);
    }
    frame.put_slice(message);
    frame.freeze()
}

/// Why the relay closes a connection (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// The relay shuts down; reconnect.
    GoingAway = 1001,
    /// A frame that violates the RFC.
    Protocol = 1002,
    /// A text that is not UTF-8.
    NotUtf8 = 1007,
    /// A client of `downbeat.v1` that sent no hello, or a client beyond its rate.
    Policy = 1008,
    /// A message over the limit.
    TooLarge = 1009,
}

/// Whether a frame is a close frame.
pub(crate) fn is_close(frame: &[u8]) -> bool {
    frame.first() == Some(&FINAL_CLOSE)
}

/// A close frame. `reason` is for people; what exceeds 123 bytes is cut off, because a control frame holds
/// 125.
#[must_use]
pub fn close(code: CloseCode, reason: &'static str) -> Bytes {
    let reason = &reason.as_bytes()[..reason.len().min(123)];
    let mut frame = BytesMut::with_capacity(reason.len() + 4);
    frame.put_u8(FINAL_CLOSE);
    frame.put_u8(reason.len() as u8 + 2);
    frame.put_u16(code as u16);
    frame.put_slice(reason);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Write};

    use tokio_tungstenite::tungstenite::{Message, WebSocket, protocol::Role};

    use super::*;

    struct ReadOnly(Cursor<Vec<u8>>);

    impl Read for ReadOnly {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for ReadOnly {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn read_back(frame: &Bytes) -> Message {
        let stream = ReadOnly(Cursor::new(frame.to_vec()));
        WebSocket::from_raw_socket(stream, Role::Client, None).read().unwrap()
    }

    #[test]
    fn messages_of_any_length_are_decoded_by_tungstenite() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
            let message = "x".repeat(length);
            assert_eq!(read_back(&binary(message.as_bytes())), Message::binary(message.clone()));
            assert_eq!(read_back(&text(&message)), Message::text(message), "{length} bytes");
        }
    }

    #[test]
    fn pings_and_close_frames_are_decoded_by_tungstenite() {
        assert_eq!(read_back(&PING), Message::Ping(Bytes::new()));
        let Message::Close(Some(close)) = read_back(&close(CloseCode::GoingAway, "bye")) else {
            panic!("not a close frame with a code");
        };
        assert_eq!((u16::from(close.code), close.reason.as_str()), (1001, "bye"));
    }
}
