//! The pads: every sound of the bank, and the tone. A press plays; where it hits the pad says how hard.

mod edit;
mod look;
mod sweep;

use downbeat_protocol::{StopRequest, TONE};
use egui::{Rect, Response, Ui, Vec2, WidgetInfo, accesskit::Role, pos2, vec2};

pub(super) use self::look::wave_points;
use self::sweep::Sweep;
use super::{
    bank,
    flash::Flash,
    format,
    hand::{self, velocity_db},
    keys,
    memory::{Hit, Memory},
    press,
    theme::{self, GRID},
    widgets,
};
use crate::{
    action::Action,
    state::{BankSound, Readiness, State},
    time::LocalTime,
};

/// The least size of a pad, and how high it may grow for its width.
const MIN_SIZE: Vec2 = Vec2::new(132.0, 100.0);
const MAX_ASPECT: f32 = 0.72;
/// The width of a pad for its height that looks best.
const BEST_ASPECT: f32 = 1.6;
/// Columns of a small bank: its pads are no wider than this share of the row.
const MIN_COLUMNS: usize = 3;
const STOP: f32 = 3.5 * GRID;

/// What a pad plays.
#[derive(Clone, Copy)]
enum Source<'a> {
    Bank(&'a BankSound),
    /// The built-in tone.
    Tone,
}

impl Source<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Bank(sound) => &sound.info.name,
            Self::Tone => TONE,
        }
    }
}

/// A pad: what it plays, and its place in the bank, which gives its key and colour.
#[derive(Clone, Copy)]
struct Pad<'a> {
    source: Source<'a>,
    place: usize,
}

/// Shows the pads that are found, in a part of the window that is `visible` high.
pub(super) fn show(
    ui: &mut Ui,
    visible: f32,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let pads = all(state);
    let mut actions = Vec::new();
    if state.can_bang() {
        for place in keys::pressed(ui) {
            if let Some(pad) = pads.get(place) {
                actions.push(play(pad, 0.0, memory));
            }
        }
    }
    let found: Vec<&Pad<'_>> =
        pads.iter().filter(|pad| is_found(pad.source.name(), &memory.search)).collect();
    if found.is_empty() {
        empty(ui, state);
        return actions;
    }

    let grid = Grid::of(ui.available_width(), visible, found.len());
    let area = ui.allocate_space(vec2(ui.available_width(), grid.height())).1;
    let is_editing = memory.bank.edits(state);
    let presses = if state.can_bang() && !is_editing { press::presses(ui) } else { Vec::new() };
    let mut places = Vec::new();
    for row in grid.visible_rows(area, ui.clip_rect()) {
        for column in 0..grid.columns {
            let Some(pad) = found.get(row * grid.columns + column) else { break };
            let rect = grid.pad(area, row, column);
            if is_editing {
                edit::show(ui, rect, pad, state, memory);
                places.push((rect, **pad));
            } else {
                actions.extend(show_pad(ui, rect, pad, &presses, state, now, memory));
            }
        }
    }
    if is_editing {
        actions.extend(edit::drag(ui, &places, state, memory));
    }
    actions
}

/// All pads: the bank, then the tone, which only a relay of `downbeat.v1` knows.
fn all(state: &State) -> Vec<Pad<'_>> {
    let tone = state.own_id().map(|_| Source::Tone);
    let sources = state.bank.iter().map(Source::Bank).chain(tone);
    sources.enumerate().map(|(place, source)| Pad { source, place }).collect()
}

/// How many pads there are, and how many of them are found.
pub(super) fn count(state: &State, search: &str) -> String {
    let pads = all(state);
    let found = pads.iter().filter(|pad| is_found(pad.source.name(), search)).count();
    match (found, pads.len()) {
        (_, 0) => String::new(),
        (found, all) if found == all => all.to_string(),
        (found, all) => format!("{found} of {all}"),
    }
}

/// Whether a name contains every word that is searched for.
fn is_found(name: &str, search: &str) -> bool {
    let name = name.to_lowercase();
    search.to_lowercase().split_whitespace().all(|word| name.contains(word))
}

fn play(pad: &Pad<'_>, velocity_db: f64, memory: &mut Memory) -> Action {
    let sound = pad.source.name().to_owned();
    memory.hit = Some(Hit { sound: sound.clone(), velocity_db });
    Action::Bang(memory.hand.request(Some(sound), velocity_db))
}

/// The places of the pads.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grid {
    columns: usize,
    rows: usize,
    size: Vec2,
}

impl Grid {
    /// Of the numbers of columns with which all pads are visible, the one with the largest pads; if there
    /// is none, as many as fit.
    fn of(width: f32, visible: f32, pads: usize) -> Self {
        let most = ((width + GRID) / (MIN_SIZE.x + GRID)).floor().max(1.0) as usize;
        let grids = (MIN_COLUMNS.min(most)..=most).map(|n| Self::with(n, width, visible, pads));
        let fitting = grids.filter(|grid| grid.height() <= visible);
        let side = |grid: &Self| (grid.size.x / BEST_ASPECT).min(grid.size.y);
        fitting
            .max_by(|one, other| side(one).total_cmp(&side(other)))
            .unwrap_or_else(|| Self::with(most, width, visible, pads))
    }

    fn with(columns: usize, width: f32, visible: f32, pads: usize) -> Self {
        let rows = pads.div_ceil(columns);
        let across = (width - GRID * (columns - 1) as f32) / columns as f32;
        let down = (visible - GRID * (rows.max(1) - 1) as f32) / rows.max(1) as f32;
        let highest = (across * MAX_ASPECT).max(MIN_SIZE.y);
        let size = vec2(across, down.clamp(MIN_SIZE.y, highest).floor());
        Self { columns, rows, size }
    }

    fn height(&self) -> f32 {
        self.rows as f32 * (self.size.y + GRID) - GRID
    }

    fn pad(&self, area: Rect, row: usize, column: usize) -> Rect {
        let place = vec2(column as f32, row as f32) * (self.size + Vec2::splat(GRID));
        Rect::from_min_size(area.min + place, self.size)
    }

    /// The rows that `clip` shows, and one more at either end, so that Tab can go there.
    fn visible_rows(&self, area: Rect, clip: Rect) -> std::ops::Range<usize> {
        let pitch = self.size.y + GRID;
        let row = |y: f32| ((y - area.top()) / pitch).floor();
        let first = (row(clip.top()) - 1.0).max(0.0) as usize;
        let last = (row(clip.bottom()) + 2.0).max(0.0) as usize;
        first.min(self.rows)..last.min(self.rows)
    }
}

fn show_pad(
    ui: &mut Ui,
    rect: Rect,
    pad: &Pad<'_>,
    presses: &[egui::Pos2],
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let name = pad.source.name();
    let id = ui.scope_id().with(("pad", name));
    let response = ui.interact(rect, id, egui::Sense::click());
    response
        .widget_info(|| WidgetInfo::labeled(Role::Button, state.can_bang(), format!("Pad {name}")));
    let sweep = Sweep::of(state, name, now);
    let stop = Rect::from_min_size(
        pos2(rect.right() - STOP - GRID, rect.bottom() - STOP - GRID),
        Vec2::splat(STOP),
    );
    let is_stoppable = sweep.is_sounding();

    for position in presses.iter().filter(|position| rect.contains(**position)) {
        if is_stoppable && stop.contains(*position) {
            actions.push(stop_sound(name));
        } else {
            let height = (rect.bottom() - position.y) / rect.height();
            actions.push(play(pad, velocity_db(height.into()), memory));
        }
    }
    // By keyboard or assistive technology.
    if state.can_bang() && response.clicked() && !response.clicked_by(egui::PointerButton::Primary)
    {
        actions.push(play(pad, 0.0, memory));
    }

    // Off the screen, only the keyboard focus can be here.
    if ui.is_rect_visible(rect) {
        let bright = |at: LocalTime| (at, state.flashes.is_bright(at));
        let triggers = state.recent.iter().filter(|played| played.sound == name);
        let flash = Flash::at(now, triggers.map(|played| bright(played.at)));
        let nexts = [flash.next, sweep.next(rect.width() * ui.pixels_per_point())];
        if let Some(next) = nexts.into_iter().flatten().min() {
            ui.ctx().request_repaint_after(next);
        }
        look::paint(ui, rect, pad, &response, (&flash, &sweep), state, memory);
    }
    if is_stoppable {
        let label = format!("Stop {name}");
        let button = widgets::pressable(ui, stop, id.with("stop"), &label, false);
        look::paint_stop(ui, stop, &button);
        let is_pressed = button.clicked() && !button.clicked_by(egui::PointerButton::Primary);
        if is_pressed {
            actions.push(stop_sound(name));
        }
        button.on_hover_text("Stop this sound on every machine");
    }
    describe(ui, pad, response, state, memory, &mut actions);
    actions
}

fn stop_sound(name: &str) -> Action {
    Action::Stop(StopRequest { trigger: None, sound: Some(name.to_owned()) })
}

/// The rest of a pad: its description, its menu, and why it does not play.
fn describe(
    ui: &Ui,
    pad: &Pad<'_>,
    response: Response,
    state: &State,
    memory: &mut Memory,
    actions: &mut Vec<Action>,
) {
    let Source::Bank(sound) = pad.source else {
        widgets::describe(ui, &response, "Synthesised on every machine");
        return;
    };
    let name = &sound.info.name;
    widgets::describe(ui, &response, &note(sound));
    response.context_menu(|ui| {
        let is_selected = state.selected.as_ref() == Some(name);
        if ui.add_enabled(!is_selected, egui::Button::new("Bang with this sound")).clicked() {
            actions.push(Action::SelectSound(name.clone()));
            ui.close();
        }
        if ui.button("Stop this sound").clicked() {
            actions.push(stop_sound(name));
            ui.close();
        }
        let reason = bank::obstacle(state);
        let button = ui.add_enabled(reason.is_none(), egui::Button::new("Edit this sound…"));
        if button.on_disabled_hover_text(reason.unwrap_or_default()).clicked() {
            memory.bank.edit(&sound.info.hash);
            ui.close();
        }
    });
    if let Some(reason) = state.prohibition() {
        response.on_hover_text(reason);
    } else if let Readiness::Failed { reason } = &sound.readiness {
        response.on_hover_text(format!("Not playable on this machine: {reason}"));
    }
}

/// What a pad says about its sound while that does not sound.
fn note(sound: &BankSound) -> String {
    match &sound.readiness {
        Readiness::Ready => format::micros(sound.info.duration_micros(1.0)),
        Readiness::Loading => "Loading…".to_owned(),
        Readiness::OnFirstUse => "Loads on first use".to_owned(),
        Readiness::Failed { .. } => "Not playable".to_owned(),
    }
}

/// What the pad of the tone says.
fn tone_note(memory: &Memory, state: &State) -> String {
    let hand = &memory.hand;
    let frequency = match hand.frequency {
        Some(frequency) => hand::hertz(frequency),
        None if is_frequency_bound(state) => "bound".to_owned(),
        None => hand::hertz(downbeat_protocol::DEFAULT_FREQUENCY.into()),
    };
    format!("{frequency} · {}", hand::duration(hand.duration_ms))
}

/// Whether a variable drives the frequency of tones that name none.
pub(super) fn is_frequency_bound(state: &State) -> bool {
    let bindings = state.variables.iter().flat_map(|state| &state.variable.bind);
    bindings.into_iter().any(|bind| bind.parameter == downbeat_protocol::Parameter::Frequency)
}

fn empty(ui: &mut Ui, state: &State) {
    let color = theme::palette(ui);
    let slot = widgets::strip(ui, MIN_SIZE.y);
    ui.painter().rect_filled(slot, theme::ROUNDING, color.panel);
    let text = match (state.can_bang(), state.bank.is_empty()) {
        (_, false) => "No sound of that name",
        (true, true) => "The relay has no sounds",
        (false, true) => "Sounds appear once connected",
    };
    let runs = [(text, theme::regular(theme::size::BODY), color.muted)];
    widgets::line(ui, slot.shrink(theme::PAD), egui::Align2::CENTER_CENTER, &runs);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_are_as_large_as_the_bank_allows() {
        assert_eq!(Grid::of(448.0, 400.0, 7).columns, 3);
        assert_eq!(Grid::of(1100.0, 690.0, 7).columns, 3);
        assert_eq!(Grid::of(1100.0, 690.0, 16).columns, 4);
        assert_eq!(Grid::of(1100.0, 690.0, 24).columns, 5);
        assert_eq!(Grid::of(448.0, 400.0, 100).columns, 3, "the rest is scrolled to");
        assert_eq!(Grid::of(10.0, 10.0, 1).columns, 1);
    }

    #[test]
    fn only_the_rows_in_sight_are_laid_out() {
        let grid = Grid::of(448.0, 400.0, 300);
        let area = Rect::from_min_size(egui::Pos2::ZERO, vec2(448.0, grid.height()));
        let clip = |top: f32| Rect::from_min_size(pos2(0.0, top), vec2(448.0, 400.0));
        assert_eq!(grid.visible_rows(area, clip(0.0)), 0..5);
        let middle = grid.visible_rows(area, clip(2000.0));
        assert!(middle.start > 10 && middle.len() <= 7, "{middle:?}");
        assert_eq!(grid.visible_rows(area, clip(1e6)).len(), 0);
    }

    #[test]
    fn a_search_finds_names_with_all_its_words() {
        assert!(is_found("Low Bell 3", "bell low"));
        assert!(is_found("kick", ""));
        assert!(!is_found("kick", "bell"));
    }
}
