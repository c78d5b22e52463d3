//! Any bytes from a client decode to messages within the limits or to an end with a reason, and to the same
//! messages however the network splits them.

#![no_main]

use std::io::{self, ErrorKind, Read, Write};

use downbeat_relay::websocket::decoder::{Decoder, End, MessageLimits};
use libfuzzer_sys::fuzz_target;
use tokio_tungstenite::tungstenite::Message;

/// Small, so that a short input can exceed them.
const LIMITS: MessageLimits = MessageLimits { message_bytes: 300, unfinished_bytes: 600 };

/// A socket on which `bytes` arrive in pieces of `piece`, with nothing to read in between.
struct Split<'a> {
    bytes: &'a [u8],
    piece: usize,
    dry: bool,
    written: Vec<u8>,
}

impl Read for Split<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.dry = !self.dry;
        if self.dry && self.piece < usize::MAX {
            return Err(ErrorKind::WouldBlock.into());
        }
        let most = self.bytes.len().min(self.piece).min(buffer.len());
        let (now, later) = self.bytes.split_at(most);
        buffer[..most].copy_from_slice(now);
        self.bytes = later;
        Ok(most)
    }
}

impl Write for Split<'_> {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(frame);
        Ok(frame.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn decode(bytes: &[u8], piece: usize, early: usize) -> (Vec<Message>, End, Vec<u8>) {
    let (early, bytes) = bytes.split_at(early.min(bytes.len()));
    let stream = Split { bytes, piece, dry: false, written: Vec::new() };
    let mut decoder = Decoder::new(stream, early.to_vec(), LIMITS);
    let mut messages = Vec::new();
    // Each piece and each message takes a step, and a message has at least two bytes.
    for _ in 0..4 * (bytes.len() + early.len()) + 16 {
        match decoder.decode() {
            Ok(Some(message)) => {
                assert!(message.len() <= LIMITS.message_bytes);
                messages.push(message);
            }
            Ok(None) => {}
            Err(end) => return (messages, end, decoder.stream().written.clone()),
        }
    }
    panic!("no end");
}

/// Only complete, unmasked control frames are written.
fn check(mut written: &[u8]) {
    while let [first, length, rest @ ..] = written {
        assert!([0x88, 0x8a].contains(first) && *length <= 125, "{first:#x} {length}");
        written = &rest[usize::from(*length)..];
    }
    assert!(written.is_empty());
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (piece, early, bytes) = input;
    let (messages, end, written) = decode(bytes, usize::MAX, 0);
    check(&written);
    let (again, end_again, written_again) =
        decode(bytes, usize::from(piece) + 1, usize::from(early));
    check(&written_again);
    // A message without end fails within a buffer size of the limit, at a place that depends on the pieces.
    let endless = |end| matches!(end, End::Violation(_, "a message without end"));
    if !endless(end) && !endless(end_again) {
        assert_eq!(messages, again);
        assert_eq!(end, end_again);
        assert_eq!(written, written_again);
    }
});
