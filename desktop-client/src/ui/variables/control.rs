//! The control of one variable, by its type.

use downbeat_protocol::{Parameter, Scale, Variable, VariableKind};
use egui::{
    Align2, Color32, FontId, Id, Key, Modifiers, Rect, TextEdit, Ui, UiBuilder, pos2, vec2,
};
use serde_json::Value;

use super::is_float;
use crate::ui::{
    theme::{self, GRID, size},
    widgets::{self, Adjustable, Drafts, Field, Look, Mapping},
};

const LABEL: f32 = 2.5 * GRID;
/// Between a label and what is below it.
const BELOW: f32 = 4.0;
const LINE: f32 = 4.5 * GRID;
const EDITOR: f32 = 9.0 * GRID;
/// Most choices that stand side by side.
const SEGMENTS: usize = 4;

/// The control of a variable.
pub(super) struct Control<'a> {
    pub(super) id: Id,
    pub(super) label: &'a str,
    pub(super) variable: &'a Variable,
}

/// What became of a control in this frame.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The value that was set by hand.
    pub(super) value: Option<Value>,
    /// Whether the hand is on it.
    pub(super) is_held: bool,
}

impl Outcome {
    fn of(value: Option<Value>) -> Self {
        Self { value, is_held: false }
    }
}

/// The height of a variable's control.
pub(super) fn height(variable: &Variable) -> f32 {
    match &variable.kind {
        VariableKind::Float { .. } | VariableKind::Int { .. } if variable.event => {
            LABEL + BELOW + LINE
        }
        VariableKind::Float { .. } => LABEL + BELOW + widgets::SMALL_FADER,
        VariableKind::Bool { .. } | VariableKind::Color { .. } | VariableKind::Int { .. } => LINE,
        VariableKind::Enum { .. } | VariableKind::Text { .. } => LABEL + BELOW + LINE,
        VariableKind::Any { .. } => LABEL + BELOW + EDITOR + LINE,
    }
}

impl Control<'_> {
    /// Shows the control with the value `shown`.
    pub(super) fn show(&self, ui: &mut Ui, shown: &Value, drafts: &mut Drafts) -> Outcome {
        ui.spacing_mut().item_spacing.y = 0.0;
        match &self.variable.kind {
            VariableKind::Float { .. } if !self.variable.event => self.fader(ui, shown),
            VariableKind::Int { min, max, unit, .. } if !self.variable.event => {
                let value = shown.as_i64().unwrap_or(*min);
                Outcome::of(self.stepper(ui, value, (*min, *max), unit.as_deref()))
            }
            VariableKind::Float { unit, .. } | VariableKind::Int { unit, .. } => {
                self.number_to_send(ui, unit.as_deref(), drafts)
            }
            VariableKind::Bool { .. } => Outcome::of(self.switch(ui, shown)),
            VariableKind::Enum { choices, .. } => Outcome::of(self.choice(ui, choices, shown)),
            VariableKind::Text { .. } => Outcome::of(self.text(ui, shown, drafts)),
            VariableKind::Color { .. } => self.color(ui, shown),
            VariableKind::Any { .. } => Outcome::of(self.json(ui, shown, drafts)),
        }
    }

    /// The label, with a value at its right.
    fn heading(&self, ui: &mut Ui, rect: Rect, value: &str) {
        let color = theme::palette(ui);
        let font = theme::regular(size::SMALL);
        let mut left = rect;
        if !value.is_empty() {
            let runs = [(value, theme::bold(size::SMALL), color.text)];
            let place = widgets::ink(ui, rect, Align2::RIGHT_CENTER, &runs);
            left.max.x = place.left() - GRID;
        }
        let runs = [(self.label, font, color.muted)];
        let place = widgets::ink(ui, left, Align2::LEFT_CENTER, &runs);
        let id = self.id.with("label");
        let response = ui.interact(place, id, egui::Sense::hover());
        response.on_hover_text(self.explanation());
    }

    /// What the label does not say.
    fn explanation(&self) -> String {
        let variable = self.variable;
        let mut lines = vec![variable.name.clone()];
        for bind in &variable.bind {
            let of = |what: &str| match &bind.sound {
                Some(sound) => format!("Drives the {what} of {sound}"),
                None => format!("Drives the {what} of all sounds"),
            };
            lines.push(match bind.parameter {
                Parameter::GainDb => of("gain"),
                Parameter::Semitones => of("pitch"),
                Parameter::Pan => of("pan"),
                Parameter::VolumeDb => "Drives the volume".to_owned(),
                Parameter::Frequency => "Drives the frequency of tones".to_owned(),
            });
        }
        lines.join("\n")
    }

    fn fader(&self, ui: &mut Ui, shown: &Value) -> Outcome {
        let VariableKind::Float { min, max, default, step, unit, scale } = &self.variable.kind
        else {
            return Outcome::default();
        };
        let value = shown.as_f64().unwrap_or(*default);
        let unit = unit.as_deref();
        let row = widgets::strip(ui, LABEL);
        ui.add_space(BELOW);
        self.heading(ui, row, &number(value, *step, unit));
        let mapping = match scale {
            Scale::Logarithmic if *min > 0.0 => Mapping::Logarithmic { min: *min, max: *max },
            _ => Mapping::Linear { min: *min, max: *max },
        };
        let step = step.map_or(0.02, |step| (step / (max - min)).clamp(0.002, 1.0));
        let reset = Some(*default);
        let number = Adjustable { name: self.label, value, mapping, step, reset };
        let moved = widgets::fader(ui, self.id, &number, widgets::SMALL_FADER);
        Outcome { value: moved.value.map(Value::from), is_held: moved.is_held }
    }

    /// The number of an event: a field, and a button that sends it.
    fn number_to_send(&self, ui: &mut Ui, unit: Option<&str>, drafts: &mut Drafts) -> Outcome {
        let row = widgets::strip(ui, LABEL);
        ui.add_space(BELOW);
        self.heading(ui, row, unit.unwrap_or_default());
        let typed = self.field_and_send(ui, drafts);
        let value = typed.and_then(|text| text.trim().replace(',', ".").parse::<f64>().ok());
        let value = value.filter(|number| number.is_finite());
        Outcome::of(value.map(|number| {
            if is_float(self.variable) { Value::from(number) } else { Value::from(number as i64) }
        }))
    }

    fn field_and_send(&self, ui: &mut Ui, drafts: &mut Drafts) -> Option<String> {
        let row = widgets::strip(ui, LINE);
        let (place, send) = row.split_left_right_at_x(row.right() - 9.0 * GRID);
        let mut text = drafts.get(&self.id).cloned().unwrap_or_default();
        let edit = TextEdit::singleline(&mut text)
            .id(self.id)
            .font(theme::regular(size::SMALL))
            .margin(egui::Margin::symmetric(8, 4))
            .align(Align2::LEFT_CENTER)
            .desired_width(f32::INFINITY)
            .min_size(vec2(0.0, place.height()));
        let response = ui.place(place, edit).accessible_name(self.label);
        if response.changed() {
            drafts.insert(self.id, text.clone());
        }
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let send = Rect::from_min_max(send.min + vec2(GRID, 0.0), send.max);
        let is_sent = widgets::button(ui, send, "Send", Look::Raised).clicked();
        (entered || is_sent).then_some(text)
    }

    fn stepper(
        &self,
        ui: &mut Ui,
        value: i64,
        (min, max): (i64, i64),
        unit: Option<&str>,
    ) -> Option<Value> {
        let row = widgets::strip(ui, LINE);
        let stepper = Rect::from_min_max(pos2(row.right() - 17.0 * GRID, row.top()), row.max);
        let left = Rect::from_min_max(row.min, pos2(stepper.left() - GRID, row.bottom()));
        self.heading(ui, left, "");
        let mut wanted = value;
        let (less, rest) = stepper.split_left_right_at_x(stepper.left() + LINE);
        let (middle, more) = rest.split_left_right_at_x(stepper.right() - LINE);
        let names = [format!("Less {}", self.label), format!("More {}", self.label)];
        for (rect, sign, name) in [(less, "−", &names[0]), (more, "+", &names[1])] {
            if self.step_button(ui, rect, sign, name) {
                let step = if sign == "+" { 1 } else { -1 };
                wanted = wanted.saturating_add(step).clamp(min, max);
            }
        }
        let mut drag = egui::DragValue::new(&mut wanted).range(min..=max).speed(0.1);
        if let Some(unit) = unit {
            drag = drag.suffix(format!(" {unit}"));
        }
        let builder = UiBuilder::new().scope_id(self.id.with("number")).max_rect(middle);
        let mut child = ui.new_child(builder);
        child.spacing_mut().interact_size = middle.size();
        child.spacing_mut().button_padding = vec2(2.0, 0.0);
        let drag = drag.update_while_editing(false).min_size(middle.size());
        child.place(middle, drag).accessible_name(self.label);
        (wanted != value).then(|| Value::from(wanted))
    }

    fn step_button(&self, ui: &mut Ui, rect: Rect, sign: &str, name: &str) -> bool {
        let color = theme::palette(ui);
        let response = widgets::pressable(ui, rect.shrink(1.0), self.id.with(sign), name, false);
        let fill = if response.hovered() { color.raised_hover } else { color.raised };
        widgets::surface(ui, &response, rect.shrink(1.0), fill, color.line);
        let runs = [(sign, theme::bold(size::BODY), color.text)];
        widgets::ink(ui, rect, Align2::CENTER_CENTER, &runs);
        response.clicked()
    }

    fn switch(&self, ui: &mut Ui, shown: &Value) -> Option<Value> {
        let row = widgets::strip(ui, LINE);
        if self.variable.event {
            let left = Rect::from_min_max(row.min, pos2(row.right() - 12.0 * GRID, row.bottom()));
            self.heading(ui, left, "");
            let place = Rect::from_min_max(pos2(left.right() + GRID, row.top()), row.max);
            return self
                .trigger(ui, place, "Send", self.label, !shown.is_null())
                .then_some(Value::Bool(true));
        }
        let left = Rect::from_min_max(row.min, pos2(row.right() - 7.0 * GRID, row.bottom()));
        self.heading(ui, left, "");
        let is_on = shown.as_bool().unwrap_or_default();
        widgets::switch(ui, row, self.id, self.label, is_on).then_some(Value::Bool(!is_on))
    }

    /// A button that is lit while its event is heard.
    fn trigger(&self, ui: &mut Ui, rect: Rect, text: &str, name: &str, is_lit: bool) -> bool {
        let color = theme::palette(ui);
        let response = widgets::pressable(ui, rect, self.id.with(text), name, is_lit);
        let fill = match (is_lit, response.hovered()) {
            (true, _) => color.accent,
            (false, true) => color.raised_hover,
            (false, false) => color.raised,
        };
        widgets::surface(ui, &response, rect, fill, color.line);
        let ink = if is_lit { color.on_accent } else { color.text };
        let runs = [(text, theme::bold(size::SMALL), ink)];
        widgets::ink(ui, rect.shrink(4.0), Align2::CENTER_CENTER, &runs);
        response.clicked()
    }

    fn choice(&self, ui: &mut Ui, choices: &[String], shown: &Value) -> Option<Value> {
        let row = widgets::strip(ui, LABEL);
        ui.add_space(BELOW);
        self.heading(ui, row, "");
        let row = widgets::strip(ui, LINE);
        let texts: Vec<&str> = choices.iter().map(String::as_str).collect();
        let chosen = shown.as_str().and_then(|shown| texts.iter().position(|text| *text == shown));
        if self.variable.event && texts.len() <= SEGMENTS {
            return self.triggers(ui, row, &texts, chosen);
        }
        let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0) as f32;
        let fits = texts.len() <= SEGMENTS
            && longest * 8.5 + 12.0 <= row.width() / texts.len().max(1) as f32;
        let index = if fits {
            widgets::segments(ui, row, self.id, &texts, chosen)
        } else {
            let text = chosen.map_or("Choose", |index| texts[index]);
            let response = widgets::opener(ui, row, self.id, self.label, text);
            let pressed = widgets::menu(&response, self.label, &texts, chosen);
            pressed.filter(|index| self.variable.event || Some(*index) != chosen)
        };
        index.map(|index| Value::from(texts[index]))
    }

    /// A button for each value of an event.
    fn triggers(
        &self,
        ui: &mut Ui,
        row: Rect,
        texts: &[&str],
        lit: Option<usize>,
    ) -> Option<Value> {
        let width = (row.width() + 4.0) / texts.len().max(1) as f32;
        let mut pressed = None;
        for (index, text) in texts.iter().enumerate() {
            let min = pos2(row.left() + index as f32 * width, row.top());
            let rect = Rect::from_min_size(min, vec2(width - 4.0, row.height()));
            let name = format!("{} {text}", self.label);
            if self.trigger(ui, rect, text, &name, lit == Some(index)) {
                pressed = Some(Value::from(*text));
            }
        }
        pressed
    }

    fn text(&self, ui: &mut Ui, shown: &Value, drafts: &mut Drafts) -> Option<Value> {
        let row = widgets::strip(ui, LABEL);
        ui.add_space(BELOW);
        self.heading(ui, row, "");
        if self.variable.event {
            return self.field_and_send(ui, drafts).map(Value::from);
        }
        let row = widgets::strip(ui, LINE);
        let kept = shown.as_str().unwrap_or_default();
        let field = Field { name: self.label, kept, hint: "", is_centered: false };
        widgets::field(ui, row, self.id, drafts, &field).map(Value::from)
    }

    fn color(&self, ui: &mut Ui, shown: &Value) -> Outcome {
        let row = widgets::strip(ui, LINE);
        let button = Rect::from_min_max(pos2(row.right() - 7.0 * GRID, row.top()), row.max);
        let text = shown.as_str().unwrap_or("#000000");
        let left = Rect::from_min_max(row.min, pos2(button.left() - GRID, row.bottom()));
        self.heading(ui, left, text);
        let before = hex(text).unwrap_or(Color32::BLACK);
        let mut rgb = [before.r(), before.g(), before.b()];
        let builder = UiBuilder::new().scope_id(self.id.with("color")).max_rect(button);
        let mut child = ui.new_child(builder);
        child.spacing_mut().interact_size = button.size();
        let response = child.color_edit_button_srgb(&mut rgb).accessible_name(self.label);
        let [red, green, blue] = rgb;
        let changed = rgb != [before.r(), before.g(), before.b()];
        let value = changed.then(|| Value::from(format!("#{red:02x}{green:02x}{blue:02x}")));
        let is_held = value.is_some() || (response.changed() && !changed);
        Outcome { value, is_held }
    }

    fn json(&self, ui: &mut Ui, shown: &Value, drafts: &mut Drafts) -> Option<Value> {
        let row = widgets::strip(ui, LABEL);
        ui.add_space(BELOW);
        self.heading(ui, row, "JSON");
        let kept = if shown.is_null() { String::new() } else { shown.to_string() };
        let mut text = drafts.get(&self.id).cloned().unwrap_or(kept);
        let place = widgets::strip(ui, EDITOR);
        let edit = TextEdit::multiline(&mut text)
            .id(self.id)
            .font(FontId::monospace(size::CAPTION))
            .margin(egui::Margin::symmetric(8, 6))
            .desired_rows(3)
            .desired_width(f32::INFINITY)
            .min_size(place.size());
        let mut child = ui.new_child(UiBuilder::new().max_rect(place));
        child.shrink_clip_rect(place);
        let response = child.add_sized(place.size(), edit).accessible_name(self.label);
        let parsed: Result<Value, _> = serde_json::from_str(text.trim());
        if response.changed() {
            drafts.insert(self.id, text);
        }
        let row = widgets::strip(ui, LINE);
        let row = Rect::from_min_max(row.min + vec2(0.0, 4.0), row.max);
        let is_edited = drafts.contains_key(&self.id);
        let (note, send) = row.split_left_right_at_x(row.right() - 9.0 * GRID);
        if let Err(error) = &parsed
            && is_edited
        {
            let color = theme::palette(ui);
            let error = error.to_string();
            let runs = [(error.as_str(), theme::regular(size::SMALL), color.bad)];
            let line = widgets::line(ui, note, Align2::LEFT_CENTER, &runs);
            widgets::announce(ui, &line);
            line.on_hover_text(error);
        }
        let enter = response.has_focus()
            && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        let button = widgets::button(ui, send, "Send", Look::Raised);
        let is_sent = button.on_hover_text("Send this value (Ctrl+Enter)").clicked() || enter;
        if !is_sent || !is_edited && !self.variable.event {
            return None;
        }
        let value = parsed.ok()?;
        drafts.remove(&self.id);
        Some(value)
    }
}

/// A number with its unit, in as many digits as its step needs.
fn number(value: f64, step: Option<f64>, unit: Option<&str>) -> String {
    let digits = match step {
        Some(step) if step >= 1.0 => 0,
        Some(step) if step > 0.0 => (-step.log10()).ceil().clamp(0.0, 6.0) as usize,
        _ => match value.abs() {
            ..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        },
    };
    let text = format!("{value:.digits$}").replace('-', "−");
    unit.map_or_else(|| text.clone(), |unit| format!("{text} {unit}"))
}

/// A colour from `#rrggbb`.
fn hex(text: &str) -> Option<Color32> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let value = u32::from_str_radix(digits, 16).ok()?;
    Some(Color32::from_rgb((value >> 16) as u8, (value >> 8) as u8, value as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_of_their_step() {
        assert_eq!(number(440.0, None, Some("Hz")), "440 Hz");
        assert_eq!(number(-6.0, Some(0.5), Some("dB")), "−6.0 dB");
        assert_eq!(number(0.25, Some(0.01), None), "0.25");
        assert_eq!(number(0.125, None, None), "0.12");
        assert_eq!(number(3.0, Some(1.0), None), "3");
    }

    #[test]
    fn colours_are_six_hexadecimal_digits() {
        assert_eq!(hex("#ff8000"), Some(Color32::from_rgb(255, 128, 0)));
        for text in ["", "ff8000", "#ff80", "#gg0000"] {
            assert_eq!(hex(text), None, "{text}");
        }
    }
}
