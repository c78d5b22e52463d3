//! A knob: turned by dragging up and down, with its caption above and its value below.

use egui::{Align2, Id, Pos2, Rect, Sense, Stroke, Ui, Vec2, pos2, vec2};

use super::Adjustable;
use crate::ui::theme::{self, GRID, Palette, size};

/// The points of a drag over the whole range.
const TRAVEL: f32 = 180.0;
/// How much finer a drag is with Shift.
const FINE: f32 = 0.1;
const RADIUS: f32 = 19.0;
/// The dial is open at the bottom: its ends, in radians from straight up.
const END: f32 = 2.4;

/// The height of a knob.
pub(in crate::ui) const HEIGHT: f32 = 10.5 * GRID;

/// A knob.
#[derive(Clone, Copy, Debug)]
pub(in crate::ui) struct Knob<'a> {
    /// What it sets.
    pub(in crate::ui) number: Adjustable<'a>,
    /// Above it.
    pub(in crate::ui) caption: &'a str,
    /// The value, for people.
    pub(in crate::ui) text: &'a str,
    /// Where the lit arc begins.
    pub(in crate::ui) origin: f64,
}

/// Shows a knob of this width. Returns another value if it was turned.
pub(in crate::ui) fn knob(ui: &mut Ui, id: Id, width: f32, knob: &Knob<'_>) -> Option<f64> {
    let color = theme::palette(ui);
    let number = &knob.number;
    let area = ui.allocate_space(vec2(width, HEIGHT)).1;
    let response = ui.interact(area, id, Sense::click_and_drag());
    number.announce(ui, &response);
    super::describe(ui, &response, knob.text);

    let now = number.position();
    let mut wanted = now;
    if response.dragged() {
        let (way, is_fine) = ui.input(|input| (input.pointer.delta(), input.modifiers.shift));
        let scale = if is_fine { FINE } else { 1.0 };
        wanted += f64::from((way.x - way.y) / TRAVEL * scale);
    }
    let wanted = number.adjusted(ui, &response, wanted);

    if ui.is_rect_visible(area) {
        let (top, rest) = area.split_top_bottom_at_y(area.top() + 2.0 * GRID);
        let (_, bottom) = rest.split_top_bottom_at_y(rest.bottom() - 2.25 * GRID);
        let runs = [(knob.caption, theme::bold(size::CAPTION), color.muted)];
        super::ink(ui, top, Align2::CENTER_CENTER, &runs);
        let is_neutral = number.reset.is_some_and(|reset| (reset - number.value).abs() < 1e-6);
        let ink = if is_neutral { color.muted } else { color.text };
        let runs = [(knob.text, theme::regular(size::SMALL), ink)];
        super::ink(ui, bottom, Align2::CENTER_CENTER, &runs);
        let center = pos2(area.center().x, top.bottom() + 0.5 * GRID + RADIUS + 3.0).round();
        let is_lit = response.hovered() || response.dragged();
        let arc = (number.mapping.position(knob.origin) as f32, wanted as f32);
        paint(ui, color, center, arc, is_lit);
        if response.has_focus() {
            ui.painter().circle_stroke(center, RADIUS + 5.0, Stroke::new(2.0, color.text));
        }
    }
    let hover = if number.reset.is_some() {
        format!("{}: drag up or down, finely with Shift; double click resets", number.name)
    } else {
        format!("{}: drag up or down, finely with Shift", number.name)
    };
    response.on_hover_cursor(egui::CursorIcon::ResizeVertical).on_hover_text(hover);
    ((wanted - now).abs() > 1e-6).then(|| number.mapping.value(wanted))
}

fn paint(ui: &Ui, color: &Palette, center: Pos2, (from, to): (f32, f32), is_lit: bool) {
    let painter = ui.painter();
    let arc = |from: f32, to: f32| -> Vec<Pos2> {
        let steps = ((to - from).abs() * 40.0).ceil().max(1.0) as usize;
        let at = |step: usize| from + (to - from) * step as f32 / steps as f32;
        (0..=steps).map(|step| center + way(at(step)) * (RADIUS - 1.5)).collect()
    };
    painter.line(arc(0.0, 1.0), Stroke::new(3.0, color.line));
    if (to - from).abs() > 1e-3 {
        painter.line(arc(from, to), Stroke::new(3.0, color.accent));
    }
    let body = if is_lit { color.raised_hover } else { color.raised };
    let edge = theme::mix(color.line, color.muted, 0.3);
    painter.circle(center, RADIUS - 6.0, body, Stroke::new(1.0, edge));
    let hand = way(to);
    let points = [center + hand * 4.0, center + hand * (RADIUS - 7.0)];
    painter.line_segment(points, Stroke::new(2.5, color.text));
}

/// The direction of a position.
fn way(position: f32) -> Vec2 {
    let angle = -END + 2.0 * END * position;
    vec2(angle.sin(), -angle.cos())
}

/// The place of `count` knobs side by side in a row of this width.
pub(in crate::ui) fn width(available: f32, count: usize) -> f32 {
    (available / count.max(1) as f32).clamp(6.5 * GRID, 18.0 * GRID).floor()
}

/// The rectangle that `count` knobs of this width take.
pub(in crate::ui) fn group(min: Pos2, width: f32, count: usize) -> Rect {
    Rect::from_min_size(min, vec2(width * count as f32, HEIGHT))
}
