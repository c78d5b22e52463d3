//! What is kept of the selected machines, to be changed: name, seat, rights, tags, volume, extra latency.

use downbeat_protocol::{MAX_EXTRA_LATENCY_MICROS, MAX_SEAT, Rights, clean_name};
use egui::{Align2, Id, Rect, Ui};

use super::{LINE, common, labelled, tags};
use crate::ui::room::memory::Kept;
use crate::{
    action::Action,
    ui::{
        extra_latency, hand,
        room::{
            Context, change,
            machine::{Key, Machine},
            memory::Question,
        },
        theme::{self, GRID, size},
        widgets::{self, Adjustable, Field, Mapping},
    },
};

/// The lowest volume, which is silence.
const MIN_VOLUME_DB: f64 = -60.0;

const RIGHTS: [(Rights, &str); 3] =
    [(Rights::Listener, "Listener"), (Rights::Player, "Player"), (Rights::Conductor, "Conductor")];

/// Shows the controls.
pub(super) fn show(
    ui: &mut Ui,
    selected: &[&Machine<'_>],
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) -> Vec<Action> {
    let of = match selected {
        [only] => only.name.to_owned(),
        several => format!("{} machines", several.len()),
    };
    let mut actions = Vec::new();
    match selected {
        [only] => {
            actions.extend(show_name(ui, only, memory));
            actions.extend(show_seat(ui, only, memory));
        }
        several => actions.extend(number_seats(ui, several, context, memory)),
    }
    actions.extend(show_rights(ui, selected, context, memory));
    actions.extend(tags::show(ui, &of, selected, memory));
    show_volume(ui, &of, selected, context, memory);
    actions.extend(show_muted(ui, &of, selected, context, memory));
    actions.extend(show_extra_latency(ui, &of, selected, context, memory));
    actions
}

/// A field for the selected machines.
fn field(
    ui: &mut Ui,
    place: Rect,
    what: (&'static str, Key),
    memory: &mut Kept<'_>,
    field: &Field<'_>,
) -> Option<String> {
    let typed = widgets::field(ui, place, Id::unique(what), memory.drafts, field)?;
    memory.room.complaint = None;
    Some(typed)
}

fn show_name(ui: &mut Ui, machine: &Machine<'_>, memory: &mut Kept<'_>) -> Option<Action> {
    let place = labelled(ui, "Name");
    let name = format!("Name of {}", machine.name);
    let shown = Field { name: &name, kept: machine.name, hint: "name", is_centered: false };
    let what = ("name", machine.key);
    if std::mem::take(&mut memory.room.focuses_name) {
        ui.memory_mut(|memory| memory.request_focus(Id::unique(what)));
    }
    let typed = field(ui, place, what, memory, &shown)?;
    let Some(name) = clean_name(&typed) else {
        memory.room.complaint = Some("A name has 1 to 64 characters.".to_owned());
        return None;
    };
    change::assign([machine], |request| request.name = Some(name))
}

fn show_seat(ui: &mut Ui, machine: &Machine<'_>, memory: &mut Kept<'_>) -> Option<Action> {
    let place = labelled(ui, "Seat");
    let kept = machine.seat.map_or_else(String::new, |seat| seat.to_string());
    let name = format!("Seat of {}", machine.name);
    let shown = Field { name: &name, kept: &kept, hint: "none", is_centered: false };
    let typed = field(ui, place, ("seat", machine.key), memory, &shown)?;
    let seat = seat(&typed, memory)?;
    change::assign([machine], |request| request.seat = Some(seat))
}

/// Numbers the seats of several machines, as they are listed, from a typed one on.
fn number_seats(
    ui: &mut Ui,
    selected: &[&Machine<'_>],
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) -> Option<Action> {
    let place = labelled(ui, "Seats from");
    let name = format!("First seat of {} machines", selected.len());
    let hint = "number them, as listed";
    let shown = Field { name: &name, kept: "", hint, is_centered: false };
    let key = selected.first()?.key;
    let typed = field(ui, place, ("seats", key), memory, &shown)?;
    let first = seat(&typed, memory)?;
    let listed = context.listed(memory.room).into_iter();
    let listed = listed.filter(|machine| memory.room.selection.contains(machine.key));
    let number = |(index, machine): (usize, Machine<'_>)| {
        // Without a first number, none of them has one.
        let seat = if first == 0 { 0 } else { first.saturating_add(index as u16).min(MAX_SEAT) };
        change::request([&machine], |request| request.seat = Some(seat))
    };
    change::assign_each(listed.enumerate().filter_map(number).collect())
}

/// A typed seat; 0 is none.
fn seat(typed: &str, memory: &mut Kept<'_>) -> Option<u16> {
    let digits = typed.trim();
    let seat = if digits.is_empty() { Some(0) } else { digits.parse().ok() };
    let seat = seat.filter(|seat| *seat <= MAX_SEAT);
    if seat.is_none() {
        let text = format!("A seat is a whole number up to {MAX_SEAT}, or none.");
        memory.room.complaint = Some(text);
    }
    seat
}

fn show_rights(
    ui: &mut Ui,
    selected: &[&Machine<'_>],
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) -> Option<Action> {
    let row = widgets::strip(ui, LINE);
    let current = common(selected.iter().map(|machine| machine.rights())).flatten();
    let chosen = RIGHTS.iter().position(|(rights, _)| Some(*rights) == current);
    let texts = RIGHTS.map(|(_, text)| text);
    let index = widgets::segments(ui, row, Id::unique("rights"), &texts, chosen)?;
    let rights = RIGHTS[index].0;
    let own = context.state.own_id();
    let is_own = |machine: &&Machine<'_>| machine.client.is_some_and(|one| own == Some(one.id));
    if rights < Rights::Conductor && selected.iter().any(is_own) {
        memory.room.question = Some(Question::Resign(rights));
        return None;
    }
    change::assign(selected.iter().copied(), |request| request.rights = Some(rights))
}

fn show_volume(
    ui: &mut Ui,
    of: &str,
    selected: &[&Machine<'_>],
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) {
    let wishes = &memory.room.wishes;
    let volume = |machine: &&Machine<'_>| {
        let reported = machine.report().and_then(|report| report.volume_db);
        wishes.volume(machine.key, reported, context.now)
    };
    let current = common(selected.iter().map(volume));
    let text = match current {
        Some(Some(volume)) => volume_text(volume.into()),
        Some(None) => "not reported".to_owned(),
        None => "different".to_owned(),
    };
    widgets::heading(ui, "VOLUME", &text);
    let shown = selected.iter().find_map(volume).unwrap_or(0.0);
    let name = format!("Volume of {of}");
    let number = Adjustable {
        name: &name,
        value: shown.into(),
        mapping: Mapping::Linear { min: MIN_VOLUME_DB, max: 0.0 },
        step: 1.0 / 60.0,
        reset: Some(0.0),
    };
    let moved = widgets::fader(ui, Id::unique("machine volume"), &number, widgets::SMALL_FADER);
    if let Some(volume) = moved.value {
        let keys: Vec<_> = selected.iter().map(|machine| machine.key).collect();
        // Tenths are what is heard, and what is shown.
        let volume = (volume * 10.0).round() / 10.0;
        memory.room.wishes.set_volume(&keys, volume as f32, context.now);
        // It is sent in the next frame at the earliest, which may be the last one.
        ui.ctx().request_repaint();
    }
}

fn volume_text(volume_db: f64) -> String {
    if volume_db <= MIN_VOLUME_DB { "silent".to_owned() } else { hand::decibels(volume_db) }
}

fn show_muted(
    ui: &mut Ui,
    of: &str,
    selected: &[&Machine<'_>],
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) -> Option<Action> {
    let row = widgets::strip(ui, LINE);
    let color = theme::palette(ui);
    let runs = [("Muted", theme::regular(size::SMALL), color.muted)];
    widgets::ink(ui, row, Align2::LEFT_CENTER, &runs);
    let muted = |machine: &&Machine<'_>| {
        let reported = machine.report().map(|report| report.muted);
        memory.room.wishes.muted(machine.key, reported, context.now).unwrap_or_default()
    };
    let are_muted = selected.iter().all(muted);
    let name = format!("Mute {of}");
    if !widgets::switch(ui, row, Id::unique("machine muted"), &name, are_muted) {
        return None;
    }
    let keys: Vec<_> = selected.iter().map(|machine| machine.key).collect();
    memory.room.wishes.set_muted(&keys, !are_muted, context.now);
    change::assign(selected.iter().copied(), |request| request.muted = Some(!are_muted))
}

fn show_extra_latency(
    ui: &mut Ui,
    of: &str,
    selected: &[&Machine<'_>],
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) -> Option<Action> {
    let row = widgets::strip(ui, LINE);
    let (left, place) = row.split_left_right_at_x(row.left() + 15.0 * GRID);
    let color = theme::palette(ui);
    let runs = [("Extra latency, ms", theme::regular(size::SMALL), color.muted)];
    let label = widgets::line(ui, left, Align2::LEFT_CENTER, &runs);
    label.on_hover_text(
        "Latency that the output does not report: the machine plays this much earlier. It is kept for the \
         output that the machine uses now.",
    );
    let extra = |machine: &&Machine<'_>| {
        let reported = machine.report().and_then(|report| report.extra_latency_micros);
        memory.room.wishes.extra_latency(machine.key, reported, context.now)
    };
    let current = common(selected.iter().map(extra));
    let kept = match current {
        Some(Some(micros)) => extra_latency::format(f64::from(micros) / 1000.0),
        Some(None) | None => String::new(),
    };
    let hint = if current.is_some() { "0.0" } else { "different" };
    let name = format!("Extra latency of {of}");
    let shown = Field { name: &name, kept: &kept, hint, is_centered: false };
    let key = selected.first()?.key;
    let typed = field(ui, place, ("extra latency", key), memory, &shown)?;
    let micros = extra_latency::parse(&typed).map(|millis| (millis * 1000.0).round() as i32);
    let range = -MAX_EXTRA_LATENCY_MICROS..=MAX_EXTRA_LATENCY_MICROS;
    let Some(micros) = micros.filter(|micros| range.contains(micros)) else {
        let max = MAX_EXTRA_LATENCY_MICROS / 1000;
        let text = format!("Extra latency is a number of milliseconds, from −{max} to {max}.");
        memory.room.complaint = Some(text);
        return None;
    };
    let keys: Vec<_> = selected.iter().map(|machine| machine.key).collect();
    memory.room.wishes.set_extra_latency(&keys, micros, context.now);
    change::assign(selected.iter().copied(), |request| {
        request.extra_latency_micros = Some(micros);
    })
}
