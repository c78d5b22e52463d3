//! The mark of how a machine is: a shape and a colour, so that it is not told by colour alone.

use egui::{Color32, Pos2, Shape, Stroke, Ui, vec2};

use super::machine::Health;
use crate::ui::theme::{self, Palette};

/// The colour of how a machine is.
pub(in crate::ui) fn ink(color: &Palette, health: Health) -> Color32 {
    match health {
        Health::Heard | Health::Noted | Health::Missing => color.warn,
        Health::Well => color.good,
        Health::Silent | Health::Away => color.muted,
    }
}

/// Paints the mark: a triangle for what is heard, a ring with a dot for what is noted, a disc for what is well, a
/// bar for what is silent, and a ring for what is away.
pub(in crate::ui) fn paint(ui: &Ui, center: Pos2, health: Health) {
    let color = theme::palette(ui);
    let ink = ink(color, health);
    let painter = ui.painter();
    match health {
        Health::Heard => {
            let corners = [vec2(0.0, -6.5), vec2(6.5, 5.0), vec2(-6.5, 5.0)];
            let corners = corners.map(|corner| center + corner).to_vec();
            painter.add(Shape::convex_polygon(corners, ink, Stroke::NONE));
            let line = Stroke::new(1.75, color.background);
            painter.line_segment([center + vec2(0.0, -2.5), center + vec2(0.0, 1.0)], line);
            painter.circle_filled(center + vec2(0.0, 3.2), 1.0, color.background);
        }
        Health::Noted => {
            painter.circle_stroke(center, 4.5, Stroke::new(1.75, ink));
            painter.circle_filled(center, 1.75, ink);
        }
        Health::Well => {
            painter.circle_filled(center, 4.5, ink);
        }
        Health::Silent => {
            let line = Stroke::new(2.0, ink);
            painter.line_segment([center - vec2(4.5, 0.0), center + vec2(4.5, 0.0)], line);
        }
        Health::Missing | Health::Away => {
            painter.circle_stroke(center, 4.0, Stroke::new(1.5, ink));
        }
    }
}
