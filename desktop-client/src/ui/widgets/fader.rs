//! A horizontal fader.

use egui::{Id, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, pos2, vec2};

use super::Adjustable;
use crate::ui::theme::{self, GRID, Palette};

const TRACK: f32 = 6.0;
/// Its height, and that of a small one.
pub(in crate::ui) const HEIGHT: f32 = 5.0 * GRID;
pub(in crate::ui) const SMALL_HEIGHT: f32 = 3.5 * GRID;

/// What became of a fader in this frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::ui) struct Moved {
    /// The new value, if it was moved.
    pub(in crate::ui) value: Option<f64>,
    /// Whether the hand is on it.
    pub(in crate::ui) is_held: bool,
}

/// Shows a fader of the available width.
pub(in crate::ui) fn fader(ui: &mut Ui, id: Id, number: &Adjustable<'_>, height: f32) -> Moved {
    let color = theme::palette(ui);
    let area = super::strip(ui, height);
    let response = ui.interact(area, id, Sense::click_and_drag());
    number.announce(ui, &response);
    let cap_size = Vec2::new(height * 0.5, height * 0.8).round();
    let travel = area.left() + cap_size.x / 2.0..=area.right() - cap_size.x / 2.0;

    let now = number.position();
    let mut wanted = now;
    if let Some(pointer) = response.interact_pointer_pos() {
        wanted = f64::from(egui::emath::remap_clamp(pointer.x, travel.clone(), 0.0..=1.0));
    }
    let wanted = number.adjusted(ui, &response, wanted);

    if ui.is_rect_visible(area) {
        let x = egui::lerp(travel.clone(), wanted as f32).round();
        let y = area.center().y;
        let track = Rect::from_min_max(
            pos2(*travel.start(), y - TRACK / 2.0),
            pos2(*travel.end(), y + TRACK / 2.0),
        );
        paint_track(ui, color, track, x, height);
        let cap = Rect::from_center_size(pos2(x, y), cap_size);
        let is_lit = response.hovered() || response.dragged();
        paint_cap(ui, color, cap, is_lit, response.has_focus());
    }
    let is_held = response.is_pointer_button_down_on() || response.dragged();
    response.on_hover_cursor(egui::CursorIcon::ResizeHorizontal);

    // The value of the position of a value differs by rounding, which is no move.
    let value = ((wanted - now).abs() > 1e-4).then(|| number.mapping.value(wanted));
    Moved { value, is_held }
}

fn paint_track(ui: &Ui, color: &Palette, track: Rect, x: f32, height: f32) {
    let painter = ui.painter();
    let y = track.center().y;
    if height >= HEIGHT {
        for tick in 0..=10 {
            let at = egui::lerp(track.x_range(), tick as f32 / 10.0).round();
            let long = if tick % 5 == 0 { 14.0 } else { 10.0 };
            painter.vline(at, y - long..=y + long, Stroke::new(1.0, color.line));
        }
    }
    painter.rect(track, 3.0, color.well, Stroke::new(1.0, color.line), StrokeKind::Outside);
    let filled = Rect::from_min_max(track.min, pos2(x, track.bottom()));
    painter.rect_filled(filled, 3.0, color.accent);
}

fn paint_cap(ui: &Ui, color: &Palette, cap: Rect, is_lit: bool, has_focus: bool) {
    let painter = ui.painter();
    let fill = if is_lit { color.text } else { theme::mix(color.text, color.muted, 0.25) };
    painter.rect_filled(cap.translate(vec2(0.0, 2.0)), 4.0, color.shadow);
    painter.rect(cap, 4.0, fill, Stroke::new(1.0, color.well), StrokeKind::Outside);
    painter.vline(cap.center().x, cap.shrink(6.0).y_range(), Stroke::new(2.0, color.background));
    if has_focus {
        let ring = Stroke::new(2.0, color.text);
        painter.rect_stroke(cap.expand(3.0), 6.0, ring, StrokeKind::Outside);
    }
}
