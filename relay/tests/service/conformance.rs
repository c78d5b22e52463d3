//! RFC 6455 conformance of the relay's WebSocket stack, with the echo server of `examples/echo.rs`:
//! well-formed messages are echoed, others close the connection with the right code.
//!
//! A small suite for every test run. The large one is Autobahn's: `make conformance`.

#[path = "../../examples/echo.rs"]
#[allow(dead_code, reason = "its main is not used")]
mod echo;

use tokio::{io::AsyncReadExt as _, net::TcpListener, task::JoinHandle};

use crate::common::{Raw, within};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
/// The first, a middle and the last fragment of a message.
const BEGIN_TEXT: u8 = 0x01;
const BEGIN_BINARY: u8 = 0x02;
const MIDDLE: u8 = 0x00;
const END: u8 = 0x80;

struct Echo {
    address: std::net::SocketAddr,
    served: JoinHandle<std::io::Result<()>>,
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, served: tokio::spawn(echo::serve(listener)) }
    }

    async fn open(&self) -> Raw {
        Raw::open(self.address, "", b"").await
    }

    /// Sends `frames` and expects `answers`; the connection still works after that.
    async fn answers(&self, what: &str, frames: &[Vec<u8>], answers: &[(u8, &[u8])]) {
        let mut raw = self.open().await;
        raw.write(&frames.concat()).await;
        for (first, payload) in answers {
            let (got, echoed) = frame(&mut raw).await;
            assert_eq!(got, *first, "{what}");
            assert!(echoed == *payload, "{what}: {} bytes differ", payload.len());
        }
        raw.write(&masked(TEXT, b"still there")).await;
        assert_eq!(frame(&mut raw).await, (TEXT, b"still there".to_vec()), "{what}");
    }

    /// Sends `frames` and expects nothing but a close frame with `code` and the end of the socket.
    async fn refuses(&self, what: &str, frames: &[Vec<u8>], code: u16) {
        let mut raw = self.open().await;
        raw.write(&frames.concat()).await;
        assert_eq!(raw.closed_with().await, code, "{what}");
    }
}

/// A masked frame of any length, with a mask of four different bytes.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        medium @ 126..65_536 => {
            frame.push(0xfe);
            frame.extend((medium as u16).to_be_bytes());
        }
        long => {
            frame.push(0xff);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The next frame, of any length.
async fn frame(raw: &mut Raw) -> (u8, Vec<u8>) {
    let first = within(raw.0.read_u8()).await.unwrap();
    let length = match within(raw.0.read_u8()).await.unwrap() {
        127 => within(raw.0.read_u64()).await.unwrap() as usize,
        126 => usize::from(within(raw.0.read_u16()).await.unwrap()),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    within(raw.0.read_exact(&mut payload)).await.unwrap();
    (first, payload)
}

#[tokio::test]
async fn messages_of_every_length_are_echoed() {
    let echo = Echo::start().await;
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, 1 << 20] {
        let text = "*".repeat(length);
        let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let what = format!("{length} bytes");
        echo.answers(&what, &[masked(TEXT, text.as_bytes())], &[(TEXT, text.as_bytes())]).await;
        echo.answers(&what, &[masked(BINARY, &bytes)], &[(BINARY, &bytes)]).await;
    }
}

#[tokio::test]
async fn messages_byte_by_byte_and_many_at_once_are_echoed() {
    let echo = Echo::start().await;
    let mut raw = echo.open().await;
    for byte in [masked(TEXT, "κόσμε".as_bytes()), masked(PING, b"?")].concat() {
        raw.write(&[byte]).await;
    }
    assert_eq!(frame(&mut raw).await, (TEXT, "κόσμε".as_bytes().to_vec()));
    assert_eq!(frame(&mut raw).await, (PONG, b"?".to_vec()));
    raw.write(&masked(TEXT, b"again").repeat(1000)).await;
    for _ in 0..1000 {
        assert_eq!(frame(&mut raw).await, (TEXT, b"again".to_vec()));
    }
}

#[tokio::test]
async fn pings_are_answered_and_pongs_are_not() {
    let echo = Echo::start().await;
    for payload in [&b""[..], b"ping", &[0, 0xff, 0xfe, 0xfd], &[b'x'; 125]] {
        echo.answers("a ping", &[masked(PING, payload)], &[(PONG, payload)]).await;
    }
    echo.answers("unasked pongs", &[masked(PONG, b""), masked(PONG, b"x")], &[]).await;
    let pings: Vec<_> = (0..10).map(|n| masked(PING, &[n])).collect();
    let bytes: Vec<_> = (0..10).map(|n| [n]).collect();
    let answers: Vec<_> = bytes.iter().map(|byte| (PONG, &byte[..])).collect();
    echo.answers("ten pings", &pings, &answers).await;
    echo.refuses("a ping that is too long", &[masked(PING, &[b'x'; 126])], 1002).await;
}

#[tokio::test]
async fn fragments_are_joined_whatever_is_between() {
    let echo = Echo::start().await;
    let f = masked;
    echo.answers("two", &[f(BEGIN_TEXT, b"one "), f(END, b"two")], &[(TEXT, b"one two")]).await;
    echo.answers(
        "empty ones",
        &[f(BEGIN_TEXT, b""), f(MIDDLE, b""), f(MIDDLE, b"x"), f(MIDDLE, b""), f(END, b"")],
        &[(TEXT, b"x")],
    )
    .await;
    echo.answers(
        "with pings between",
        &[
            f(BEGIN_BINARY, b"a"),
            f(PING, b"1"),
            f(MIDDLE, b"b"),
            f(PONG, b"not asked for"),
            f(PING, b"2"),
            f(END, b"c"),
        ],
        &[(PONG, b"1"), (PONG, b"2"), (BINARY, b"abc")],
    )
    .await;
    let long = vec![b'y'; 1 << 16];
    let mut pieces: Vec<_> = long.chunks(64).map(|piece| f(MIDDLE, piece)).collect();
    pieces.insert(0, f(BEGIN_TEXT, b""));
    pieces.push(f(END, b""));
    echo.answers("a thousand", &pieces, &[(TEXT, &long)]).await;

    for (what, frames) in [
        ("a continuation of nothing", vec![f(MIDDLE, b"x"), f(END, b"y")]),
        ("an end of nothing", vec![f(END, b"x")]),
        ("a message inside another", vec![f(BEGIN_TEXT, b"x"), f(TEXT, b"y")]),
        ("two beginnings", vec![f(BEGIN_TEXT, b"x"), f(BEGIN_BINARY, b"y")]),
        ("a ping in fragments", vec![f(0x09, b"x"), f(END, b"y")]),
        ("a close in fragments", vec![f(0x08, b"\x03\xe8"), f(END, b"")]),
    ] {
        echo.refuses(what, &frames, 1002).await;
    }
}

#[tokio::test]
async fn reserved_bits_opcodes_and_lengths_are_refused() {
    let echo = Echo::start().await;
    for bit in [0x40, 0x20, 0x10, 0x70] {
        for first in [TEXT, PING, CLOSE] {
            let what = format!("{:#x}", first | bit);
            echo.refuses(&what, &[masked(first | bit, b"\x03\xe8")], 1002).await;
        }
    }
    for opcode in (0x83..=0x87).chain(0x8b..=0x8f) {
        echo.refuses(&format!("{opcode:#x}"), &[masked(opcode, b"x")], 1002).await;
    }
    echo.refuses("unmasked", &[b"\x81\x01x".to_vec()], 1002).await;
    echo.refuses("an unmasked ping", &[b"\x89\x00".to_vec()], 1002).await;
    let huge = [&[0x82, 0xff, 0, 0, 1][..], &[0; 9]].concat();
    echo.refuses("beyond the limit", &[huge], 1009).await;
}

#[tokio::test]
async fn text_must_be_utf8_also_across_fragments() {
    let echo = Echo::start().await;
    let text = "κόσμε 日本 🎵 \u{10ffff}\u{fffe}\0";
    let bytes = text.as_bytes();
    for cut in 0..=bytes.len() {
        let frames = [masked(BEGIN_TEXT, &bytes[..cut]), masked(END, &bytes[cut..])];
        echo.answers(&format!("cut at {cut}"), &frames, &[(TEXT, bytes)]).await;
    }
    let frames: Vec<_> = std::iter::once(masked(BEGIN_TEXT, b""))
        .chain(bytes.iter().map(|byte| masked(MIDDLE, &[*byte])))
        .chain([masked(END, b"")])
        .collect();
    echo.answers("byte by byte", &frames, &[(TEXT, bytes)]).await;
    for (what, wrong) in [
        ("a lone continuation", &b"\x80"[..]),
        ("an impossible byte", b"x\xffy"),
        ("an overlong slash", b"\xc0\xaf"),
        ("an overlong three", b"\xe0\x80\xaf"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("beyond Unicode", b"\xf4\x90\x80\x80"),
        ("five bytes", b"\xf8\x88\x80\x80\x80"),
        ("cut short", "κόσμε".as_bytes().split_last().unwrap().1),
    ] {
        echo.refuses(what, &[masked(TEXT, wrong)], 1007).await;
        let fragments = [masked(BEGIN_TEXT, b"ok "), masked(END, wrong)];
        echo.refuses(&format!("{what}, in fragments"), &fragments, 1007).await;
        let binary = [masked(BINARY, wrong)];
        echo.answers(&format!("{what}, as bytes"), &binary, &[(BINARY, wrong)]).await;
    }
}

#[tokio::test]
async fn a_close_frame_is_answered_with_its_code_and_ends_the_connection() {
    let echo = Echo::start().await;
    let close = |code: u16, reason: &[u8]| masked(CLOSE, &[&code.to_be_bytes(), reason].concat());
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        echo.refuses(&format!("{code}"), &[close(code, b"bye")], code).await;
        // What follows it is ignored.
        echo.refuses("more", &[close(code, b""), masked(TEXT, b"x"), masked(PING, b"")], code)
            .await;
    }
    echo.refuses("the longest reason", &[close(1000, &[b'x'; 123])], 1000).await;
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        echo.refuses(&format!("{code}, which none may send"), &[close(code, b"")], 1002).await;
    }
    echo.refuses("half a code", &[masked(CLOSE, b"\x03")], 1002).await;
    echo.refuses("too long a close", &[close(1000, &[b'x'; 124])], 1002).await;
    echo.refuses("a reason that is not UTF-8", &[close(1000, b"\xff")], 1007).await;

    let mut raw = echo.open().await;
    raw.write(&masked(CLOSE, b"")).await;
    let mut rest = Vec::new();
    within(raw.0.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, [CLOSE, 0], "a close without a code is answered by one");

    let mut raw = echo.open().await;
    raw.write(&[masked(BEGIN_TEXT, b"x"), close(1000, b"")].concat()).await;
    assert_eq!(raw.closed_with().await, 1000, "in the middle of a message");
}
