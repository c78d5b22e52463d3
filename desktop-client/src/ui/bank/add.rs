//! A field for the paths of files to add, for those who cannot drop them on the window.

use std::path::PathBuf;

use egui::{Id, Rect, Ui};

use super::{drop_files::FORMATS, memory::BankMemory};
use crate::{
    action::Action,
    ui::widgets::{self, Drafts, Field},
};

/// Shows the field. What is typed there, or pasted from a file manager, is uploaded.
pub(in crate::ui) fn show(
    ui: &mut Ui,
    rect: Rect,
    drafts: &mut Drafts,
    memory: &mut BankMemory,
) -> Option<Action> {
    let field = Field {
        name: "Path of a file to add",
        kept: "",
        hint: "Drop files here, or type a path",
        is_centered: false,
    };
    let id = Id::unique("path to add");
    let typed = widgets::field(ui, rect, id, drafts, &field);
    let hover = format!("Adds sounds to the bank: {FORMATS}");
    ui.interact(rect, id.with("hover"), egui::Sense::hover()).on_hover_text(hover);
    let paths = paths(&typed?);
    memory.is_folded = false;
    (!paths.is_empty()).then_some(Action::Upload(paths))
}

/// The paths of a text: one, or one in each line, as file managers copy them.
fn paths(text: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let line = line.trim().trim_matches(['"', '\'']);
        PathBuf::from(line.strip_prefix("file://").unwrap_or(line))
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_they_are_typed_and_pasted() {
        assert_eq!(paths(" /home/anna/my kick.wav "), [PathBuf::from("/home/anna/my kick.wav")]);
        assert_eq!(paths("'/a b.wav'"), [PathBuf::from("/a b.wav")]);
        let pasted = paths("file:///music/a.wav\nfile:///music/b.flac\n");
        assert_eq!(pasted, [PathBuf::from("/music/a.wav"), PathBuf::from("/music/b.flac")]);
        assert_eq!(paths("  "), Vec::<PathBuf>::new());
    }
}
