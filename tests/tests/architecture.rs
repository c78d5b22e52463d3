//! The module arrows of `docs/ARCHITECTURE.md`: which module may name which. Cargo enforces those between
//! packages; these tests enforce those within one.

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

/// Longer than any file that does one thing.
const MAX_LINES: usize = 600;

/// Asserts that a module of the desktop client names only these others.
fn expect_only(name: &str, allowed: &[&str]) -> Result<()> {
    for source in module("desktop-client", &format!("src/{name}"))? {
        for named in source.modules() {
            assert!(
                named == name || allowed.contains(&named.as_str()),
                "{} names crate::{named}; {name} may name only {allowed:?}",
                source.path.display()
            );
        }
        assert!(!source.text.contains("super::super::super"), "{}", source.path.display());
    }
    Ok(())
}

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
fn one_module_names_cpal_and_one_fetches() -> Result<()> {
    for source in module("desktop-client", "src")? {
        let path = source.path.strip_prefix(workspace_folder())?;
        let place = |module: &str| path.starts_with(Path::new("desktop-client/src").join(module));
        let devices = place("audio/device.rs") || place("audio/device");
        assert!(!source.names("cpal") || devices, "{path:?} names cpal");
        assert!(!source.names("ureq") || place("sounds"), "{path:?} names ureq");
        let shows = place("ui") || place("app.rs");
        assert!(!source.names("egui") || shows, "{path:?} names egui");
        assert!(!source.names("eframe") || place("app.rs"), "{path:?} names eframe");
    }
    Ok(())
}

#[test]
fn the_desktop_clients_modules_name_only_those_below() -> Result<()> {
    expect_only("audio", &["time"])?;
    expect_only("sounds", &["address", "audio", "tls"])?;
    expect_only(
        "session",
        &["action", "address", "audio", "event", "remembered", "sounds", "time", "tls"],
    )?;
    expect_only("ui", &["action", "address", "event", "standing", "state", "time"])?;
    expect_only("state", &["action", "address", "event", "standing", "time"])?;
    expect_only("standing", &["event", "time"])?;
    expect_only("remembered", &["action", "address"])?;
    expect_only("action", &["address"])?;
    expect_only("address", &["access"])?;
    expect_only("access", &[])?;
    expect_only("tls", &["access"])?;
    expect_only("event", &["action", "time"])?;
    expect_only("app", &["action", "event", "state", "time", "ui"])?;
    expect_only("headless", &["action", "event", "standing", "time"])?;
    expect_only("remote", &["address", "session", "time"])
}

/// The modules of the relay, from top to bottom, and which each may name.
const RELAY_ARROWS: [(&str, &[&str]); 14] = [
    ("server", &["accept", "bank", "broadcast", "config", "http", "room", "supervise"]),
    ("accept", &["config", "counters", "http", "limits", "text"]),
    ("http", &["bank", "config", "counters", "limits", "room", "session", "text", "websocket"]),
    ("session", &["counters", "limits", "room", "text", "websocket"]),
    (
        "room",
        &["bank", "broadcast", "clock", "config", "counters", "limits", "supervise", "websocket"],
    ),
    ("broadcast", &["clock", "counters", "supervise", "websocket"]),
    ("websocket", &["clock"]),
    ("bank", &["supervise", "text"]),
    ("limits", &[]),
    ("config", &[]),
    ("clock", &[]),
    ("counters", &[]),
    ("supervise", &[]),
    ("text", &[]),
];

#[test]
fn the_relays_modules_name_only_those_below() -> Result<()> {
    let relay = Modules::read("relay/src", 1)?;
    let listed = RELAY_ARROWS.iter().map(|(module, _)| (*module).to_owned()).collect();
    assert_eq!(relay.names(), listed, "RELAY_ARROWS lists every module");
    for (position, (module, allowed)) in RELAY_ARROWS.iter().enumerate() {
        let named: Vec<_> = relay.named_by(module).collect();
        assert_eq!(named, *allowed, "what {module} names");
        let below: Vec<_> =
            RELAY_ARROWS[position + 1..].iter().map(|(module, _)| *module).collect();
        assert!(allowed.iter().all(|name| below.contains(name)), "{module} names one above it");
    }
    Ok(())
}

/// Cycles of the desktop client that are still to be broken.
const CLIENT_CYCLES: &[&[&str]] = &[
    &[
        "audio",
        "audio/device",
        "audio/keeper",
        "audio/message",
        "audio/player",
        "audio/renderer",
        "audio/voice",
    ],
    &["session", "session/run"],
    &["sounds", "sounds/cache", "sounds/fetch", "sounds/loader"],
    &["ui", "ui/bang", "ui/header"],
];

#[test]
fn no_modules_name_each_other_in_a_cycle() -> Result<()> {
    let sources: [(&str, &[&[&str]]); 5] = [
        ("relay/src", &[]),
        ("relay/protocol/src", &[]),
        ("relay/platform/src", &[]),
        ("relay/command-line/src", &[]),
        ("desktop-client/src", CLIENT_CYCLES),
    ];
    for (folder, allowed) in sources {
        // Folders, then folders and the files in them.
        for depth in [1, 2] {
            let cycles = Modules::read(folder, depth)?.cycles();
            let is_allowed = |cycle: &Vec<String>| {
                let contains = |set: &&[&str]| cycle.iter().all(|name| set.contains(&&**name));
                allowed.iter().any(contains)
            };
            let cycles: Vec<_> = cycles.into_iter().filter(|cycle| !is_allowed(cycle)).collect();
            assert!(cycles.is_empty(), "cycles in {folder}: {cycles:#?}");
        }
    }
    Ok(())
}

#[test]
fn audio_knows_no_protocol_and_the_window_no_sockets() -> Result<()> {
    let audio = module("desktop-client", "src/audio")?;
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
    Ok(())
}

#[test]
fn every_file_is_short_and_opens_with_its_purpose() -> Result<()> {
    let sources = files(workspace_folder(), &["rs", "js"])?;
    assert!(sources.len() > 50, "the source tree is missing");
    for path in sources {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
        let opens = if path.extension().is_some_and(|e| e == "rs") { "//!" } else { "//" };
        // The first line of a script may be for its interpreter.
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
