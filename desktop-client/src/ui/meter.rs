//! The output's meter: two rows of lamps in decibels, with ballistics and peak hold.

use std::time::Duration;

use egui::{Align2, Color32, Rect, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

use super::{
    theme::{self, GRID, Palette, size},
    widgets,
};
use crate::{state::Meter, time::LocalTime};

/// The lowest level shown, in dBFS.
const FLOOR: f32 = -60.0;
/// How fast a needle falls, in dB per second, so that a short sound stays visible.
const FALL: f32 = 40.0;
/// How long the peak is held, and how fast it falls then.
const HOLD_SECONDS: f32 = 1.5;
const HOLD_FALL: f32 = 60.0;
const FRAME: Duration = Duration::from_millis(33);

const ROW: f32 = 12.0;
const LAMP: f32 = 4.0;
const LAMP_GAP: f32 = 2.0;
/// The width of the channel's letter.
const LETTER: f32 = 2.0 * GRID;

/// The needles, one for each channel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Needles {
    channels: [Needle; 2],
    moved: Option<LocalTime>,
}

/// One channel, in dBFS.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Needle {
    level: f32,
    held: f32,
    /// Seconds since `held` was reached.
    held_for: f32,
}

impl Default for Needle {
    fn default() -> Self {
        Self { level: FLOOR, held: FLOOR, held_for: 0.0 }
    }
}

impl Needle {
    fn advance(&mut self, peak: f32, seconds: f32) {
        let level = if peak > 0.0 { (20.0 * peak.log10()).max(FLOOR) } else { FLOOR };
        self.level = level.max(self.level - FALL * seconds).max(FLOOR);
        self.held_for += seconds;
        if self.level >= self.held {
            self.held = self.level;
            self.held_for = 0.0;
        } else if self.held_for > HOLD_SECONDS {
            // Only the time after the hold counts.
            let falling = seconds.min(self.held_for - HOLD_SECONDS);
            self.held = (self.held - HOLD_FALL * falling).max(self.level);
        }
    }

    fn rests(&self) -> bool {
        self.level <= FLOOR && self.held <= FLOOR
    }
}

impl Needles {
    /// Moves the needles on to `now`. Returns whether they are still moving.
    pub(super) fn advance(&mut self, meter: Meter, now: LocalTime) -> bool {
        let seconds = self.moved.map_or(0.0, |then| now.nanos_since(then).max(0) as f32 / 1e9);
        self.moved = Some(now);
        for (needle, peak) in self.channels.iter_mut().zip(meter.peak) {
            needle.advance(peak, seconds);
        }
        !self.channels.iter().all(Needle::rests)
    }

    /// The held peak, in dBFS; none below the scale.
    pub(super) fn held(&self) -> Option<f32> {
        let held = self.channels[0].held.max(self.channels[1].held);
        (held > FLOOR).then_some(held)
    }
}

/// Shows the meter, with a scale if there is room for it; `problem` says that there is no output.
pub(super) fn show(ui: &mut Ui, needles: &Needles, problem: bool, has_scale: bool) {
    let color = theme::palette(ui);
    let area = widgets::strip(ui, 2.0 * ROW + 4.0 + if has_scale { 2.0 * GRID } else { 0.0 });
    let bars = Rect::from_min_max(pos2(area.left() + LETTER, area.top()), area.max);
    for (index, (needle, letter)) in needles.channels.iter().zip(["L", "R"]).enumerate() {
        let top = area.top() + index as f32 * (ROW + 4.0);
        let row = Rect::from_min_size(pos2(bars.left(), top), vec2(bars.width(), ROW));
        ui.painter().text(
            pos2(area.left(), row.center().y),
            Align2::LEFT_CENTER,
            letter,
            theme::bold(size::CAPTION),
            color.muted,
        );
        show_row(ui, row, needle, problem);
    }
    let marks: &[f32] = if has_scale { &[-48.0, -36.0, -24.0, -12.0, 0.0] } else { &[] };
    for &mark in marks {
        let x = bars.left() + bars.width() * place(mark);
        let align = if mark == 0.0 { Align2::RIGHT_BOTTOM } else { Align2::CENTER_BOTTOM };
        let font = theme::regular(size::CAPTION);
        ui.painter().text(
            pos2(x, bars.bottom() + 2.0),
            align,
            format!("{mark:.0}"),
            font,
            color.muted,
        );
    }

    let response = ui.interact(area, ui.scope_id().with("level"), egui::Sense::hover());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Meter, !problem, "Output level");
        info.value = Some(f64::from(needles.held().unwrap_or(FLOOR)));
        info
    });
    if problem {
        let middle = Rect::from_center_size(
            pos2(bars.center().x, bars.top() + ROW + 2.0),
            vec2(12.0 * GRID, 2.0 * ROW + 4.0),
        );
        ui.painter().rect_filled(middle, 0.0, color.panel);
        let label = [("No output", theme::bold(size::BODY), color.bad)];
        widgets::line(ui, middle, Align2::CENTER_CENTER, &label);
    }
}

/// Requests the next frame, if the needles are moving.
pub(super) fn keep_moving(ui: &Ui, moving: bool) {
    if moving {
        ui.ctx().request_repaint_after(FRAME);
    }
}

fn place(decibels: f32) -> f32 {
    ((decibels - FLOOR) / -FLOOR).clamp(0.0, 1.0)
}

fn lamp_color(color: &Palette, decibels: f32) -> Color32 {
    if decibels > -3.0 {
        color.bad
    } else if decibels > -12.0 {
        color.warn
    } else {
        color.good
    }
}

fn show_row(ui: &Ui, row: Rect, needle: &Needle, problem: bool) {
    let color = theme::palette(ui);
    let lamps = ((row.width() + LAMP_GAP) / (LAMP + LAMP_GAP)).floor().max(1.0) as usize;
    let pitch = (row.width() + LAMP_GAP) / lamps as f32;
    let holding =
        (needle.held > FLOOR).then(|| (place(needle.held) * lamps as f32).ceil() as usize);
    for lamp in 0..lamps {
        let top_of_lamp = (lamp + 1) as f32 / lamps as f32;
        let decibels = FLOOR - FLOOR * top_of_lamp;
        let lit = top_of_lamp <= place(needle.level) + 0.5 / lamps as f32;
        let held = holding == Some(lamp + 1);
        let ink = match (problem, lit || held) {
            (true, _) => theme::mix(color.panel, color.line, 0.5),
            (false, true) => lamp_color(color, decibels),
            (false, false) => theme::mix(color.well, lamp_color(color, decibels), 0.16),
        };
        let left = row.left() + lamp as f32 * pitch;
        let rect = Rect::from_min_size(pos2(left, row.top()), vec2(pitch - LAMP_GAP, ROW));
        ui.painter().rect_filled(rect, 1.0, ink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> LocalTime {
        LocalTime::from_nanos(millis * 1_000_000)
    }

    fn meter(peak: f32) -> Meter {
        Meter { peak: [peak, 0.0] }
    }

    #[test]
    fn a_needle_rises_at_once_and_falls_smoothly() {
        let mut needles = Needles::default();
        assert!(!needles.advance(meter(0.0), at(0)));
        assert!(needles.advance(meter(0.5), at(10)));
        let top = needles.channels[0].level;
        assert!((top + 6.02).abs() < 0.01, "{top}");
        needles.advance(meter(0.0), at(110));
        let fallen = needles.channels[0].level;
        assert!((top - fallen - FALL * 0.1).abs() < 0.01, "{fallen}");
    }

    #[test]
    fn the_peak_is_held_and_then_falls() {
        let mut needles = Needles::default();
        needles.advance(meter(1.0), at(0));
        for step in 1..=14 {
            needles.advance(meter(0.0), at(step * 100));
        }
        assert_eq!(needles.held(), Some(0.0));
        needles.advance(meter(0.0), at(1600));
        let held = needles.held().unwrap();
        assert!((held + 6.0).abs() < 0.1, "{held}");
    }

    #[test]
    fn the_needles_come_to_rest_so_that_nothing_is_repainted() {
        let mut needles = Needles::default();
        needles.advance(meter(1.0), at(0));
        let rest = (1..200).find(|step| !needles.advance(meter(0.0), at(step * 33)));
        assert!(rest.is_some_and(|step| step * 33 < 4000), "{rest:?}");
        assert_eq!(needles.held(), None);
    }

    #[test]
    fn the_needles_do_not_move_while_time_stands_still() {
        let mut needles = Needles::default();
        needles.advance(meter(1.0), at(5));
        let before = needles;
        needles.advance(meter(0.0), at(5));
        assert_eq!(needles, before);
    }
}
