//! Paints the disc and what stands on it.

use egui::{Align2, Rect, Response, Stroke, Ui, Vec2, vec2};

use crate::ui::flash::Flash;
use crate::{
    state::{ConnectionState, State},
    ui::{
        layout::BangPlaces,
        theme::{self, size},
        widgets,
    },
};

/// How far a ring travels, as a share of the disc's radius.
const RING_REACH: f32 = 0.14;

/// The heat from which on the text is that of the hot disc.
const HOT: f32 = 0.3;

/// Paints the disc, its bezel and its flash.
pub(super) fn paint(
    ui: &Ui,
    layout: &BangPlaces,
    response: &Response,
    flash: &Flash,
    able: bool,
    pressed: bool,
) {
    let color = theme::palette(ui);
    let painter = ui.painter();
    let (center, full) = (layout.center, layout.radius);
    let pixel = 1.0 / ui.pixels_per_point() / full;
    let clear = egui::Color32::TRANSPARENT;

    // Light on the surroundings.
    let bloom = full * 1.45;
    let base = full / bloom;
    let thrown = color.glow(color.accent_hot, 0.34 * flash.heat);
    let nearby = color.glow(color.accent, 0.18 * flash.heat);
    let dark = color.glow(clear, 0.0);
    let stops = [(0.0, thrown), (base, thrown), (base + 0.12, nearby), (1.0, dark)];
    widgets::disc(painter, center, bloom, Vec2::ZERO, &stops);
    for &way in &flash.rings {
        let fade = (1.0 - way) * (1.0 - way);
        let ring = Stroke::new(1.0 + 4.0 * fade, color.glow(color.accent_hot, 0.8 * fade));
        painter.circle_stroke(center, full * (1.06 + RING_REACH * way), ring);
    }

    // The bezel: a recess around the disc. Its lower lip catches the light.
    let rim = full * 1.05;
    let lip = theme::mix(color.line, color.accent_hot, 0.6 * flash.heat);
    let upper_lip = theme::mix(color.panel, color.accent_hot, 0.5 * flash.heat);
    let well = theme::mix(color.well, color.accent_deep, 0.7 * flash.heat);
    let stops = [(0.0, well), (1.0 - pixel, well), (1.0, clear)];
    widgets::disc(painter, center, rim, Vec2::ZERO, &stops);
    widgets::bevel(painter, center, rim * 0.975, rim, upper_lip, lip);

    // The disc, lit from above.
    let radius = if pressed { full * 0.975 } else { full };
    let (bright, body, deep) = if able {
        let hover = if response.hovered() { 0.10 } else { 0.0 };
        let press = if pressed { 0.18 } else { 0.0 };
        let tint = |base| {
            let base = theme::mix(theme::mix(base, color.text, hover), color.well, press);
            theme::mix(base, color.accent_hot, flash.heat)
        };
        (tint(color.accent_light), tint(color.accent), tint(color.accent_deep))
    } else {
        (color.raised_hover, color.raised, color.panel)
    };
    let mut stops = [(0.0, bright); 9];
    for (index, stop) in stops.iter_mut().enumerate().take(7) {
        let share = index as f32 / 6.0;
        // A smooth step, so that neither the middle nor the rim shows an edge.
        let way = share * share * (3.0 - 2.0 * share);
        *stop = (share * 0.95, theme::mix(bright, body, way));
    }
    stops[7] = (1.0 - pixel, body);
    stops[8] = (1.0, clear);
    widgets::disc(painter, center, radius, vec2(0.0, -0.2 * radius), &stops);
    // The rounded edge: bright towards the light, dark away from it.
    let upper = theme::mix(bright, color.text, if able { 0.30 } else { 0.08 });
    widgets::bevel(painter, center, radius * 0.955, radius, upper, deep);
    if response.has_focus() {
        painter.circle_stroke(center, rim + 4.0, Stroke::new(2.0, color.text));
    }
}

/// Paints the text on the disc.
pub(super) fn write(ui: &Ui, layout: &BangPlaces, state: &State, flash: &Flash, pressed: bool) {
    let color = theme::palette(ui);
    let radius = layout.radius * if pressed { 0.975 } else { 1.0 };
    let able = state.can_bang();
    let ink = if able { color.on_accent } else { theme::mix(color.raised, color.muted, 0.55) };
    // No mixture of both could be read.
    let ink = if able && flash.heat > HOT { color.on_hot } else { ink };
    let across = |y: f32, height: f32, width: f32| {
        Rect::from_center_size(layout.center + vec2(0.0, y * radius), vec2(width, height) * radius)
    };
    let word = (radius * 0.40).round();
    ui.painter().text(
        layout.center - vec2(0.0, 0.08 * radius),
        Align2::CENTER_CENTER,
        "BANG",
        theme::bold(word),
        ink,
    );
    let (below, font) = match (&state.connection, &state.selected) {
        (ConnectionState::Connecting, _) => ("Connecting…", theme::bold(size::NAME)),
        (_, Some(sound)) => {
            (sound.as_str(), theme::bold((radius * 0.15).clamp(size::BODY, 32.0).round()))
        }
        (_, None) => ("", theme::bold(size::NAME)),
    };
    let ink = if able { ink } else { color.muted };
    widgets::ink(ui, across(0.32, 0.3, 1.4), Align2::CENTER_CENTER, &[(below, font, ink)]);
}
