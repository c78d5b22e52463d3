//! The panel beside the machines: the room as a whole, and what can be done to the selected machines.

mod facts;
mod settings;
mod tags;

use downbeat_protocol::Command as MachineCommand;
use egui::{Align2, Id, Rect, Ui, pos2, vec2};

use super::{Context, change, machine::Machine, mark, memory::Question};
use crate::ui::room::memory::Kept;
use crate::{
    action::Action,
    ui::{
        command::Command,
        join::{self, JoinPanel},
        theme::{self, GRID, size},
        widgets::{self, Look},
    },
};

/// The label of a control, at its left.
const LABEL: f32 = 10.5 * GRID;
const LINE: f32 = 4.5 * GRID;

/// Shows the panel in `rect`.
pub(super) fn show(
    ui: &mut Ui,
    rect: Rect,
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) -> Vec<Action> {
    let mut actions = Vec::new();
    widgets::scrolling(ui, "room panel", rect, |ui| {
        actions.extend(show_room(ui, context, memory));
        let selected = context.selected(&memory.room.selection);
        match selected.as_slice() {
            [] => show_hint(ui, context),
            [only] => {
                actions.extend(show_selected(ui, only.name, &selected, context, memory));
                facts::show(ui, only, context.state.bank.len());
            }
            several => {
                let title = format!("{} machines", several.len());
                actions.extend(show_selected(ui, &title, &selected, context, memory));
            }
        }
    });
    actions
}

/// Shows who is here, the lock, and the way to the links.
fn show_room(ui: &mut Ui, context: &Context<'_>, memory: &mut Kept<'_>) -> Option<Action> {
    let mut action = None;
    let state = context.state;
    widgets::panel(ui, "ROOM", &summary(context), |ui| {
        ui.spacing_mut().item_spacing.y = GRID;
        let color = theme::palette(ui);
        let row = widgets::strip(ui, LINE);
        let name = Command::Lock.text();
        let ink = if state.locked { color.warn } else { color.text };
        let runs = [(name, theme::bold(size::SMALL), ink)];
        let label = widgets::ink(ui, row, Align2::LEFT_CENTER, &runs);
        let hover = Command::Lock.hover(ui);
        ui.interact(label, Id::unique("lock label"), egui::Sense::hover()).on_hover_text(hover);
        if widgets::switch(ui, row, Id::unique("lock"), name, state.locked) {
            action = Some(Action::Lock(!state.locked));
        }
        let row = widgets::strip(ui, theme::SMALL_CONTROL);
        let button = widgets::button(ui, row, Command::Join.text(), Look::Raised);
        let hover = Command::Join.hover(ui);
        if button.on_hover_text(hover).clicked() {
            *memory.join = Some(JoinPanel::default());
        }
        if let Some(code) = context.room.joining.as_ref().and_then(|join| join.code.as_deref()) {
            let row = widgets::strip(ui, 2.5 * GRID);
            let runs = [("Room code", theme::regular(size::SMALL), color.muted)];
            widgets::line(ui, row, Align2::LEFT_CENTER, &runs);
            let code = join::spaced(code);
            let runs = [(code.as_str(), theme::bold(size::BODY), color.text)];
            widgets::line(ui, row, Align2::RIGHT_CENTER, &runs);
        }
    });
    action
}

/// How many are here, and how many are in trouble.
pub(super) fn summary(context: &Context<'_>) -> String {
    let here = context.room.clients.len();
    let troubled = context.machines.iter().filter(|one| !one.troubles.is_empty()).count();
    match troubled {
        0 => format!("{here} here, none in trouble"),
        _ => format!("{here} here, {troubled} in trouble"),
    }
}

fn show_hint(ui: &mut Ui, context: &Context<'_>) {
    widgets::panel(ui, "SELECTED", "none", |ui| {
        let color = theme::palette(ui);
        let keys = Command::SelectAll.keys(ui);
        let text = if context.machines.is_empty() {
            "Machines appear here once they join.".to_owned()
        } else {
            format!(
                "Select machines to change them: press one, add others with Ctrl, a range with Shift, or \
                 all with {keys}."
            )
        };
        widgets::prose(ui, &text, theme::regular(size::SMALL), color.muted);
    });
}

/// Shows what can be done to the selected machines.
fn show_selected(
    ui: &mut Ui,
    title: &str,
    selected: &[&Machine<'_>],
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) -> Vec<Action> {
    let mut actions = Vec::new();
    widgets::panel(ui, "SELECTED", "", |ui| {
        ui.spacing_mut().item_spacing.y = GRID;
        let color = theme::palette(ui);
        let row = widgets::strip(ui, 3.5 * GRID);
        let close = Rect::from_center_size(
            pos2(row.right() - 1.5 * GRID, row.center().y),
            vec2(3.5 * GRID, 3.5 * GRID),
        );
        let mut left = row.left();
        if let [only] = selected {
            mark::paint(ui, pos2(left + 6.0, row.center().y), only.health());
            left += 2.5 * GRID;
        }
        let place =
            Rect::from_min_max(pos2(left, row.top()), pos2(close.left() - GRID, row.bottom()));
        let runs = [(title, theme::bold(size::NAME), color.text)];
        widgets::line(ui, place, Align2::LEFT_CENTER, &runs);
        if widgets::cross(ui, close, Id::unique("deselect"), "Deselect", "Select no machine") {
            memory.room.selection.clear();
        }
        actions.extend(show_commands(ui, selected));
        if let [only] = selected {
            facts::show_troubles(ui, only);
        }
        actions.extend(settings::show(ui, selected, context, memory));
        if let Some(complaint) = &memory.room.complaint {
            let label = widgets::prose(ui, complaint, theme::regular(size::SMALL), color.bad);
            widgets::announce(ui, &label);
        }
        ui.add_space(0.5 * GRID);
        show_forget(ui, selected, memory);
    });
    actions
}

fn show_commands(ui: &mut Ui, selected: &[&Machine<'_>]) -> Vec<Action> {
    let mut actions = Vec::new();
    let is_possible = selected.iter().any(|machine| change::commanded(machine).is_some());
    let obstacle = (!is_possible).then_some("None of these plays here now");
    let (left, right) = halves(widgets::strip(ui, theme::SMALL_CONTROL));
    for (place, command, asked) in [
        (left, Command::Identify, MachineCommand::Identify),
        (right, Command::RestartOutput, MachineCommand::RestartOutput),
    ] {
        let hover = command.hover(ui);
        if widgets::act(ui, place, command.text(), Look::Raised, &hover, obstacle) {
            actions.extend(change::command(selected.iter().copied(), asked));
        }
    }
    actions
}

fn show_forget(ui: &mut Ui, selected: &[&Machine<'_>], memory: &mut Kept<'_>) {
    let is_kept = selected.iter().any(|machine| machine.number().is_some());
    let obstacle = (!is_kept).then_some("The relay keeps nothing of these");
    let row = widgets::strip(ui, theme::SMALL_CONTROL);
    let hover = Command::Remove.hover(ui);
    if widgets::act(ui, row, "Forget…", Look::Danger, &hover, obstacle) {
        memory.room.question = Some(Question::Forget);
    }
}

/// Two halves of a row, with a gap.
pub(super) fn halves(row: Rect) -> (Rect, Rect) {
    let width = (row.width() - GRID) / 2.0;
    let left = Rect::from_min_size(row.min, vec2(width, row.height()));
    (left, left.translate(vec2(width + GRID, 0.0)))
}

/// A row with a label at its left. Returns the place of the control.
fn labelled(ui: &mut Ui, label: &str) -> Rect {
    let color = theme::palette(ui);
    let row = widgets::strip(ui, LINE);
    let (left, right) = row.split_left_right_at_x(row.left() + LABEL);
    let runs = [(label, theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, left, Align2::LEFT_CENTER, &runs);
    right
}

/// What is common to all of these; none if it differs.
fn common<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values = values.into_iter();
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
