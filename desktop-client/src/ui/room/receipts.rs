//! The receipts of the last bangs: in a line each, and expanded with every machine that was late, silent, or
//! has not answered.

use std::time::Duration;

use downbeat_protocol::{ClientId, Receipt};
use egui::{
    Align2, Color32, Id, Rect, Response, Sense, Stroke, StrokeKind, Ui, WidgetInfo,
    accesskit::Role, pos2, vec2,
};

use super::{Context, listing::words, machine::Machine};
use crate::state::TimedReceipt;
use crate::ui::room::memory::Kept;
use crate::ui::{
    format,
    receipt::{self, Part},
    room::Part as RoomPart,
    theme::{self, GRID, PAD, Palette, size},
    widgets::{self, Run},
};

const ROW: f32 = 6.5 * GRID;
const ENTRY: f32 = 4.0 * GRID;
const GAP: f32 = 4.0;

/// A machine in an expanded receipt.
struct Entry {
    id: ClientId,
    text: String,
}

/// Shows the receipts, the newest first.
pub(super) fn show(ui: &mut Ui, rect: Rect, context: &Context<'_>, memory: &mut Kept<'_>) {
    let color = theme::palette(ui);
    let words = words(&memory.room.search);
    let newest_first = context.room.receipts.iter().rev();
    let found: Vec<&TimedReceipt> =
        newest_first.filter(|one| is_found(&one.receipt, context, &words)).collect();
    if found.is_empty() {
        let row = Rect::from_min_size(rect.min, vec2(rect.width(), 9.0 * GRID));
        ui.painter().rect_filled(row, theme::ROUNDING, color.panel);
        let text = if words.is_empty() {
            "Each bang leaves a receipt here: who sounded it, who was late, and who was silent"
        } else {
            "No receipt is found"
        };
        let runs = [(text, theme::regular(size::BODY), color.muted)];
        widgets::line(ui, row.shrink(PAD), Align2::CENTER_CENTER, &runs);
        return;
    }
    widgets::scrolling(ui, "receipts", rect, |ui| {
        ui.spacing_mut().item_spacing.y = GAP;
        for timed in found {
            let receipt = &timed.receipt;
            let is_open = memory.room.open_receipts.contains(&receipt.seq);
            let entries = if is_open { entries(receipt, context) } else { Vec::new() };
            let height = ROW + entries.len() as f32 * ENTRY;
            let row = widgets::strip(ui, height + if entries.is_empty() { 0.0 } else { GRID });
            if !ui.is_rect_visible(row.expand(ROW)) {
                continue;
            }
            let patience = timed.patience(context.now);
            wait(ui, receipt, patience);
            let parts = receipt::parts(receipt, context.room, patience.is_some());
            let head = Rect::from_min_size(row.min, vec2(row.width(), ROW));
            let can_open = has_entries(receipt);
            let response = show_head(ui, row, head, receipt, &parts, (is_open, can_open));
            if response.clicked() && can_open {
                if is_open {
                    memory.room.open_receipts.remove(&receipt.seq);
                } else {
                    memory.room.open_receipts.insert(receipt.seq);
                }
            }
            for (index, entry) in entries.iter().enumerate() {
                let top = head.bottom() + index as f32 * ENTRY;
                let place = Rect::from_min_size(pos2(row.left(), top), vec2(row.width(), ENTRY));
                show_entry(ui, place, receipt.seq, entry, context, memory);
            }
        }
    });
    // Receipts that the relay does not keep any longer.
    memory.room.open_receipts.retain(|seq| context.room.receipt(*seq).is_some());
}

/// What is awaited becomes trouble later, and is then shown so.
fn wait(ui: &Ui, receipt: &Receipt, patience: Option<Duration>) {
    if let Some(patience) = patience.filter(|_| !receipt.waiting.is_empty()) {
        ui.ctx().request_repaint_after(patience);
    }
}

fn is_found(receipt: &Receipt, context: &Context<'_>, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let parts = receipt::parts(receipt, context.room, true);
    let parts: Vec<_> = parts.into_iter().map(|part| part.text).collect();
    let text = format!("{} {} {}", receipt.sound, receipt.by.name, parts.join(" ")).to_lowercase();
    words.iter().all(|word| text.contains(word))
}

fn has_entries(receipt: &Receipt) -> bool {
    !(receipt.late.is_empty() && receipt.missed.is_empty() && receipt.waiting.is_empty())
}

fn entries(receipt: &Receipt, context: &Context<'_>) -> Vec<Entry> {
    let name = |id| receipt::name(id, context.room);
    let late = receipt.late.iter().map(|late| {
        let how = format::micros(late.lateness_micros.into());
        Entry { id: late.id, text: format!("{} was {how} late", name(late.id)) }
    });
    let missed = receipt.missed.iter().map(|missed| {
        let why = receipt::reason(missed.reason, false);
        Entry { id: missed.id, text: format!("{} {why}", name(missed.id)) }
    });
    let waiting = receipt
        .waiting
        .iter()
        .map(|id| Entry { id: *id, text: format!("{} has not answered", name(*id)) });
    late.chain(missed).chain(waiting).collect()
}

fn show_head(
    ui: &mut Ui,
    row: Rect,
    head: Rect,
    receipt: &Receipt,
    parts: &[Part],
    (is_open, can_open): (bool, bool),
) -> Response {
    let color = theme::palette(ui);
    let response = ui.interact(head, Id::unique(("receipt", receipt.seq)), Sense::click());
    let text = line(receipt, parts);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Button, can_open, &text);
        info.selected = can_open.then_some(is_open);
        info
    });
    let is_troubled = parts.iter().any(|part| part.is_trouble);
    let base = if response.hovered() && can_open { color.raised } else { color.panel };
    let (fill, edge) = if is_troubled {
        (theme::mix(base, color.warn, 0.06), theme::mix(color.line, color.warn, 0.5))
    } else {
        (base, color.panel_edge)
    };
    ui.painter().rect(row, 6.0, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    if response.has_focus() {
        ui.painter().rect_stroke(head, 6.0, Stroke::new(2.0, color.text), StrokeKind::Inside);
    }
    let inside = head.shrink2(vec2(1.5 * GRID, 0.75 * GRID));
    let bar = Rect::from_min_max(
        pos2(inside.right() - 12.0 * GRID, inside.top() + GRID),
        pos2(inside.right() - 3.0 * GRID, inside.top() + 1.75 * GRID),
    );
    paint_bar(ui, color, bar, receipt);
    if can_open {
        chevron(ui, pos2(inside.right() - GRID, inside.center().y), is_open, color.muted);
    }
    let (top, bottom) = inside.split_top_bottom_at_fraction(0.5);
    let top = Rect::from_min_max(top.min, pos2(bar.left() - GRID, top.bottom()));
    let bottom = Rect::from_min_max(bottom.min, pos2(inside.right() - 3.0 * GRID, bottom.bottom()));
    let runs = [
        (receipt.sound.as_str(), theme::bold(size::SMALL), color.text),
        ("  by  ", theme::regular(size::SMALL), color.muted),
        (receipt.by.name.as_str(), theme::bold(size::SMALL), color.text),
    ];
    widgets::ink(ui, top, Align2::LEFT_CENTER, &runs);
    widgets::ink(ui, bottom, Align2::LEFT_CENTER, &runs_of(color, parts));
    if can_open { response.on_hover_cursor(egui::CursorIcon::PointingHand) } else { response }
}

/// A receipt in one line.
fn line(receipt: &Receipt, parts: &[Part]) -> String {
    let parts: Vec<_> = parts.iter().map(|part| part.text.as_str()).collect();
    format!("{} by {}: {}", receipt.sound, receipt.by.name, parts.join(" · "))
}

/// The runs of a receipt's parts.
pub(in crate::ui) fn runs_of<'a>(color: &Palette, parts: &'a [Part]) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for part in parts {
        if !runs.is_empty() {
            runs.push((" · ", theme::regular(size::SMALL), color.muted));
        }
        let ink = if part.is_trouble { color.warn } else { color.muted };
        runs.push((&part.text, theme::regular(size::SMALL), ink));
    }
    runs
}

/// The shares of those that were on time, late, and silent.
fn paint_bar(ui: &Ui, color: &Palette, rect: Rect, receipt: &Receipt) {
    let painter = ui.painter();
    painter.rect_filled(rect, 1.5, color.well);
    if receipt.expected == 0 {
        return;
    }
    let late = u32::try_from(receipt.late.len()).unwrap_or(u32::MAX);
    let missed = u32::try_from(receipt.missed.len()).unwrap_or(u32::MAX);
    let shares: [(u32, Color32); 3] = [
        (receipt.sounded.saturating_sub(late), color.good),
        (late, color.warn),
        (missed, color.bad),
    ];
    let mut left = rect.left();
    for (count, ink) in shares.into_iter().filter(|(count, _)| *count > 0) {
        // What is there is seen, however small its share.
        let width = (rect.width() * count as f32 / receipt.expected as f32).max(3.0);
        let right = (left + width).min(rect.right());
        let part = Rect::from_min_max(pos2(left, rect.top()), pos2(right, rect.bottom()));
        painter.rect_filled(part, 1.5, ink);
        left = right;
    }
}

fn chevron(ui: &Ui, center: egui::Pos2, is_open: bool, ink: Color32) {
    let way = if is_open { -1.0 } else { 1.0 };
    let points = [vec2(-5.0, -2.5 * way), vec2(0.0, 2.5 * way), vec2(5.0, -2.5 * way)];
    ui.painter().line(points.map(|point| center + point).to_vec(), Stroke::new(2.0, ink));
}

/// A machine of an expanded receipt. A press selects it in the list.
fn show_entry(
    ui: &mut Ui,
    rect: Rect,
    seq: u64,
    entry: &Entry,
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) {
    let color = theme::palette(ui);
    let inside = rect.shrink2(vec2(1.5 * GRID, 2.0));
    let id = Id::unique(("receipt", seq, entry.id.0));
    let response = widgets::pressable(ui, inside, id, &entry.text, false);
    if response.hovered() || response.has_focus() {
        widgets::surface(ui, &response, inside, color.raised_hover, color.line);
    }
    let place = inside.shrink2(vec2(GRID, 0.0));
    let runs = [(entry.text.as_str(), theme::regular(size::SMALL), color.text)];
    widgets::ink(ui, place, Align2::LEFT_CENTER, &runs);
    if response.on_hover_text("Select this machine").clicked() {
        let is_it =
            |machine: &&Machine<'_>| machine.client.is_some_and(|client| client.id == entry.id);
        if let Some(machine) = context.machines.iter().find(is_it) {
            memory.room.selection.select_only(machine.key);
            memory.room.part = RoomPart::List;
        }
    }
}
