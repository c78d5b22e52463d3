//! Paints a pad.

use downbeat_protocol::Shape;
use egui::{Align2, Color32, Mesh, Pos2, Rect, Response, Stroke, StrokeKind, Ui, Vec2, pos2, vec2};

use super::{Pad, Source, sweep::Sweep};
use crate::{
    state::{Readiness, State},
    ui::{
        flash::Flash,
        hand::{self, SOFTEST_DB},
        keys,
        memory::Memory,
        theme::{self, GRID, Palette, size},
        widgets,
    },
};

/// The width of a bar of a waveform, and the gap to the next.
const BAR: f32 = 2.0;
const GAP: f32 = 1.0;
/// The stripe at the left edge, which shows the velocity.
const STRIPE: f32 = 4.0;
const NAME_HEIGHT: f32 = 2.75 * GRID;
const NOTE_HEIGHT: f32 = 2.25 * GRID;
/// Waves of the tone's picture.
const WAVES: f32 = 3.0;

/// Paints a pad.
pub(super) fn paint(
    ui: &mut Ui,
    rect: Rect,
    pad: &Pad<'_>,
    response: &Response,
    (flash, sweep): (&Flash, &Sweep),
    state: &State,
    memory: &Memory,
) {
    let color = theme::palette(ui);
    // What cannot be played has no colour.
    let hue = if state.can_bang() { color.pad(pad.place) } else { color.muted };
    let name = pad.source.name();
    let is_ready = match pad.source {
        Source::Bank(sound) => sound.readiness == Readiness::Ready,
        Source::Tone => true,
    };
    let is_selected = state.selected.as_deref() == Some(name);
    let base = if response.hovered() { color.raised_hover } else { color.raised };
    let fill =
        theme::mix(base, hue, 0.42 * flash.heat + if sweep.is_sounding() { 0.06 } else { 0.0 });
    let edge = match (sweep.is_sounding() || flash.heat > 0.0, is_selected) {
        (true, _) => theme::mix(color.line, hue, 0.75),
        (false, true) => theme::mix(color.line, color.accent, 0.8),
        (false, false) => theme::mix(base, color.line, 0.8),
    };
    widgets::surface(ui, response, rect, fill, edge);

    let hit = memory.hit.as_ref().filter(|hit| hit.sound == name);
    let strength = hit.map_or(1.0, |hit| (1.0 - hit.velocity_db / SOFTEST_DB) as f32);
    paint_stripe(ui, color, rect, hue, strength, flash.heat);

    let inside = Rect::from_min_max(
        rect.min + vec2(GRID + STRIPE + 2.0, GRID),
        rect.max - vec2(1.25 * GRID, GRID),
    );
    let (top, below) = inside.split_top_bottom_at_y(inside.top() + NAME_HEIGHT);
    let (wave, bottom) = below.split_top_bottom_at_y(below.bottom() - NOTE_HEIGHT);
    let ink = if is_ready && state.can_bang() { color.text } else { color.muted };
    let right = paint_badges(ui, color, top, pad);
    let title = Rect::from_min_max(top.min, pos2(right - 4.0, top.bottom()));
    widgets::ink(ui, title, Align2::LEFT_CENTER, &[(name, theme::bold(size::BODY), ink)]);

    let wave = wave.shrink2(vec2(0.0, 4.0));
    match pad.source {
        Source::Bank(sound) => {
            if let Some(waveform) = &sound.waveform {
                paint_waveform(ui, color, wave, &waveform.peaks, hue, (fill, sweep));
            }
        }
        Source::Tone => paint_tone(ui, wave, memory.hand.shape, hue, sweep),
    }
    for head in &sweep.heads {
        let x = egui::lerp(wave.x_range(), *head);
        let line = Stroke::new(1.5, color.text);
        ui.painter().vline(x, wave.expand2(vec2(0.0, 3.0)).y_range(), line);
    }
    let (note, ink) = note(color, pad, response, sweep, rect, (state, memory));
    widgets::ink(ui, bottom, Align2::LEFT_CENTER, &[(&note, theme::regular(size::SMALL), ink)]);
    paint_aim(ui, color, rect, response, state);
}

/// What is written below the waveform.
fn note(
    color: &Palette,
    pad: &Pad<'_>,
    response: &Response,
    sweep: &Sweep,
    rect: Rect,
    (state, memory): (&State, &Memory),
) -> (String, Color32) {
    if sweep.is_sounding() {
        let left = match sweep.remaining {
            Some(left) => format!("{:.1} s", left.as_secs_f32()),
            None => "looping".to_owned(),
        };
        let voices = sweep.heads.len();
        let text = if voices > 1 { format!("{left} · {voices}×") } else { left };
        return (text, color.text);
    }
    if let Source::Bank(sound) = pad.source
        && let Readiness::Failed { .. } = sound.readiness
    {
        return (super::note(sound), color.bad);
    }
    if let Some(aim) = response.hover_pos().filter(|_| state.can_bang()) {
        let velocity = hand::velocity_db(((rect.bottom() - aim.y) / rect.height()).into());
        return (hand::decibels(velocity), color.text);
    }
    let text = match pad.source {
        Source::Bank(sound) => super::note(sound),
        Source::Tone => super::tone_note(memory, state),
    };
    (text, color.muted)
}

/// The line at the height of the pointer, which says how hard a press would be.
fn paint_aim(ui: &Ui, color: &Palette, rect: Rect, response: &Response, state: &State) {
    let Some(aim) = response.hover_pos().filter(|_| state.can_bang()) else { return };
    let line = Stroke::new(1.0, theme::mix(color.raised_hover, color.text, 0.35));
    let inside = rect.shrink2(vec2(1.0, 0.0));
    ui.painter().hline(inside.x_range(), aim.y.round(), line);
}

fn paint_stripe(ui: &Ui, color: &Palette, rect: Rect, hue: Color32, strength: f32, heat: f32) {
    let stripe = Rect::from_min_max(
        rect.min + vec2(5.0, GRID),
        pos2(rect.left() + 5.0 + STRIPE, rect.bottom() - GRID),
    );
    let painter = ui.painter();
    painter.rect_filled(stripe, 2.0, theme::mix(color.raised, hue, 0.55));
    if heat > 0.0 {
        let top = egui::lerp(stripe.bottom()..=stripe.top(), strength.clamp(0.08, 1.0));
        let lit = Rect::from_min_max(pos2(stripe.left(), top), stripe.max);
        painter.rect_filled(stripe, 2.0, theme::mix(color.raised, hue, 0.25));
        painter.rect_filled(lit, 2.0, theme::mix(hue, color.text, 0.6 * heat));
    }
}

/// The key and the sign of a loop, from the right. Returns where they begin.
fn paint_badges(ui: &Ui, color: &Palette, row: Rect, pad: &Pad<'_>) -> f32 {
    let mut right = row.right();
    if let Some(key) = keys::label(pad.place) {
        let cap = Rect::from_center_size(
            pos2(right - 1.25 * GRID, row.center().y),
            vec2(2.5 * GRID, 2.5 * GRID),
        );
        let edge = Stroke::new(1.0, theme::mix(color.line, color.muted, 0.4));
        ui.painter().rect(cap, 4.0, color.panel, edge, StrokeKind::Inside);
        let runs = [(key, theme::bold(size::CAPTION), color.muted)];
        widgets::ink(ui, cap, Align2::CENTER_CENTER, &runs);
        right = cap.left() - 4.0;
    }
    if let Source::Bank(sound) = pad.source
        && sound.info.looped.is_some()
    {
        let center = pos2(right - 9.0, row.center().y);
        paint_loop(ui, center, color.muted);
        right = center.x - 11.0;
    }
    right
}

/// An arrow that goes round.
fn paint_loop(ui: &Ui, center: Pos2, ink: Color32) {
    let radius = 5.5;
    let at = |angle: f32| center + Vec2::angled(angle) * radius;
    let points: Vec<Pos2> = (0..=20).map(|step| at(-1.0 + step as f32 * 0.26)).collect();
    ui.painter().line(points, Stroke::new(1.75, ink));
    let tip = at(-1.0);
    let arrow = vec![tip + vec2(3.5, -1.5), tip + vec2(-2.5, -3.5), tip + vec2(-0.5, 3.0)];
    ui.painter().add(egui::Shape::convex_polygon(arrow, ink, Stroke::NONE));
}

/// The waveform as bars about its middle, all in one mesh. What has been played is brighter.
fn paint_waveform(
    ui: &Ui,
    color: &Palette,
    rect: Rect,
    peaks: &[f32],
    hue: Color32,
    (fill, sweep): (Color32, &Sweep),
) {
    let bars = ((rect.width() + GAP) / (BAR + GAP)).floor().max(1.0) as usize;
    let loudest = peaks.iter().fold(1e-4_f32, |most, peak| most.max(*peak));
    // The newest voice, which has come the least far.
    let head = sweep.heads.last().copied();
    let still = theme::mix(fill, hue, if head.is_some() { 0.45 } else { 0.8 });
    let played = theme::mix(hue, color.text, 0.25);
    let mut mesh = Mesh::default();
    for bar in 0..bars {
        let bins = peaks.len();
        let (from, to) = (bar * bins / bars, ((bar + 1) * bins).div_ceil(bars).min(bins));
        let peak = peaks[from..to].iter().fold(0.0_f32, |most, peak| most.max(*peak));
        // The root makes what is soft visible.
        let half = ((peak / loudest).sqrt() * rect.height() / 2.0).max(0.75);
        let x = rect.left() + bar as f32 * (BAR + GAP);
        let place = (bar as f32 + 0.5) / bars as f32;
        let ink = if head.is_some_and(|head| place <= head) { played } else { still };
        let min = pos2(x, rect.center().y - half);
        mesh.add_colored_rect(Rect::from_min_size(min, vec2(BAR, 2.0 * half)), ink);
    }
    ui.painter().add(mesh);
}

/// Some waves of the tone.
fn paint_tone(ui: &Ui, rect: Rect, shape: Shape, hue: Color32, sweep: &Sweep) {
    let points = wave_points(rect.shrink2(vec2(0.0, rect.height() * 0.14)), shape, WAVES);
    let weight = if sweep.is_sounding() { 2.5 } else { 2.0 };
    ui.painter().line(points, Stroke::new(weight, hue));
}

/// The line of a waveform over `rect`.
pub(in crate::ui) fn wave_points(rect: Rect, shape: Shape, waves: f32) -> Vec<Pos2> {
    let at = |phase: f32, value: f32| {
        pos2(
            egui::lerp(rect.x_range(), phase / waves),
            egui::lerp(rect.bottom()..=rect.top(), f32::midpoint(value, 1.0)),
        )
    };
    let corners: &[(f32, f32)] = match shape {
        Shape::Sine => {
            let steps = (waves * 24.0) as usize;
            let phase = |step: usize| step as f32 / steps as f32 * waves;
            let point = |step| at(phase(step), (phase(step) * std::f32::consts::TAU).sin());
            return (0..=steps).map(point).collect();
        }
        Shape::Triangle => &[(0.0, 0.0), (0.25, 1.0), (0.75, -1.0), (1.0, 0.0)],
        Shape::Saw => &[(0.0, -1.0), (1.0, 1.0), (1.0, -1.0)],
        Shape::Square => &[(0.0, 1.0), (0.5, 1.0), (0.5, -1.0), (1.0, -1.0), (1.0, 1.0)],
    };
    let wave = |number: usize| corners.iter().map(move |(x, y)| at(number as f32 + x, *y));
    (0..waves as usize).flat_map(wave).collect()
}

/// Paints the control that stops a pad's sound.
pub(super) fn paint_stop(ui: &Ui, rect: Rect, button: &Response) {
    let color = theme::palette(ui);
    let fill = if button.hovered() { color.raised_hover } else { color.panel };
    widgets::surface(ui, button, rect, fill, theme::mix(color.line, color.bad, 0.5));
    let square = Rect::from_center_size(rect.center(), Vec2::splat(10.0));
    ui.painter().rect_filled(square, 2.0, color.bad);
}
