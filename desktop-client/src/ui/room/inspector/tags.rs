//! The tags of the selected machines: a chip for each, which is given to all of them or taken from all, and a
//! field for a new one. The other tags of each machine stay.

use std::collections::{BTreeMap, BTreeSet};

use downbeat_protocol::{MAX_TAGS, clean_name};
use egui::{Align2, Id, Sense, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role, vec2};

use super::labelled;
use crate::ui::room::memory::Kept;
use crate::{
    action::Action,
    ui::{
        room::{change, machine::Machine},
        theme::{self, GRID, size},
        widgets::{self, Field},
    },
};

const CHIP: f32 = 3.5 * GRID;

/// Shows the tags.
pub(super) fn show(
    ui: &mut Ui,
    of: &str,
    selected: &[&Machine<'_>],
    memory: &mut Kept<'_>,
) -> Vec<Action> {
    let place = labelled(ui, "New tag");
    let name = format!("New tag of {of}");
    let field = Field { name: &name, kept: "", hint: "as: left, brass", is_centered: false };
    let Some(first) = selected.first() else { return Vec::new() };
    let id = Id::unique(("tags", first.key));
    let typed = widgets::field(ui, place, id, memory.drafts, &field);
    let mut actions = Vec::new();
    if let Some(typed) = typed {
        memory.room.complaint = None;
        let tags: Vec<String> = typed.split(',').filter_map(clean_name).collect();
        let most = selected.iter().map(|machine| machine.tags.len()).max().unwrap_or(0);
        if tags.len() + most > MAX_TAGS {
            memory.room.complaint = Some(format!("A machine has at most {MAX_TAGS} tags."));
        } else {
            actions.extend(change(selected, |own| own.extend(tags.iter().cloned())));
        }
    }
    actions.extend(show_chips(ui, selected));
    actions
}

fn show_chips(ui: &mut Ui, selected: &[&Machine<'_>]) -> Option<Action> {
    let tags: BTreeSet<&String> = selected.iter().flat_map(|machine| machine.tags).collect();
    let mut pressed = None;
    if !tags.is_empty() {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
            for tag in tags {
                let has_tag = |machine: &&&Machine<'_>| machine.tags.contains(tag);
                let having = selected.iter().filter(has_tag).count();
                if show_chip(ui, tag, having, selected.len()) {
                    pressed = Some((tag.clone(), having < selected.len()));
                }
            }
        });
    }
    match pressed {
        Some((tag, true)) => change(selected, |own| own.push(tag.clone())),
        Some((tag, false)) => change(selected, |own| own.retain(|one| *one != tag)),
        None => None,
    }
}

fn show_chip(ui: &mut Ui, tag: &str, having: usize, all: usize) -> bool {
    let color = theme::palette(ui);
    let text = if having < all { format!("{tag} {having}/{all}") } else { tag.to_owned() };
    let font = theme::regular(size::SMALL);
    let galley = ui.painter().layout_no_wrap(text.clone(), font.clone(), color.text);
    let width = (galley.size().x + 2.0 * GRID).min(ui.available_width());
    let (rect, response) = ui.allocate_exact_size(vec2(width, CHIP), Sense::click());
    let is_on = having == all;
    let name = format!("Tag {tag}");
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, is_on, &name));
    let (fill, edge) = match (is_on, response.hovered()) {
        (true, _) => (color.chosen, color.accent),
        (false, true) => (color.raised_hover, color.line),
        (false, false) => (color.raised, color.line),
    };
    ui.painter().rect(rect, CHIP / 2.0, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    if response.has_focus() {
        let ring = Stroke::new(2.0, color.text);
        ui.painter().rect_stroke(rect, CHIP / 2.0, ring, StrokeKind::Inside);
    }
    let place = rect.shrink2(vec2(GRID, 0.0));
    widgets::ink(ui, place, Align2::CENTER_CENTER, &[(&text, font, color.text)]);
    let hover = if is_on { "Take this tag from all of them" } else { "Give it to all of them" };
    response.on_hover_cursor(egui::CursorIcon::PointingHand).on_hover_text(hover).clicked()
}

/// Changes the tags of each machine. Machines that then have the same ones are changed together.
fn change(selected: &[&Machine<'_>], change: impl Fn(&mut Vec<String>)) -> Option<Action> {
    let mut groups: BTreeMap<Vec<String>, Vec<&Machine<'_>>> = BTreeMap::new();
    for machine in selected {
        let mut tags = machine.tags.to_vec();
        change(&mut tags);
        let mut seen = BTreeSet::new();
        tags.retain(|tag| seen.insert(tag.clone()));
        if tags != machine.tags {
            groups.entry(tags).or_default().push(machine);
        }
    }
    let request = |(tags, machines): (Vec<String>, Vec<&Machine<'_>>)| {
        change::request(machines, |request| request.tags = Some(tags))
    };
    change::assign_each(groups.into_iter().filter_map(request).collect())
}
