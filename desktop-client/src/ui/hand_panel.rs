//! The strip that shows and sets how sounds are played by hand.

use downbeat_protocol::{DEFAULT_FREQUENCY, Shape};
use egui::{
    Align2, Id, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role, pos2, vec2,
};

use super::{
    command::Command,
    hand::{self, Hand},
    pads,
    theme::{self, GRID, Palette, size},
    widgets::{
        self, Adjustable, Mapping,
        knob::{self, Knob},
    },
};
use crate::state::State;

/// Its height in one column.
pub(super) const HEIGHT: f32 = 3.0 * GRID + 2.0 * GRID + knob::HEIGHT;

const PADDING: f32 = 1.5 * GRID;
const KNOBS: usize = 6;
const SHAPES_WIDTH: f32 = 10.0 * GRID;

const SHAPES: [Shape; 4] = [Shape::Sine, Shape::Triangle, Shape::Saw, Shape::Square];

/// Shows the strip in `rect`.
pub(super) fn show(ui: &mut Ui, rect: Rect, state: &State, hand: &mut Hand) {
    let color = theme::palette(ui);
    ui.painter().add(widgets::sheet(color, rect));
    let inside = rect.shrink(PADDING);
    let width = knob::width(inside.width() - SHAPES_WIDTH - 3.0 * GRID, KNOBS);
    let row = pos2(inside.left(), inside.top() + 2.5 * GRID);
    let left = knob::group(row, width, 4);
    let tone = knob::group(left.right_top() + vec2(2.0 * GRID, 0.0), width, 2);
    let shapes =
        Rect::from_min_size(tone.right_top() + vec2(GRID, 0.0), vec2(SHAPES_WIDTH, knob::HEIGHT));

    let caption = Rect::from_min_size(inside.min, vec2(left.width(), 2.0 * GRID));
    widgets::caption(ui, caption, Align2::LEFT_CENTER, "PLAY BY HAND");
    if *hand != Hand::default() {
        let reset = Rect::from_min_max(pos2(caption.right() - 6.5 * GRID, caption.top() - 4.0), {
            pos2(caption.right(), caption.bottom() + 4.0)
        });
        if small_button(ui, reset, "Reset", Command::ResetHand) {
            *hand = Hand::default();
        }
    }
    let caption = Rect::from_min_size(pos2(tone.left(), inside.top()), vec2(200.0, 2.0 * GRID));
    widgets::caption(ui, caption, Align2::LEFT_CENTER, "TONE");
    let x = tone.left() - GRID;
    let line = Stroke::new(1.0, color.line);
    ui.painter().vline(x, inside.top()..=inside.bottom(), line);

    row_of(ui, left, |ui| show_sound(ui, width, hand));
    row_of(ui, tone, |ui| show_tone(ui, width, state, hand));
    show_shapes(ui, color, shapes, hand);
}

fn row_of(ui: &mut Ui, rect: Rect, contents: impl FnOnce(&mut Ui)) {
    let layout = egui::Layout::left_to_right(egui::Align::Min);
    let builder = egui::UiBuilder::new().max_rect(rect).layout(layout);
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        contents(ui);
    });
}

/// A number of the hand that is as usual at `usual`.
fn number(name: &str, value: f64, mapping: Mapping, step: f64, usual: f64) -> Adjustable<'_> {
    Adjustable { name, value, mapping, step, reset: Some(usual) }
}

fn turn(ui: &mut Ui, width: f32, caption: &str, text: &str, number: Adjustable<'_>) -> Option<f64> {
    let origin = match number.mapping {
        Mapping::Linear { min, .. } if min < 0.0 => 0.0,
        mapping => mapping.value(0.0),
    };
    let id = Id::unique(("hand", number.name));
    knob::knob(ui, id, width, &Knob { number, caption, text, origin })
}

fn show_sound(ui: &mut Ui, width: f32, hand: &mut Hand) {
    let linear = |min, max| Mapping::Linear { min, max };
    let gain = number("Gain", hand.gain_db, linear(-24.0, 12.0), 1.0 / 36.0, 0.0);
    if let Some(gain) = turn(ui, width, "Gain", &hand::decibels(hand.gain_db), gain) {
        hand.gain_db = gain;
    }
    let pitch = number("Pitch", hand.semitones, linear(-24.0, 24.0), 1.0 / 48.0, 0.0);
    let text = signed(hand.semitones, "st");
    if let Some(semitones) = turn(ui, width, "Pitch", &text, pitch) {
        hand.semitones = semitones;
    }
    let fine = number("Fine pitch", hand.cents, linear(-100.0, 100.0), 1.0 / 200.0, 0.0);
    let text = signed(hand.cents, "ct");
    if let Some(cents) = turn(ui, width, "Fine", &text, fine) {
        hand.cents = cents;
    }
    let pan = number("Pan", hand.pan, linear(-1.0, 1.0), 1.0 / 40.0, 0.0);
    if let Some(pan) = turn(ui, width, "Pan", &hand::pan(hand.pan), pan) {
        hand.pan = pan;
    }
}

/// A whole number with its sign.
fn signed(value: f64, unit: &str) -> String {
    match value.round() as i64 {
        0 => format!("0 {unit}"),
        number => format!("{number:+} {unit}").replace('-', "−"),
    }
}

fn show_tone(ui: &mut Ui, width: f32, state: &State, hand: &mut Hand) {
    let usual = f64::from(DEFAULT_FREQUENCY);
    let mapping = Mapping::Logarithmic { min: 20.0, max: 20_000.0 };
    // A semitone.
    let step = 1.0 / (12.0 * 1000.0_f64.log2());
    let frequency = hand.frequency.unwrap_or(usual);
    let text = if hand.frequency.is_none() && pads::is_frequency_bound(state) {
        "bound".to_owned()
    } else {
        hand::hertz(frequency)
    };
    let pitch = number("Frequency", frequency, mapping, step, usual);
    if let Some(hertz) = turn(ui, width, "Freq", &text, pitch) {
        // The usual one is that of the bound variables, if there are any.
        hand.frequency = ((hertz - usual).abs() > 1e-6).then_some(hertz);
    }
    let mapping = Mapping::Logarithmic { min: 10.0, max: 10_000.0 };
    let length = number("Length", hand.duration_ms, mapping, 0.02, 500.0);
    if let Some(length) = turn(ui, width, "Length", &hand::duration(hand.duration_ms), length) {
        hand.duration_ms = length;
    }
}

fn show_shapes(ui: &mut Ui, color: &Palette, rect: Rect, hand: &mut Hand) {
    let caption = Rect::from_min_size(rect.min, vec2(rect.width(), 2.0 * GRID));
    let runs = [("Shape", theme::bold(size::CAPTION), color.muted)];
    widgets::ink(ui, caption, Align2::CENTER_CENTER, &runs);
    let area = Rect::from_min_max(pos2(rect.left(), caption.bottom() + 4.0), rect.max);
    let size = (area.size() - vec2(4.0, 4.0)) / 2.0;
    for (index, shape) in SHAPES.into_iter().enumerate() {
        let place = vec2((index % 2) as f32, (index / 2) as f32);
        let cell = Rect::from_min_size(area.min + place * (size + vec2(4.0, 4.0)), size);
        let is_chosen = hand.shape == shape;
        let name = hand::shape(shape);
        let response = ui.interact(cell, Id::unique(("shape", name)), Sense::click());
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, is_chosen, name));
        let (fill, edge, ink) = match (is_chosen, response.hovered()) {
            (true, _) => (color.chosen, color.accent, color.accent),
            (false, true) => (color.raised_hover, color.line, color.text),
            (false, false) => (color.raised, color.raised, color.muted),
        };
        ui.painter().rect(cell, 5.0, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
        if response.has_focus() {
            let ring = Stroke::new(2.0, color.text);
            ui.painter().rect_stroke(cell, 5.0, ring, StrokeKind::Inside);
        }
        let wave = Rect::from_center_size(cell.center(), vec2(20.0, 12.0));
        ui.painter().line(pads::wave_points(wave, shape, 1.0), Stroke::new(2.0, ink));
        let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
        if response.on_hover_text(name).clicked() {
            hand.shape = shape;
        }
    }
}

/// Says, at the top of `area`, what is not as usual, with a button to change that.
pub(super) fn show_summary(ui: &mut Ui, area: Rect, hand: &mut Hand) {
    let text = hand.summary();
    if text.is_empty() {
        return;
    }
    let color = theme::palette(ui);
    let row = Rect::from_min_size(area.min, vec2(area.width(), 3.0 * GRID));
    let (reset, text_place) = row.split_left_right_at_x(row.left() + 6.5 * GRID);
    if small_button(ui, reset, "Reset", Command::ResetHand) {
        *hand = Hand::default();
    }
    let place = Rect::from_min_max(text_place.min + vec2(GRID, 0.0), text_place.max);
    let runs = [(text.as_str(), theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, place, Align2::LEFT_CENTER, &runs);
}

/// A button of a command among captions.
fn small_button(ui: &mut Ui, rect: Rect, text: &str, command: Command) -> bool {
    let color = theme::palette(ui);
    let response = widgets::pressable(ui, rect, Id::unique(command.text()), command.text(), false);
    let fill = if response.hovered() { color.raised_hover } else { color.raised };
    widgets::surface(ui, &response, rect, fill, color.line);
    let runs = [(text, theme::bold(size::CAPTION), color.text)];
    widgets::ink(ui, rect, Align2::CENTER_CENTER, &runs);
    let hover = command.hover(ui);
    response.on_hover_text(hover).clicked()
}
