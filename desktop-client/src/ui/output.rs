//! The output: the device, its extra latency, the level, and the volume.

use egui::{Align2, Color32, Id, Rect, Ui, UiBuilder, Vec2, accesskit::Role, pos2, vec2};

use super::{
    extra_latency, format,
    memory::Memory,
    meter::{self, Needles},
    theme::{self, GRID, Palette, size},
    widgets::{self, Adjustable, Mapping},
};
use crate::{
    action::Action,
    settings::OutputChoice,
    state::{OutputState, State},
    time::LocalTime,
};

/// Shows the panel: the device, its extra latency, the level, the volume.
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
        widgets::heading(ui, "LEVEL", &peak(needles));
        meter::show(ui, needles, state.output_problem().is_some(), true);
        ui.add_space(GRID);
        widgets::heading(ui, "VOLUME", &format::decibels(state.volume));
        actions.extend(volume(ui, state, widgets::FADER));
    });
    actions
}

/// Shows, in `rect`, the level, the volume, and what is wrong with the output.
pub(super) fn show_level(
    ui: &mut Ui,
    rect: Rect,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let color = theme::palette(ui);
    let needles = &mut memory.needles;
    let moving = needles.advance(state.meter, now);
    meter::keep_moving(ui, moving);
    ui.painter().add(widgets::sheet(color, rect));
    let inside = rect.shrink(1.5 * GRID);
    let mut child = ui.new_child(UiBuilder::new().max_rect(inside).id_salt("level"));
    child.spacing_mut().item_spacing.y = 0.5 * GRID;
    let ui = &mut child;
    let row = widgets::strip(ui, 2.0 * GRID);
    let caption = widgets::caption(ui, row, Align2::LEFT_CENTER, "LEVEL");
    let beside = Rect::from_min_max(pos2(caption.rect.right() + GRID, row.top()), row.max);
    if let Some((text, ink)) = problem(color, state) {
        show_problem(ui, beside, text, ink);
    } else {
        let text = peak(needles);
        let runs = [(text.as_str(), theme::regular(size::SMALL), color.muted)];
        widgets::line(ui, beside, Align2::RIGHT_CENTER, &runs);
    }
    meter::show(ui, needles, state.output_problem().is_some(), false);
    ui.add_space(0.75 * GRID);
    widgets::heading(ui, "VOLUME", &format::decibels(state.volume));
    volume(ui, state, widgets::SMALL_FADER).into_iter().collect()
}

/// Shows the same in a window of one column: without captions, and a problem in place of the level.
pub(super) fn show_small_level(
    ui: &mut Ui,
    rect: Rect,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let color = theme::palette(ui);
    let moving = memory.needles.advance(state.meter, now);
    meter::keep_moving(ui, moving);
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).id_salt("level"));
    child.spacing_mut().item_spacing.y = GRID;
    let ui = &mut child;
    if let Some((text, ink)) = problem(color, state) {
        let row = widgets::strip(ui, 3.5 * GRID);
        show_problem(ui, row, text, ink);
    } else {
        meter::show(ui, &memory.needles, false, false);
    }
    volume(ui, state, widgets::SMALL_FADER).into_iter().collect()
}

/// What is wrong with the output, if anything is.
fn problem(color: &Palette, state: &State) -> Option<(String, Color32)> {
    match &state.output {
        OutputState::None { reason } => Some((unheard(reason), color.bad)),
        OutputState::Open { name, fallback_reason: Some(reason), .. } => {
            Some((format!("{name}: {reason}"), color.warn))
        }
        OutputState::Opening | OutputState::Open { .. } => None,
    }
}

fn show_problem(ui: &mut Ui, rect: Rect, text: String, ink: Color32) {
    let runs = [(text.as_str(), theme::regular(size::SMALL), ink)];
    let line = widgets::line(ui, rect, Align2::RIGHT_CENTER, &runs);
    widgets::announce(ui, &line);
    line.on_hover_text(text);
}

fn volume(ui: &mut Ui, state: &State, height: f32) -> Option<Action> {
    let number = Adjustable {
        name: "Volume",
        value: state.volume.into(),
        mapping: Mapping::Level,
        step: 0.05,
        reset: None,
    };
    let moved = widgets::fader(ui, Id::unique("volume"), &number, height);
    moved.value.map(|level| Action::SetVolume(level as f32))
}

fn peak(needles: &Needles) -> String {
    needles.held().map_or_else(String::new, |level| {
        if level > -0.05 { "0.0 dB".to_owned() } else { format!("{level:.1} dB") }
    })
}

fn unheard(reason: &str) -> String {
    format!("No output: {}. Sound starts when one appears.", reason.trim_end_matches('.'))
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
    let color = theme::palette(ui);
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
    let fill = if response.hovered() { color.raised_hover } else { color.raised };
    let border = if state.output_problem().is_some() { color.bad } else { color.line };
    widgets::surface(ui, &response, place, fill, border);

    let text =
        Rect::from_min_max(place.min + vec2(1.5 * GRID, 0.0), place.max - vec2(4.0 * GRID, 0.0));
    let note = match (&state.output, &state.output_choice) {
        (OutputState::Open { name, fallback_reason: Some(reason), .. }, _) => {
            Some((name, reason.as_str(), color.warn))
        }
        (OutputState::Open { name, .. }, OutputChoice::SystemDefault) => {
            Some((name, "System default", color.muted))
        }
        _ => None,
    };
    if let Some((name, note, ink)) = note {
        let (top, bottom) = text.shrink2(vec2(0.0, 4.0)).split_top_bottom_at_fraction(0.54);
        let runs = [(name.as_str(), theme::bold(size::BODY), color.text)];
        widgets::ink(ui, top, Align2::LEFT_CENTER, &runs);
        let note = [(note, theme::regular(size::SMALL), ink)];
        widgets::ink(ui, bottom, Align2::LEFT_CENTER, &note);
    } else {
        let runs = [(chosen, theme::bold(size::BODY), color.text)];
        widgets::ink(ui, text, Align2::LEFT_CENTER, &runs);
    }
    let response = match &state.output {
        OutputState::Open { name, fallback_reason: Some(reason), .. } => {
            response.on_hover_text(format!("{name}: {reason}"))
        }
        OutputState::Open { name, .. } => response.on_hover_text(name),
        OutputState::Opening | OutputState::None { .. } => response,
    };
    widgets::chevron(ui, pos2(place.right() - 2.5 * GRID, place.center().y));

    let is_fallback = matches!(state.output, OutputState::Open { fallback_reason: Some(_), .. });
    let devices = state.outputs.iter().map(|output| OutputChoice::Device(output.id.clone()));
    let choices: Vec<_> = std::iter::once(OutputChoice::SystemDefault).chain(devices).collect();
    let names: Vec<_> = choices.iter().map(|choice| name_of(state, choice)).collect();
    let current = choices.iter().position(|choice| *choice == state.output_choice);
    let index = widgets::menu(&response, "Outputs", &names, current)?;
    let is_change = Some(index) != current || is_fallback;
    is_change.then(|| Action::SetOutput(choices[index].clone()))
}

fn explain(ui: &mut Ui, reason: &str) {
    let color = theme::palette(ui);
    let text = unheard(reason);
    let font = theme::regular(size::SMALL);
    let width = ui.available_width();
    let galley = ui.painter().layout(text.clone(), font, color.bad, width);
    let rect = widgets::strip(ui, galley.size().y);
    ui.painter().galley(rect.min, galley, color.bad);
    let label =
        widgets::label(ui, Rect::from_min_size(rect.min, Vec2::new(width, rect.height())), &text);
    widgets::announce(ui, &label);
}
