//! The trim of the open output: a number that is dragged, typed, or stepped by a millisecond.

use egui::{Align2, Color32, DragValue, Id, Rect, Stroke, TextStyle, Ui, UiBuilder, pos2, vec2};

use super::{
    parts,
    theme::{self, GRID, color, size},
};
use crate::{action::Trim, state::OutputState};

/// Where the number stands.
const VALUE_WIDTH: f32 = 10.5 * GRID;
/// Each of the two steps beside it.
const STEP_WIDTH: f32 = 4.5 * GRID;
/// The way back to none.
const RESET_WIDTH: f32 = 4.0 * GRID;
/// What a press on a step adds.
const STEP_MILLIS: f64 = 1.0;
/// What an arrow key, or a point of dragging, adds.
const FINE_MILLIS: f64 = 0.1;

const EXPLANATION: &str = "For a delay that the output does not report, as of a Bluetooth \
                           loudspeaker or a screen: so much earlier it is handed each sound. \
                           It is remembered for this output.";

/// Shows the trim of the open output; answers with another if it was changed.
pub fn show(ui: &mut Ui, output: &OutputState) -> Option<Trim> {
    let trim = match output {
        OutputState::Open { trim, .. } => Some(*trim),
        OutputState::Opening | OutputState::None { .. } => None,
    };
    let row = parts::strip(ui, theme::SMALL_CONTROL);
    let width = VALUE_WIDTH + 2.0 * STEP_WIDTH;
    let stepper = Rect::from_min_max(pos2(row.right() - width, row.top()), row.max);
    let (top, bottom) =
        Rect::from_min_max(row.min, stepper.left_bottom()).split_top_bottom_at_fraction(0.48);
    parts::caption(ui, top, Align2::LEFT_CENTER, "TRIM");
    let way = match trim.map(Trim::nanos) {
        Some(1..) => "earlier",
        Some(0) => "none",
        Some(_) => "later",
        None => "–",
    };
    let runs = [(way, theme::regular(size::SMALL), color::MUTED)];
    parts::line(ui, bottom, Align2::LEFT_CENTER, &runs);
    // Until an output is open there is nothing to trim; nothing moves when there is.
    let trim = trim?;

    let mut millis = trim.millis();
    let reset = Rect::from_min_max(
        pos2(stepper.left() - GRID - RESET_WIDTH, stepper.top()),
        pos2(stepper.left() - GRID, stepper.bottom()),
    );
    if trim != Trim::NONE && step(ui, reset, "Reset trim", |ui, ink| cross(ui, reset, ink)) {
        millis = 0.0;
    }
    ui.painter().rect(
        stepper,
        theme::ROUNDING,
        color::WELL,
        Stroke::new(1.0, color::LINE),
        egui::StrokeKind::Inside,
    );
    let (less, others) = stepper.split_left_right_at_x(stepper.left() + STEP_WIDTH);
    let (value, more) = others.split_left_right_at_x(stepper.right() - STEP_WIDTH);
    if step(ui, less, "Trim less", |ui, ink| sign(ui, less, ink, false)) {
        millis -= STEP_MILLIS;
    }
    if step(ui, more, "Trim more", |ui, ink| sign(ui, more, ink, true)) {
        millis += STEP_MILLIS;
    }
    number(ui, value, &mut millis);
    let wanted = Trim::from_millis(millis);
    (wanted != trim).then_some(wanted)
}

/// The number itself.
fn number(ui: &mut Ui, rect: Rect, millis: &mut f64) {
    // Named outright: it must stay itself while it is dragged, whatever else comes and goes.
    let place = rect.shrink2(vec2(1.0, 2.0));
    let mut child = ui.new_child(UiBuilder::new().scope_id(Id::unique("trim")).max_rect(place));
    let style = child.style_mut();
    style.drag_value_text_style = TextStyle::Body;
    style.spacing.button_padding = vec2(2.0, 0.0);
    style.spacing.interact_size = place.size();
    for widget in [
        &mut style.visuals.widgets.inactive,
        &mut style.visuals.widgets.hovered,
        &mut style.visuals.widgets.active,
    ] {
        widget.weak_bg_fill = Color32::TRANSPARENT;
        widget.bg_stroke = Stroke::NONE;
    }
    style.visuals.widgets.hovered.weak_bg_fill = color::RAISED;
    style.visuals.widgets.active.weak_bg_fill = color::RAISED;
    let value = DragValue::new(millis)
        .range(-Trim::MOST_MILLIS..=Trim::MOST_MILLIS)
        .speed(FINE_MILLIS)
        .fixed_decimals(1)
        .custom_formatter(|millis, _| written(millis))
        .custom_parser(read)
        .suffix(" ms")
        .update_while_editing(false)
        .min_size(place.size());
    child.put(place, value).on_hover_text(EXPLANATION).accessible_name("Trim");
}

/// A key that steps, with what `paint` draws on it.
fn step(ui: &mut Ui, rect: Rect, name: &str, paint: impl FnOnce(&Ui, Color32)) -> bool {
    let response = parts::key(ui, rect, Id::unique(name), name, false);
    if response.hovered() || response.has_focus() {
        parts::surface(ui, &response, rect, color::RAISED_HOVER, color::LINE);
    }
    let held = response.is_pointer_button_down_on();
    paint(ui, if held { color::MUTED } else { color::TEXT });
    response.clicked()
}

fn sign(ui: &Ui, rect: Rect, ink: Color32, plus: bool) {
    let (center, arm) = (rect.center().round(), 5.5);
    let stroke = Stroke::new(2.0, ink);
    ui.painter().hline(center.x - arm..=center.x + arm, center.y, stroke);
    if plus {
        ui.painter().vline(center.x, center.y - arm..=center.y + arm, stroke);
    }
}

fn cross(ui: &Ui, rect: Rect, ink: Color32) {
    let (center, arm) = (rect.center().round(), 4.5);
    let stroke = Stroke::new(2.0, theme::mix(ink, color::MUTED, 0.5));
    for way in [vec2(arm, arm), vec2(arm, -arm)] {
        ui.painter().line_segment([center - way, center + way], stroke);
    }
}

/// With its sign, so that it is seen which way it goes.
fn written(millis: f64) -> String {
    if Trim::from_millis(millis) == Trim::NONE {
        return "0.0".to_owned();
    }
    format!("{millis:+.1}").replace('-', "−")
}

/// As people write numbers: with a comma, too, and with the unit.
fn read(text: &str) -> Option<f64> {
    let number: String = text.trim().trim_end_matches("ms").split_whitespace().collect();
    let millis: f64 = number.replace(',', ".").replace('−', "-").parse().ok()?;
    millis.is_finite().then_some(millis)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "one parse of one text")]
mod tests {
    use super::*;

    #[test]
    fn a_trim_is_read_as_people_write_it() {
        for (text, millis) in
            [("12.5", 12.5), ("12,5 ms", 12.5), ("+ 3", 3.0), ("−0.4ms", -0.4), ("-7", -7.0)]
        {
            assert_eq!(read(text), Some(millis), "{text}");
        }
        for text in ["", "ms", "ten", "inf", "nan"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for millis in [-500.0, -0.1, 0.0, 0.1, 12.5, 500.0] {
            assert_eq!(read(&written(millis)), Some(millis));
        }
        assert_eq!(written(-0.04), "0.0");
    }
}
