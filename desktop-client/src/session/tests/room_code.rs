//! A session that joins by the room code, at a relay that asks for a token.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::channel,
};

use super::{DEADLINE, options};
use crate::{action::Action, event::SessionEvent, session::handle};

/// A request: its line and headers, and the body.
struct Request {
    head: String,
    body: String,
    socket: TcpStream,
}

impl Request {
    fn read(socket: TcpStream) -> Self {
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "it ended early: {head}");
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let mut body = String::new();
        reader.take(length).read_to_string(&mut body).unwrap();
        Self { head, body, socket }
    }

    fn answer(mut self, status: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
        write!(self.socket, "{head}Connection: close\r\n\r\n{body}").unwrap();
    }
}

/// The code that is sent next. Attempts to connect without a token are refused until then.
fn next_code(listener: &TcpListener) -> Request {
    loop {
        let request = Request::read(listener.accept().unwrap().0);
        if request.head.starts_with("post /join ") {
            return request;
        }
        assert!(!request.head.contains("s3cret"), "no code was accepted yet");
        request.answer("401 Unauthorized", "");
    }
}

#[test]
fn a_room_code_is_exchanged_for_the_token_and_a_wrong_one_is_said_to_be_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = listener.local_addr().unwrap().to_string().parse().unwrap();
    let (send, events) = channel();
    let session = handle::start(options(relay), move |event| drop(send.send(event))).unwrap();
    let enter = |code: &str| {
        session.send(Action::EnterCode { relay: None, code: code.parse().unwrap() });
    };

    enter("1111 1111");
    let request = next_code(&listener);
    assert_eq!(request.body, "11111111");
    request.answer("403 Forbidden", "");
    let reason = loop {
        let event = events.recv_timeout(DEADLINE).unwrap();
        if let SessionEvent::CodeRefused { relay: None, reason } = event {
            break reason;
        }
    };
    assert_eq!(reason, "this is not the room code");

    enter("4827-1963");
    let request = next_code(&listener);
    assert_eq!(request.body, "48271963");
    request.answer("200 OK", "s3cret");
    let request = Request::read(listener.accept().unwrap().0);
    assert!(
        request.head.starts_with("get / ") && request.head.contains("s3cret"),
        "{}",
        request.head
    );
}
