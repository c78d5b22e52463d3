//! The files on their way to the bank, in a corner of the window: how far each is, and on how many machines it
//! is ready. It can be folded.

use egui::{
    Align2, Area, Color32, Id, Order, Rect, ScrollArea, Stroke, StrokeKind, Ui, pos2, vec2,
};

use super::memory::BankMemory;
use crate::{
    action::Action,
    event::UploadProgress,
    state::{State, Upload},
    ui::{
        format,
        layout::Layout,
        theme::{self, GRID, Palette, ROUNDING, size},
        widgets,
    },
};

const WIDTH: f32 = 42.0 * GRID;
const HEAD: f32 = 5.5 * GRID;
const ROW: f32 = 6.5 * GRID;
/// Rows in sight; the others are scrolled to.
const ROWS: usize = 5;

/// Shows the list, if there are uploads.
pub(super) fn show(
    ui: &Ui,
    layout: &Layout,
    state: &State,
    memory: &mut BankMemory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let count = state.uploads.iter().count();
    if count == 0 {
        return actions;
    }
    let width = WIDTH.min(layout.body.width());
    let rows = if memory.is_folded { 0.0 } else { count.min(ROWS) as f32 * ROW + GRID };
    let body = layout.body;
    let min = pos2(body.right() - width, body.bottom() - HEAD - rows).round();
    let area = Area::new(Id::unique("uploads"))
        .order(Order::Foreground)
        .fixed_pos(min)
        .fade_in(false)
        .accessible_name("Uploads");
    area.show(ui.ctx(), |ui| {
        let color = theme::palette(ui);
        let rect = ui.allocate_space(vec2(width, HEAD + rows)).1;
        let edge = Stroke::new(1.0, color.line);
        ui.painter().add(ui.visuals().popup_shadow.as_shape(rect, ROUNDING));
        ui.painter().rect(rect, ROUNDING, color.panel, edge, StrokeKind::Inside);
        let head = Rect::from_min_size(rect.min, vec2(width, HEAD));
        actions.extend(show_head(ui, head, state, memory));
        if memory.is_folded {
            return;
        }
        let list = Rect::from_min_max(pos2(rect.left(), head.bottom()), rect.max - vec2(0.0, GRID));
        let mut child = ui.new_child(egui::UiBuilder::new().max_rect(list).id_salt("list"));
        child.spacing_mut().item_spacing.y = 0.0;
        ScrollArea::vertical().auto_shrink(false).show(&mut child, |ui| {
            // The newest first: it is what one has just done.
            let uploads: Vec<&Upload> = state.uploads.iter().collect();
            for upload in uploads.into_iter().rev() {
                let row = widgets::strip(ui, ROW);
                if ui.is_rect_visible(row) {
                    actions.extend(show_upload(ui, row, upload, state));
                }
            }
        });
    });
    actions
}

/// The title, with a button that removes what has ended.
fn show_head(ui: &mut Ui, rect: Rect, state: &State, memory: &mut BankMemory) -> Option<Action> {
    let color = theme::palette(ui);
    let id = Id::unique("fold uploads");
    let name = if memory.is_folded { "Show the uploads" } else { "Fold the uploads" };
    let inside = rect.shrink2(vec2(1.5 * GRID, GRID));
    let has_ended = state.uploads.iter().any(Upload::has_ended);
    let clear = 8.0 * GRID;
    let title =
        Rect::from_min_max(inside.min, pos2(inside.right() - clear - GRID, inside.bottom()));
    let response = widgets::pressable(ui, title, id, name, !memory.is_folded);
    if response.hovered() || response.has_focus() {
        widgets::surface(ui, &response, title, color.raised, color.line);
    }
    let text = summary(state);
    let place = Rect::from_min_max(title.min + vec2(3.0 * GRID, 0.0), title.max);
    let center = title.left_center() + vec2(1.5 * GRID, 0.0);
    let way = if memory.is_folded { -1.0 } else { 1.0 };
    let points = [vec2(-5.0, -2.5 * way), vec2(0.0, 2.5 * way), vec2(5.0, -2.5 * way)];
    let points = points.map(|point| center + point).to_vec();
    ui.painter().line(points, Stroke::new(2.0, color.muted));
    let runs = [(text.as_str(), theme::bold(size::SMALL), color.text)];
    widgets::ink(ui, place, Align2::LEFT_CENTER, &runs);
    if response.clicked() {
        memory.is_folded = !memory.is_folded;
    }
    let button = Rect::from_min_max(pos2(inside.right() - clear, inside.top()), inside.max);
    if has_ended && widgets::text_button(ui, button, "Clear", "Remove what has ended from the list")
    {
        let ended = state.uploads.iter().filter(|upload| upload.has_ended());
        return Some(Action::CancelUploads(ended.map(|upload| upload.id).collect()));
    }
    None
}

fn summary(state: &State) -> String {
    let all = state.uploads.iter().count();
    let is_added = |upload: &&Upload| matches!(upload.progress, UploadProgress::Added { .. });
    let added = state.uploads.iter().filter(is_added).count();
    let ended = state.uploads.iter().filter(|upload| upload.has_ended()).count();
    match (added, ended - added) {
        (added, 0) => format!("{added} of {all} added"),
        (added, failed) => format!("{added} of {all} added, {failed} failed"),
    }
}

fn show_upload(ui: &mut Ui, row: Rect, upload: &Upload, state: &State) -> Option<Action> {
    let color = theme::palette(ui);
    let inside = row.shrink2(vec2(1.5 * GRID, 0.0));
    ui.painter().hline(inside.x_range(), row.top(), Stroke::new(1.0, color.line));
    let cross = Rect::from_center_size(
        pos2(inside.right() - 1.75 * GRID, row.center().y),
        vec2(3.5 * GRID, 3.5 * GRID),
    );
    let text = Rect::from_min_max(
        inside.min + vec2(0.0, 6.0),
        pos2(cross.left() - GRID, inside.bottom() - 7.0),
    );
    let (top, bottom) = text.split_top_bottom_at_fraction(0.5);
    let runs = [(upload.file.as_str(), theme::bold(size::SMALL), color.text)];
    widgets::line(ui, top, Align2::LEFT_CENTER, &runs);
    let (words, ink) = words(color, upload, state);
    let runs = [(words.as_str(), theme::regular(size::SMALL), ink)];
    let label = widgets::line(ui, bottom, Align2::LEFT_CENTER, &runs);
    if upload.has_ended() {
        widgets::announce(ui, &label);
    }
    label.on_hover_text(words);
    if let Some(part) = upload.fraction() {
        let track = Rect::from_min_max(
            pos2(text.left(), row.bottom() - 5.0),
            pos2(text.right(), row.bottom() - 2.0),
        );
        ui.painter().rect_filled(track, 1.5, color.well);
        let filled = Rect::from_min_max(
            track.min,
            pos2(egui::lerp(track.x_range(), part.clamp(0.0, 1.0)), track.bottom()),
        );
        ui.painter().rect_filled(filled, 1.5, color.accent);
    }
    let (name, hover) = if upload.has_ended() {
        (format!("Clear {}", upload.file), "Remove it from the list")
    } else {
        (format!("Cancel {}", upload.file), "Cancel this upload: nothing is kept of it")
    };
    let id = Id::unique(("upload", upload.id));
    widgets::cross(ui, cross, id, &name, hover).then(|| Action::CancelUploads(vec![upload.id]))
}

/// How far an upload is, in words.
fn words(color: &Palette, upload: &Upload, state: &State) -> (String, Color32) {
    match &upload.progress {
        UploadProgress::Waiting => ("Waiting for those before it".to_owned(), color.muted),
        UploadProgress::Checking => ("Checking…".to_owned(), color.muted),
        UploadProgress::Sending { sent, bytes } => {
            let percent = sent * 100 / (*bytes).max(1);
            let text = format!("{percent} % of {}", format::bytes(*bytes));
            (text, color.muted)
        }
        UploadProgress::Decoding => ("The relay decodes it…".to_owned(), color.muted),
        UploadProgress::Failed { reason } => (format::sentence(reason), color.bad),
        UploadProgress::Added { sound, .. } => {
            let room = state.room.as_ref();
            let ready = room.and_then(|room| upload.ready_on(room, state.bank.len()));
            match ready {
                None => (format!("Added as {sound}"), color.good),
                Some(ready) => {
                    let text = format!("{sound}: ready on {} of {}", ready.ready, ready.players);
                    (text, if ready.is_complete() { color.good } else { color.muted })
                }
            }
        }
    }
}
