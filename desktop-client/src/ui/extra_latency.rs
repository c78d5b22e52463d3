//! The extra latency of the open output: a number that is dragged, typed, or stepped by a millisecond.

use egui::{Color32, DragValue, Id, Rect, Stroke, TextStyle, Ui, UiBuilder, vec2};

use super::{
    theme::{self, GRID},
    widgets,
};
use crate::{settings::ExtraLatency, state::OutputState};

/// The width of each of the two steps beside the number.
const STEP_WIDTH: f32 = 4.5 * GRID;
/// The width of the reset button.
const RESET_WIDTH: f32 = 4.0 * GRID;
/// The step of a press.
const STEP_MILLIS: f64 = 1.0;
/// The step of a point of dragging.
const FINE_MILLIS: f64 = 0.1;

const EXPLANATION: &str = "Plays this much earlier, for latency the output does not report, as of a \
                           Bluetooth loudspeaker or a television. Saved for this output.";

/// Shows the extra latency of the open output. Returns another one if it was changed.
pub(super) fn show(ui: &mut Ui, output: &OutputState) -> Option<ExtraLatency> {
    let color = theme::palette(ui);
    let latency = match output {
        OutputState::Open { extra_latency, .. } => Some(*extra_latency),
        OutputState::Opening | OutputState::None { .. } => None,
    };
    let direction = match latency.map(ExtraLatency::nanos) {
        Some(1..) => "Plays earlier",
        Some(0) => "None",
        Some(_) => "Plays later",
        None => "–",
    };
    widgets::heading(ui, "EXTRA LATENCY", direction);
    let stepper = widgets::strip(ui, theme::SMALL_CONTROL);
    // The row stays while no output is open, so that nothing moves.
    let latency = latency?;

    let mut millis = latency.millis();
    ui.painter().rect(
        stepper,
        theme::ROUNDING,
        color.well,
        Stroke::new(1.0, color.line),
        egui::StrokeKind::Inside,
    );
    let (less, others) = stepper.split_left_right_at_x(stepper.left() + STEP_WIDTH);
    let (others, more) = others.split_left_right_at_x(stepper.right() - STEP_WIDTH);
    // The number stays centred, with the reset button to its right.
    let value = others.shrink2(vec2(RESET_WIDTH, 0.0));
    let reset = Rect::from_min_max(value.right_top(), others.max);
    if step(ui, less, "Less extra latency", |ui, ink| sign(ui, less, ink, false)) {
        millis -= STEP_MILLIS;
    }
    if step(ui, more, "More extra latency", |ui, ink| sign(ui, more, ink, true)) {
        millis += STEP_MILLIS;
    }
    if latency != ExtraLatency::NONE
        && step(ui, reset, "Reset extra latency", |ui, ink| cross(ui, reset, ink))
    {
        millis = 0.0;
    }
    number(ui, value, &mut millis);
    let wanted = ExtraLatency::from_millis(millis);
    (wanted != latency).then_some(wanted)
}

/// The number.
fn number(ui: &mut Ui, rect: Rect, millis: &mut f64) {
    let color = theme::palette(ui);
    // A fixed id, so that a drag goes on when other widgets come and go.
    let place = rect.shrink2(vec2(1.0, 2.0));
    let mut child =
        ui.new_child(UiBuilder::new().scope_id(Id::unique("extra latency")).max_rect(place));
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
    style.visuals.widgets.hovered.weak_bg_fill = color.raised;
    style.visuals.widgets.active.weak_bg_fill = color.raised;
    let value = DragValue::new(millis)
        .range(-ExtraLatency::MAX_MILLIS..=ExtraLatency::MAX_MILLIS)
        .speed(FINE_MILLIS)
        .fixed_decimals(1)
        .custom_formatter(|millis, _| format(millis))
        .custom_parser(parse)
        .suffix(" ms")
        .update_while_editing(false)
        .min_size(place.size());
    child.put(place, value).on_hover_text(EXPLANATION).accessible_name("Extra latency");
}

/// A button, with what `paint` draws on it.
fn step(ui: &mut Ui, rect: Rect, name: &str, paint: impl FnOnce(&Ui, Color32)) -> bool {
    let color = theme::palette(ui);
    let response = widgets::pressable(ui, rect, Id::unique(name), name, false);
    if response.hovered() || response.has_focus() {
        widgets::surface(ui, &response, rect, color.raised_hover, color.line);
    }
    let held = response.is_pointer_button_down_on();
    paint(ui, if held { color.muted } else { color.text });
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
    let color = theme::palette(ui);
    let (center, arm) = (rect.center().round(), 4.5);
    let stroke = Stroke::new(2.0, theme::mix(ink, color.muted, 0.5));
    for way in [vec2(arm, arm), vec2(arm, -arm)] {
        ui.painter().line_segment([center - way, center + way], stroke);
    }
}

/// With its sign.
pub(super) fn format(millis: f64) -> String {
    if ExtraLatency::from_millis(millis) == ExtraLatency::NONE {
        return "0.0".to_owned();
    }
    format!("{millis:+.1}").replace('-', "−")
}

/// As people write numbers: also with a comma, and with the unit.
pub(super) fn parse(text: &str) -> Option<f64> {
    let number: String = text.trim().trim_end_matches("ms").split_whitespace().collect();
    let millis: f64 = number.replace(',', ".").replace('−', "-").parse().ok()?;
    millis.is_finite().then_some(millis)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "one parse of one text")]
mod tests {
    use super::*;

    #[test]
    fn it_is_parsed_as_people_write_it() {
        for (text, millis) in
            [("12.5", 12.5), ("12,5 ms", 12.5), ("+ 3", 3.0), ("−0.4ms", -0.4), ("-7", -7.0)]
        {
            assert_eq!(parse(text), Some(millis), "{text}");
        }
        for text in ["", "ms", "ten", "inf", "nan"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_formatted_can_be_parsed() {
        for millis in [-500.0, -0.1, 0.0, 0.1, 12.5, 500.0] {
            assert_eq!(parse(&format(millis)), Some(millis));
        }
        assert_eq!(format(-0.04), "0.0");
    }
}
