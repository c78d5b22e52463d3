//! A QR code, painted from its modules. It is black on white whatever the colours of the window, as phones
//! expect it.

use egui::{Color32, Mesh, Rect, Ui, Vec2, vec2};
use qrcode::{Color, EcLevel, QrCode};

use crate::ui::widgets;

/// The white margin that readers need, in modules.
const QUIET: usize = 4;

/// A QR code, kept from one frame to the next: encoding takes longer than painting.
#[derive(Clone, Debug, Default)]
pub(super) struct Qr {
    text: String,
    /// The dark modules of each row, as runs: row, first column, end.
    runs: Vec<(usize, usize, usize)>,
    /// The modules of a side.
    width: usize,
}

impl Qr {
    /// Shows the code of a text in a square.
    pub(super) fn show(&mut self, ui: &mut Ui, square: Rect, text: &str) {
        if self.text != text {
            *self = Self::encode(text);
        }
        // Whole pixels: readers see soft edges as grey.
        let pixel = 1.0 / ui.pixels_per_point();
        let modules = (self.width + 2 * QUIET) as f32;
        let module = (square.width() / modules / pixel).floor().max(1.0) * pixel;
        let side = module * modules;
        let min = (square.center() - Vec2::splat(side / 2.0)) / pixel;
        let code = Rect::from_min_size(min.round() * pixel, Vec2::splat(side));
        ui.painter().rect_filled(code, 8.0, Color32::WHITE);
        let mut mesh = Mesh::default();
        for (line, from, to) in &self.runs {
            let min = code.min + module * vec2((from + QUIET) as f32, (line + QUIET) as f32);
            let run = vec2((to - from) as f32, 1.0) * module;
            mesh.add_colored_rect(Rect::from_min_size(min, run), Color32::BLACK);
        }
        ui.painter().add(mesh);
        // What it contains is secret.
        widgets::label(ui, code, "QR code of the link");
    }

    fn encode(text: &str) -> Self {
        let level = EcLevel::M;
        // A text that is too long for any code leaves the square white; the link can be copied.
        let Ok(code) = QrCode::with_error_correction_level(text, level) else {
            return Self { text: text.to_owned(), ..Self::default() };
        };
        let width = code.width();
        let colors = code.into_colors();
        let mut runs = Vec::new();
        for (row, modules) in colors.chunks(width.max(1)).enumerate() {
            let mut column = 0;
            while column < width {
                let dark = modules[column..].iter().take_while(|one| **one == Color::Dark).count();
                if dark > 0 {
                    runs.push((row, column, column + dark));
                }
                column += dark + 1;
            }
        }
        Self { text: text.to_owned(), runs, width }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runs_are_the_dark_modules() {
        let text = "http://192.168.1.5:3000/#token=s3cret";
        let qr = Qr::encode(text);
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        assert_eq!(qr.width, code.width());
        let colors = code.into_colors();
        let mut painted = vec![Color::Light; colors.len()];
        for (row, from, to) in qr.runs {
            painted[row * qr.width + from..row * qr.width + to].fill(Color::Dark);
        }
        assert!(painted == colors);
    }

    #[test]
    fn a_text_that_is_too_long_has_no_modules() {
        assert!(Qr::encode(&"x".repeat(10_000)).runs.is_empty());
    }
}
