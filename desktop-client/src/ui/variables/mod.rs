//! The variables of the room: a fitting control for each, made by itself, grouped as they are declared.

mod control;

use downbeat_protocol::{
    Scope, SetRequest, TargetRequest, Variable, VariableKind, VariableState, When,
};
use egui::{Align2, Id, Rect, Ui, UiBuilder, pos2, vec2};
use serde_json::Value;

use self::control::Control;
use super::{
    memory::Memory,
    theme::{self, GRID, size},
    widgets,
};
use crate::{action::Action, state::State, time::LocalTime};

const HEADING: f32 = 4.0 * GRID;
const GAP: f32 = 1.25 * GRID;
/// The row that says whether one machine or all are set.
const SCOPE: f32 = 4.25 * GRID;

/// One row of the panel.
enum Row<'a> {
    Group(&'a str),
    Variable(&'a VariableState),
}

impl Row<'_> {
    fn height(&self) -> f32 {
        match self {
            Self::Group(_) => HEADING,
            Self::Variable(state) => {
                let scope = if state.variable.scope == Scope::Machine { SCOPE } else { 0.0 };
                control::height(&state.variable) + scope + GAP
            }
        }
    }
}

/// Sends the values that were moved and not sent yet. To be called in every frame, whatever is shown.
pub(super) fn send_moved(
    ui: &Ui,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    if !ui.input(|input| input.pointer.any_down()) {
        memory.streams.release();
    }
    let (due, wait) = memory.streams.due(now);
    if let Some(wait) = wait {
        ui.ctx().request_repaint_after(wait);
    }
    due.into_iter().filter_map(|(name, value)| set(state, memory, &name, value)).collect()
}

/// The action that sets a variable of the room; none if it is gone.
fn set(state: &State, memory: &Memory, name: &str, value: Value) -> Option<Action> {
    let known = state.variables.iter().find(|known| known.variable.name == name)?;
    let is_own = known.variable.scope == Scope::Machine && !memory.streams.is_for_all(name);
    let own = state.own_id().filter(|_| is_own);
    let target = own.map(|id| TargetRequest { clients: vec![id], ..TargetRequest::default() });
    Some(Action::SetVariable(SetRequest {
        name: name.to_owned(),
        value,
        over_micros: 0,
        when: When::Together,
        target,
        ack: None,
    }))
}

/// The rows: each group where its first variable stands, those without one first.
fn rows(variables: &[VariableState]) -> Vec<Row<'_>> {
    let mut groups: Vec<(&str, Vec<&VariableState>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for state in variables {
        let group = state.variable.group.as_deref().unwrap_or_default();
        let place = *places.entry(group).or_insert_with(|| {
            groups.push((group, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(state);
    }
    groups.sort_by_key(|(group, _)| !group.is_empty());
    let mut rows = Vec::new();
    for (group, members) in groups {
        rows.extend((!group.is_empty()).then_some(Row::Group(group)));
        rows.extend(members.into_iter().map(Row::Variable));
    }
    rows
}

/// Shows the panel, if there are variables. Only those in sight are drawn.
pub(super) fn show(ui: &mut Ui, state: &State, now: LocalTime, memory: &mut Memory) -> Vec<Action> {
    let mut actions = Vec::new();
    if state.variables.is_empty() {
        return actions;
    }
    let rows = rows(&state.variables);
    let count = state.variables.len().to_string();
    widgets::panel(ui, "VARIABLES", &count, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let reason = state.variables.iter().find_map(|one| state.reason_not_to_set(&one.variable));
        if let Some(reason) = reason {
            ui.add_space(GRID);
            let color = theme::palette(ui);
            widgets::prose(ui, reason, theme::regular(size::SMALL), color.warn);
        }
        ui.add_space(GRID);
        let height = rows.iter().map(Row::height).sum();
        let area = ui.allocate_space(vec2(ui.available_width(), height)).1;
        // A row beyond either edge is reached with Tab.
        let sight = ui.clip_rect().expand2(vec2(0.0, 8.0 * GRID));
        let mut top = area.top();
        for row in &rows {
            let rect =
                Rect::from_min_size(pos2(area.left(), top), vec2(area.width(), row.height()));
            top = rect.bottom();
            if !sight.intersects(rect) {
                continue;
            }
            match row {
                Row::Group(name) => show_group(ui, rect, name),
                Row::Variable(known) => {
                    actions.extend(show_variable(ui, rect, known, state, now, memory));
                }
            }
        }
    });
    actions
}

fn show_group(ui: &mut Ui, rect: Rect, name: &str) {
    let color = theme::palette(ui);
    let row = Rect::from_min_max(rect.min + vec2(0.0, GRID), rect.max - vec2(0.0, 4.0));
    let line = egui::Stroke::new(1.0, color.line);
    ui.painter().hline(row.x_range(), row.top() - 4.0, line);
    let runs = [(name, theme::bold(size::SMALL), color.accent)];
    widgets::line(ui, row, Align2::LEFT_CENTER, &runs);
}

fn show_variable(
    ui: &mut Ui,
    rect: Rect,
    known: &VariableState,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Option<Action> {
    let variable = &known.variable;
    let mut inside = Rect::from_min_max(rect.min, rect.max - vec2(0.0, GAP));
    if variable.scope == Scope::Machine {
        let (above, scope) = inside.split_top_bottom_at_y(inside.bottom() - SCOPE);
        inside = above;
        show_scope(ui, scope, variable, memory);
    }
    let builder = UiBuilder::new().max_rect(inside).id_salt(("variable", &variable.name));
    let mut child = ui.new_child(builder);
    let control = Control {
        id: Id::unique(("variable", &variable.name)),
        label: variable.label.as_deref().unwrap_or(&variable.name),
        variable,
    };
    let shown = memory.streams.shown(&variable.name, &known.value, now).clone();
    if let Some(reason) = state.reason_not_to_set(variable) {
        child.disable();
        control.show(&mut child, &shown, &mut memory.drafts);
        let over = ui.interact(inside, control.id.with("reason"), egui::Sense::hover());
        over.on_hover_text(reason);
        return None;
    }
    let outcome = control.show(&mut child, &shown, &mut memory.drafts);
    let mut to_send = None;
    if let Some(value) = outcome.value {
        // As the relay will keep it, so that its echo is known.
        let value = variable.check(&value).unwrap_or(value);
        to_send = if variable.event {
            Some(value)
        } else {
            memory.streams.set(&variable.name, value, now)
        };
        // What was not sent at once is sent soon.
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(20));
    }
    memory.streams.hold(&variable.name, outcome.is_held);
    to_send.and_then(|value| set(state, memory, &variable.name, value))
}

/// Shows whether one machine or all are set.
fn show_scope(ui: &mut Ui, rect: Rect, variable: &Variable, memory: &mut Memory) {
    let is_for_all = memory.streams.is_for_all(&variable.name);
    let place = Rect::from_min_max(rect.min + vec2(0.0, 4.0), rect.max);
    let texts = ["This machine", "All machines"];
    let id = Id::unique(("scope", &variable.name));
    let pressed = widgets::segments(ui, place, id, &texts, Some(usize::from(is_for_all)));
    if let Some(index) = pressed {
        memory.streams.set_for_all(&variable.name, index == 1);
    }
}

/// Whether a variable is a number with a way to move along.
fn is_float(variable: &Variable) -> bool {
    matches!(variable.kind, VariableKind::Float { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, group: Option<&str>) -> VariableState {
        VariableState {
            past: None,
            variable: Variable {
                name: name.to_owned(),
                kind: VariableKind::Bool { default: false },
                scope: Scope::Room,
                event: false,
                clamp: false,
                send_unchanged: false,
                open: false,
                label: None,
                group: group.map(str::to_owned),
                bind: Vec::new(),
            },
            value: Value::Bool(false),
        }
    }

    #[test]
    fn variables_stand_under_their_groups_in_the_order_of_declaration() {
        let variables = [
            variable("a", Some("Filter")),
            variable("b", None),
            variable("c", Some("Echo")),
            variable("d", Some("Filter")),
        ];
        let text = |row: &Row<'_>| match row {
            Row::Group(name) => format!("[{name}]"),
            Row::Variable(state) => state.variable.name.clone(),
        };
        let shown: Vec<_> = rows(&variables).iter().map(text).collect();
        assert_eq!(shown, ["b", "[Filter]", "a", "d", "[Echo]", "c"]);
    }
}
