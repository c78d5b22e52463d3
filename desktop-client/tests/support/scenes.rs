//! Scenes with fixed names and numbers, so that pictures are reproducible.

use std::{sync::Arc, time::Duration};

use downbeat::{
    event::{OutputInfo, Played, RelayProtocol, ScheduledVoice, SessionEvent, VoiceUpdate},
    settings::{ExtraLatency, OutputChoice},
    state::State,
    time::LocalTime,
    waveform::Waveform,
};
use downbeat_protocol::{
    BankNow, ClientId, ClientKind, LoopFrames, MachineEntry, MachinesChange, Report, Rights,
    Roster, RosterEntry, SoundInfo, VariableState,
};
use serde_json::json;

/// The time at which the scenes are shown.
pub const NOW: LocalTime = LocalTime::from_nanos(60_000_000_000);

/// A window that was just opened.
pub fn connecting() -> State {
    State::new("studio-pc:3000".to_owned(), "lab-3".to_owned(), 0.5, OutputChoice::SystemDefault)
}

/// A room with a bank, a roster, an output, and a past bang of another machine.
pub fn playing() -> State {
    let mut state = with_output();
    connect(&mut state);
    state.apply(SessionEvent::Roster(roster()), NOW);
    state.apply(SessionEvent::Watching(true), NOW);
    state.apply(SessionEvent::Machines(machines()), NOW);
    state.apply(SessionEvent::Clock { error_micros: Some(35) }, NOW);
    state.apply(SessionEvent::Played(played("bell", NOW.plus_nanos(-5_000_000_000))), NOW);
    state
}

/// A machine with an output, and no relay yet.
pub fn with_output() -> State {
    let mut state = connecting();
    state.apply(SessionEvent::Outputs(outputs()), NOW);
    state.apply(
        SessionEvent::OutputOpened {
            id: "alsa_output.pci".to_owned(),
            name: "Built-in Audio Analog Stereo".to_owned(),
            extra_latency: ExtraLatency::NONE,
            fallback_reason: None,
        },
        NOW,
    );
    state.apply(SessionEvent::OutputLatency { micros: 10_400 }, NOW);
    state
}

/// Connects to a relay with a bank of six, all of them decoded.
pub fn connect(state: &mut State) {
    state.apply(
        SessionEvent::Connected {
            protocol: RelayProtocol::V1 { id: ClientId(7), max_lead_micros: 500_000 },
            bank: served(bank(), "click"),
        },
        NOW,
    );
    for sound in bank() {
        state.apply(
            SessionEvent::SoundReady { waveform: waveform(&sound.name), name: sound.name },
            NOW,
        );
    }
}

/// Connects to a tutorial relay.
pub fn connect_tutorial(state: &mut State) {
    state.apply(
        SessionEvent::Connected {
            protocol: RelayProtocol::Tutorial,
            bank: served(bank().into_iter().take(1).collect(), "click"),
        },
        NOW,
    );
    state.apply(
        SessionEvent::SoundReady { name: "click".to_owned(), waveform: waveform("click") },
        NOW,
    );
}

/// Loses the relay.
pub fn lose(state: &mut State) {
    state.apply(
        SessionEvent::Lost {
            reason: "no relay is running there".to_owned(),
            retry_in: Duration::from_millis(1800),
        },
        NOW,
    );
}

/// Makes this machine need more lead than the limit.
pub fn straggle(state: &mut State) {
    let mut roster = roster();
    for client in roster.clients.iter_mut().filter(|client| client.id == ClientId(7)) {
        client.straggler = true;
    }
    let mut machines = machines();
    for client in machines.clients.iter_mut().filter(|client| client.id == ClientId(7)) {
        client.straggler = true;
        client.report.as_mut().expect("a report").lead_micros = Some(620_000);
    }
    state.apply(SessionEvent::Machines(machines), NOW);
    let report = Report { lead_micros: Some(620_000), ..Report::default() };
    state.apply(SessionEvent::Reported(report), NOW);
    state.apply(SessionEvent::Roster(roster), NOW);
}

/// A bang by someone else.
pub fn played(sound: &str, at: LocalTime) -> Played {
    Played {
        sound: sound.to_owned(),
        by: Some("stage-left".to_owned()),
        own: false,
        at,
        late: false,
    }
}

/// Three outputs.
pub fn outputs() -> Vec<OutputInfo> {
    [
        ("alsa_output.pci", "Built-in Audio Analog Stereo", true),
        ("alsa_output.usb", "Scarlett 2i2 USB", false),
        ("bluez_output.ue", "UE BOOM 2", false),
    ]
    .map(|(id, name, is_default)| OutputInfo {
        id: id.to_owned(),
        name: name.to_owned(),
        is_default,
    })
    .into()
}

/// A bank, as a relay serves it.
pub fn served(sounds: Vec<SoundInfo>, default_sound: &str) -> BankNow {
    BankNow { sounds, default_sound: default_sound.to_owned(), bank: 3, removed: Vec::new() }
}

/// Six sounds.
pub fn bank() -> Vec<SoundInfo> {
    [
        ("click", 960),
        ("kick", 19_200),
        ("clap", 14_400),
        ("bell", 144_000),
        ("chord", 192_000),
        ("texture", 1_440_000),
    ]
    .map(|(name, frames)| SoundInfo {
        name: name.to_owned(),
        hash: format!("{frames:064x}"),
        bytes: frames * 2 + 44,
        frames,
        rate: 48_000,
        channels: 1,
        looped: None,
        gain_db: 0.0,
    })
    .into()
}

/// A room that is being played: a larger bank with a loop, voices, variables, seats and tags.
pub fn instrument() -> State {
    let mut state = playing();
    let bank = larger_bank();
    state.apply(SessionEvent::BankChanged(served(bank.clone(), "click")), NOW);
    for sound in bank {
        state.apply(
            SessionEvent::SoundReady { waveform: waveform(&sound.name), name: sound.name },
            NOW,
        );
    }
    state.apply(SessionEvent::SoundSelected { name: "bell".to_owned() }, NOW);
    let mut roster = roster();
    let places: [(u16, &[&str]); 7] = [
        (1, &["left", "brass"]),
        (2, &["right"]),
        (3, &["left"]),
        (0, &[]),
        (4, &["right"]),
        (0, &[]),
        (0, &[]),
    ];
    for (client, (seat, tags)) in roster.clients.iter_mut().zip(places) {
        client.seat = (seat > 0).then_some(seat);
        client.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    }
    state.apply(SessionEvent::Roster(roster), NOW);
    state.apply(SessionEvent::Variables(variables()), NOW);
    for (voice, sound, millis_ago, length) in [
        (1, "texture", 11_000, Some(30_000)),
        (2, "drone", 2_300, None),
        (3, "bell", 1_700, Some(3_000)),
        (4, "bell", 40, Some(3_000)),
    ] {
        sounding(&mut state, voice, sound, millis_ago, length);
    }
    let mut bell = played("bell", NOW.plus_nanos(-40_000_000));
    bell.own = true;
    state.apply(SessionEvent::Played(bell), NOW);
    state.apply(SessionEvent::Meter { peak: [0.55, 0.4] }, NOW);
    state
}

/// Starts a voice of this sound, this many milliseconds ago.
pub fn sounding(state: &mut State, voice: u64, sound: &str, ago: i64, length: Option<i64>) {
    state.apply(
        SessionEvent::Voice(VoiceUpdate::Scheduled(ScheduledVoice {
            voice,
            seq: voice,
            sound: sound.to_owned(),
            at: NOW.plus_nanos(-ago * 1_000_000),
            duration_nanos: length.map(|millis| millis * 1_000_000),
        })),
        NOW,
    );
    state.apply(SessionEvent::Voice(VoiceUpdate::Started { voice, lateness_micros: 0 }), NOW);
}

/// Fifteen sounds, of which one is a loop.
pub fn larger_bank() -> Vec<SoundInfo> {
    let mut bank = bank();
    for (name, frames) in [
        ("drone", 288_000),
        ("glass", 96_000),
        ("hat closed", 9_600),
        ("hat open", 38_400),
        ("low tom", 52_800),
        ("rim", 7_200),
        ("snare", 24_000),
        ("voice ah", 120_000),
        ("wood block", 12_000),
    ] {
        let mut sound = SoundInfo {
            name: name.to_owned(),
            hash: format!("{frames:064x}"),
            frames,
            ..bank[0].clone()
        };
        sound.looped = (name == "drone").then_some(LoopFrames { start: 48_000, end: 240_000 });
        bank.push(sound);
    }
    bank
}

/// A bank of this many sounds.
pub fn bank_of(count: usize) -> Vec<SoundInfo> {
    let template = bank().remove(0);
    let sound = |number: usize| SoundInfo {
        name: format!("sound {number:03}"),
        hash: format!("{number:064x}"),
        ..template.clone()
    };
    (0..count).map(sound).collect()
}

/// One variable of each type, as a relay sends them.
pub fn variables() -> Vec<VariableState> {
    let declared = json!([
        { "name": "cutoff", "type": "float", "min": 20.0, "max": 20_000.0, "default": 800.0,
          "unit": "Hz", "scale": "logarithmic", "label": "Cutoff", "group": "Filter",
          "value": 1250.0 },
        { "name": "resonance", "type": "float", "min": 0.0, "max": 1.0, "default": 0.2,
          "step": 0.01, "label": "Resonance", "group": "Filter", "value": 0.35 },
        { "name": "mode", "type": "enum", "choices": ["low", "band", "high"], "default": "low",
          "label": "Mode", "group": "Filter", "value": "band" },
        { "name": "level", "type": "float", "min": -60.0, "max": 6.0, "default": 0.0,
          "step": 0.5, "unit": "dB", "scope": "machine", "label": "Level of a machine",
          "group": "Room", "value": -6.0 },
        { "name": "lights", "type": "bool", "default": false, "label": "Lights",
          "group": "Room", "value": true },
        { "name": "wash", "type": "color", "default": "#000000", "label": "Wash",
          "group": "Room", "value": "#3366ff" },
        { "name": "section", "type": "int", "min": 1, "max": 12, "default": 1,
          "label": "Section", "group": "Score", "value": 4 },
        { "name": "title", "type": "text", "default": "", "label": "Title",
          "group": "Score", "value": "Opening" },
        { "name": "cue", "type": "bool", "event": true, "label": "Cue",
          "group": "Score", "value": null },
        { "name": "score", "type": "any", "default": {}, "label": "Plan",
          "group": "Score", "value": { "bars": [4, 4, 3], "bpm": 96 } },
    ]);
    serde_json::from_value(declared).expect("the declarations are valid")
}

/// Seven of forty-one.
pub fn roster() -> Roster {
    let clients = clients().into_iter().map(|(id, name, kind, report, straggler)| RosterEntry {
        id: ClientId(id),
        name: name.to_owned(),
        kind,
        plays: report.is_some(),
        seat: None,
        tags: Vec::new(),
        straggler,
    });
    Roster { total: 41, clients: clients.collect(), lead_micros: 14_200 }
}

/// The same seven, as those see them who watch the room.
pub fn machines() -> MachinesChange {
    let clients = clients().into_iter().map(|(id, name, kind, report, straggler)| MachineEntry {
        id: ClientId(id),
        machine: None,
        name: name.to_owned(),
        kind,
        client: String::new(),
        rights: Rights::Player,
        seat: None,
        place: None,
        tags: Vec::new(),
        report,
        straggler,
    });
    MachinesChange { clients: clients.collect(), ..MachinesChange::default() }
}

type Client = (u32, &'static str, ClientKind, Option<Report>, bool);

fn clients() -> [Client; 7] {
    let report = |clock: u32, latency: Option<u32>, late: u64| {
        Some(Report {
            lead_micros: Some(14_200),
            clock_error_micros: Some(clock),
            latency_micros: latency,
            triggers: 42,
            late,
            lateness_micros: Some(0),
            xruns: 0,
            ..Report::default()
        })
    };
    [
        (2, "stage-left", ClientKind::Window, report(28, Some(10_400), 0), false),
        (3, "stage-right", ClientKind::Headless, report(41, Some(9_800), 0), false),
        (7, "lab-3", ClientKind::Window, report(35, Some(10_400), 0), false),
        (9, "Anna’s phone", ClientKind::Page, report(2_400, Some(48_000), 3), false),
        (11, "old-netbook", ClientKind::Window, report(310, Some(180_000), 12), true),
        (12, "cue-box", ClientKind::Remote, None, false),
        (14, "client 14", ClientKind::Tutorial, None, false),
    ]
}

/// A waveform that depends on the name: one that decays, swells, is steady, or repeats.
pub fn waveform(name: &str) -> Arc<Waveform> {
    let seed =
        name.bytes().fold(1_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let envelope = |place: f32| match name {
        "texture" | "drone" => 0.55 + 0.3 * (place * 23.0).sin() * (place * 7.0).cos(),
        "voice ah" | "glass" => (place * 5.0).min(1.0) * (1.0 - place).powf(0.7),
        "clap" | "snare" => (-place * 6.0).exp() + 0.6 * (-(place - 0.12).abs() * 30.0).exp(),
        "chord" | "low tom" => (-place * 2.2).exp() * (0.8 + 0.2 * (place * 60.0).sin()),
        _ => (-place * (3.0 + (seed % 9) as f32)).exp(),
    };
    let samples = (0..4096_u32).map(|n| {
        let noise = (n.wrapping_mul(2_654_435_761) ^ seed) % 1000;
        (0.6 + 0.4 * noise as f32 / 1000.0) * envelope(n as f32 / 4096.0).max(0.0)
    });
    Arc::new(Waveform::of(&samples.collect::<Vec<_>>(), 1))
}
