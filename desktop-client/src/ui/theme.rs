//! The theme: every colour, size and font, and their purpose. No other module of the window defines any.
//!
//! The page has the same palette. Sizes are in points, on a grid of eight.

use std::sync::Arc;

use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow,
    Stroke, Style, TextStyle, Vec2, Visuals, style::ScrollStyle,
};

/// Colours.
pub mod color {
    use egui::Color32;

    /// Behind everything.
    pub const BACKGROUND: Color32 = Color32::from_rgb(0x0E, 0x10, 0x14);
    /// A group of things.
    pub const PANEL: Color32 = Color32::from_rgb(0x17, 0x1A, 0x21);
    /// What can be pressed.
    pub const RAISED: Color32 = Color32::from_rgb(0x20, 0x24, 0x2E);
    /// What can be pressed, under the pointer.
    pub const RAISED_HOVER: Color32 = Color32::from_rgb(0x29, 0x2E, 0x3A);
    /// What is recessed: the track of a fader, the unlit part of a meter.
    pub const WELL: Color32 = Color32::from_rgb(0x0A, 0x0B, 0x0E);
    /// Hairlines, borders.
    pub const LINE: Color32 = Color32::from_rgb(0x2C, 0x32, 0x40);
    /// What is read.
    pub const TEXT: Color32 = Color32::from_rgb(0xF2, 0xF4, 0xF8);
    /// What is read second.
    pub const MUTED: Color32 = Color32::from_rgb(0x9A, 0xA3, 0xB5);
    /// The bang, and what belongs to it.
    pub const ACCENT: Color32 = Color32::from_rgb(0xFF, 0x5A, 0x36);
    /// The bang's side that is turned from the light.
    pub const ACCENT_DEEP: Color32 = Color32::from_rgb(0xC8, 0x38, 0x1A);
    /// The bang's side that is turned to the light.
    pub const ACCENT_LIGHT: Color32 = Color32::from_rgb(0xFF, 0x80, 0x58);
    /// The bang at the instant of the sound.
    pub const ACCENT_HOT: Color32 = Color32::from_rgb(0xFF, 0xD9, 0xA0);
    /// What is chosen: the accent laid thinly over what can be pressed.
    pub const CHOSEN: Color32 = Color32::from_rgb(0x3A, 0x26, 0x24);
    /// Text on the accent.
    pub const ON_ACCENT: Color32 = Color32::from_rgb(0x1A, 0x08, 0x03);
    /// As it should be.
    pub const GOOD: Color32 = Color32::from_rgb(0x4A, 0xDE, 0x80);
    /// Worth a look.
    pub const WARN: Color32 = Color32::from_rgb(0xFB, 0xBF, 0x24);
    /// Broken.
    pub const BAD: Color32 = Color32::from_rgb(0xF8, 0x71, 0x71);
}

/// Sizes of type.
pub mod size {
    /// Names of sections and scales, in spaced capitals.
    pub const CAPTION: f32 = 12.0;
    /// What is read second.
    pub const SMALL: f32 = 14.0;
    /// Running text.
    pub const BODY: f32 = 16.0;
    /// Names of things.
    pub const NAME: f32 = 18.0;
    /// The last trigger.
    pub const LAST: f32 = 20.0;
    /// What must be read from across the room.
    pub const TITLE: f32 = 24.0;
}

/// The grid.
pub const GRID: f32 = 8.0;
/// Between the window's edge, or a panel's, and what it holds.
pub const PAD: f32 = 2.0 * GRID;
/// Height of what can be pressed: large enough for a thumb.
pub const CONTROL: f32 = 6.0 * GRID;
/// Height of a lesser thing that can be pressed.
pub const SMALL_CONTROL: f32 = 5.0 * GRID;
/// Rounding of panels and controls.
pub const ROUNDING: CornerRadius = CornerRadius::same(8);
/// Space between the letters of a caption.
pub const CAPTION_SPACING: f32 = 1.5;

/// The heavier of the two weights.
const BOLD: &str = "bold";

/// Text of normal weight.
#[must_use]
pub fn regular(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Text that stands out.
#[must_use]
pub fn bold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(BOLD.into()))
}

/// `from` mixed with `to`: 0 is all of the first, 1 all of the second.
#[must_use]
pub fn mix(from: Color32, to: Color32, share: f32) -> Color32 {
    from.lerp_to_gamma(to, share.clamp(0.0, 1.0))
}

/// Light of this colour, added to whatever it falls on: 0 is none, 1 all of it.
#[must_use]
pub fn glow(color: Color32, strength: f32) -> Color32 {
    let strength = strength.clamp(0.0, 1.0);
    let scale = |channel: u8| (f32::from(channel) * strength).round() as u8;
    // No alpha: egui blends premultiplied colours, and what covers nothing only adds.
    Color32::from_rgba_premultiplied(scale(color.r()), scale(color.g()), scale(color.b()), 0)
}

/// Gives a context this look. To be called once, before its first frame.
pub fn install(context: &Context) {
    context.set_fonts(fonts());
    context.set_theme(egui::Theme::Dark);
    context.all_styles_mut(set_style);
}

fn fonts() -> FontDefinitions {
    // Noto Sans in two weights; behind it stay egui's own faces, for the signs it lacks.
    let mut fonts = FontDefinitions::default();
    let faces =
        [("NotoSans-Regular", notosans::REGULAR_TTF), ("NotoSans-Bold", notosans::BOLD_TTF)];
    for (name, bytes) in faces {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    let fallback = fonts.families.entry(FontFamily::Proportional).or_default().clone();
    for (family, face) in [
        (FontFamily::Proportional, "NotoSans-Regular"),
        (FontFamily::Name(BOLD.into()), "NotoSans-Bold"),
    ] {
        let mut chain = vec![face.to_owned()];
        chain.extend(fallback.iter().cloned());
        fonts.families.insert(family, chain);
    }
    fonts
}

fn set_style(style: &mut Style) {
    style.text_styles = [
        (TextStyle::Small, regular(size::SMALL)),
        (TextStyle::Body, regular(size::BODY)),
        (TextStyle::Button, regular(size::BODY)),
        (TextStyle::Heading, bold(size::TITLE)),
        (TextStyle::Monospace, FontId::monospace(size::SMALL)),
    ]
    .into();
    style.interaction.selectable_labels = false;
    // An instrument answers at once.
    style.animation_time = 0.0;

    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::splat(GRID);
    spacing.button_padding = Vec2::new(PAD, GRID);
    spacing.interact_size.y = SMALL_CONTROL;
    spacing.menu_margin = Margin::same(GRID as i8);
    spacing.scroll =
        ScrollStyle { bar_width: 6.0, floating_allocated_width: 0.0, ..ScrollStyle::thin() };

    let visuals = &mut style.visuals;
    *visuals = Visuals::dark();
    visuals.panel_fill = color::BACKGROUND;
    visuals.window_fill = color::PANEL;
    visuals.window_stroke = Stroke::new(1.0, color::LINE);
    visuals.window_corner_radius = ROUNDING;
    visuals.menu_corner_radius = ROUNDING;
    visuals.popup_shadow =
        Shadow { offset: [0, 8], blur: 24, spread: 0, color: Color32::from_black_alpha(160) };
    visuals.extreme_bg_color = color::WELL;
    visuals.override_text_color = Some(color::TEXT);
    visuals.selection.bg_fill = mix(color::BACKGROUND, color::ACCENT, 0.25);
    visuals.selection.stroke = Stroke::new(1.0, color::ACCENT);
    visuals.text_cursor.stroke = Stroke::new(2.0, color::ACCENT);
    for (widget, fill) in [
        (&mut visuals.widgets.noninteractive, color::PANEL),
        (&mut visuals.widgets.inactive, color::RAISED),
        (&mut visuals.widgets.hovered, color::RAISED_HOVER),
        (&mut visuals.widgets.active, color::LINE),
        (&mut visuals.widgets.open, color::RAISED_HOVER),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::new(1.0, color::LINE);
        widget.fg_stroke = Stroke::new(1.5, color::TEXT);
        widget.corner_radius = ROUNDING;
        widget.expansion = 0.0;
    }
}
