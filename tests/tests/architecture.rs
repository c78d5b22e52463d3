//! The module dependencies of `docs/ARCHITECTURE.md`. Cargo enforces those between packages; these
//! tests enforce those within a package.

#[path = "architecture/modules.rs"]
mod modules;
#[path = "architecture/source.rs"]
mod source;

use std::{fs, path::Path};

use anyhow::{Context, Result};
use downbeat_tests::tools::workspace_folder;

use self::{
    modules::Modules,
    source::{Source, files, module, roots, tokens},
};

/// The longest permitted source file.
const MAX_LINES: usize = 600;

/// Asserts that none of `sources` contains any of these words.
fn expect_none(sources: &[Source], words: &[&str]) {
    for source in sources {
        for word in words {
            assert!(!source.names(word), "{} names {word}", source.path.display());
        }
    }
}

#[test]
fn the_protocol_does_no_io_and_reads_no_clock() -> Result<()> {
    let sources = module("relay", "protocol/src")?;
    expect_none(&sources, &["tokio", "tungstenite", "Instant", "SystemTime", "thread"]);
    for source in sources {
        for module in ["net", "fs", "io", "process", "env"] {
            let path = source.path.display();
            assert!(!source.names_path(&["std", module]), "{path} names std::{module}");
        }
    }
    Ok(())
}

#[test]
fn only_the_modules_that_wrap_a_library_name_it() -> Result<()> {
    for source in module("desktop-client", "audio/src")? {
        let path = source.path.strip_prefix(workspace_folder())?;
        let folder = Path::new("desktop-client/audio/src");
        let devices = path == folder.join("device.rs") || path.starts_with(folder.join("device"));
        assert!(!source.names("cpal") || devices, "{path:?} names cpal");
    }
    for source in module("desktop-client", "src")? {
        let path = source.path.strip_prefix(workspace_folder())?;
        let place = |module: &str| path.starts_with(Path::new("desktop-client/src").join(module));
        let asks = place("sounds") || place("net");
        assert!(!source.names("ureq") || asks, "{path:?} names ureq");
        let finds = place("net/discovery.rs") || place("net/discovery");
        assert!(!source.names("mdns_sd") || finds, "{path:?} names mdns_sd");
        let shows = place("ui") || place("app.rs");
        assert!(!source.names("egui") || shows, "{path:?} names egui");
        assert!(!source.names("eframe") || place("app.rs"), "{path:?} names eframe");
    }
    Ok(())
}

/// Modules from top to bottom, with the modules that each names.
type Arrows = [(&'static str, &'static [&'static str])];

/// Asserts that the modules in `folder` are those of `arrows`, with exactly these dependencies.
fn expect_arrows(folder: &str, arrows: &Arrows) -> Result<()> {
    let modules = Modules::read(folder, 1)?;
    let listed = arrows.iter().map(|(module, _)| (*module).to_owned()).collect();
    assert_eq!(modules.names(), listed, "the arrows of {folder} list every module");
    for (position, (module, allowed)) in arrows.iter().enumerate() {
        let named: Vec<_> = modules.named_by(module).collect();
        assert_eq!(named, *allowed, "what {module} names");
        let below: Vec<_> = arrows[position + 1..].iter().map(|(module, _)| *module).collect();
        assert!(allowed.iter().all(|name| below.contains(name)), "{module} names one above it");
    }
    Ok(())
}

/// The modules of the desktop client, from top to bottom, with the modules that each names.
const CLIENT_ARROWS: &Arrows = &[
    (
        "cli",
        &[
            "action",
            "app",
            "config",
            "event",
            "net",
            "session",
            "settings",
            "sounds",
            "state",
            "sync_status",
            "time",
        ],
    ),
    ("config", &["net", "settings"]),
    ("app", &["action", "state", "time", "ui"]),
    ("ui", &["action", "event", "net", "settings", "state", "sync_status", "time"]),
    ("state", &["event", "settings", "sync_status", "time", "waveform"]),
    ("session", &["action", "clock", "event", "net", "settings", "sounds", "time"]),
    ("sync_status", &["event", "time"]),
    ("action", &["net", "settings"]),
    ("event", &["settings", "time", "waveform"]),
    ("sounds", &["net", "waveform"]),
    ("clock", &["time"]),
    ("net", &["time"]),
    ("settings", &[]),
    ("time", &[]),
    ("waveform", &[]),
];

#[test]
fn the_desktop_clients_modules_name_only_those_below() -> Result<()> {
    expect_arrows("desktop-client/src", CLIENT_ARROWS)
}

/// The modules of the audio engine, from top to bottom, with the modules that each names.
const AUDIO_ARROWS: &Arrows = &[
    ("output_manager", &["device", "mixer_handle"]),
    ("offline", &["format", "mixer", "mixer_handle"]),
    ("device", &["format", "mixer", "mixer_handle", "stats", "timing_trace"]),
    ("mixer_handle", &["format", "message", "mixer", "stats"]),
    (
        "mixer",
        &[
            "device_clock",
            "format",
            "interpolate",
            "limiter",
            "message",
            "stats",
            "timing_trace",
            "voice",
        ],
    ),
    ("voice", &["device_clock", "format", "interpolate", "message", "panning", "source"]),
    ("message", &["source"]),
    ("source", &["buffer", "interpolate"]),
    ("buffer", &[]),
    ("device_clock", &[]),
    ("format", &[]),
    ("interpolate", &[]),
    ("limiter", &[]),
    ("panning", &[]),
    ("stats", &[]),
    ("timing_trace", &[]),
];

#[test]
fn the_audio_engines_modules_name_only_those_below() -> Result<()> {
    expect_arrows("desktop-client/audio/src", AUDIO_ARROWS)
}

/// The modules of the relay, from top to bottom, with the modules that each names.
const RELAY_ARROWS: &Arrows = &[
    (
        "server",
        &["accept", "bank", "broadcast", "config", "http", "joining", "room", "store", "supervise"],
    ),
    ("accept", &["config", "counters", "http", "limits", "text"]),
    (
        "http",
        &[
            "bank",
            "config",
            "counters",
            "joining",
            "limits",
            "rights",
            "room",
            "session",
            "text",
            "websocket",
        ],
    ),
    ("session", &["counters", "limits", "room", "text", "websocket"]),
    (
        "room",
        &[
            "bank",
            "broadcast",
            "clock",
            "config",
            "counters",
            "joining",
            "limits",
            "rights",
            "store",
            "supervise",
            "text",
            "websocket",
        ],
    ),
    ("broadcast", &["clock", "counters", "supervise", "websocket"]),
    ("websocket", &["clock"]),
    ("bank", &["store", "supervise", "text"]),
    ("store", &["counters", "supervise"]),
    ("joining", &["config", "counters", "text"]),
    ("limits", &[]),
    ("rights", &[]),
    ("config", &[]),
    ("clock", &[]),
    ("counters", &[]),
    ("supervise", &[]),
    ("text", &[]),
];

#[test]
fn the_relays_modules_name_only_those_below() -> Result<()> {
    expect_arrows("relay/src", RELAY_ARROWS)
}

#[test]
fn no_modules_name_each_other_in_a_cycle() -> Result<()> {
    let folders = [
        "relay/src",
        "relay/protocol/src",
        "relay/platform/src",
        "relay/command-line/src",
        "desktop-client/src",
        "desktop-client/audio/src",
    ];
    for folder in folders {
        // Depth 1 compares folders, depth 2 the files in them.
        for depth in [1, 2] {
            let cycles = Modules::read(folder, depth)?.cycles();
            assert!(cycles.is_empty(), "cycles in {folder}: {cycles:#?}");
        }
    }
    Ok(())
}

#[test]
fn audio_names_no_protocol_and_the_window_no_sockets() -> Result<()> {
    let audio = module("desktop-client", "audio/src")?;
    expect_none(&audio, &["downbeat_protocol", "RelayTime", "tokio", "tungstenite"]);
    let window = module("desktop-client", "src/ui")?;
    expect_none(&window, &["tokio", "tungstenite", "tokio_tungstenite"]);
    Ok(())
}

#[test]
fn the_relay_decodes_no_audio_on_the_path_of_a_trigger() -> Result<()> {
    for name in ["session", "room", "broadcast", "websocket"] {
        expect_none(&module("relay", &format!("src/{name}"))?, &["hound", "downbeat_samples"]);
    }
    for source in module("relay", "src")? {
        let path = source.path.strip_prefix(workspace_folder())?;
        let decodes = path.starts_with("relay/src/bank/decode");
        assert!(!source.names("symphonia") || decodes, "{path:?} names symphonia");
    }
    Ok(())
}

#[test]
fn every_file_is_short_and_opens_with_a_comment() -> Result<()> {
    let sources = files(workspace_folder(), &["rs", "js"])?;
    assert!(sources.len() > 50, "the source tree is missing");
    for path in sources {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
        let opens = if path.extension().is_some_and(|e| e == "rs") { "//!" } else { "//" };
        // The first line of a script may name its interpreter.
        let opened = text.lines().take(3).any(|line| line.starts_with(opens));
        let opened = opened || text.starts_with("/*");
        assert!(opened, "{} does not open with its purpose", path.display());
    }
    Ok(())
}

#[test]
fn the_tokenizer_skips_comments_and_literals() {
    let read = tokens("a // b\n/* c */ \"d \\\" e\" r#\"f\"# 'g' &'h str '\\'' x_1::y");
    assert_eq!(read, ["a", "&", "'", "h", "str", "x_1", ":", ":", "y"]);
    let uses = tokens("use crate::{a::{b, c}, d as e, f::g}; crate::h::i(); super::crate_x::y");
    let named: Vec<_> = roots(&uses, "crate").into_iter().collect();
    assert_eq!(named, ["a", "d", "f", "h"]);
}
