//! Files that are dropped on the window: an overlay while they hover, and their upload.

use std::path::PathBuf;

use downbeat_protocol::MAX_UPLOAD_BYTES;
use egui::{Align2, Rect, Shape, Stroke, Ui, vec2};

use super::memory::{BankMemory, Toast};
use crate::{
    action::Action,
    state::State,
    time::LocalTime,
    ui::{
        theme::{self, GRID, size},
        widgets,
    },
};

/// What can be added, and how large it may be.
pub(super) fn formats() -> String {
    format!("WAV, FLAC, Ogg, MP3, AIFF, up to {} MiB", MAX_UPLOAD_BYTES >> 20)
}

/// Shows the overlay while files hover, and takes those that were dropped.
pub(super) fn show(
    ui: &mut Ui,
    state: &State,
    now: LocalTime,
    memory: &mut BankMemory,
) -> Option<Action> {
    let (hovering, dropped) = ui.input(|input| {
        let paths = input.raw.dropped_files.iter().map(|file| file.path().to_owned());
        (input.raw.hovered_files.len(), paths.collect::<Vec<PathBuf>>())
    });
    let obstacle = super::obstacle(state);
    if hovering > 0 {
        paint(ui, hovering, obstacle);
    }
    if dropped.is_empty() {
        return None;
    }
    if let Some(reason) = obstacle {
        memory.say(Toast::Rejected { reason }, now);
        return None;
    }
    memory.is_folded = false;
    Some(Action::Upload(dropped))
}

fn paint(ui: &mut Ui, files: usize, obstacle: Option<&'static str>) {
    let color = theme::palette(ui);
    let window = ui.ctx().content_rect();
    let mut child = widgets::overlay(ui, "drop files");
    let painter = child.painter().clone();
    painter.rect_filled(window, 0.0, color.background.gamma_multiply(0.95));
    let frame = window.shrink(3.0 * GRID);
    let ink = if obstacle.is_some() { color.bad } else { color.accent };
    let corners = [
        frame.left_top(),
        frame.right_top(),
        frame.right_bottom(),
        frame.left_bottom(),
        frame.left_top(),
    ];
    painter.extend(Shape::dashed_line(&corners, Stroke::new(2.0, ink), 10.0, 8.0));
    let (title, note) = if let Some(reason) = obstacle {
        ("These files cannot be added".to_owned(), reason.to_owned())
    } else {
        let what = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        ("Drop to add to the bank".to_owned(), format!("{what} · {}", formats()))
    };
    let row = |top: f32, height: f32| {
        let width = frame.width() - 4.0 * GRID;
        Rect::from_center_size(frame.center() + vec2(0.0, top), vec2(width, height))
    };
    let runs = [(title.as_str(), theme::bold(size::TITLE), color.text)];
    let label =
        widgets::line(&mut child, row(-2.0 * GRID, 4.0 * GRID), Align2::CENTER_CENTER, &runs);
    widgets::announce(&child, &label);
    let runs = [(note.as_str(), theme::regular(size::BODY), color.muted)];
    widgets::line(&mut child, row(2.0 * GRID, 3.0 * GRID), Align2::CENTER_CENTER, &runs);
}
