//! Someone looks for this machine: for two seconds the window shows its name, large, and flashes.

use egui::{Align2, Rect, Ui, vec2};

use super::{
    theme::{self, size},
    widgets,
};
use crate::{
    state::{Identified, State},
    time::LocalTime,
};

/// How long a flash lasts.
const FLASH_SECONDS: f32 = 0.45;

/// Shows it over everything else while someone looks for this machine.
pub(super) fn show(ui: &mut Ui, state: &State, now: LocalTime) {
    let Some(identified) = state.identified.as_ref().filter(|one| one.is_on(now)) else { return };
    ui.ctx().request_repaint_after(std::time::Duration::from_millis(16));
    let color = theme::palette(ui);
    let window = ui.ctx().content_rect();
    let mut child = widgets::overlay(ui, "identify");
    let ui = &mut child;
    // It covers the disc, whose flashes would otherwise add to these.
    let heat = heat(state, identified, now);
    let fill = theme::mix(color.accent, color.accent_hot, heat);
    ui.painter().rect_filled(window, 0.0, fill);
    let ink = if heat > 0.5 { color.on_hot } else { color.on_accent };

    let width = window.width() * 0.86;
    let at_hundred = theme::bold(100.0);
    let measured = ui.painter().layout_no_wrap(state.name.clone(), at_hundred, ink).size().x;
    let fitting = width / measured.max(1.0) * 100.0;
    let height = fitting.min(window.height() * 0.3).clamp(size::TITLE, 240.0).floor();
    let row = Rect::from_center_size(window.center(), vec2(width, height * 1.4));
    let name = [(state.name.as_str(), theme::bold(height), ink)];
    let label = widgets::line(ui, row, Align2::CENTER_CENTER, &name);
    widgets::announce(ui, &label);
    let below = Rect::from_min_size(row.left_bottom(), vec2(width, 40.0));
    let text = format!("{} looks for this machine", identified.by);
    let runs = [(text.as_str(), theme::regular(size::LAST), ink)];
    widgets::line(ui, below, Align2::CENTER_CENTER, &runs);
}

/// How bright it is: 1 at a flash that may be bright, and 0 between them.
fn heat(state: &State, identified: &Identified, now: LocalTime) -> f32 {
    let flashes = identified.flashes().into_iter().filter(|at| state.flashes.is_bright(*at));
    let heats = flashes.map(|at| {
        let age = now.nanos_since(at) as f32 / 1e9;
        if (0.0..FLASH_SECONDS).contains(&age) { 1.0 - age / FLASH_SECONDS } else { 0.0 }
    });
    heats.fold(0.0, f32::max)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the ends of a range are exact")]
mod tests {
    use super::*;
    use crate::{event::SessionEvent, settings::OutputChoice, state::Flashes};

    fn looked_for(flashes: Flashes) -> State {
        let mut state =
            State::new(String::new(), "harp".to_owned(), 1.0, OutputChoice::SystemDefault);
        state.flashes = flashes;
        let at = LocalTime::from_nanos(0);
        state.apply(SessionEvent::Identify { at, by: "stage".to_owned() }, at);
        state
    }

    fn heats(state: &State) -> Vec<f32> {
        let identified = state.identified.as_ref().unwrap();
        let at = |millis: i64| LocalTime::from_nanos(millis * 1_000_000);
        (0..20).map(|step| heat(state, identified, at(step * 100))).collect()
    }

    #[test]
    fn it_flashes_twice_in_two_seconds() {
        let heats = heats(&looked_for(Flashes::default()));
        assert_eq!((heats[0], heats[10]), (1.0, 1.0));
        assert_eq!(heats.iter().filter(|heat| **heat == 1.0).count(), 2);
        assert_eq!((heats[5], heats[15]), (0.0, 0.0));
    }

    #[test]
    fn with_reduced_motion_it_does_not_flash() {
        assert!(heats(&looked_for(Flashes::reduced())).iter().all(|heat| *heat == 0.0));
    }
}
