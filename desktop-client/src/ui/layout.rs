//! The layout of a window of a given size: two columns if they fit, else one. The bang has the most room in
//! both.
//!
//! Pure arithmetic: it draws nothing.

use egui::{Pos2, Rect, Vec2, pos2};

use super::{
    sounds,
    theme::{GRID, PAD},
};

/// The smallest window that everything fits in.
pub const MIN_SIZE: Vec2 = Vec2::new(480.0, 600.0);
/// The size of a new window.
pub const FIRST_SIZE: Vec2 = Vec2::new(760.0, 820.0);

/// From this width on there are two columns.
const TWO_COLUMNS: f32 = 720.0;
const HEADER: f32 = 8.5 * GRID;
/// Below the bang: the last trigger, and up to two lines about it.
const LAST: f32 = 8.5 * GRID;
/// Around the disc: its bezel, and room for the flash.
const BEZEL: f32 = 2.5 * GRID;
/// Beyond this, a larger disc gains nothing.
const MAX_RADIUS: f32 = 320.0;

/// The places of the views.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// The relay, the lead, stop-all.
    pub header: Rect,
    /// The bang, and messages about it.
    pub bang_area: Rect,
    /// Middle of the bang's disc.
    pub center: Pos2,
    /// Its radius.
    pub radius: f32,
    /// The last trigger.
    pub last: Rect,
    /// The sounds, below the bang; without a side, everything else too.
    pub below: Rect,
    /// The rows of pads that are visible there.
    pub sound_rows: usize,
    /// Output and room, if there are two columns.
    pub side: Option<Rect>,
}

impl Layout {
    /// The layout of `window`. It depends on nothing else: a button that moves when a bank arrives or an
    /// error shows would be missed.
    #[must_use]
    pub fn of(window: Rect) -> Self {
        let header = Rect::from_min_size(window.min, Vec2::new(window.width(), HEADER));
        let body = Rect::from_min_max(pos2(window.left(), header.bottom()), window.max).shrink(PAD);
        let (column, side) = if window.width() >= TWO_COLUMNS {
            let width = (window.width() * 0.38).clamp(272.0, 400.0).round();
            let split = body.right() - width;
            let side = Rect::from_min_max(pos2(split, body.top()), body.max);
            (Rect::from_min_max(body.min, pos2(split - PAD, body.bottom())), Some(side))
        } else {
            (body, None)
        };
        // Two rows of pads, and more where the window is tall.
        let sound_rows = ((column.height() * 0.25 / sounds::height(1)) as usize).max(2);
        let below = match side {
            Some(_) => sounds::height(sound_rows),
            // In one column the rest is scrolled to, and its top edge is visible.
            None => sounds::height(sound_rows) + 5.0 * GRID,
        };
        let below = Rect::from_min_max(pos2(column.left(), column.bottom() - below), column.max);
        let bang_area = Rect::from_min_max(column.min, pos2(column.right(), below.top() - PAD));
        let last =
            Rect::from_min_max(pos2(bang_area.left(), bang_area.bottom() - LAST), bang_area.max);
        let room = Rect::from_min_max(bang_area.min, last.right_top());
        let radius = (room.size().min_elem() / 2.0 - BEZEL).min(MAX_RADIUS).floor();
        Self {
            header,
            bang_area,
            center: room.center().round(),
            radius,
            last,
            below,
            sound_rows,
            side,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(width: f32, height: f32) -> Layout {
        Layout::of(Rect::from_min_size(Pos2::ZERO, Vec2::new(width, height)))
    }

    #[test]
    fn nothing_overlaps_or_leaves_the_window_at_any_size() {
        for (width, height) in
            [(480.0, 600.0), (719.0, 600.0), (720.0, 600.0), (760.0, 820.0), (3840.0, 2160.0)]
        {
            let places = layout(width, height);
            let window = Rect::from_min_size(Pos2::ZERO, Vec2::new(width, height));
            let disc = Rect::from_center_size(places.center, Vec2::splat(2.0 * places.radius));
            let mut apart = vec![places.header, disc, places.last, places.below];
            apart.extend(places.side);
            for (index, place) in apart.iter().enumerate() {
                assert!(window.contains_rect(*place), "{width}x{height}: {place:?} leaves");
                for other in &apart[index + 1..] {
                    assert!(
                        !place.shrink(0.5).intersects(*other),
                        "{width}x{height}: {place:?} and {other:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_bang_is_large_even_in_the_smallest_window() {
        let places = layout(MIN_SIZE.x, MIN_SIZE.y);
        assert!(places.side.is_none());
        assert!(places.radius >= 96.0, "{}", places.radius);
        assert!(layout(FIRST_SIZE.x, FIRST_SIZE.y).radius >= 180.0);
    }
}
