//! A field for the paths of files to add, for those who cannot drop them on the window.

use std::path::PathBuf;

use egui::{Event, Id, Rect, Ui};
use url::Url;

use super::{drop_files, memory::BankMemory};
use crate::{
    action::Action,
    ui::widgets::{self, Drafts, Field},
};

/// Quotes about a path.
const QUOTES: [char; 2] = ['"', '\''];

/// What URLs of files begin with.
const FILE: &str = "file://";

/// Shows the field. What is typed there, or pasted from a file manager, is uploaded.
pub(in crate::ui) fn show(
    ui: &mut Ui,
    rect: Rect,
    drafts: &mut Drafts,
    memory: &mut BankMemory,
) -> Option<Action> {
    let id = Id::unique("path to add");
    if ui.memory(|memory| memory.has_focus(id)) {
        ui.input_mut(|input| {
            for event in &mut input.events {
                if let Event::Paste(text) = event {
                    *text = in_one_line(text);
                }
            }
        });
    }
    let field = Field {
        name: "Path of a file to add",
        kept: "",
        hint: "Drop files here, or type a path",
        is_centered: false,
    };
    let typed = widgets::field(ui, rect, id, drafts, &field);
    let hover = format!("Adds sounds to the bank: {}", drop_files::formats());
    ui.interact(rect, id.with("hover"), egui::Sense::hover()).on_hover_text(hover);
    let paths = paths(&typed?);
    memory.is_folded = false;
    (!paths.is_empty()).then_some(Action::Upload(paths))
}

/// A text that is pasted, in one line as the field has one: several lines in quotes. The field itself would replace
/// line breaks by spaces, which paths contain too.
fn in_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines.collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        several => several.iter().map(|line| quoted(line)).collect::<Vec<_>>().join(" "),
    }
}

fn quoted(line: &str) -> String {
    let is_quoted = line.len() > 1 && QUOTES.iter().any(|quote| is_within(line, *quote));
    match line.contains('"') {
        _ if is_quoted => line.to_owned(),
        false => format!("\"{line}\""),
        true => format!("'{line}'"),
    }
}

fn is_within(line: &str, quote: char) -> bool {
    line.starts_with(quote) && line.ends_with(quote)
}

/// The paths of a text: those in quotes, or one, as file managers and terminals copy them. Each may be a URL of a
/// file; several URLs need no quotes, because they contain no spaces.
fn paths(text: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let quote = QUOTES.into_iter().find(|quote| rest.starts_with(*quote));
        let (one, others) = match quote {
            // Without the second quote, it ends with the text.
            Some(quote) => rest[1..].split_once(quote).unwrap_or((&rest[1..], "")),
            None if rest.starts_with(FILE) => rest.split_at(end_of_url(rest)),
            None => (rest, ""),
        };
        if !one.trim().is_empty() {
            paths.push(path(one.trim()));
        }
        rest = others.trim_start();
    }
    paths
}

/// Where a URL ends: before the next one. Spaces in it are not what they should be, but clear.
fn end_of_url(text: &str) -> usize {
    let next = text.match_indices(FILE).skip(1).find(|(at, _)| text[..*at].ends_with(' '));
    next.map_or(text.len(), |(at, _)| at)
}

/// The path that is named, or that of a URL.
fn path(one: &str) -> PathBuf {
    let of_url = |one: &str| Url::parse(one).ok()?.to_file_path().ok();
    let url = one.starts_with(FILE).then(|| of_url(one)).flatten();
    url.unwrap_or_else(|| PathBuf::from(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        paths(text).into_iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn one_path_is_taken_as_it_is_typed() {
        assert_eq!(all(" /home/anna/my kick.wav "), ["/home/anna/my kick.wav"]);
        assert_eq!(all("'/a b.wav'"), ["/a b.wav"]);
        assert_eq!(all("\"/a b.wav"), ["/a b.wav"]);
        assert_eq!(all("C:\\my sounds\\kick.wav"), ["C:\\my sounds\\kick.wav"]);
        assert_eq!(all("/100%20.wav"), ["/100%20.wav"], "this is no URL");
        assert_eq!(all("  "), Vec::<String>::new());
        assert_eq!(all("''"), Vec::<String>::new());
    }

    #[test]
    fn several_lines_are_pasted_as_several_paths() {
        let pasted = |text: &str| all(&in_one_line(text));
        assert_eq!(pasted("/my music/a.wav\r\n/b c.flac\n"), ["/my music/a.wav", "/b c.flac"]);
        assert_eq!(
            pasted("/a.wav\n\n'/b c.wav'\n/d \"e\".wav"),
            ["/a.wav", "/b c.wav", "/d \"e\".wav"]
        );
        assert_eq!(in_one_line("/my kick.wav\n"), "/my kick.wav");
        assert_eq!(all("'/a b.wav' '/c.wav'"), ["/a b.wav", "/c.wav"], "as terminals have it");
    }

    // A path on Windows begins with a drive.
    #[cfg(unix)]
    #[test]
    fn urls_of_files_are_decoded() {
        assert_eq!(all("file:///music/my%20kick%23.wav"), ["/music/my kick#.wav"]);
        let two = "file:///music/my%20kick.wav\nfile:///music/b.flac\n";
        let expected = ["/music/my kick.wav", "/music/b.flac"];
        assert_eq!(all(&in_one_line(two)), expected);
        assert_eq!(all(&two.replace('\n', " ")), expected);
        assert_eq!(all("file:///music/my kick.wav"), ["/music/my kick.wav"]);
        assert_eq!(all("file://nas/kick.wav"), ["file://nas/kick.wav"], "on another machine");
    }
}
