//! Above the machines: which part is shown, the search, and which machines in which order.

use egui::{Align2, Id, Rect, Ui, vec2};

use super::{
    Context,
    listing::{Column, Counts, Filter, Order},
    memory::{Part, RoomMemory},
};
use crate::ui::{
    theme::{self, GRID, size},
    widgets::{self, Search},
};

const PARTS: f32 = 29.0 * GRID;
/// The filters are no wider than this.
const MAX_FILTERS: f32 = 70.0 * GRID;

/// The orders to choose from where there are no columns to press.
const ORDERS: [Column; 7] = [
    Column::Status,
    Column::Seat,
    Column::Name,
    Column::Sounds,
    Column::Sync,
    Column::Latency,
    Column::Last,
];

/// Shows both rows.
pub(super) fn show(
    ui: &mut Ui,
    rect: Rect,
    is_wide: bool,
    context: &Context<'_>,
    memory: &mut RoomMemory,
) {
    let height = theme::SMALL_CONTROL;
    let first = Rect::from_min_size(rect.min, vec2(rect.width(), height));
    let second = first.translate(vec2(0.0, height + GRID));
    let (parts, search) =
        first.split_left_right_at_x(first.left() + PARTS.min(first.width() / 2.0));
    let texts = Part::ALL.map(Part::text);
    let chosen = Part::ALL.iter().position(|part| *part == memory.part);
    if let Some(index) = widgets::segments(ui, parts, Id::unique("room part"), &texts, chosen) {
        memory.part = Part::ALL[index];
    }
    let place = Rect::from_min_max(search.min + vec2(GRID, 0.0), search.max);
    let search = Search {
        id: Id::unique("room search"),
        name: "Search the room",
        hint: "Search: just type",
    };
    widgets::search(ui, place, &search, &mut memory.search, &mut memory.focuses_search);
    match memory.part {
        Part::List => show_filters(ui, second, is_wide, context, memory),
        Part::Plan => {
            let text = if is_wide {
                "Drag machines to their places, or move them with Tab and the arrow keys"
            } else {
                "Drag machines, or use Tab and the arrow keys"
            };
            show_note(ui, second, text);
        }
        Part::Receipts => show_note(ui, second, "The last bangs, the newest first"),
    }
}

fn show_filters(
    ui: &mut Ui,
    rect: Rect,
    is_wide: bool,
    context: &Context<'_>,
    memory: &mut RoomMemory,
) {
    let counts = Counts::of(context.machines);
    let texts = Filter::ALL.map(|filter| filter.text(&counts));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let chosen = Filter::ALL.iter().position(|filter| *filter == memory.filter);
    if is_wide {
        let place =
            Rect::from_min_size(rect.min, vec2(rect.width().min(MAX_FILTERS), rect.height()));
        if let Some(index) = widgets::segments(ui, place, Id::unique("filter"), &texts, chosen) {
            memory.filter = Filter::ALL[index];
        }
        return;
    }
    let middle = (rect.left() + rect.width() * 0.45).round();
    let (left, right) = rect.split_left_right_at_x(middle);
    let text = chosen.map_or("All", |index| texts[index]);
    let response = widgets::opener(ui, left, Id::unique("filter"), "Filter", text);
    if let Some(index) = widgets::menu(&response, "Filters", &texts, chosen) {
        memory.filter = Filter::ALL[index];
    }
    let right = Rect::from_min_max(right.min + vec2(GRID, 0.0), right.max);
    let orders = ORDERS.map(Column::order);
    let chosen = ORDERS.iter().position(|column| *column == memory.order.column);
    let text = memory.order.column.order();
    let response = widgets::opener(ui, right, Id::unique("order"), "Order", text);
    if let Some(index) = widgets::menu(&response, "Orders", &orders, chosen) {
        memory.order = Order { column: ORDERS[index], is_reversed: false };
    }
}

fn show_note(ui: &mut Ui, rect: Rect, text: &str) {
    let color = theme::palette(ui);
    let runs = [(text, theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, rect, Align2::LEFT_CENTER, &runs);
}
