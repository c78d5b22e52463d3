//! The room. Those who run it see every machine with its trouble, a plan, and receipts of the last bangs, and
//! change the machines that they select. Others see the list of clients, which also stands beside the pads.

mod change;
mod columns;
mod inspector;
mod listing;
mod machine;
mod mark;
mod memory;
mod plain;
mod plan;
mod question;
mod receipts;
mod row;
mod selection;
mod sheet;
mod table;
mod toolbar;
mod wishes;

use std::collections::HashMap;

use downbeat_protocol::Command as MachineCommand;
use egui::{Align2, Event, Ui};

use self::{
    machine::{Key, Machine},
    memory::Question,
    selection::Selection,
    wishes::Reported,
};
pub(super) use self::{
    memory::{Kept, Part, RoomMemory},
    plain::{show_list, show_mark},
    receipts::runs_of,
    wishes::Wishes,
};
use super::{
    command::Command,
    layout::Layout,
    theme::{self, size},
    widgets,
};
use crate::{
    action::Action,
    state::{State, Trouble, WatchedRoom},
    time::LocalTime,
};

/// What the parts of the view show.
struct Context<'a> {
    state: &'a State,
    room: &'a WatchedRoom,
    machines: &'a [Machine<'a>],
    now: LocalTime,
}

impl<'a> Context<'a> {
    /// The machines as they are listed.
    fn listed(&self, memory: &RoomMemory) -> Vec<Machine<'a>> {
        listing::list(self.machines, memory.filter, memory.order, &memory.search)
    }

    /// The selected machines, in the order in which the relay numbers them.
    fn selected(&self, selection: &Selection) -> Vec<&'a Machine<'a>> {
        self.machines.iter().filter(|machine| selection.contains(machine.key)).collect()
    }
}

/// Whether a machine of the watched room is missed or heard apart.
pub(super) fn has_trouble(state: &State, now: LocalTime) -> bool {
    let is_heard = |client| state.troubles(client, now).first().is_some_and(Trouble::is_heard);
    state.room.as_ref().is_some_and(|room| room.clients.iter().any(is_heard))
}

/// The machines are no longer shown to be changed.
pub(super) fn leave(memory: &mut RoomMemory) {
    memory.wishes.drop_unsent();
}

/// Shows the view.
pub(super) fn show(
    ui: &mut Ui,
    layout: &Layout,
    state: &State,
    now: LocalTime,
    memory: &mut Kept<'_>,
) -> Vec<Action> {
    if !state.is_conductor() {
        leave(memory.room);
        plain::show_view(ui, layout.body, state, now);
        return Vec::new();
    }
    let Some(room) = &state.room else {
        // What was wished of a relay that is gone is not wished of the next one.
        memory.room.wishes = Wishes::default();
        let color = theme::palette(ui);
        let runs =
            [("Asking the relay for all machines…", theme::regular(size::BODY), color.muted)];
        widgets::line(ui, layout.body, Align2::CENTER_CENTER, &runs);
        return Vec::new();
    };
    let machines = Machine::all(state, room, now);
    let context = Context { state, room, machines: &machines, now };
    let mut actions = Vec::new();
    tidy(ui, &context, memory.room);
    actions.extend(perform(&context, memory.room));
    start_search(ui, memory.room);
    actions.extend(question::show(ui, &context, memory));

    let places = layout.room();
    // Before the machines: a press there hands over what was typed here, for those that were selected.
    match (places.side, places.bar) {
        (Some(side), _) => actions.extend(inspector::show(ui, side, &context, memory)),
        (None, bar) => {
            let covered = memory.room.is_sheet_open;
            actions.extend(sheet::show(ui, &places, bar, &context, memory));
            if covered {
                return send_volume(ui, &context, memory, actions);
            }
        }
    }
    toolbar::show(ui, places.tools, layout.is_wide, &context, memory.room);
    match memory.room.part {
        Part::List => {
            let listed = context.listed(memory.room);
            let room = &mut *memory.room;
            table::show(ui, places.main, &listed, state, layout.is_wide, room);
        }
        Part::Plan => actions.extend(plan::show(ui, places.main, &context, memory.room)),
        Part::Receipts => receipts::show(ui, places.main, &context, memory),
    }
    send_volume(ui, &context, memory, actions)
}

/// Gives up what does not exist any longer.
fn tidy(ui: &Ui, context: &Context<'_>, memory: &mut RoomMemory) {
    let known: HashMap<Key, &Machine<'_>> =
        context.machines.iter().map(|machine| (machine.key, machine)).collect();
    memory.selection.keep(|key| known.contains_key(&key));
    if memory.selection != memory.last_selection {
        memory.last_selection = memory.selection.clone();
        memory.question = None;
        memory.complaint = None;
    }
    if memory.drag.is_some()
        && !ui.input(|input| input.pointer.any_down() || input.pointer.any_released())
    {
        memory.drag = None;
    }
    let reported = |key| {
        let Some(machine) = known.get(&key) else { return Reported::default() };
        let report = machine.report();
        Reported {
            volume_db: report.and_then(|report| report.volume_db),
            muted: report.map(|report| report.muted),
            extra_latency_micros: report.and_then(|report| report.extra_latency_micros),
            place: machine.place,
        }
    };
    if let Some(wait) = memory.wishes.forget_old(context.now, reported) {
        ui.ctx().request_repaint_after(wait);
    }
}

/// Does what keys asked for.
fn perform(context: &Context<'_>, memory: &mut RoomMemory) -> Vec<Action> {
    let mut actions = Vec::new();
    for command in std::mem::take(&mut memory.commands) {
        let selected = context.selected(&memory.selection);
        let machines = selected.iter().copied();
        match command {
            Command::SelectAll => {
                let listed = context.listed(memory);
                memory.selection.select_all(listed.iter().map(|machine| machine.key));
            }
            Command::Identify => {
                actions.extend(change::command(machines, MachineCommand::Identify));
            }
            Command::RestartOutput => {
                actions.extend(change::command(machines, MachineCommand::RestartOutput));
            }
            Command::Rename if selected.len() == 1 => {
                memory.focuses_name = true;
                memory.is_sheet_open = true;
            }
            Command::Remove if selected.iter().any(|one| one.number().is_some()) => {
                memory.question = Some(Question::Forget);
            }
            _ => {}
        }
    }
    actions
}

/// Starts the search with what is typed while no field has the focus.
fn start_search(ui: &Ui, memory: &mut RoomMemory) {
    if ui.ctx().text_edit_focused() || egui::Popup::is_any_open(ui.ctx()) || memory.is_sheet_open {
        return;
    }
    let typed = ui.input_mut(|input| {
        let mut typed = String::new();
        input.events.retain(|event| match event {
            Event::Text(text) if text.chars().all(char::is_alphanumeric) => {
                typed.push_str(text);
                false
            }
            _ => true,
        });
        typed
    });
    if !typed.is_empty() {
        memory.search = typed;
        memory.focuses_search = true;
    }
}

/// Sends the volume that was moved, if it is time to.
fn send_volume(
    ui: &Ui,
    context: &Context<'_>,
    memory: &mut Kept<'_>,
    mut actions: Vec<Action>,
) -> Vec<Action> {
    match memory.room.wishes.due(context.now) {
        Ok((keys, volume)) => {
            let machines = context.machines.iter().filter(|machine| keys.contains(&machine.key));
            actions.extend(change::assign(machines, |request| request.volume_db = Some(volume)));
        }
        Err(Some(wait)) => ui.ctx().request_repaint_after(wait),
        Err(None) => {}
    }
    actions
}
