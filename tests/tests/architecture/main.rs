//! The arrows of `docs/ARCHITECTURE.md`: which room of the house may name which. Cargo holds those
//! between packages; within one, only reading does.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use downbeat_tests::tools::workspace_folder;

/// Longer than any file that does one thing.
const MOST_LINES: usize = 600;

/// A source file, as the words and marks that the compiler sees: without comments and strings.
struct Source {
    path: PathBuf,
    text: String,
    tokens: Vec<String>,
}

impl Source {
    fn read(path: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let tokens = tokens(&text);
        Ok(Self { path, text, tokens })
    }

    fn names(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token == word)
    }

    /// Whether it names `path`, such as `std::net`.
    fn names_path(&self, path: &[&str]) -> bool {
        let separated: Vec<&str> =
            path.iter().flat_map(|name| [*name, ":", ":"]).take(path.len() * 3 - 2).collect();
        self.tokens.windows(separated.len()).any(|window| window == separated)
            // The same within braces: `use std::{io, net::TcpStream}`.
            || match path {
                [root, name] => roots(&self.tokens, root).contains(*name),
                _ => false,
            }
    }

    /// The rooms of its own package that it names.
    fn rooms(&self) -> BTreeSet<String> {
        roots(&self.tokens, "crate")
    }
}

/// The names that come right after `root::`, singly or in braces.
fn roots(tokens: &[String], root: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (index, window) in tokens.windows(3).enumerate() {
        if window != [root, ":", ":"] {
            continue;
        }
        let mut rest = tokens[index + 3..].iter().map(String::as_str).peekable();
        if rest.next_if_eq(&"{").is_none() {
            names.extend(rest.next().map(str::to_owned));
            continue;
        }
        let (mut depth, mut begins) = (1, true);
        for token in rest {
            match token {
                "{" => depth += 1,
                "}" => depth -= 1,
                name if depth == 1 && begins => {
                    names.insert(name.to_owned());
                }
                _ => {}
            }
            begins = token == ",";
            if depth == 0 {
                break;
            }
        }
    }
    names
}

/// Words and single marks of Rust source; comments, strings and character literals are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if first == '"' {
            quoted(rest, '"').unwrap_or(rest.len())
        } else if let Some(length) = character(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..end].to_owned());
            end
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    tokens
}

/// The length of the raw string that `text` begins with.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = 2 + hashes;
    text[begin..].find(&end).map(|at| begin + at + end.len())
}

/// The length of the character literal that `text` begins with; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let content = text.strip_prefix('\'')?;
    if content.starts_with('\\') {
        return quoted(text, '\'');
    }
    let length = content.chars().next()?.len_utf8();
    content[length..].starts_with('\'').then_some(length + 2)
}

/// The length of what `text` begins with: from `quote` to the next one that is not escaped.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Every file below `folder` with one of these endings, but what is built or installed.
fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                found.extend(files(&path, endings)?);
            }
        } else if path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The Rust files of a room: `<room>.rs` and all in `<room>/`.
fn room(package: &str, room: &str) -> Result<Vec<Source>> {
    let folder = workspace_folder().join(package).join(room);
    let mut paths = if folder.is_dir() { files(&folder, &["rs"])? } else { Vec::new() };
    paths.extend(Some(folder.with_extension("rs")).filter(|file| file.is_file()));
    assert!(!paths.is_empty(), "there is no room {room} in {package}");
    paths.into_iter().map(Source::read).collect()
}

/// Demands that a room of the player names only these others.
fn expect_only(name: &str, allowed: &[&str]) -> Result<()> {
    for source in room("desktop-client", &format!("src/{name}"))? {
        for named in source.rooms() {
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

/// Demands that none of `sources` names any of these words.
fn expect_none(sources: &[Source], words: &[&str]) {
    for source in sources {
        for word in words {
            assert!(!source.names(word), "{} names {word}", source.path.display());
        }
    }
}

#[test]
fn the_protocol_does_nothing_and_knows_no_clock() -> Result<()> {
    let sources = room("relay", "protocol/src")?;
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
fn one_room_names_cpal_and_one_fetches() -> Result<()> {
    for source in room("desktop-client", "src")? {
        let path = source.path.strip_prefix(workspace_folder())?;
        let place = |room: &str| path.starts_with(Path::new("desktop-client/src").join(room));
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
fn the_players_rooms_name_whom_they_may() -> Result<()> {
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

#[test]
fn audio_knows_no_protocol_and_the_window_no_socket() -> Result<()> {
    let audio = room("desktop-client", "src/audio")?;
    expect_none(&audio, &["downbeat_protocol", "RelayTime", "tokio", "tungstenite"]);
    let window = room("desktop-client", "src/ui")?;
    expect_none(&window, &["tokio", "tungstenite", "tokio_tungstenite"]);
    Ok(())
}

#[test]
fn the_relay_decodes_no_audio_in_its_fan_out() -> Result<()> {
    for name in ["fan_out", "outbox", "connection", "room"] {
        expect_none(&room("relay", &format!("src/{name}"))?, &["hound", "downbeat_samples"]);
    }
    Ok(())
}

#[test]
fn every_file_is_short_and_says_what_it_is_for() -> Result<()> {
    let sources = files(workspace_folder(), &["rs", "js"])?;
    assert!(sources.len() > 50, "the source tree was found");
    for path in sources {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", path.display());
        let opens = if path.extension().is_some_and(|e| e == "rs") { "//!" } else { "//" };
        // A fuzz target's or script's first line may be for its runner.
        let opened = text.lines().take(3).any(|line| line.starts_with(opens));
        let opened = opened || text.starts_with("/*");
        assert!(opened, "{} does not open with what it is for", path.display());
    }
    Ok(())
}

#[test]
fn what_is_read_here_is_what_the_compiler_sees() {
    let read = tokens("a // b\n/* c */ \"d \\\" e\" r#\"f\"# 'g' &'h str '\\'' x_1::y");
    assert_eq!(read, ["a", "&", "'", "h", "str", "x_1", ":", ":", "y"]);
    let uses = tokens("use crate::{a::{b, c}, d as e, f::g}; crate::h::i(); super::crate_x::y");
    let named: Vec<_> = roots(&uses, "crate").into_iter().collect();
    assert_eq!(named, ["a", "d", "f", "h"]);
}
