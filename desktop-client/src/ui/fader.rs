//! The volume fader. Its position is the cube root of the level, so that equal distances sound like equal
//! steps: the middle is -18 dB.

use egui::{
    EventFilter, Id, Key, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    accesskit::{Action as Request, ActionData},
    pos2, vec2,
};

use super::{
    format,
    theme::{self, GRID, color},
    widgets,
};

const TRACK: f32 = 6.0;
const CAP: Vec2 = Vec2::new(20.0, 32.0);
/// The step of an arrow key.
const STEP: f32 = 0.05;

/// The position of the cap, 0 to 1, for a linear level.
fn position(level: f32) -> f32 {
    level.clamp(0.0, 1.0).cbrt()
}

fn level(position: f32) -> f32 {
    position.clamp(0.0, 1.0).powi(3)
}

/// Shows the fader for `volume`, a linear level. Returns another one if it was moved.
pub(super) fn show(ui: &mut Ui, volume: f32) -> Option<f32> {
    widgets::heading(ui, "VOLUME", &format::decibels(volume));
    let area = widgets::strip(ui, 5.0 * GRID);
    let id = Id::unique("volume");
    let response = ui.interact(area, id, Sense::click_and_drag());
    let now = position(volume);
    response.widget_info(|| WidgetInfo::slider(true, f64::from(now) * 100.0, "Volume"));
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(100.0);
        node.set_numeric_value_step(f64::from(STEP) * 100.0);
        for request in [Request::SetValue, Request::Increment, Request::Decrement] {
            node.add_action(request);
        }
    });
    let travel = area.left() + CAP.x / 2.0..=area.right() - CAP.x / 2.0;

    let mut wanted = now;
    if let Some(pointer) = response.interact_pointer_pos() {
        wanted = egui::emath::remap_clamp(pointer.x, travel.clone(), 0.0..=1.0);
    }
    wanted += STEP * steps(ui, id, response.has_focus());
    if let Some(percent) = requested_percent(ui, id) {
        wanted = percent as f32 / 100.0;
    }
    let wanted = wanted.clamp(0.0, 1.0);

    let painter = ui.painter();
    let y = area.center().y;
    let x = egui::lerp(travel.clone(), wanted).round();
    let track = Rect::from_min_max(
        pos2(*travel.start(), y - TRACK / 2.0),
        pos2(*travel.end(), y + TRACK / 2.0),
    );
    for tick in 0..=10 {
        let at = egui::lerp(travel.clone(), tick as f32 / 10.0).round();
        let long = if tick % 5 == 0 { 14.0 } else { 10.0 };
        painter.vline(at, y - long..=y + long, Stroke::new(1.0, color::LINE));
    }
    painter.rect(track, 3.0, color::WELL, Stroke::new(1.0, color::LINE), StrokeKind::Outside);
    let filled = Rect::from_min_max(track.min, pos2(x, track.bottom()));
    painter.rect_filled(filled, 3.0, color::ACCENT);

    let cap = Rect::from_center_size(pos2(x, y), CAP);
    let held = response.hovered() || response.dragged();
    let fill = if held { color::TEXT } else { theme::mix(color::TEXT, color::MUTED, 0.25) };
    painter.rect_filled(cap.translate(vec2(0.0, 2.0)), 4.0, egui::Color32::from_black_alpha(140));
    painter.rect(cap, 4.0, fill, Stroke::new(1.0, color::WELL), StrokeKind::Outside);
    painter.vline(x, cap.shrink(6.0).y_range(), Stroke::new(2.0, color::BACKGROUND));
    if response.has_focus() {
        painter.rect_stroke(
            cap.expand(3.0),
            6.0,
            Stroke::new(2.0, color::TEXT),
            StrokeKind::Outside,
        );
    }
    response.on_hover_cursor(egui::CursorIcon::ResizeHorizontal);

    // The cube of a cube root differs by rounding, which is no move.
    ((wanted - now).abs() > 1e-4).then(|| level(wanted))
}

/// The steps that the keyboard or assistive technology requested.
fn steps(ui: &Ui, id: Id, focused: bool) -> f32 {
    let mut steps = 0.0;
    if focused {
        // Arrows move the cap rather than the focus.
        let filter = EventFilter {
            horizontal_arrows: true,
            vertical_arrows: true,
            ..EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        ui.input(|input| {
            let count = |key| input.num_presses(key) as f32;
            steps += count(Key::ArrowRight) + count(Key::ArrowUp);
            steps -= count(Key::ArrowLeft) + count(Key::ArrowDown);
        });
    }
    ui.input(|input| {
        let asked = |request| input.num_accesskit_action_requests(id, request) as f32;
        steps + asked(Request::Increment) - asked(Request::Decrement)
    })
}

/// The position that assistive technology requested.
fn requested_percent(ui: &Ui, id: Id) -> Option<f64> {
    ui.input(|input| {
        let value = |data: &Option<ActionData>| match data {
            Some(ActionData::NumericValue(percent)) => Some(*percent),
            _ => None,
        };
        input
            .accesskit_action_requests(id, Request::SetValue)
            .filter_map(|request| value(&request.data))
            .last()
    })
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the ends of a range are exact")]
mod tests {
    use super::*;

    #[test]
    fn position_and_level_are_inverse() {
        assert_eq!(position(0.0), 0.0);
        assert_eq!(position(1.0), 1.0);
        assert_eq!(level(2.0), 1.0);
        assert_eq!(format::decibels(level(0.5)), "-18.1 dB");
        for step in 0..=20_u8 {
            let there = f32::from(step) / 20.0;
            assert!((position(level(there)) - there).abs() < 1e-5);
        }
    }
}
