//! Uploads over real sockets, with working and faulty relays.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use downbeat::{
    net::address::RelayAddress,
    sounds::{AddedSound, Upload, UploadEvent},
};

/// Far more than any step takes on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// What a stand-in for the relay does with one request.
#[derive(Clone, Copy)]
enum Answer {
    /// Reads the whole body, and answers with this status and body.
    Status(&'static str, &'static str),
    /// Reads so many bytes of the body, and closes the connection.
    Close(usize),
}

const CREATED: Answer = Answer::Status("201 Created", r#"{"name":"kick 2","hash":"ab12"}"#);

/// A request as the relay has read it.
struct Request {
    line: String,
    body: Vec<u8>,
}

/// A relay that answers its requests in this order.
fn relay(answers: &'static [Answer]) -> (RelayAddress, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/base/#token=let-me", listener.local_addr().unwrap());
    let (send, requests) = channel();
    thread::spawn(move || {
        let mut answers = answers.iter();
        for stream in listener.incoming() {
            // Other programs on this machine may connect to a port that a relay of theirs once had.
            let Some(request) = serve(stream.unwrap(), || answers.next().copied()) else {
                continue;
            };
            if send.send(request).is_err() {
                return;
            }
        }
    });
    (address.parse().unwrap(), requests)
}

fn serve(mut stream: TcpStream, answer: impl FnOnce() -> Option<Answer>) -> Option<Request> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.starts_with("PUT /base/uploads/").then_some(())?;
    let mut length = None;
    let mut is_authorized = false;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse::<usize>().ok();
        }
        is_authorized |= header == "authorization: bearer let-me";
    }
    assert!(is_authorized);
    let length = length.unwrap();
    let mut body = Vec::new();
    match answer()? {
        Answer::Close(bytes) => {
            reader.take(bytes as u64).read_to_end(&mut body).ok()?;
        }
        Answer::Status(status, text) => {
            reader.take(length as u64).read_to_end(&mut body).ok()?;
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", text.len());
            write!(stream, "{head}Connection: close\r\n\r\n{text}").ok()?;
        }
    }
    Some(Request { line, body })
}

/// A file of this size in a folder of its own.
fn file(name: &str, bytes: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let content: Vec<u8> = (0..bytes).map(|n| (n * 31 % 251) as u8).collect();
    fs::write(&path, &content).unwrap();
    (folder, path, content)
}

fn start(path: PathBuf) -> (Upload, Receiver<UploadEvent>) {
    let (send, events) = channel();
    (Upload::start(path, move |event| drop(send.send(event))).unwrap(), events)
}

/// What it ends with. It is sent to this relay whenever it asks.
fn end(
    upload: &Upload,
    events: &Receiver<UploadEvent>,
    relay: &RelayAddress,
) -> (Vec<UploadEvent>, Result<AddedSound, String>) {
    let mut before = Vec::new();
    loop {
        match events.recv_timeout(DEADLINE).unwrap() {
            UploadEvent::Ended(outcome) => return (before, outcome),
            event @ (UploadEvent::Checked { .. } | UploadEvent::Expired) => {
                upload.send_to(relay.clone(), "uploads/6f1e".to_owned());
                before.push(event);
            }
            event => before.push(event),
        }
    }
}

fn upload(path: PathBuf, relay: &RelayAddress) -> (Vec<UploadEvent>, Result<AddedSound, String>) {
    let (upload, events) = start(path);
    end(&upload, &events, relay)
}

#[test]
fn a_file_is_sent_whole_and_with_its_length() {
    let (relay, requests) = relay(&[CREATED]);
    let (_folder, path, content) = file("kick \u{202e}.wav", 300_000);
    let (events, outcome) = upload(path, &relay);
    let added = AddedSound { name: "kick 2".to_owned(), hash: "ab12".to_owned() };
    assert_eq!(outcome, Ok(added));
    let checked = UploadEvent::Checked { name: "kick".to_owned(), bytes: 300_000 };
    assert_eq!(events.first(), Some(&checked));
    assert_eq!(events.last(), Some(&UploadEvent::Decoding));
    let request = requests.recv_timeout(DEADLINE).unwrap();
    assert_eq!(request.line.trim(), "PUT /base/uploads/6f1e HTTP/1.1");
    assert!(request.body == content);
}

#[test]
fn an_interrupted_transfer_begins_again_from_the_start() {
    const BUSY: Answer = Answer::Status("400 Bad Request", "the body ended early");
    let (relay, requests) = relay(&[Answer::Close(70_000), BUSY, CREATED]);
    let (_folder, path, content) = file("kick.wav", 5_000_000);
    assert!(upload(path, &relay).1.is_ok());
    let bodies: Vec<_> = requests.iter().take(3).map(|request| request.body).collect();
    assert_eq!(bodies[0].len(), 70_000);
    assert!(bodies[1] == content && bodies[2] == content);
}

#[test]
fn a_file_that_the_relay_still_decodes_is_waited_for() {
    const DECODING: Answer = Answer::Status("409 Conflict", "another request has sent it");
    let (relay, _requests) = relay(&[DECODING, DECODING, DECODING, DECODING, DECODING, CREATED]);
    let (_folder, path, _) = file("kick.wav", 1000);
    let (_, ended) = upload(path, &relay);
    assert_eq!(ended.unwrap().name, "kick 2");
}

#[test]
fn a_path_that_has_expired_is_asked_for_again() {
    let (relay, _requests) = relay(&[Answer::Status("404 Not Found", ""), CREATED]);
    let (_folder, path, _) = file("kick.wav", 100);
    let (events, outcome) = upload(path, &relay);
    assert!(outcome.is_ok());
    assert!(events.contains(&UploadEvent::Expired));
}

#[test]
fn what_the_relay_refuses_is_not_tried_again_and_says_why() {
    for (answer, reason) in [
        (&[Answer::Status("415 Unsupported", "it is a\u{1b} picture")], "it is a picture"),
        (&[Answer::Status("415 Unsupported", "")], "the relay cannot decode it as a sound"),
        (&[Answer::Status("507 Full", "")], "the relay has no space left"),
        (&[Answer::Status("201 Created", "nonsense")], "the relay's answer is not understood"),
    ] {
        let (relay, _requests) = relay(answer);
        let (_folder, path, _) = file("kick.wav", 100);
        assert_eq!(upload(path, &relay).1, Err(reason.to_owned()));
    }
}

#[test]
fn a_transfer_that_fails_again_and_again_is_given_up() {
    let (relay, _requests) = relay(&[
        Answer::Close(10),
        Answer::Close(10),
        Answer::Close(10),
        Answer::Close(10),
        CREATED,
    ]);
    let (_folder, path, _) = file("kick.wav", 5_000_000);
    let reason = upload(path, &relay).1.unwrap_err();
    assert!(
        reason.contains("interrupted") && reason.ends_with("(it was tried 4 times)"),
        "{reason}"
    );
}

#[test]
fn a_file_that_cannot_be_sent_is_not_asked_for() {
    let (relay, _requests) = relay(&[CREATED]);
    let (folder, empty, _) = file("empty.wav", 0);
    let huge = folder.path().join("huge.wav");
    fs::File::create(&huge).unwrap().set_len(97 << 20).unwrap();
    let hidden = folder.path().join("\u{200b}.wav");
    fs::write(&hidden, "x").unwrap();
    for (path, reason) in [
        (empty, "the file is empty"),
        (huge, "the file has 97 MiB; the relay accepts 96 MiB"),
        (hidden, "the name of the file is empty"),
        (folder.path().join("missing.wav"), "there is no such file"),
        (folder.path().to_owned(), "it is no file"),
    ] {
        let (events, outcome) = upload(path, &relay);
        assert_eq!((events, outcome), (Vec::new(), Err(reason.to_owned())));
    }
}

#[test]
fn a_cancelled_upload_ends() {
    let (relay, _requests) = relay(&[Answer::Close(10)]);
    let (_folder, path, _) = file("kick.wav", 5_000_000);
    let (upload, events) = start(path);
    assert!(matches!(events.recv_timeout(DEADLINE), Ok(UploadEvent::Checked { .. })));
    upload.send_to(relay, "uploads/6f1e".to_owned());
    drop(upload);
    let ended = events.iter().find(|event| matches!(event, UploadEvent::Ended(_)));
    assert_eq!(ended, Some(UploadEvent::Ended(Err("cancelled".to_owned()))));
}
