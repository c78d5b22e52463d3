//! The output panel: the device, its extra latency, the level, and the volume.

use egui::{Align2, Id, Popup, Rect, Stroke, Ui, Vec2, accesskit::Role, pos2, vec2};

use super::{
    extra_latency, fader, format,
    meter::{self, Needles},
    theme::{self, GRID, color, size},
    widgets,
};
use crate::{
    action::Action,
    settings::OutputChoice,
    state::{OutputState, State},
    time::LocalTime,
};

/// Shows the panel.
pub(super) fn show(
    ui: &mut Ui,
    state: &State,
    now: LocalTime,
    needles: &mut Needles,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let moving = needles.advance(state.meter, now);
    meter::keep_moving(ui, moving);
    let latency = match &state.output {
        OutputState::Open { latency_micros: Some(micros), .. } => {
            format!("{} latency", format::micros(u64::from(*micros)))
        }
        _ => String::new(),
    };
    widgets::panel(ui, "OUTPUT", &latency, |ui| {
        ui.spacing_mut().item_spacing.y = GRID;
        actions.extend(choose(ui, state));
        if let Some(reason) = state.output_problem() {
            explain(ui, reason);
        } else {
            ui.add_space(GRID);
            actions.extend(extra_latency::show(ui, &state.output).map(Action::SetExtraLatency));
        }
        ui.add_space(GRID);
        let peak = needles.held().map_or_else(String::new, |level| {
            if level > -0.05 { "0.0 dB".to_owned() } else { format!("{level:.1} dB") }
        });
        widgets::heading(ui, "LEVEL", &peak);
        meter::show(ui, needles, state.output_problem().is_some());
        ui.add_space(GRID);
        actions.extend(fader::show(ui, state.volume).map(Action::SetVolume));
    });
    actions
}

/// The name of a choice.
fn name_of<'a>(state: &'a State, choice: &'a OutputChoice) -> &'a str {
    match choice {
        OutputChoice::SystemDefault => "System default",
        OutputChoice::Device(id) => {
            let known = state.outputs.iter().find(|output| output.id == *id);
            known.map_or(id, |output| &output.name)
        }
    }
}

fn choose(ui: &mut Ui, state: &State) -> Option<Action> {
    let place = widgets::strip(ui, theme::CONTROL);
    let response = ui.interact(place, Id::unique("output"), egui::Sense::click());
    let chosen = name_of(state, &state.output_choice);
    response.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(Role::ComboBox, true, "Output");
        info.current_text_value = Some(match &state.output {
            OutputState::Open { name, fallback_reason: Some(reason), .. } => {
                format!("{name}: {reason}")
            }
            _ => chosen.to_owned(),
        });
        info
    });
    let fill = if response.hovered() { color::RAISED_HOVER } else { color::RAISED };
    let border = if state.output_problem().is_some() { color::BAD } else { color::LINE };
    widgets::surface(ui, &response, place, fill, border);

    let text =
        Rect::from_min_max(place.min + vec2(1.5 * GRID, 0.0), place.max - vec2(4.0 * GRID, 0.0));
    let note = match (&state.output, &state.output_choice) {
        (OutputState::Open { name, fallback_reason: Some(reason), .. }, _) => {
            Some((name, reason.as_str(), color::WARN))
        }
        (OutputState::Open { name, .. }, OutputChoice::SystemDefault) => {
            Some((name, "System default", color::MUTED))
        }
        _ => None,
    };
    if let Some((name, note, ink)) = note {
        let (top, bottom) = text.shrink2(vec2(0.0, 4.0)).split_top_bottom_at_fraction(0.54);
        let runs = [(name.as_str(), theme::bold(size::BODY), color::TEXT)];
        widgets::ink(ui, top, Align2::LEFT_CENTER, &runs);
        let note = [(note, theme::regular(size::SMALL), ink)];
        widgets::ink(ui, bottom, Align2::LEFT_CENTER, &note);
    } else {
        let runs = [(chosen, theme::bold(size::BODY), color::TEXT)];
        widgets::ink(ui, text, Align2::LEFT_CENTER, &runs);
    }
    let response = match &state.output {
        OutputState::Open { name, fallback_reason: Some(reason), .. } => {
            response.on_hover_text(format!("{name}: {reason}"))
        }
        OutputState::Open { name, .. } => response.on_hover_text(name),
        OutputState::Opening | OutputState::None { .. } => response,
    };
    chevron(ui, pos2(place.right() - 2.5 * GRID, place.center().y));

    let is_fallback = matches!(state.output, OutputState::Open { fallback_reason: Some(_), .. });
    let mut action = None;
    let width = place.width();
    Popup::menu(&response).accessible_name("Outputs").width(width).gap(4.0).show(|ui| {
        ui.set_width(width - 2.0 * GRID);
        ui.spacing_mut().item_spacing.y = 0.0;
        let devices = state.outputs.iter().map(|output| OutputChoice::Device(output.id.clone()));
        for choice in std::iter::once(OutputChoice::SystemDefault).chain(devices) {
            let current = choice == state.output_choice;
            if option(ui, name_of(state, &choice), current) && (!current || is_fallback) {
                action = Some(Action::SetOutput(choice));
            }
        }
    });
    action
}

fn option(ui: &mut Ui, name: &str, current: bool) -> bool {
    let rect = widgets::strip(ui, theme::SMALL_CONTROL);
    let id = ui.next_auto_id();
    ui.skip_ahead_auto_ids(1);
    let response = widgets::pressable(ui, rect, id, name, current);
    if response.hovered() || response.has_focus() {
        widgets::surface(ui, &response, rect, color::RAISED_HOVER, color::RAISED_HOVER);
    }
    if current {
        ui.painter().circle_filled(
            pos2(rect.left() + 1.5 * GRID, rect.center().y),
            4.0,
            color::ACCENT,
        );
    }
    let text = Rect::from_min_max(rect.min + vec2(3.0 * GRID, 0.0), rect.max - vec2(GRID, 0.0));
    let font = if current { theme::bold(size::BODY) } else { theme::regular(size::BODY) };
    widgets::ink(ui, text, Align2::LEFT_CENTER, &[(name, font, color::TEXT)]);
    response.clicked()
}

fn chevron(ui: &Ui, center: egui::Pos2) {
    let points = vec![center + vec2(-5.0, -2.5), center + vec2(0.0, 2.5), center + vec2(5.0, -2.5)];
    ui.painter().line(points, Stroke::new(2.0, color::MUTED));
}

fn explain(ui: &mut Ui, reason: &str) {
    let text =
        format!("No output: {}. Sound starts when one appears.", reason.trim_end_matches('.'));
    let font = theme::regular(size::SMALL);
    let width = ui.available_width();
    let galley = ui.painter().layout(text.clone(), font, color::BAD, width);
    let rect = widgets::strip(ui, galley.size().y);
    ui.painter().galley(rect.min, galley, color::BAD);
    let label =
        widgets::label(ui, Rect::from_min_size(rect.min, Vec2::new(width, rect.height())), &text);
    widgets::announce(ui, &label);
}
