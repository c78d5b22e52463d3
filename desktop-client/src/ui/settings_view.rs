//! The view *Settings*: the output, the relay, the appearance, and the keys.

use egui::{Align2, Id, Rect, Ui, UiBuilder, pos2};

use super::{
    address_editor::AddressEditor,
    command::Command,
    join::JoinPanel,
    keys,
    layout::Layout,
    memory::Memory,
    output,
    theme::{self, GRID, PAD, size},
    widgets::{self, Look},
};
use crate::{action::Action, settings::Appearance, state::State, time::LocalTime};

/// Panels are no wider than this.
const MAX_COLUMN: f32 = 100.0 * GRID;

const APPEARANCES: [(Appearance, &str); 4] = [
    (Appearance::System, "System"),
    (Appearance::Dark, "Dark"),
    (Appearance::Light, "Light"),
    (Appearance::HighContrast, "High contrast"),
];

/// Shows the view.
pub(super) fn show(
    ui: &mut Ui,
    layout: &Layout,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let body = layout.body;
    widgets::scrolling(ui, "settings", body, |ui| {
        if !layout.is_wide {
            actions.extend(output::show(ui, state, now, &mut memory.needles));
            actions.extend(show_appearance(ui, state));
            show_relay(ui, state, memory);
            show_keys(ui);
            return;
        }
        let area = ui.available_rect_before_wrap();
        let width = ((body.width() - PAD) / 2.0).min(MAX_COLUMN);
        let column = |left: f32| {
            let min = pos2(left, area.top());
            Rect::from_min_max(min, pos2(left + width, f32::INFINITY))
        };
        let mut first = ui.new_child(UiBuilder::new().max_rect(column(area.left())).id_salt(0));
        actions.extend(output::show(&mut first, state, now, &mut memory.needles));
        actions.extend(show_appearance(&mut first, state));
        let left = area.left() + width + PAD;
        let mut second = ui.new_child(UiBuilder::new().max_rect(column(left)).id_salt(1));
        show_relay(&mut second, state, memory);
        show_keys(&mut second);
        let bottom = first.min_rect().bottom().max(second.min_rect().bottom());
        ui.advance_cursor_after_rect(Rect::from_min_max(area.min, pos2(area.right(), bottom)));
    });
    actions
}

fn show_appearance(ui: &mut Ui, state: &State) -> Option<Action> {
    let mut chosen = None;
    widgets::panel(ui, "APPEARANCE", "", |ui| {
        let row = widgets::strip(ui, theme::SMALL_CONTROL);
        let current = APPEARANCES.iter().position(|(one, _)| *one == state.appearance);
        let texts = APPEARANCES.map(|(_, text)| text);
        let pressed = widgets::segments(ui, row, Id::unique("appearance"), &texts, current);
        chosen = pressed.map(|index| Action::SetAppearance(APPEARANCES[index].0));
    });
    chosen
}

fn show_relay(ui: &mut Ui, state: &State, memory: &mut Memory) {
    let name = format!("this machine is {}", state.name);
    widgets::panel(ui, "RELAY", &name, |ui| {
        let color = theme::palette(ui);
        let row = widgets::strip(ui, theme::CONTROL);
        let (text, button) = row.split_left_right_at_x(row.right() - 20.0 * GRID);
        let runs = [(state.relay.as_str(), theme::bold(size::NAME), color.text)];
        widgets::line(ui, text, Align2::LEFT_CENTER, &runs);
        if widgets::button(ui, button, "Change address", Look::Raised).clicked() {
            memory.address = Some(AddressEditor::new(&state.relay));
        }
        if state.is_conductor() {
            let row = widgets::strip(ui, theme::SMALL_CONTROL);
            let button = widgets::button(ui, row, Command::Join.text(), Look::Raised);
            let hover = Command::Join.hover(ui);
            if button.on_hover_text(hover).clicked() {
                memory.join = Some(JoinPanel::default());
            }
        }
    });
}

/// The table of commands.
fn show_keys(ui: &mut Ui) {
    widgets::panel(ui, "KEYS", "", |ui| {
        let color = theme::palette(ui);
        ui.spacing_mut().item_spacing.y = 0.0;
        let first = keys::label(0).unwrap_or_default();
        let pads = format!("{first} to 0, then Q to M");
        let commands = Command::ALL.map(|command| (title(command), command.keys(ui)));
        let rows = commands.into_iter().chain([("Pads, by position".to_owned(), pads)]);
        for (index, (text, keys)) in rows.enumerate() {
            let row = widgets::strip(ui, 4.25 * GRID);
            if index > 0 {
                let line = egui::Stroke::new(1.0, color.line);
                ui.painter().hline(row.x_range(), row.top(), line);
            }
            let runs = [(keys.as_str(), theme::bold(size::SMALL), color.text)];
            let right = widgets::line(ui, row, Align2::RIGHT_CENTER, &runs);
            let left = Rect::from_min_max(row.min, pos2(right.rect.left() - GRID, row.bottom()));
            let runs = [(text.as_str(), theme::regular(size::SMALL), color.muted)];
            widgets::line(ui, left, Align2::LEFT_CENTER, &runs);
        }
    });
}

fn title(command: Command) -> String {
    match command {
        Command::Show(view) => format!("View {}", view.text()),
        _ => command.text().to_owned(),
    }
}
