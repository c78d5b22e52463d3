//! The view *Room*: every machine with its seat, its tags, and its numbers.

use downbeat_protocol::{AssignRequest, Report, RosterEntry};
use egui::{Align2, Id, Rect, Stroke, Ui, pos2, vec2};

use super::{latency, status, summary};
use crate::{
    action::Action,
    state::State,
    ui::{
        format,
        layout::Layout,
        memory::Memory,
        room_order::{RoomOrder, is_in_trouble},
        theme::{self, GRID, PAD, Palette, size},
        widgets::{self, Drafts, Field},
    },
};

/// The row of a machine: in two columns of the window, and in one.
const ROW: f32 = 7.0 * GRID;
const NARROW_ROW: f32 = 12.5 * GRID;
const SEAT: f32 = 6.5 * GRID;
const NUMBER: f32 = 10.5 * GRID;
const TAGS: f32 = 26.0 * GRID;
const TITLE: f32 = 5.0 * GRID;
const MAX_SEAT: u16 = 9999;

/// Shows the view.
pub(in crate::ui) fn show(
    ui: &mut Ui,
    layout: &Layout,
    state: &State,
    memory: &mut Memory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let color = theme::palette(ui);
    let (count, empty) = summary(state);
    let (title, below) = layout.body.split_top_bottom_at_y(layout.body.top() + TITLE);
    let caption = widgets::caption(ui, title, Align2::LEFT_CENTER, "ROOM");
    let beside = Rect::from_min_max(pos2(caption.rect.right() + PAD, title.top()), title.max);
    if !count.is_empty() {
        let runs = [(count.as_str(), theme::regular(size::SMALL), color.text)];
        widgets::line(ui, beside, Align2::LEFT_CENTER, &runs);
    }
    show_order(ui, title, memory);
    let below = Rect::from_min_max(below.min + vec2(0.0, GRID), below.max);
    widgets::scrolling(ui, "room", below, |ui| {
        ui.spacing_mut().item_spacing.y = GRID;
        if state.roster.clients.is_empty() {
            let row = widgets::strip(ui, ROW);
            ui.painter().rect_filled(row, theme::ROUNDING, color.panel);
            let runs = [(empty, theme::regular(size::BODY), color.muted)];
            widgets::line(ui, row.shrink(PAD), Align2::CENTER_CENTER, &runs);
            return;
        }
        for client in memory.room_order.sort(&state.roster.clients, |id| state.report_of(id)) {
            let row = widgets::strip(ui, if layout.is_wide { ROW } else { NARROW_ROW });
            if ui.is_rect_visible(row.expand(ROW)) {
                let drafts = &mut memory.drafts;
                actions.extend(show_machine(ui, row, client, layout.is_wide, state, drafts));
            }
        }
        let listed = u32::try_from(state.roster.clients.len()).unwrap_or(u32::MAX);
        let hidden = state.roster.total.saturating_sub(listed);
        if hidden > 0 {
            let row = widgets::strip(ui, 3.0 * GRID);
            let text = format!("and {hidden} more");
            let runs = [(text.as_str(), theme::regular(size::SMALL), color.muted)];
            widgets::line(ui, row, Align2::LEFT_CENTER, &runs);
        }
    });
    actions
}

fn show_order(ui: &mut Ui, title: Rect, memory: &mut Memory) {
    let color = theme::palette(ui);
    let place = Rect::from_min_max(pos2(title.right() - 32.0 * GRID, title.top()), title.max);
    let texts = RoomOrder::ALL.map(RoomOrder::text);
    let chosen = RoomOrder::ALL.iter().position(|order| *order == memory.room_order);
    let label = Rect::from_min_max(pos2(place.left() - 8.0 * GRID, place.top()), {
        pos2(place.left() - GRID, place.bottom())
    });
    let runs = [("Sort by", theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, label, Align2::RIGHT_CENTER, &runs);
    if let Some(index) = widgets::segments(ui, place, Id::unique("room order"), &texts, chosen) {
        memory.room_order = RoomOrder::ALL[index];
    }
}

fn show_machine(
    ui: &mut Ui,
    row: Rect,
    client: &RosterEntry,
    is_wide: bool,
    state: &State,
    drafts: &mut Drafts,
) -> Vec<Action> {
    let color = theme::palette(ui);
    let is_troubled = is_in_trouble(client, state.report_of(client.id));
    let (fill, edge) = if is_troubled {
        (theme::mix(color.panel, color.warn, 0.08), theme::mix(color.line, color.warn, 0.6))
    } else {
        (color.panel, theme::mix(color.panel, color.line, 0.6))
    };
    let border = Stroke::new(1.0, edge);
    ui.painter().rect(row, theme::ROUNDING, fill, border, egui::StrokeKind::Inside);
    let inside = row.shrink2(vec2(1.5 * GRID, GRID));
    let (main, second) = if is_wide {
        (inside, None)
    } else {
        let (top, bottom) = inside.split_top_bottom_at_y(inside.top() + 5.0 * GRID);
        (top, Some(Rect::from_min_max(bottom.min + vec2(0.0, 0.75 * GRID), bottom.max)))
    };

    let mut actions = Vec::new();
    let seat = Rect::from_min_size(main.min, vec2(SEAT, main.height()));
    actions.extend(show_seat(ui, seat, client, drafts));
    let mut right = main.right();
    // Machines without numbers keep the columns free.
    let report = state.report_of(client.id);
    for (title, text, ink) in
        numbers(color, client, report).into_iter().take(if is_wide { 3 } else { 1 })
    {
        let place =
            Rect::from_min_max(pos2(right - NUMBER, main.top()), pos2(right, main.bottom()));
        show_number(ui, place, title, &text, ink);
        right = place.left();
    }
    let tags = second.unwrap_or_else(|| {
        let tags = Rect::from_min_max(pos2(right - TAGS, main.top()), pos2(right, main.bottom()));
        right = tags.left() - GRID;
        tags
    });
    actions.extend(show_tags(ui, tags, client, drafts));
    let name = Rect::from_min_max(
        pos2(seat.right() + 1.5 * GRID, main.top()),
        pos2(right - GRID, main.bottom()),
    );
    show_name(ui, color, name, client, state);
    actions
}

fn show_name(ui: &mut Ui, color: &Palette, rect: Rect, client: &RosterEntry, state: &State) {
    let (lamp, words) = status(color, client, state.report_of(client.id));
    ui.painter().circle_filled(pos2(rect.left() + 4.0, rect.center().y), 4.5, lamp);
    let text = Rect::from_min_max(rect.min + vec2(2.25 * GRID, 0.0), rect.max);
    let (top, bottom) = text.split_top_bottom_at_fraction(0.54);
    let mut runs = vec![(client.name.as_str(), theme::bold(size::BODY), color.text)];
    if state.own_id() == Some(client.id) {
        runs.push(("  you", theme::bold(size::SMALL), color.accent));
    }
    widgets::line(ui, top, Align2::LEFT_CENTER, &runs);
    let small = theme::regular(size::SMALL);
    let mut runs = vec![(format::kind(client.kind), small.clone(), color.muted)];
    for (word, ink) in &words {
        runs.push((" · ", small.clone(), color.muted));
        runs.push((word, small.clone(), *ink));
    }
    let line = widgets::line(ui, bottom, Align2::LEFT_CENTER, &runs);
    if client.straggler {
        line.on_hover_text("Needs more lead than the limit, so sounds start late there.");
    }
}

/// The numbers of a machine, from right to left; empty if it reports none.
fn numbers(
    color: &Palette,
    client: &RosterEntry,
    report: Option<&Report>,
) -> [(&'static str, String, egui::Color32); 3] {
    let (text, ink) = latency(color, client, report);
    let latency = ("LATENCY", text, if ink == color.muted { color.text } else { ink });
    let needs = report.and_then(|report| report.lead_micros);
    let needs = needs.map_or_else(String::new, |micros| format::micros(micros.into()));
    let last = report.and_then(|report| report.lateness_micros);
    let text = match last {
        Some(0) => "on time".to_owned(),
        Some(micros) => format!("{} late", format::micros(micros.into())),
        None => String::new(),
    };
    let warned = |is_warned: bool| if is_warned { color.warn } else { color.text };
    [
        latency,
        ("NEEDS", needs, warned(client.straggler)),
        ("LAST", text, warned(last.is_some_and(|micros| micros > 0))),
    ]
}

fn show_number(ui: &mut Ui, rect: Rect, title: &str, text: &str, ink: egui::Color32) {
    if text.is_empty() {
        return;
    }
    let (top, bottom) = rect.split_top_bottom_at_fraction(0.56);
    widgets::line(ui, top, Align2::RIGHT_CENTER, &[(text, theme::bold(size::BODY), ink)]);
    widgets::caption(ui, bottom, Align2::RIGHT_CENTER, title);
}

fn show_seat(ui: &mut Ui, rect: Rect, client: &RosterEntry, drafts: &mut Drafts) -> Option<Action> {
    let kept = client.seat.map_or_else(String::new, |seat| seat.to_string());
    let name = format!("Seat of {}", client.name);
    let field = Field { name: &name, kept: &kept, hint: "seat", is_centered: true };
    let id = Id::unique(("seat", client.id.0));
    let typed = widgets::field(ui, rect, id, drafts, &field)?;
    let seat = match typed.trim() {
        "" => 0,
        digits => digits.parse::<u16>().ok().filter(|seat| *seat <= MAX_SEAT)?,
    };
    Some(assign(client, |request| request.seat = Some(seat)))
}

fn show_tags(ui: &mut Ui, rect: Rect, client: &RosterEntry, drafts: &mut Drafts) -> Option<Action> {
    let kept = client.tags.join(", ");
    let name = format!("Tags of {}", client.name);
    let field =
        Field { name: &name, kept: &kept, hint: "tags, as: left, brass", is_centered: false };
    let id = Id::unique(("tags", client.id.0));
    let typed = widgets::field(ui, rect, id, drafts, &field)?;
    let tags = typed.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    let tags: Vec<String> = tags.map(str::to_owned).collect();
    Some(assign(client, |request| request.tags = Some(tags)))
}

fn assign(client: &RosterEntry, change: impl FnOnce(&mut AssignRequest)) -> Action {
    let mut request = AssignRequest { clients: vec![client.id], ..AssignRequest::default() };
    change(&mut request);
    Action::Assign(request)
}
