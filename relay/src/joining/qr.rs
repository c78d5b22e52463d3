//! QR codes: as an image for the page, and in characters for a terminal.

use qrcode::{EcLevel, QrCode, render::svg, render::unicode::Dense1x2};

/// Longest text, in bytes: a link with a token and a fingerprint, several times over. A code of more would have
/// too many modules for a camera a few metres away.
pub(crate) const MAX_TEXT_BYTES: usize = 512;

/// Black on white, whatever the colours of the terminal: cameras expect dark modules. Windows' older consoles
/// understand no colours; there, the terminal is taken to be dark.
const COLOURS: Option<(&str, &str)> =
    if cfg!(windows) { None } else { Some(("\u{1b}[30;107m", "\u{1b}[0m")) };

/// An SVG image; `None` if the text is too long.
pub(crate) fn svg(text: &str) -> Option<String> {
    Some(code(text)?.render::<svg::Color<'_>>().build())
}

/// Lines of half blocks, two modules high each; `None` if the text is too long.
pub(crate) fn lines(text: &str) -> Option<Vec<String>> {
    let code = code(text)?;
    let mut render = code.render::<Dense1x2>();
    // A block is of the colour of text: that of a dark module on white, and of a light one on a dark terminal.
    let (start, end) = COLOURS.unwrap_or_else(|| {
        render.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
        ("", "")
    });
    Some(render.build().lines().map(|line| format!("{start}{line}{end}")).collect())
}

fn code(text: &str) -> Option<QrCode> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    QrCode::with_error_correction_level(text, EcLevel::M).ok()
}

#[cfg(test)]
mod tests {
    use qrcode::Color;

    use super::*;

    const LINK: &str = "http://192.168.1.5:3000/#token=s3cret";

    /// The modules of lines of half blocks, without the quiet zone of four.
    fn modules(lines: &[String]) -> Vec<Vec<bool>> {
        let (start, end) = COLOURS.unwrap();
        let mut rows = Vec::new();
        for line in lines {
            let line = line.strip_prefix(start).unwrap().strip_suffix(end).unwrap();
            let halves = |upper: bool| {
                line.chars()
                    .map(|c| match c {
                        ' ' => false,
                        '\u{2580}' => upper,
                        '\u{2584}' => !upper,
                        '\u{2588}' => true,
                        other => panic!("{other:?}"),
                    })
                    .collect::<Vec<_>>()
            };
            rows.extend([halves(true), halves(false)]);
        }
        rows
    }

    #[cfg(not(windows))]
    #[test]
    fn a_terminal_shows_the_modules_of_the_code_with_a_quiet_zone() {
        let code = code(LINK).unwrap();
        let width = code.width();
        let rows = modules(&lines(LINK).unwrap());
        assert!(rows.iter().all(|row| row.len() == width + 8));
        for (y, row) in rows.iter().enumerate() {
            for (x, is_dark) in row.iter().enumerate() {
                let inside = (4..width + 4).contains(&x) && (4..width + 4).contains(&y);
                let dark = inside && code[(x - 4, y - 4)] == Color::Dark;
                assert_eq!(*is_dark, dark, "at {x}, {y}");
            }
        }
    }

    #[test]
    fn an_image_is_svg_that_contains_nothing_of_the_text() {
        let image = svg("</svg><script>alert(1)</script>").unwrap();
        assert!(image.starts_with("<?xml") && image.ends_with("</svg>"));
        assert_eq!(image.matches("<svg").count(), 1);
        assert!(!image.contains("script"));
    }

    #[test]
    fn a_text_that_is_too_long_has_no_code() {
        assert!(svg(&"x".repeat(MAX_TEXT_BYTES)).is_some());
        assert!(svg(&"x".repeat(MAX_TEXT_BYTES + 1)).is_none());
        assert!(lines(&"\u{1d11e}".repeat(MAX_TEXT_BYTES / 4)).is_some());
    }
}
