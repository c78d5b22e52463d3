//! Scenes of a room that this machine runs: machines with their reports, receipts, links, uploads.

use downbeat::{
    event::{Access, FoundRelay, SessionEvent, UploadProgress, UploadUpdate},
    state::State,
};
use downbeat_protocol::{
    AwayEntry, By, ClientId, ClientKind, Epoch, JoinLink, Joining, LateClient, MachineEntry,
    MachineNumber, MachineRecord, MachinesChange, Missed, MissedClient, Place, Receipt,
    RemovedSound, Report, Rights,
};

use super::scenes;

/// The version of the machines: that of this program.
const VERSION: &str = concat!("downbeat/", env!("CARGO_PKG_VERSION"));

/// A machine as it should be.
pub fn machine(id: u32, name: &str) -> MachineEntry {
    MachineEntry {
        id: ClientId(id),
        machine: Some(MachineNumber(100 + id)),
        name: name.to_owned(),
        kind: ClientKind::Headless,
        client: VERSION.to_owned(),
        rights: Rights::Player,
        seat: None,
        place: None,
        tags: Vec::new(),
        report: Some(report(id)),
        straggler: false,
    }
}

fn report(id: u32) -> Report {
    Report {
        lead_micros: Some(14_200),
        clock_error_micros: Some(22 + id * 7 % 60),
        latency_micros: Some(9_400 + id * 131 % 2_800),
        triggers: 42,
        late: 0,
        lateness_micros: Some(0),
        xruns: u64::from(id % 3),
        bank: Some(3),
        ready: Some(15),
        output: Some("HDA Intel PCH, ALC257 Analog".to_owned()),
        level_db: (!id.is_multiple_of(4)).then_some(-12 - (id % 9) as i32),
        volume_db: Some(-6.0),
        muted: false,
        extra_latency_micros: Some(0),
        ..Report::default()
    }
}

/// A class of thirty at work: most are fine, some are in trouble, two are away.
pub fn class() -> State {
    let mut state = scenes::instrument();
    state.apply(SessionEvent::NameChanged { name: "lab-7".to_owned() }, scenes::NOW);
    state.apply(
        SessionEvent::Machines(MachinesChange {
            left: scenes::roster().clients.iter().map(|client| client.id).collect(),
            ..MachinesChange::default()
        }),
        scenes::NOW,
    );
    // Blocks that were missed before the room was watched are no trouble.
    let mut before = class_machines();
    before.clients[20].report.as_mut().expect("a report").xruns = 0;
    state.apply(SessionEvent::Machines(before), scenes::NOW);
    state.apply(SessionEvent::Machines(class_machines()), scenes::NOW);
    for receipt in receipts() {
        state.apply(SessionEvent::Receipt(receipt), scenes::NOW);
    }
    state.apply(SessionEvent::Joining(joining()), scenes::NOW);
    state
}

fn class_machines() -> MachinesChange {
    let mut clients: Vec<MachineEntry> = (1..=26)
        .map(|number: u32| {
            // This one is client 7.
            let mut one = machine(number, &format!("lab-{number}"));
            one.seat = Some(number as u16);
            let (column, row) = ((number - 1) % 6, (number - 1) / 6);
            one.place = Some(Place { x: 0.1 + 0.16 * column as f32, y: 0.15 + 0.175 * row as f32 });
            if column < 2 {
                one.tags = vec!["left".to_owned()];
            }
            one
        })
        .collect();
    clients[6] =
        MachineEntry { kind: ClientKind::Window, rights: Rights::Conductor, ..clients[6].clone() };
    clients[6].report.as_mut().expect("a report").volume_db = Some(-6.0);
    break_some(&mut clients);
    clients.push(MachineEntry {
        kind: ClientKind::Page,
        client: "downbeat-page/0.1.0".to_owned(),
        ..machine(27, "Anna-Katharina von Hohenstein’s telephone")
    });
    clients.push(MachineEntry { kind: ClientKind::Page, ..machine(28, "tablet") });
    clients.push(MachineEntry { kind: ClientKind::Remote, report: None, ..machine(29, "cue-box") });
    let away = |number: u32, name: &str, seat| AwayEntry {
        machine: MachineNumber(number),
        name: name.to_owned(),
        seat,
        place: seat.map(|_| Place { x: 0.9, y: 0.85 }),
        tags: Vec::new(),
    };
    let away = vec![away(40, "lab-30", Some(30)), away(41, "guest", None)];
    MachinesChange { clients, away, ..MachinesChange::default() }
}

fn break_some(clients: &mut [MachineEntry]) {
    let mut report = |index: usize, change: fn(&mut Report)| {
        change(clients[index].report.as_mut().expect("a report"));
    };
    report(3, |report| {
        report.ready = Some(13);
        report.missing = vec!["gong".to_owned(), "tam-tam".to_owned()];
    });
    report(11, |report| report.lateness_micros = Some(8_200));
    report(16, |report| {
        report.latency_micros = None;
        report.output = None;
    });
    report(20, |report| report.xruns = 182);
    report(22, |report| report.clock_error_micros = Some(2_400));
    report(23, |report| report.muted = true);
    clients[8].straggler = true;
    clients[8].report.as_mut().expect("a report").lead_micros = Some(620_000);
}

/// The last bangs, the oldest first.
pub fn receipts() -> Vec<Receipt> {
    let by = |id, name: &str| By { id: ClientId(id), name: name.to_owned() };
    let whole = |seq, sound: &str, by: By| Receipt {
        seq,
        sound: sound.to_owned(),
        by,
        expected: 28,
        sounded: 28,
        late: Vec::new(),
        missed: Vec::new(),
        waiting: Vec::new(),
    };
    let late = |id, lateness_micros| LateClient { id: ClientId(id), lateness_micros };
    let missed = |id, reason| MissedClient { id: ClientId(id), reason };
    vec![
        whole(40, "click", by(7, "lab-7")),
        Receipt { sounded: 27, waiting: vec![ClientId(17)], ..whole(41, "chord", by(7, "lab-7")) },
        whole(42, "kick", by(12, "lab-12")),
        Receipt {
            sounded: 24,
            late: vec![late(12, 8_200), late(9, 6_400), late(23, 2_100)],
            missed: vec![
                missed(4, Missed::NotReady),
                missed(17, Missed::NoOutput),
                missed(24, Missed::Muted),
            ],
            ..whole(43, "texture", by(29, "cue-box"))
        },
        Receipt {
            sounded: 27,
            late: vec![late(12, 8_200)],
            missed: vec![missed(4, Missed::NotReady)],
            ..whole(44, "bell", by(7, "lab-7"))
        },
    ]
}

/// Links for all rights at two addresses, and a room code.
pub fn joining() -> Joining {
    let mut links = Vec::new();
    for (rights, token) in [
        (Rights::Listener, "listen-9f3a62c1"),
        (Rights::Player, "play-07be845d"),
        (Rights::Conductor, "lead-5b1e0c4f9a7d"),
    ] {
        for host in ["192.168.1.20", "10.42.0.1"] {
            links.push(JoinLink { rights, url: format!("http://{host}:3000/#token={token}") });
        }
    }
    Joining { code: Some("48271963".to_owned()), links }
}

/// This machine may do this.
pub fn with_rights(state: &mut State, rights: Rights) {
    state.apply(SessionEvent::Watching(false), scenes::NOW);
    let record = MachineRecord { rights, ..MachineRecord::default() };
    state.apply(SessionEvent::Machine(record), scenes::NOW);
}

/// Locks the room.
pub fn lock(state: &mut State) {
    state.apply(SessionEvent::Locked { locked: true, by: Some("stage".to_owned()) }, scenes::NOW);
}

/// Files on their way, one in each state.
pub fn uploading() -> State {
    let mut state = class();
    for (id, file, progress) in [
        (
            1,
            "bell.wav",
            UploadProgress::Added {
                sound: "bell".to_owned(),
                hash: scenes::larger_bank()[3].hash.clone(),
            },
        ),
        (
            2,
            "holiday in the mountains, second take, final.mp4",
            UploadProgress::Failed {
                reason: "this is no sound that the relay can read; use WAV, FLAC, Ogg, MP3 or AIFF"
                    .to_owned(),
            },
        ),
        (3, "gong.flac", UploadProgress::Decoding),
        (4, "tam-tam.wav", UploadProgress::Sending { sent: 12_300_000, bytes: 41_000_000 }),
        (5, "choir.aiff", UploadProgress::Waiting),
    ] {
        let file = file.to_owned();
        state.apply(SessionEvent::Upload(UploadUpdate { id, file, progress }), scenes::NOW);
    }
    state
}

/// A bank with sounds that were removed.
pub fn removed(state: &mut State, names: &[&str]) {
    let mut bank = scenes::served(scenes::larger_bank(), "click");
    bank.removed = names.iter().map(|name| removed_sound(name)).collect();
    state.apply(SessionEvent::BankChanged(bank), scenes::NOW);
}

/// A sound that was removed.
pub fn removed_sound(name: &str) -> RemovedSound {
    RemovedSound { name: name.to_owned(), hash: format!("{:0>64}", name.len()) }
}

/// Relays on the network.
pub fn found_relays() -> Vec<FoundRelay> {
    let relay = |epoch, name: &str, address: &str, access| FoundRelay {
        epoch: Epoch(epoch),
        name: name.to_owned(),
        address: address.to_owned(),
        access,
    };
    vec![
        relay(1, "music-room", "192.168.1.20:3000", Access::Open),
        relay(2, "studio-pc", "192.168.1.31:3000", Access::Code),
        relay(3, "stage", "https://192.168.1.40:3000", Access::Link),
    ]
}

/// A room of many machines, of which one in twenty is in trouble.
pub fn crowd(count: u32) -> State {
    let mut state = class();
    let clients = (1..=count).map(|id| {
        let mut one = machine(id, &format!("machine-{id}"));
        one.seat = Some(id as u16);
        if id.is_multiple_of(20) {
            one.report.as_mut().expect("a report").lateness_micros = Some(3_000 + id);
        }
        one
    });
    let clients = clients.collect();
    state.apply(
        SessionEvent::Machines(MachinesChange { clients, ..MachinesChange::default() }),
        scenes::NOW,
    );
    state
}
