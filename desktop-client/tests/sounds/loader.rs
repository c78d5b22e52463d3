//! The loader over real sockets and a real disk, with working and faulty relays.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Cursor, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use downbeat::sounds::{
    Cache, ContentHash, LoadRequest, Loader, LoaderToSession, MAX_FILE_BYTES, Source, embedded_bank,
};
use downbeat_audio::SoundBuffer;
use downbeat_protocol::SoundInfo;
use downbeat_samples::wav;
use url::Url;

/// Far more than any step takes on a busy machine, including the relay's silence of five seconds.
const DEADLINE: Duration = Duration::from_mins(1);

/// The relay's response for one file.
#[derive(Clone)]
enum Answer {
    Whole(Vec<u8>),
    /// In pieces of this many bytes, with a pause after each.
    Slowly(Vec<u8>, usize, Duration),
    /// This many bytes of the file, then the end of the connection.
    CutOff(Vec<u8>, usize),
    Status(&'static str),
    /// The connection ends without an answer.
    Nothing,
    /// The connection stays open without an answer.
    Silence,
}

/// A stand-in for the relay's HTTP server, on a free port.
struct Relay {
    base: Url,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    requested: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let relay = Self { base, answers: Arc::default(), requested: Arc::default() };
        let (answers, requested) = (Arc::clone(&relay.answers), Arc::clone(&relay.requested));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, requested) = (Arc::clone(&answers), Arc::clone(&requested));
                thread::spawn(move || serve(stream.unwrap(), &answers, &requested));
            }
        });
        relay
    }

    fn answer(&self, info: &SoundInfo, answer: Answer) {
        self.answers.lock().unwrap().insert(format!("/sounds/{}", info.hash), answer);
    }

    /// The requested paths, in order.
    fn requested(&self) -> Vec<String> {
        self.requested.lock().unwrap().clone()
    }

    fn source(&self) -> Source {
        Source::Relay(Box::new(self.base.as_str().parse().unwrap()))
    }
}

fn serve(
    mut stream: TcpStream,
    answers: &Mutex<HashMap<String, Answer>>,
    requested: &Mutex<Vec<String>>,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    // Other programs on this machine may connect to a port that a relay of theirs once had.
    let Some(path) = request.split(' ').nth(1).filter(|path| path.starts_with("/sounds/")) else {
        return;
    };
    let path = path.to_owned();
    lines.find(String::is_empty);
    let answer = answers.lock().unwrap().get(&path).cloned();
    requested.lock().unwrap().push(path);
    let head = |length: usize| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
    };
    // The client may close first, so write errors are ignored.
    let mut write = |bytes: &[u8]| drop(stream.write_all(bytes));
    match answer.unwrap_or(Answer::Status("404 Not Found")) {
        Answer::Whole(file) => write(&[head(file.len()).as_bytes(), &file].concat()),
        Answer::Slowly(file, piece, pause) => {
            write(head(file.len()).as_bytes());
            for piece in file.chunks(piece) {
                write(piece);
                thread::sleep(pause);
            }
        }
        Answer::CutOff(file, at) => write(&[head(file.len()).as_bytes(), &file[..at]].concat()),
        Answer::Status(status) => {
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n");
            write(format!("{head}\r\n").as_bytes());
        }
        Answer::Nothing => {}
        Answer::Silence => drop(lines.next()),
    }
}

/// A short WAV with unique content.
fn file(first: i16) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for n in 0..480 {
        writer.write_sample(first + n).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn info(name: &str, file: &[u8]) -> SoundInfo {
    SoundInfo {
        name: name.into(),
        hash: ContentHash::of(file).to_string(),
        bytes: file.len() as u64,
        frames: 480,
        rate: 48_000,
        channels: 1,
        looped: None,
        gain_db: 0.0,
    }
}

fn start(cache: Cache) -> (Loader, Receiver<LoaderToSession>) {
    let (send, answers) = channel();
    let loader = Loader::start(cache, move |answer| drop(send.send(answer))).unwrap();
    (loader, answers)
}

/// An answer as a line of text, for comparison.
fn line(answer: &LoaderToSession) -> String {
    match answer {
        LoaderToSession::Loaded { generation, name, sound, .. } => {
            format!("{generation} {name}: {} frames at {}", sound.frames(), sound.rate())
        }
        LoaderToSession::Failed { generation, name, reason, will_retry } => {
            let again = if *will_retry { ", again" } else { "" };
            format!("{generation} {name}: {reason}{again}")
        }
        LoaderToSession::AllDone { generation } => format!("{generation} done"),
    }
}

/// All answers up to `last`.
fn until(answers: &Receiver<LoaderToSession>, last: &str) -> Vec<String> {
    let deadline = Instant::now() + DEADLINE;
    let mut lines = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match answers.recv_timeout(left) {
            Ok(answer) => lines.push(line(&answer)),
            Err(error) => panic!("{error} while waiting for “{last}” after {lines:#?}"),
        }
        if lines.last().is_some_and(|line| line == last) {
            return lines;
        }
    }
}

fn buffer(answers: &Receiver<LoaderToSession>) -> Arc<SoundBuffer> {
    match answers.recv_timeout(DEADLINE).unwrap() {
        LoaderToSession::Loaded { sound, .. } => sound,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_relay_the_embedded_bank_is_loaded_the_default_first() {
    let (loader, answers) = start(Cache::none());
    let sounds = embedded_bank();
    assert_eq!(sounds[0].name, downbeat_protocol::DEFAULT_SOUND);
    loader.load(LoadRequest { source: Source::Embedded, sounds, rate: 44_100, generation: 1 });
    let lines = until(&answers, "1 done");
    assert_eq!(lines[0], "1 click: 882 frames at 44100");
    assert_eq!(lines.len(), 7, "{lines:#?}");
    assert!(lines.contains(&"1 texture: 1323000 frames at 44100".into()), "{lines:#?}");
}

#[test]
fn a_bank_is_fetched_once_and_then_read_from_the_cache() {
    let relay = Relay::start();
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<Vec<u8>> = (0..3).map(file).collect();
    let sounds: Vec<SoundInfo> =
        files.iter().zip(["one", "two", "three"]).map(|(file, name)| info(name, file)).collect();
    for (info, file) in sounds.iter().zip(&files) {
        relay.answer(info, Answer::Whole(file.clone()));
    }
    let request = LoadRequest { source: relay.source(), sounds, rate: 48_000, generation: 7 };
    let cache = || Cache::at(folder.path().into(), 1_000_000);
    let expected = [
        "7 one: 480 frames at 48000",
        "7 two: 480 frames at 48000",
        "7 three: 480 frames at 48000",
        "7 done",
    ];

    let (loader, answers) = start(cache());
    loader.load(request.clone());
    assert_eq!(until(&answers, "7 done"), expected);
    let paths: Vec<String> =
        request.sounds.iter().map(|info| format!("/sounds/{}", info.hash)).collect();
    assert_eq!(relay.requested(), paths);

    let (loader, answers) = start(cache());
    loader.load(request.clone());
    assert_eq!(until(&answers, "7 done"), expected);
    assert_eq!(relay.requested(), paths, "the second run requested nothing");

    damage(folder.path(), &request.sounds[1]);
    let (loader, answers) = start(cache());
    loader.load(request);
    assert_eq!(until(&answers, "7 done").len(), 4);
    assert_eq!(relay.requested()[3..], paths[1..2], "only the damaged file was fetched again");
}

fn damage(folder: &Path, info: &SoundInfo) {
    std::fs::write(folder.join(format!("{}.wav", info.hash)), b"RIFF and ruin").unwrap();
}

#[test]
fn the_decoded_sound_equals_the_file() {
    let relay = Relay::start();
    let file = file(1_000);
    let sound = info("one", &file);
    relay.answer(&sound, Answer::Slowly(file.clone(), 200, Duration::from_millis(5)));
    let (loader, answers) = start(Cache::none());
    let source = relay.source();
    loader.load(LoadRequest { source, sounds: vec![sound], rate: 48_000, generation: 1 });
    assert_eq!(buffer(&answers).samples(), wav::decode(&file).unwrap().samples);
}

#[test]
fn a_file_that_arrives_damaged_or_incomplete_is_retried() {
    let relay = Relay::start();
    let files: Vec<Vec<u8>> = (0..6).map(file).collect();
    let names = ["absent", "cut off", "damaged", "longer", "shorter", "well"];
    let sounds: Vec<SoundInfo> =
        files.iter().zip(names).map(|(file, name)| info(name, file)).collect();
    let mut damaged = files[2].clone();
    damaged[100] ^= 1;
    relay.answer(&sounds[0], Answer::Status("404 Not Found"));
    relay.answer(&sounds[1], Answer::CutOff(files[1].clone(), 500));
    relay.answer(&sounds[2], Answer::Whole(damaged));
    relay.answer(&sounds[3], Answer::Whole([files[3].as_slice(), &[0]].concat()));
    relay.answer(&sounds[4], Answer::Whole(files[4][..900].to_vec()));
    relay.answer(&sounds[5], Answer::Whole(files[5].clone()));

    let folder = tempfile::tempdir().unwrap();
    let (loader, answers) = start(Cache::at(folder.path().into(), 1_000_000));
    let (source, bank) = (relay.source(), sounds.clone());
    loader.load(LoadRequest { source, sounds: bank, rate: 48_000, generation: 1 });
    let lines = until(&answers, "1 well: 480 frames at 48000");
    let cut_off = "1 cut off: the transfer was interrupted: ";
    assert!(lines[1].starts_with(cut_off) && lines[1].ends_with(", again"), "{lines:#?}");
    assert_eq!(
        [&lines[0], &lines[2], &lines[3], &lines[4]],
        [
            "1 absent: the relay does not serve the sound (HTTP 404), again",
            "1 damaged: the file was damaged in transfer, again",
            "1 longer: the file is longer than the 1004 bytes that the relay announced, again",
            "1 shorter: the file has 900 bytes, but the relay announced 1004, again",
        ]
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "only the complete file is cached"
    );

    for (info, file) in sounds.iter().zip(&files) {
        relay.answer(info, Answer::Whole(file.clone()));
    }
    let mut lines = until(&answers, "1 done");
    lines.retain(|line| !line.ends_with("again"));
    // In any order: the relay was repaired during a round.
    lines.sort();
    let ready = names[..5].iter().map(|name| format!("1 {name}: 480 frames at 48000"));
    let mut expected: Vec<String> = ready.chain(["1 done".into()]).collect();
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn a_fetch_is_retried_when_the_relay_is_back() {
    let relay = Relay::start();
    let files = [file(1), file(2)];
    let sounds = vec![info("one", &files[0]), info("two", &files[1])];
    relay.answer(&sounds[0], Answer::Nothing);
    relay.answer(&sounds[1], Answer::Whole(files[1].clone()));
    let (loader, answers) = start(Cache::none());
    let source = relay.source();
    loader.load(LoadRequest { source, sounds: sounds.clone(), rate: 48_000, generation: 1 });
    // A relay that does not answer for one sound is not tried for the others in that round.
    for name in ["one", "two"] {
        let line = line(&answers.recv_timeout(DEADLINE).unwrap());
        let unreachable = format!("1 {name}: the relay does not send its sounds: ");
        assert!(line.starts_with(&unreachable) && line.ends_with(", again"), "{line}");
    }
    until(&answers, "1 two: 480 frames at 48000");
    relay.answer(&sounds[0], Answer::Whole(files[0].clone()));
    assert_eq!(until(&answers, "1 done"), ["1 one: 480 frames at 48000", "1 done"]);
}

#[test]
fn a_sound_that_is_never_sent_does_not_delay_the_others() {
    let relay = Relay::start();
    let files = [file(1), file(2)];
    let sounds = vec![info("silent", &files[0]), info("well", &files[1])];
    relay.answer(&sounds[0], Answer::Silence);
    relay.answer(&sounds[1], Answer::Whole(files[1].clone()));
    let (loader, answers) = start(Cache::none());
    let source = relay.source();
    loader.load(LoadRequest { source, sounds, rate: 48_000, generation: 1 });
    let lines = until(&answers, "1 well: 480 frames at 48000");
    let silent = "1 silent: the relay does not send its sounds: timeout, again";
    assert_eq!(lines[0], silent);
}

#[test]
fn an_invalid_sound_is_reported_and_the_others_are_loaded() {
    let relay = Relay::start();
    let good = file(1);
    let mut broken = file(2);
    broken.truncate(broken.len() - 100);
    let mut sounds = vec![info("broken", &broken), info("good", &good)];
    relay.answer(&sounds[0], Answer::Whole(broken));
    relay.answer(&sounds[1], Answer::Whole(good));
    sounds.push(SoundInfo { name: "huge".into(), bytes: MAX_FILE_BYTES + 1, ..info("", b"huge") });
    sounds.push(SoundInfo { hash: "../../passwd".into(), ..info("odd", b"") });
    // The bank's number of frames is used to allocate the buffer.
    let longer = file(3);
    sounds.push(SoundInfo { frames: 479, ..info("longer", &longer) });
    relay.answer(&sounds[4], Answer::Whole(longer));
    let (loader, answers) = start(Cache::none());
    let source = relay.source();
    loader.load(LoadRequest { source, sounds, rate: 48_000, generation: 1 });
    assert_eq!(
        until(&answers, "1 done"),
        [
            "1 odd: the relay's hash “../../passwd” is not a SHA-256",
            "1 broken: the file is cut off: its header declares 480 frames, but only 430 are there",
            "1 good: 480 frames at 48000",
            "1 huge: the file of 536870913 bytes is too large; the limit is 536870912 bytes",
            "1 longer: its file is longer than the relay says",
            "1 done",
        ]
    );
}

#[test]
fn a_loaded_sound_is_not_loaded_again() {
    let relay = Relay::start();
    let files = [file(1), file(2)];
    let mut sounds = vec![info("one", &files[0]), info("two", &files[1])];
    for (info, file) in sounds.iter().zip(&files) {
        relay.answer(info, Answer::Whole(file.clone()));
    }
    let folder = tempfile::tempdir().unwrap();
    let (loader, answers) = start(Cache::at(folder.path().into(), 1_000_000));
    let request = |sounds: &[SoundInfo], rate, generation| {
        let (source, sounds) = (relay.source(), sounds.to_vec());
        loader.load(LoadRequest { source, sounds, rate, generation });
    };
    request(&sounds, 48_000, 1);
    let first = [buffer(&answers), buffer(&answers)];
    until(&answers, "1 done");

    // The relay was restarted, with another name for one of the files and a new one.
    sounds[1].name = "deux".into();
    sounds.push(SoundInfo { name: "encore".into(), ..sounds[0].clone() });
    request(&sounds, 48_000, 2);
    let second = [buffer(&answers), buffer(&answers), buffer(&answers)];
    until(&answers, "2 done");
    assert!(Arc::ptr_eq(&first[0], &second[0]) && Arc::ptr_eq(&first[1], &second[1]));
    assert!(Arc::ptr_eq(&first[0], &second[2]));

    // Another device, at another rate.
    request(&sounds, 96_000, 3);
    assert_eq!(until(&answers, "3 done")[0], "3 one: 960 frames at 96000");
    assert_eq!(relay.requested().len(), 2, "{:?}", relay.requested());
    assert_eq!(
        Arc::strong_count(&first[0]),
        3,
        "the loader dropped the sounds that are no longer requested"
    );
}

#[test]
fn a_newer_request_replaces_one_that_waits() {
    let relay = Relay::start();
    let lost = info("lost", b"never served");
    let (loader, answers) = start(Cache::none());
    let (source, sounds) = (relay.source(), vec![lost]);
    loader.load(LoadRequest { source, sounds, rate: 48_000, generation: 1 });
    let reason = "the relay does not serve the sound (HTTP 404)";
    until(&answers, &format!("1 lost: {reason}, again"));
    let sounds = embedded_bank()[..1].to_vec();
    loader.load(LoadRequest { source: Source::Embedded, sounds, rate: 48_000, generation: 2 });
    assert_eq!(until(&answers, "2 done"), ["2 click: 960 frames at 48000", "2 done"]);
}

#[test]
fn embedded_sounds_are_not_fetched() {
    let relay = Relay::start();
    let (loader, answers) = start(Cache::none());
    let (source, sounds) = (relay.source(), embedded_bank());
    loader.load(LoadRequest { source, sounds, rate: 48_000, generation: 1 });
    assert_eq!(until(&answers, "1 done").len(), 7);
    assert_eq!(relay.requested(), Vec::<String>::new());
}

#[test]
fn dropping_the_loader_ends_its_thread_even_while_it_waits() {
    let relay = Relay::start();
    let (loader, answers) = start(Cache::none());
    let (source, sounds) = (relay.source(), vec![info("lost", b"never served")]);
    loader.load(LoadRequest { source, sounds, rate: 48_000, generation: 1 });
    answers.recv_timeout(DEADLINE).unwrap();
    drop(loader);
    // The thread drops its end of the channel when it is done.
    assert_eq!(answers.recv_timeout(DEADLINE).unwrap_err(), RecvTimeoutError::Disconnected);
}
