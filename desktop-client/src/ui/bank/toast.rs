//! What is said for some seconds, at the bottom of the window: a removal with its undo, files that were not
//! taken.

use egui::{Align2, Area, Id, Order, Rect, Ui, pos2, vec2};

use super::memory::{BankMemory, Toast};
use crate::{
    action::Action,
    state::State,
    time::LocalTime,
    ui::{
        layout::Layout,
        theme::{self, GRID, PAD, ROUNDING, size},
        widgets,
    },
};

/// How long it is said.
const NANOS: i64 = 8_000_000_000;
const WIDTH: f32 = 42.0 * GRID;
const HEIGHT: f32 = 6.0 * GRID;
const UNDO: f32 = 9.0 * GRID;

/// Shows what is said, if anything is.
pub(super) fn show(
    ui: &Ui,
    layout: &Layout,
    state: &State,
    now: LocalTime,
    memory: &mut BankMemory,
) -> Option<Action> {
    let (toast, since) = memory.toast.clone()?;
    let left = NANOS - now.nanos_since(since);
    if left <= 0 {
        memory.toast = None;
        return None;
    }
    ui.ctx().request_repaint_after(std::time::Duration::from_nanos(left.unsigned_abs()));
    let (text, undo) = match &toast {
        Toast::Removed { name, hash } => {
            // Not before it is true, and not after it was undone.
            state.removed_sounds.iter().find(|sound| sound.hash == *hash)?;
            (format!("Removed {name}"), Some(hash))
        }
        Toast::Rejected { reason } => ((*reason).to_owned(), None),
    };
    let width = WIDTH.min(layout.body.width());
    let min = pos2(layout.body.center().x - width / 2.0, layout.body.bottom() - HEIGHT).round();
    let mut action = None;
    let area =
        Area::new(Id::unique("toast")).order(Order::Foreground).fixed_pos(min).fade_in(false);
    area.show(ui.ctx(), |ui| {
        let color = theme::palette(ui);
        let rect = ui.allocate_space(vec2(width, HEIGHT)).1;
        let edge = egui::Stroke::new(1.0, color.line);
        ui.painter().add(ui.visuals().popup_shadow.as_shape(rect, ROUNDING));
        ui.painter().rect(rect, ROUNDING, color.raised, edge, egui::StrokeKind::Inside);
        let inside = rect.shrink2(vec2(PAD, GRID));
        let right = if undo.is_some() { inside.right() - UNDO - GRID } else { inside.right() };
        let place = Rect::from_min_max(inside.min, pos2(right, inside.bottom()));
        let runs = [(text.as_str(), theme::regular(size::SMALL), color.text)];
        let label = widgets::line(ui, place, Align2::LEFT_CENTER, &runs);
        widgets::announce(ui, &label);
        if let Some(hash) = undo {
            let button = Rect::from_min_max(pos2(inside.right() - UNDO, inside.top()), inside.max);
            if widgets::text_button(ui, button, "Undo", "Put the sound back") {
                action = Some(super::put_back(hash));
                memory.toast = None;
            }
        }
    });
    action
}
