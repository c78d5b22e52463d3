//! The bang: the disc, its flash, the last trigger, and why it cannot bang when it cannot.
//!
//! It bangs when the pointer or the key goes *down*; a release is too late for a musician.

use std::time::Duration;

use egui::{
    Align2, Event, Id, Key, PointerButton, Pos2, Rect, Response, Sense, Stroke, Ui, Vec2,
    WidgetInfo,
    accesskit::{Action as Request, Role},
    pos2, vec2,
};

use super::{
    Memory,
    layout::Layout,
    parts::{self, Look},
    theme::{self, GRID, PAD, ROUNDING, color, size},
    words,
};
use crate::{
    action::Action,
    event::Heard,
    state::{Connection, State},
    time::LocalTime,
};

/// The flash is brightest at its instant, and gone after this long.
const HEAT_SECONDS: f32 = 0.22;
/// How hot the disc is instead where a flash at full contrast would be one too many: its luminance then
/// changes by less than a tenth, which is no flash in the sense of WCAG 2.3.1.
const GLOW_HEAT: f32 = 0.2;
/// Its ring travels a little longer.
const RING_SECONDS: f32 = 0.36;
/// How far the ring travels, as a share of the disc's radius.
const RING_REACH: f32 = 0.14;
/// What was heard last stands in a row of this height, a little apart from the disc.
const HEARD_HEIGHT: f32 = 3.25 * GRID;
const HEARD_GAP: f32 = 4.0;
/// A note below it.
const NOTE_HEIGHT: f32 = 3.0 * GRID;
/// Between two pictures of a flash.
const FRAME: Duration = Duration::from_millis(16);

/// What a flash looks like now.
#[derive(Clone, Debug, Default, PartialEq)]
struct Flash {
    /// How hot the disc is, 0 to 1.
    heat: f32,
    /// How far each ring is on its way, 0 to 1.
    rings: Vec<f32>,
    /// When there is something new to see; none if nothing will change by itself.
    next: Option<Duration>,
}

impl Flash {
    /// Every trigger flashes on its own at the instant at which it sounds, however many are on
    /// their way; those that are not bright only glow.
    fn at(now: LocalTime, triggers: impl IntoIterator<Item = (LocalTime, bool)>) -> Self {
        let mut flash = Self::default();
        for (instant, is_bright) in triggers {
            let age = now.nanos_since(instant);
            let next = if age < 0 {
                Duration::from_nanos(age.unsigned_abs())
            } else {
                let seconds = age as f32 / 1e9;
                if seconds >= RING_SECONDS {
                    continue;
                }
                let cooled = (1.0 - seconds / HEAT_SECONDS).max(0.0);
                let hottest = if is_bright { 1.0 } else { GLOW_HEAT };
                flash.heat = flash.heat.max(hottest * cooled * cooled);
                if is_bright {
                    flash.rings.push(seconds / RING_SECONDS);
                }
                FRAME
            };
            flash.next = Some(flash.next.map_or(next, |sooner| sooner.min(next)));
        }
        flash
    }
}

/// Shows the bang. `keyboard` says whether Space and Enter are its own.
pub fn show(
    ui: &mut Ui,
    places: &Layout,
    state: &State,
    now: LocalTime,
    keyboard: bool,
    memory: &mut Memory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let able = state.can_bang();
    let response = interact(ui, places, state);
    let bright = |heard: &Heard| (heard.at, state.flashes.is_bright(heard.at));
    let flash = Flash::at(now, state.recent.iter().map(bright));
    if let Some(next) = flash.next {
        ui.ctx().request_repaint_after(next);
    }

    if able {
        for _ in 0..bangs(ui, places, &response, keyboard) {
            actions.push(Action::Bang { sound: state.selected.clone() });
        }
    }
    let pressed = able && is_pressed(ui, &response, keyboard);
    paint(ui, places, &response, &flash, able, pressed);
    write_on_disc(ui, places, state, &flash, pressed);
    show_last(ui, places.last, state);
    show_obstacle(ui, places, state, memory, &mut actions);
    actions
}

fn interact(ui: &mut Ui, places: &Layout, state: &State) -> Response {
    let rect = Rect::from_center_size(places.center, Vec2::splat(2.0 * places.radius));
    let response = ui.interact(rect, Id::unique("bang"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, state.can_bang(), "Bang"));
    if let Some(sound) = &state.selected {
        parts::describe(ui, &response, sound);
    }
    response
}

/// How often the person banged since the last frame.
fn bangs(ui: &Ui, places: &Layout, response: &Response, keyboard: bool) -> usize {
    let mut presses = Vec::new();
    let mut bangs = 0;
    ui.input(|input| {
        for event in &input.events {
            match event {
                Event::PointerButton {
                    pos, button: PointerButton::Primary, pressed: true, ..
                } => presses.push(*pos),
                Event::Key {
                    key: Key::Space | Key::Enter,
                    pressed: true,
                    repeat: false,
                    modifiers,
                    ..
                } if keyboard && !modifiers.command && !modifiers.alt => bangs += 1,
                _ => {}
            }
        }
        bangs += input.num_accesskit_action_requests(response.id, Request::Click);
    });
    let on_disc = |position: &Pos2| {
        // A list that is open over the disc gets what is pressed on it.
        let layer = ui.ctx().layer_id_at(*position);
        position.distance(places.center) <= places.radius
            && layer.is_none_or(|layer| layer == ui.layer_id())
    };
    bangs + presses.iter().filter(|position| on_disc(position)).count()
}

fn is_pressed(ui: &Ui, response: &Response, keyboard: bool) -> bool {
    let by_key =
        keyboard && ui.input(|input| input.key_down(Key::Space) || input.key_down(Key::Enter));
    response.is_pointer_button_down_on() || by_key
}

fn paint(ui: &Ui, places: &Layout, response: &Response, flash: &Flash, able: bool, pressed: bool) {
    let painter = ui.painter();
    let (center, full) = (places.center, places.radius);
    let pixel = 1.0 / ui.pixels_per_point() / full;
    let clear = egui::Color32::TRANSPARENT;

    // Light thrown on the surroundings.
    let bloom = full * 1.45;
    let base = full / bloom;
    let thrown = theme::glow(color::ACCENT_HOT, 0.34 * flash.heat);
    let nearby = theme::glow(color::ACCENT, 0.18 * flash.heat);
    let dark = theme::glow(clear, 0.0);
    let stops = [(0.0, thrown), (base, thrown), (base + 0.12, nearby), (1.0, dark)];
    parts::disc(painter, center, bloom, Vec2::ZERO, &stops);
    for &way in &flash.rings {
        let fade = (1.0 - way) * (1.0 - way);
        let ring = Stroke::new(1.0 + 4.0 * fade, theme::glow(color::ACCENT_HOT, 0.8 * fade));
        painter.circle_stroke(center, full * (1.06 + RING_REACH * way), ring);
    }

    // The bezel: a recess that the disc sits in. Its lower lip catches the light.
    let rim = full * 1.05;
    let lip = theme::mix(color::LINE, color::ACCENT_HOT, 0.6 * flash.heat);
    let upper_lip = theme::mix(color::PANEL, color::ACCENT_HOT, 0.5 * flash.heat);
    let well = theme::mix(color::WELL, color::ACCENT_DEEP, 0.7 * flash.heat);
    let stops = [(0.0, well), (1.0 - pixel, well), (1.0, clear)];
    parts::disc(painter, center, rim, Vec2::ZERO, &stops);
    parts::bevel(painter, center, rim * 0.975, rim, upper_lip, lip);

    // The disc, lit from above.
    let radius = if pressed { full * 0.975 } else { full };
    let (bright, body, deep) = if able {
        let hover = if response.hovered() { 0.10 } else { 0.0 };
        let press = if pressed { 0.18 } else { 0.0 };
        let tint = |base| {
            let base = theme::mix(theme::mix(base, color::TEXT, hover), color::WELL, press);
            theme::mix(base, color::ACCENT_HOT, flash.heat)
        };
        (tint(color::ACCENT_LIGHT), tint(color::ACCENT), tint(color::ACCENT_DEEP))
    } else {
        (color::RAISED_HOVER, color::RAISED, color::PANEL)
    };
    let mut stops = [(0.0, bright); 9];
    for (index, stop) in stops.iter_mut().enumerate().take(7) {
        let share = index as f32 / 6.0;
        // A smooth step: neither the middle nor the rim shows an edge.
        let way = share * share * (3.0 - 2.0 * share);
        *stop = (share * 0.95, theme::mix(bright, body, way));
    }
    stops[7] = (1.0 - pixel, body);
    stops[8] = (1.0, clear);
    parts::disc(painter, center, radius, vec2(0.0, -0.2 * radius), &stops);
    // Its edge is rounded off: bright where it turns to the light, deep where it turns away.
    let upper = theme::mix(bright, color::TEXT, if able { 0.30 } else { 0.08 });
    parts::bevel(painter, center, radius * 0.955, radius, upper, deep);
    if response.has_focus() {
        painter.circle_stroke(center, rim + 4.0, Stroke::new(2.0, color::TEXT));
    }
}

fn write_on_disc(ui: &Ui, places: &Layout, state: &State, flash: &Flash, pressed: bool) {
    let radius = places.radius * if pressed { 0.975 } else { 1.0 };
    let able = state.can_bang();
    let ink = if able { color::ON_ACCENT } else { theme::mix(color::RAISED, color::MUTED, 0.55) };
    let ink = theme::mix(ink, color::ACCENT_DEEP, if able { 0.25 * flash.heat } else { 0.0 });
    let across = |y: f32, height: f32, width: f32| {
        Rect::from_center_size(places.center + vec2(0.0, y * radius), vec2(width, height) * radius)
    };
    let word = (radius * 0.40).round();
    ui.painter().text(
        places.center - vec2(0.0, 0.08 * radius),
        Align2::CENTER_CENTER,
        "BANG",
        theme::bold(word),
        ink,
    );
    let (below, font) = match (&state.connection, &state.selected) {
        (Connection::Connecting, _) => ("Connecting…", theme::bold(size::NAME)),
        (_, Some(sound)) => {
            (sound.as_str(), theme::bold((radius * 0.15).clamp(size::BODY, 32.0).round()))
        }
        (_, None) => ("", theme::bold(size::NAME)),
    };
    let ink = if able { ink } else { color::MUTED };
    parts::ink(ui, across(0.32, 0.3, 1.4), Align2::CENTER_CENTER, &[(below, font, ink)]);
}

/// What was heard last, and whether anything is amiss with what this machine sounds; while the
/// relay refuses something, why.
fn show_last(ui: &mut Ui, rect: Rect, state: &State) {
    if let Some(reason) = &state.refusal {
        return show_refusal(ui, rect, reason);
    }
    let rows = Rect::from_min_max(rect.min + vec2(0.0, HEARD_GAP), rect.max);
    let (first, second) = rows.split_top_bottom_at_y(rows.top() + HEARD_HEIGHT);
    let mut runs = Vec::new();
    match state.last() {
        None if !state.can_bang() => {}
        None => {
            runs.push(("Press the disc, Space or Enter", theme::regular(size::BODY), color::MUTED));
        }
        Some(heard) => {
            runs.push((heard.sound.as_str(), theme::bold(size::HEARD), color::TEXT));
            let by = if heard.own { Some("you") } else { heard.by.as_deref() };
            if let Some(by) = by {
                runs.push(("  by  ", theme::regular(size::HEARD), color::MUTED));
                runs.push((by, theme::bold(size::HEARD), color::TEXT));
            }
        }
    }
    if !runs.is_empty() {
        let label = parts::line(ui, first, Align2::CENTER_CENTER, &runs);
        parts::announce(ui, &label);
    }
    if let Some((problem, ink)) = problem(state) {
        let second = second.shrink2(vec2(PAD, 0.0));
        let label = parts::paragraph(ui, second, &problem, theme::regular(size::SMALL), ink);
        return parts::announce(ui, &label);
    }
    let (note, ink) = match state.last() {
        Some(heard) if heard.late => ("came late, joined in the middle", color::WARN),
        Some(_) => ("last heard", color::MUTED),
        None => return,
    };
    let second = Rect::from_min_size(second.min, vec2(second.width(), NOTE_HEIGHT));
    parts::line(ui, second, Align2::CENTER_CENTER, &[(note, theme::regular(size::SMALL), ink)]);
}

/// What is amiss with what this machine sounds, the worst first.
fn problem(state: &State) -> Option<(String, egui::Color32)> {
    if state.output_problem().is_some() {
        return Some(("This machine is silent: it has no output".to_owned(), color::BAD));
    }
    if state.stopped_here_only {
        let words = "Stopped on this machine only: no relay told the others".to_owned();
        return Some((words, color::WARN));
    }
    let words = state.standing.lead_problem().or_else(|| state.standing.clock_problem())?;
    Some((words, color::WARN))
}

fn show_refusal(ui: &mut Ui, rect: Rect, reason: &str) {
    let text = format!("The relay refused: {reason}");
    let fill = theme::mix(color::PANEL, color::WARN, 0.12);
    let border = Stroke::new(1.0, theme::mix(color::LINE, color::WARN, 0.5));
    ui.painter().rect(rect, ROUNDING, fill, border, egui::StrokeKind::Inside);
    let font = theme::regular(size::BODY);
    let width = rect.width() - 2.0 * PAD;
    let height = parts::paragraph_height(ui, width, &text, font.clone()).min(rect.height());
    let place = Rect::from_center_size(rect.center(), vec2(width, height));
    let label = parts::paragraph(ui, place, &text, font, color::WARN);
    parts::announce(ui, &label);
}

/// Why it cannot bang, over the disc, with the way out.
fn show_obstacle(
    ui: &mut Ui,
    places: &Layout,
    state: &State,
    memory: &mut Memory,
    actions: &mut Vec<Action>,
) {
    let (title, reason, hint, way_out) = match &state.connection {
        Connection::Connecting | Connection::Connected(_) => return,
        Connection::Lost { reason, retry_in } => {
            ("No relay", reason, words::next_try(*retry_in), "Try now")
        }
        Connection::WrongAddress { reason } => (
            "That address cannot work",
            reason,
            "Nothing is tried until it is changed.".to_owned(),
            "Change address",
        ),
    };
    let width = (places.stage.width() - 2.0 * PAD).min(400.0);
    let text_width = width - 4.0 * GRID;
    let reason_font = theme::regular(size::BODY);
    let reason_height = parts::paragraph_height(ui, text_width, reason, reason_font.clone());
    let height = 20.0 * GRID + reason_height;
    let card = Rect::from_center_size(places.center, vec2(width, height));
    let border = Stroke::new(1.0, theme::mix(color::LINE, color::BAD, 0.5));
    ui.painter().rect(card, ROUNDING, color::PANEL, border, egui::StrokeKind::Inside);

    let inside = card.shrink2(vec2(2.0 * GRID, 2.0 * GRID));
    let title_row = Rect::from_min_size(inside.min, vec2(inside.width(), 4.0 * GRID));
    let runs = [(title, theme::bold(size::TITLE), color::BAD)];
    let label = parts::line(ui, title_row, Align2::CENTER_CENTER, &runs);
    parts::announce(ui, &label);
    let text = Rect::from_min_size(
        pos2(card.center().x - text_width / 2.0, title_row.bottom() + GRID),
        vec2(text_width, reason_height),
    );
    parts::paragraph(ui, text, reason, reason_font, color::TEXT);
    let hint_row = Rect::from_min_size(
        pos2(inside.left(), text.bottom() + GRID / 2.0),
        vec2(inside.width(), 3.0 * GRID),
    );
    let runs = [(hint.as_str(), theme::regular(size::SMALL), color::MUTED)];
    parts::line(ui, hint_row, Align2::CENTER_CENTER, &runs);
    let button = Rect::from_center_size(
        pos2(card.center().x, inside.bottom() - theme::CONTROL / 2.0),
        vec2(22.0 * GRID, theme::CONTROL),
    );
    if parts::button(ui, button, way_out, Look::Accent).clicked() {
        match state.connection {
            Connection::WrongAddress { .. } => memory.edit_address(&state.relay),
            _ => actions.push(Action::RetryNow),
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the ends of a range are exact")]
mod tests {
    use super::*;

    const MILLI: i64 = 1_000_000;

    fn flash(now_millis: i64, triggers: &[i64]) -> Flash {
        let at = |millis: i64| LocalTime::from_nanos(millis * MILLI);
        Flash::at(at(now_millis), triggers.iter().map(|millis| (at(*millis), true)))
    }

    #[test]
    fn one_flash_too_many_only_glows() {
        let at = |millis: i64| LocalTime::from_nanos(millis * MILLI);
        let flash = Flash::at(at(104), [(at(104), false)]);
        assert_eq!(flash.heat, GLOW_HEAT);
        assert!(flash.rings.is_empty());
    }

    #[test]
    fn a_flash_waits_for_its_instant_and_is_hottest_there() {
        let before = flash(100, &[104]);
        assert_eq!(before.heat, 0.0);
        assert_eq!(before.next, Some(Duration::from_millis(4)));
        assert_eq!(flash(104, &[104]).heat, 1.0);
        let heats: Vec<f32> = (0..30).map(|step| flash(104 + step * 10, &[104]).heat).collect();
        assert!(heats.windows(2).all(|pair| pair[1] <= pair[0]), "{heats:?}");
    }

    #[test]
    fn nothing_is_repainted_once_a_flash_is_over() {
        assert_eq!(flash(1000, &[104, 500]), Flash::default());
    }

    #[test]
    fn a_trigger_on_its_way_does_not_put_out_the_one_that_sounds() {
        let both = flash(110, &[104, 130]);
        assert!(both.heat > 0.9);
        assert_eq!(both.rings.len(), 1);
        assert_eq!(both.next, Some(Duration::from_millis(16)));
    }
}
