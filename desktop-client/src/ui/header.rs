//! The top line: which relay, how things stand with it, the room's lead, this machine's clock, and
//! stop-all. A press on the relay opens the editor of its address.

use egui::{
    Align2, Color32, Id, Key, Rect, TextEdit, Ui, Vec2, pos2,
    text::{CCursor, CCursorRange},
    text_edit::TextEditState,
    vec2,
};

use super::{
    Memory,
    parts::{self, Look},
    theme::{self, GRID, PAD, color, size},
    words,
};
use crate::{
    action::Action,
    address::TypedAddress,
    event::Wire,
    state::{Connection, State},
};

const STOP_WIDTH: f32 = 16.0 * GRID;
const STAT_WIDTH: f32 = 9.0 * GRID;
/// The relay's name keeps at least this; the room's own list has the numbers too.
const LEAST_NAME_WIDTH: f32 = 25.0 * GRID;

/// The editor of the relay's address.
#[derive(Clone, Debug)]
pub struct AddressEditor {
    text: String,
    /// It has yet to be given the keyboard.
    fresh: bool,
}

impl AddressEditor {
    /// An editor that starts from this address.
    pub fn new(relay: &str) -> Self {
        Self { text: relay.to_owned(), fresh: true }
    }
}

/// Shows the top line.
pub fn show(ui: &mut Ui, rect: Rect, state: &State, memory: &mut Memory) -> Vec<Action> {
    ui.painter().rect_filled(rect, 0.0, color::PANEL);
    ui.painter().hline(rect.x_range(), rect.bottom(), egui::Stroke::new(1.0, color::LINE));
    let inside = rect.shrink2(vec2(PAD, 1.5 * GRID));
    match &mut memory.address {
        Some(editor) => {
            let (open, actions) = edit(ui, inside, editor);
            if !open {
                memory.address = None;
            }
            actions
        }
        None => show_line(ui, inside, state, memory),
    }
}

fn show_line(ui: &mut Ui, inside: Rect, state: &State, memory: &mut Memory) -> Vec<Action> {
    let mut actions = Vec::new();
    let stop = Rect::from_min_max(pos2(inside.right() - STOP_WIDTH, inside.top()), inside.max);
    let button = parts::button(ui, stop, "Stop all", Look::Stop);
    if button.on_hover_text("Silence every machine (Esc)").clicked() {
        actions.push(Action::StopAll);
    }
    let mut right = stop.left() - PAD;
    if let Connection::Connected(Wire::Downbeat { .. }) = state.connection {
        let room = ((right - inside.left() - LEAST_NAME_WIDTH) / STAT_WIDTH).max(0.0) as usize;
        let mut numbers = stats(state);
        if room == 1 && state.standing.is_loose() {
            // Where there is room for one, it is the one that is amiss.
            numbers.reverse();
        }
        for (title, value, ink) in numbers.into_iter().take(room) {
            let place = Rect::from_min_max(
                pos2(right - STAT_WIDTH, inside.top()),
                pos2(right, inside.bottom()),
            );
            show_stat(ui, place, title, &value, ink);
            right = place.left();
        }
    }

    let relay =
        Rect::from_min_max(inside.min - vec2(GRID, 0.0), pos2(right - GRID, inside.bottom()));
    let response = parts::key(ui, relay, Id::unique("relay"), "Change relay", false);
    if response.hovered() || response.has_focus() {
        parts::surface(ui, &response, relay, color::RAISED, color::LINE);
    }
    if response.on_hover_text("Connect to another relay").clicked() {
        memory.edit_address(&state.relay);
    }
    let (lamp, words) = standing(state);
    parts::lamp(ui.painter(), pos2(relay.left() + 2.0 * GRID, relay.center().y), lamp);
    let text = Rect::from_min_max(relay.min + vec2(4.0 * GRID, 0.0), relay.max - vec2(GRID, 0.0));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.54);
    let name = [(state.relay.as_str(), theme::bold(size::NAME), color::TEXT)];
    parts::line(ui, top, Align2::LEFT_CENTER, &name);
    let line = [(words.as_str(), theme::regular(size::SMALL), color::MUTED)];
    let label = parts::line(ui, bottom, Align2::LEFT_CENTER, &line);
    parts::announce(ui, &label);
    actions
}

/// The lamp's colour, and how things stand in words.
fn standing(state: &State) -> (Color32, String) {
    match &state.connection {
        Connection::Connecting => (color::WARN, "Connecting…".to_owned()),
        Connection::Connected(Wire::Downbeat { .. }) => {
            (color::GOOD, format!("Connected as {}", state.name))
        }
        Connection::Connected(Wire::Plain) => {
            (color::WARN, "Plain relay: one sound, plays on arrival".to_owned())
        }
        Connection::Lost { .. } | Connection::WrongAddress { .. } => {
            (color::BAD, "Not connected".to_owned())
        }
    }
}

/// What is said in numbers, from right to left.
fn stats(state: &State) -> [(&'static str, String, Color32); 2] {
    let clock = match state.standing.clock_error_micros() {
        Some(micros) => {
            let ink = if state.standing.is_loose() { color::WARN } else { color::TEXT };
            (format!("±{}", words::micros(micros.into())), ink)
        }
        None => ("–".to_owned(), color::MUTED),
    };
    let lead = match state.roster.lead_micros {
        0 => ("–".to_owned(), color::MUTED),
        micros => (words::micros(micros.into()), color::TEXT),
    };
    [("LEAD", lead.0, lead.1), ("CLOCK", clock.0, clock.1)]
}

fn show_stat(ui: &mut Ui, rect: Rect, title: &str, value: &str, ink: Color32) {
    let (top, bottom) = rect.split_top_bottom_at_fraction(0.54);
    let runs = [(value, theme::bold(size::BODY), ink)];
    parts::line(ui, top, Align2::RIGHT_CENTER, &runs);
    parts::caption(ui, bottom, Align2::RIGHT_CENTER, title);
}

/// Shows the editor; answers whether it stays open.
fn edit(ui: &mut Ui, inside: Rect, editor: &mut AddressEditor) -> (bool, Vec<Action>) {
    let button = vec2(11.0 * GRID, inside.height());
    let cancel = Rect::from_min_size(pos2(inside.right() - button.x, inside.top()), button);
    let connect = cancel.translate(vec2(-button.x - GRID - 8.0, 0.0)).expand2(vec2(4.0, 0.0));
    let field = Rect::from_min_max(inside.min, pos2(connect.left() - GRID, inside.bottom()));

    let edit = TextEdit::singleline(&mut editor.text)
        .id(Id::unique("relay address"))
        .font(theme::bold(size::NAME))
        .hint_text("host or host:port")
        .margin(egui::Margin::symmetric(12, 10))
        .align(Align2::LEFT_CENTER)
        .min_size(Vec2::new(0.0, field.height()));
    let response = ui.put(field, edit).accessible_name("Relay address");
    if editor.fresh {
        response.request_focus();
        // All of it is selected: what is typed first replaces the old address. What was undone and
        // typed the last time is forgotten: there may be a token in it.
        let mut typing = TextEditState::default();
        let end = CCursor::new(editor.text.chars().count());
        typing.cursor.set_char_range(Some(CCursorRange::two(CCursor::default(), end)));
        typing.store(ui.ctx(), response.id);
        editor.fresh = false;
    }
    let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let left = ui.input(|input| input.key_pressed(Key::Escape));

    let address = editor.text.trim();
    let confirmed = parts::button(ui, connect, "Connect", Look::Accent).clicked() || entered;
    let cancelled = parts::button(ui, cancel, "Cancel", Look::Raised).clicked() || left;
    if confirmed && !address.is_empty() {
        return (false, vec![Action::SetRelay(TypedAddress::new(address))]);
    }
    (!cancelled, Vec::new())
}
