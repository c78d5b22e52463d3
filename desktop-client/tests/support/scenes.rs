//! Scenes with fixed names and numbers, so that pictures are reproducible.

use std::{sync::Arc, time::Duration};

use downbeat::{
    event::{OutputInfo, Played, RelayProtocol, SessionEvent},
    settings::{ExtraLatency, OutputChoice},
    state::State,
    time::LocalTime,
    waveform::Waveform,
};
use downbeat_protocol::{ClientId, ClientKind, Report, Roster, RosterEntry, SoundInfo};

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
    state.apply(SessionEvent::Roster(roster()));
    state.apply(SessionEvent::Clock { error_micros: Some(35) });
    state.apply(SessionEvent::Played(played("bell", NOW.plus_nanos(-5_000_000_000))));
    state
}

/// A machine with an output, and no relay yet.
pub fn with_output() -> State {
    let mut state = connecting();
    state.apply(SessionEvent::Outputs(outputs()));
    state.apply(SessionEvent::OutputOpened {
        id: "alsa_output.pci".to_owned(),
        name: "Built-in Audio Analog Stereo".to_owned(),
        extra_latency: ExtraLatency::NONE,
        fallback_reason: None,
    });
    state.apply(SessionEvent::OutputLatency { micros: 10_400 });
    state
}

/// Connects to a relay with a bank of six, all of them decoded.
pub fn connect(state: &mut State) {
    state.apply(SessionEvent::Connected {
        protocol: RelayProtocol::V1 { id: ClientId(7), max_lead_micros: 500_000 },
        bank: bank(),
        default_sound: "click".to_owned(),
    });
    for sound in bank() {
        state.apply(SessionEvent::SoundReady { waveform: waveform(&sound.name), name: sound.name });
    }
}

/// Connects to a tutorial relay.
pub fn connect_tutorial(state: &mut State) {
    state.apply(SessionEvent::Connected {
        protocol: RelayProtocol::Tutorial,
        bank: bank().into_iter().take(1).collect(),
        default_sound: "click".to_owned(),
    });
    state.apply(SessionEvent::SoundReady { name: "click".to_owned(), waveform: waveform("click") });
}

/// Loses the relay.
pub fn lose(state: &mut State) {
    state.apply(SessionEvent::Lost {
        reason: "no relay is running there".to_owned(),
        retry_in: Duration::from_millis(1800),
    });
}

/// Makes this machine need more lead than the limit.
pub fn straggle(state: &mut State) {
    let mut roster = roster();
    for client in roster.clients.iter_mut().filter(|client| client.id == ClientId(7)) {
        client.straggler = true;
        if let Some(report) = &mut client.report {
            report.lead_micros = Some(620_000);
        }
    }
    state.apply(SessionEvent::Roster(roster));
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
    })
    .into()
}

/// Seven of forty-one.
pub fn roster() -> Roster {
    let report = |clock: u32, latency: Option<u32>, late: u64| {
        Some(Report {
            lead_micros: Some(14_200),
            clock_error_micros: Some(clock),
            latency_micros: latency,
            triggers: 42,
            late,
            lateness_micros: Some(0),
            xruns: 0,
        })
    };
    let clients = [
        (2, "stage-left", ClientKind::Window, report(28, Some(10_400), 0), false),
        (3, "stage-right", ClientKind::Headless, report(41, Some(9_800), 0), false),
        (7, "lab-3", ClientKind::Window, report(35, Some(10_400), 0), false),
        (9, "Anna’s phone", ClientKind::Page, report(2_400, Some(48_000), 3), false),
        (11, "old-netbook", ClientKind::Window, report(310, Some(180_000), 12), true),
        (12, "cue-box", ClientKind::Remote, None, false),
        (14, "client 14", ClientKind::Tutorial, None, false),
    ];
    Roster {
        total: 41,
        clients: clients
            .map(|(id, name, kind, report, straggler)| RosterEntry {
                id: ClientId(id),
                name: name.to_owned(),
                kind,
                report,
                seat: None,
                tags: Vec::new(),
                straggler,
            })
            .into(),
        lead_micros: 14_200,
    }
}

/// A waveform that decays, and differs by the name.
fn waveform(name: &str) -> Arc<Waveform> {
    let seed =
        name.bytes().fold(1_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let samples = (0..4096_u32).map(|n| {
        let noise = (n.wrapping_mul(2_654_435_761) ^ seed) % 1000;
        (noise as f32 / 1000.0) * (-(n as f32) / (400.0 + (seed % 1500) as f32)).exp()
    });
    Arc::new(Waveform::of(&samples.collect::<Vec<_>>(), 1))
}
