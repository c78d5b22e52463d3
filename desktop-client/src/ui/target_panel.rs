//! The chooser of who plays what is pressed, and when: a button that says it, and a panel with the room.

use std::collections::BTreeSet;

use downbeat_protocol::RosterEntry;
use egui::{
    Align2, DragValue, Id, Popup, PopupCloseBehavior, Rect, ScrollArea, Sense, Stroke, StrokeKind,
    Ui, WidgetInfo, accesskit::Role, pos2, vec2,
};

use super::{
    room,
    target::{MAX_DELAY_MS, MAX_STAGGER_MS, Moment, Target, Who},
    theme::{self, GRID, size},
    widgets,
};
use crate::{state::State, time::LocalTime};

const WIDTH: f32 = 50.0 * GRID;
const MACHINE_HEIGHT: f32 = 5.5 * GRID;
const MACHINE_COLUMNS: usize = 3;
/// The height of the machines in sight; the others are scrolled to.
const MACHINES_HEIGHT: f32 = 25.0 * GRID;
const LABEL: f32 = 7.0 * GRID;

/// Shows the button, and the panel while it is open.
pub(super) fn show(ui: &mut Ui, rect: Rect, state: &State, now: LocalTime, target: &mut Target) {
    let text = format!("To: {}", target.summary());
    let response = widgets::opener(ui, rect, Id::unique("target"), "Target", &text);
    let hover = "Who plays what is pressed in this window, and when";
    let response = response.on_hover_text(hover);
    let width = WIDTH.min(ui.ctx().content_rect().width() - 4.0 * GRID);
    Popup::from_toggle_button_response(&response)
        .accessible_name("Who plays, and when")
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .width(width)
        .gap(4.0)
        .show(|ui| {
            ui.set_width(width - 2.0 * GRID);
            panel(ui, state, now, target);
        });
}

fn panel(ui: &mut Ui, state: &State, now: LocalTime, target: &mut Target) {
    ui.spacing_mut().item_spacing.y = GRID;
    let chosen = match target.who {
        Who::All => 0,
        Who::Others => 1,
        Who::One => 2,
    };
    let texts = if target.is_whole_room() {
        ["Everyone", "All but me", "One at random"]
    } else {
        ["All chosen", "Chosen but me", "One of them"]
    };
    if let Some(index) = labelled(ui, "Who", &texts, chosen) {
        target.who = [Who::All, Who::Others, Who::One][index];
    }
    show_tags(ui, state, target);
    show_machines(ui, state, now, target);
    let is_one = target.who == Who::One;
    let chosen = usize::from(target.is_round && !is_one);
    if !is_one && let Some(index) = labelled(ui, "Order", &["At once", "Round the room"], chosen) {
        target.is_round = index == 1;
    }
    if target.is_round && !is_one {
        let hint = "after each other, by seat";
        milliseconds(ui, "Stagger", hint, &mut target.stagger_ms, MAX_STAGGER_MS);
    }
    let chosen = match target.moment {
        Moment::Together => 0,
        Moment::After => 1,
        Moment::Now => 2,
    };
    if let Some(index) = labelled(ui, "When", &["Together", "Later", "Now"], chosen) {
        target.moment = [Moment::Together, Moment::After, Moment::Now][index];
    }
    match target.moment {
        Moment::Together => explain(ui, "As soon as all can sound at the same instant."),
        Moment::After => {
            milliseconds(ui, "Delay", "later than together", &mut target.delay_ms, MAX_DELAY_MS);
        }
        Moment::Now => explain(ui, "On arrival, on each machine for itself: soonest, not in step."),
    }
}

/// A label, and segments beside it.
fn labelled(ui: &mut Ui, label: &str, texts: &[&str], chosen: usize) -> Option<usize> {
    let (name, rest) = row(ui, theme::SMALL_CONTROL);
    let color = theme::palette(ui);
    let runs = [(label, theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, name, Align2::LEFT_CENTER, &runs);
    widgets::segments(ui, rest, Id::unique(("target", label)), texts, Some(chosen))
}

fn row(ui: &mut Ui, height: f32) -> (Rect, Rect) {
    let row = widgets::strip(ui, height);
    row.split_left_right_at_x(row.left() + LABEL)
}

fn explain(ui: &mut Ui, text: &str) {
    let (_, place) = row(ui, 2.5 * GRID);
    let color = theme::palette(ui);
    let runs = [(text, theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, place, Align2::LEFT_CENTER, &runs);
}

fn milliseconds(ui: &mut Ui, name: &str, hint: &str, value: &mut u64, max: u64) {
    let (_, place) = row(ui, theme::SMALL_CONTROL);
    let (number, rest) = place.split_left_right_at_x(place.left() + 14.0 * GRID);
    let drag = DragValue::new(value).range(0..=max).suffix(" ms").speed(2.0);
    ui.place(number, drag).accessible_name(name);
    let color = theme::palette(ui);
    let runs = [(hint, theme::regular(size::SMALL), color.muted)];
    let rest = rest.shrink2(vec2(GRID, 0.0));
    widgets::line(ui, rest, Align2::LEFT_CENTER, &runs);
}

fn show_tags(ui: &mut Ui, state: &State, target: &mut Target) {
    let mut tags: BTreeSet<&str> =
        state.roster.clients.iter().flat_map(|client| &client.tags).map(String::as_str).collect();
    // A chosen tag can be given up when nobody has it any longer.
    let chosen = target.tags.clone();
    tags.extend(chosen.iter().map(String::as_str));
    if tags.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        for tag in tags {
            let is_chosen = chosen.contains(tag);
            let text = egui::RichText::new(tag).font(theme::regular(size::SMALL));
            let button = egui::Button::selectable(is_chosen, text).frame_when_inactive(true);
            if ui.add(button).accessible_name(format!("Tag {tag}")).clicked() {
                target.toggle_tag(tag);
            }
        }
    });
}

fn show_machines(ui: &mut Ui, state: &State, now: LocalTime, target: &mut Target) {
    let color = theme::palette(ui);
    let players = state.roster.clients.iter().filter(|client| client.kind.is_player());
    let mut machines: Vec<&RosterEntry> = players.collect();
    machines.sort_by_key(|client| (client.seat.unwrap_or(u16::MAX), client.id));
    let caption = widgets::strip(ui, 2.5 * GRID);
    let text = if target.is_whole_room() {
        "Choose machines, or leave it at the whole room".to_owned()
    } else {
        format!("{} chosen", target.names.len() + target.tags.len())
    };
    let runs = [(text.as_str(), theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, caption, Align2::LEFT_CENTER, &runs);
    if !target.is_whole_room() {
        let clear = Rect::from_min_max(pos2(caption.right() - 7.0 * GRID, caption.top() - 4.0), {
            pos2(caption.right(), caption.bottom() + 4.0)
        });
        if widgets::text_button(ui, clear, "Clear", "Choose the whole room") {
            target.names.clear();
            target.tags.clear();
        }
    }
    ScrollArea::vertical().id_salt("machines").max_height(MACHINES_HEIGHT).show(ui, |ui| {
        let width = ui.available_width();
        let rows = machines.len().div_ceil(MACHINE_COLUMNS);
        let pitch = MACHINE_HEIGHT + 4.0;
        let area = ui.allocate_space(vec2(width, rows as f32 * pitch)).1;
        let each = (width - 4.0 * (MACHINE_COLUMNS - 1) as f32) / MACHINE_COLUMNS as f32;
        for (index, machine) in machines.iter().enumerate() {
            let (column, row) = (index % MACHINE_COLUMNS, index / MACHINE_COLUMNS);
            let min = area.min + vec2(column as f32 * (each + 4.0), row as f32 * pitch);
            let rect = Rect::from_min_size(min, vec2(each, MACHINE_HEIGHT));
            if ui.is_rect_visible(rect) && show_machine(ui, rect, machine, (state, now), target) {
                target.toggle_name(&machine.name);
            }
        }
    });
}

fn show_machine(
    ui: &mut Ui,
    rect: Rect,
    machine: &RosterEntry,
    (state, now): (&State, LocalTime),
    target: &Target,
) -> bool {
    let color = theme::palette(ui);
    let is_chosen = target.names.contains(&machine.name)
        || machine.tags.iter().any(|tag| target.tags.contains(tag));
    let id = Id::unique(("target machine", machine.id.0));
    let response = ui.interact(rect, id, Sense::click());
    let name = format!("Target {}", machine.name);
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, is_chosen, &name));
    let (fill, edge) = match (is_chosen, response.hovered()) {
        (true, _) => (color.chosen, color.accent),
        (false, true) => (color.raised_hover, color.line),
        (false, false) => (color.raised, color.line),
    };
    ui.painter().rect(rect, 6.0, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    if response.has_focus() {
        ui.painter().rect_stroke(rect, 6.0, Stroke::new(2.0, color.text), StrokeKind::Inside);
    }
    room::show_mark(ui, rect.left_center() + vec2(10.0, 0.0), state, now, machine);
    let text = Rect::from_min_max(rect.min + vec2(20.0, 3.0), rect.max - vec2(6.0, 3.0));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.54);
    let runs = [(machine.name.as_str(), theme::bold(size::SMALL), color.text)];
    widgets::ink(ui, top, Align2::LEFT_CENTER, &runs);
    let is_own = state.own_id() == Some(machine.id);
    let mut note = machine.seat.map_or_else(String::new, |seat| format!("seat {seat}"));
    if is_own {
        note = if note.is_empty() { "you".to_owned() } else { format!("{note} · you") };
    }
    let runs = [(note.as_str(), theme::regular(size::CAPTION), color.muted)];
    widgets::ink(ui, bottom, Align2::LEFT_CENTER, &runs);
    response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}
