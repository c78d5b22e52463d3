//! The theme: every colour, size and font, and their purpose. No other module of the window defines any.
//!
//! The page has the dark palette. Sizes are in points, on a grid of eight.

use std::sync::Arc;

use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Id, Margin,
    Shadow, Stroke, Style, TextStyle, Ui, Vec2, Visuals, style::ScrollStyle,
};

use crate::settings::Appearance;

/// One set of colours.
#[derive(Debug, PartialEq, Eq)]
pub struct Palette {
    /// Behind everything.
    pub background: Color32,
    /// A group of things.
    pub panel: Color32,
    /// The edge of a group.
    pub panel_edge: Color32,
    /// What can be pressed.
    pub raised: Color32,
    /// What can be pressed, under the pointer.
    pub raised_hover: Color32,
    /// What is recessed: the track of a fader, the unlit part of a meter.
    pub well: Color32,
    /// What is typed into.
    pub field: Color32,
    /// Hairlines, borders.
    pub line: Color32,
    /// What is read, and the ring around what has the keyboard focus.
    pub text: Color32,
    /// What is read second.
    pub muted: Color32,
    /// The bang, and what belongs to it.
    pub accent: Color32,
    /// The bang's side that is turned from the light.
    pub accent_deep: Color32,
    /// The bang's side that is turned to the light.
    pub accent_light: Color32,
    /// The bang at the instant of the sound.
    pub accent_hot: Color32,
    /// What is chosen: the accent laid thinly over what can be pressed.
    pub chosen: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Text on the bang at the instant of the sound.
    pub on_hot: Color32,
    /// As it should be.
    pub good: Color32,
    /// Worth a look.
    pub warn: Color32,
    /// Broken.
    pub bad: Color32,
    /// What something above throws on what is below it.
    pub shadow: Color32,
    /// The waveforms of the pads, in turn.
    pub pads: [Color32; 8],
    /// Whether light adds to what it falls on. On white, nothing could be added.
    is_dark: bool,
}

/// Light on dark: the palette of the page, too.
pub const DARK: Palette = Palette {
    background: rgb(0x0E_10_14),
    panel: rgb(0x17_1A_21),
    panel_edge: rgb(0x17_1A_21),
    raised: rgb(0x20_24_2E),
    raised_hover: rgb(0x29_2E_3A),
    well: rgb(0x0A_0B_0E),
    field: rgb(0x0A_0B_0E),
    line: rgb(0x2C_32_40),
    text: rgb(0xF2_F4_F8),
    muted: rgb(0x9A_A3_B5),
    accent: rgb(0xFF_5A_36),
    accent_deep: rgb(0xC8_38_1A),
    accent_light: rgb(0xFF_80_58),
    accent_hot: rgb(0xFF_D9_A0),
    chosen: rgb(0x3A_26_24),
    on_accent: rgb(0x1A_08_03),
    on_hot: rgb(0x1A_08_03),
    good: rgb(0x4A_DE_80),
    warn: rgb(0xFB_BF_24),
    bad: rgb(0xF8_71_71),
    shadow: Color32::from_black_alpha(150),
    pads: [
        rgb(0xFF_7A_59),
        rgb(0xFF_B4_54),
        rgb(0xD7_E0_5A),
        rgb(0x5E_D3_9A),
        rgb(0x4C_C9_E0),
        rgb(0x7F_A8_FF),
        rgb(0xB4_8C_FF),
        rgb(0xFF_85_C2),
    ],
    is_dark: true,
};

/// Dark on light.
pub const LIGHT: Palette = Palette {
    background: rgb(0xE9_EB_F0),
    panel: rgb(0xF7_F8_FA),
    panel_edge: rgb(0xDC_E0_E8),
    raised: rgb(0xFF_FF_FF),
    raised_hover: rgb(0xEE_F1_F6),
    well: rgb(0xDE_E2_EA),
    field: rgb(0xFF_FF_FF),
    line: rgb(0xC6_CC_D8),
    text: rgb(0x14_17_1D),
    muted: rgb(0x4F_58_69),
    accent: rgb(0xB8_32_17),
    accent_deep: rgb(0x96_26_0E),
    accent_light: rgb(0xDC_50_2E),
    accent_hot: rgb(0xFF_B2_6B),
    chosen: rgb(0xFB_E3_DB),
    on_accent: rgb(0xFF_FF_FF),
    on_hot: rgb(0x3A_10_04),
    good: rgb(0x15_6B_38),
    warn: rgb(0x85_53_00),
    bad: rgb(0xB4_1C_1C),
    shadow: Color32::from_black_alpha(56),
    pads: [
        rgb(0xC2_41_0C),
        rgb(0x9A_65_00),
        rgb(0x5B_73_00),
        rgb(0x04_78_57),
        rgb(0x0B_6F_8C),
        rgb(0x1D_4E_D8),
        rgb(0x6D_28_D9),
        rgb(0xBE_18_5D),
    ],
    is_dark: false,
};

/// Black, white and strong colours: all text has a contrast of seven to one.
pub const HIGH_CONTRAST: Palette = Palette {
    background: rgb(0x00_00_00),
    panel: rgb(0x00_00_00),
    panel_edge: rgb(0x6E_6E_6E),
    raised: rgb(0x12_12_12),
    raised_hover: rgb(0x2A_2A_2A),
    well: rgb(0x00_00_00),
    field: rgb(0x00_00_00),
    line: rgb(0xA8_A8_A8),
    text: rgb(0xFF_FF_FF),
    muted: rgb(0xE2_E2_E2),
    accent: rgb(0xFF_A0_40),
    accent_deep: rgb(0xFF_8A_1E),
    accent_light: rgb(0xFF_BC_74),
    accent_hot: rgb(0xFF_FF_FF),
    chosen: rgb(0x3D_24_00),
    on_accent: rgb(0x00_00_00),
    on_hot: rgb(0x00_00_00),
    good: rgb(0x5C_FF_9A),
    warn: rgb(0xFF_E6_3B),
    bad: rgb(0xFF_A3_A3),
    shadow: Color32::TRANSPARENT,
    pads: [
        rgb(0xFF_9E_80),
        rgb(0xFF_D1_80),
        rgb(0xF0_FF_70),
        rgb(0x90_FF_B4),
        rgb(0x70_F4_FF),
        rgb(0xA8_C8_FF),
        rgb(0xD7_BF_FF),
        rgb(0xFF_B3_DA),
    ],
    is_dark: true,
};

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Palette {
    /// Light of this colour on whatever it falls on: 0 is none, 1 all of it.
    #[must_use]
    pub fn glow(&self, color: Color32, strength: f32) -> Color32 {
        let strength = strength.clamp(0.0, 1.0);
        if !self.is_dark {
            return color.gamma_multiply(strength);
        }
        let scale = |channel: u8| (f32::from(channel) * strength).round() as u8;
        // No alpha: egui blends premultiplied colours, and what covers nothing only adds.
        Color32::from_rgba_premultiplied(scale(color.r()), scale(color.g()), scale(color.b()), 0)
    }

    /// The colour of the pad at this place of the bank.
    pub(super) fn pad(&self, place: usize) -> Color32 {
        self.pads[place % self.pads.len()]
    }
}

/// The palette in use.
pub(super) fn palette(ui: &Ui) -> &'static Palette {
    ui.ctx().data(|data| data.get_temp(Id::unique("palette"))).unwrap_or(&DARK)
}

/// Shows everything in these colours from now on. To be called before anything is drawn.
pub(super) fn apply(ui: &mut Ui, appearance: Appearance) {
    let context = ui.ctx().clone();
    let palette: &'static Palette = match (appearance, context.system_theme()) {
        (Appearance::Light, _) | (Appearance::System, Some(egui::Theme::Light)) => &LIGHT,
        (Appearance::HighContrast, _) => &HIGH_CONTRAST,
        (Appearance::Dark | Appearance::System, _) => &DARK,
    };
    if self::palette(ui) == palette {
        return;
    }
    context.data_mut(|data| data.insert_temp(Id::unique("palette"), palette));
    context.all_styles_mut(|style| set_colors(style, palette));
    ui.set_style(context.global_style());
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

/// Gives a context this look. To be called once, before its first frame.
pub fn install(context: &Context) {
    context.set_fonts(fonts());
    context.set_theme(egui::Theme::Dark);
    context.all_styles_mut(|style| {
        set_style(style);
        set_colors(style, &DARK);
    });
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
    spacing.scroll = ScrollStyle {
        bar_width: 6.0,
        floating_allocated_width: 0.0,
        foreground_color: true,
        dormant_handle_opacity: 0.25,
        ..ScrollStyle::thin()
    };
}

fn set_colors(style: &mut Style, color: &Palette) {
    let visuals = &mut style.visuals;
    *visuals = if color.is_dark { Visuals::dark() } else { Visuals::light() };
    visuals.panel_fill = color.background;
    visuals.window_fill = color.panel;
    visuals.window_stroke = Stroke::new(1.0, color.line);
    visuals.window_corner_radius = ROUNDING;
    visuals.menu_corner_radius = ROUNDING;
    visuals.popup_shadow = Shadow { offset: [0, 8], blur: 24, spread: 0, color: color.shadow };
    visuals.extreme_bg_color = color.well;
    visuals.text_edit_bg_color = Some(color.field);
    visuals.override_text_color = Some(color.text);
    visuals.selection.bg_fill = mix(color.background, color.accent, 0.25);
    visuals.selection.stroke = Stroke::new(1.0, color.accent);
    visuals.text_cursor.stroke = Stroke::new(2.0, color.accent);
    for (widget, fill) in [
        (&mut visuals.widgets.noninteractive, color.panel),
        (&mut visuals.widgets.inactive, color.raised),
        (&mut visuals.widgets.hovered, color.raised_hover),
        (&mut visuals.widgets.active, color.line),
        (&mut visuals.widgets.open, color.raised_hover),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::new(1.0, color.line);
        widget.fg_stroke = Stroke::new(1.5, color.text);
        widget.corner_radius = ROUNDING;
        widget.expansion = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of a colour, by WCAG 2.
    fn luminance(color: Color32) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(one: Color32, other: Color32) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// WCAG 2.1: text, and what must be seen to use something.
    const TEXT_AA: f64 = 4.5;
    const TEXT_AAA: f64 = 7.0;
    const GRAPHICS: f64 = 3.0;

    #[test]
    fn all_text_can_be_read() {
        for (name, color, least) in [
            ("dark", &DARK, TEXT_AA),
            ("light", &LIGHT, TEXT_AA),
            ("high", &HIGH_CONTRAST, TEXT_AAA),
        ] {
            let inks = [
                ("text", color.text),
                ("muted", color.muted),
                ("accent", color.accent),
                ("good", color.good),
                ("warn", color.warn),
                ("bad", color.bad),
            ];
            let grounds = [
                ("background", color.background),
                ("panel", color.panel),
                ("raised", color.raised),
                ("raised_hover", color.raised_hover),
                ("field", color.field),
            ];
            for (ink, text) in inks {
                for (ground, fill) in grounds {
                    // Nothing under the pointer is written in the accent.
                    if (ink, ground) == ("accent", "raised_hover") {
                        continue;
                    }
                    let found = contrast(text, fill);
                    assert!(found >= least, "{name}: {ink} on {ground} is {found:.2}");
                }
            }
            for text in [color.text, color.muted] {
                for fill in [color.chosen, color.well] {
                    assert!(contrast(text, fill) >= least, "{name}: {text:?} on {fill:?}");
                }
            }
            // Machines in trouble, also while they are selected.
            for text in [color.text, color.muted, color.warn] {
                let troubled = [color.panel, color.raised]
                    .map(|ground| mix(ground, color.warn, 0.1))
                    .into_iter()
                    .chain([color.chosen]);
                for fill in troubled {
                    let found = contrast(text, fill);
                    assert!(found >= least, "{name}: {text:?} on {fill:?} is {found:.2}");
                }
            }
            for (text, fill) in [(color.on_accent, color.accent), (color.on_hot, color.accent_hot)]
            {
                let found = contrast(text, fill);
                assert!(found >= least, "{name}: {text:?} on {fill:?} is {found:.2}");
            }
            // Large text.
            assert!(contrast(color.on_accent, color.accent_light) >= GRAPHICS, "{name}");
        }
    }

    #[test]
    fn every_waveform_and_every_control_can_be_seen() {
        for color in [&DARK, &LIGHT, &HIGH_CONTRAST] {
            for hue in color.pads {
                let painted = mix(color.raised, hue, 0.8);
                assert!(contrast(painted, color.raised) >= GRAPHICS, "{hue:?}");
            }
            assert!(contrast(color.accent, color.well) >= GRAPHICS, "a fader");
            assert!(contrast(color.muted, color.well) >= GRAPHICS, "a switch");
        }
    }
}
