//! The places of the parts of each view, in a window of a given size.
//!
//! Pure arithmetic: it draws nothing.

use egui::{Pos2, Rect, Vec2, pos2};

use super::{
    sounds,
    theme::{CONTROL, GRID, PAD, SMALL_CONTROL},
};

/// The smallest window that everything fits in.
pub const MIN_SIZE: Vec2 = Vec2::new(480.0, 600.0);
/// The size of a new window.
pub const FIRST_SIZE: Vec2 = Vec2::new(960.0, 760.0);

/// From this width on there are two columns.
const TWO_COLUMNS: f32 = 840.0;
const HEADER: f32 = 8.5 * GRID;
/// The row of tabs, where the header has no room for them.
const TABS: f32 = 6.0 * GRID;
/// Below a bang: the last trigger, and up to two lines about it.
const LAST: f32 = 8.5 * GRID;
/// Around the disc: its bezel, and room for the flash.
const BEZEL: f32 = 2.5 * GRID;
/// Beyond this, a larger disc gains nothing.
const MAX_RADIUS: f32 = 320.0;
/// The disc of the view *Play*: in two columns, and in one.
const PLAY_RADIUS: (f32, f32) = (72.0, 150.0);
const NARROW_RADIUS: f32 = 60.0;
/// The row at the bottom of the view *Play*, in two columns.
const STRIP: f32 = 15.5 * GRID;
/// The two rows above the machines of the view *Room*, and the bar below them in one column.
const ROOM_TOOLS: f32 = 2.0 * SMALL_CONTROL + GRID;
const ROOM_BAR: f32 = CONTROL;

/// The places that all views share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// The relay, the lead, stop-all.
    pub header: Rect,
    /// The tabs of the views: a row of their own, or a part of the header.
    pub tabs: Rect,
    /// The view.
    pub body: Rect,
    /// Whether there are two columns.
    pub is_wide: bool,
}

/// The bang's disc, and what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BangPlaces {
    /// All of it.
    pub area: Rect,
    /// Middle of the disc.
    pub center: Pos2,
    /// Its radius.
    pub radius: f32,
    /// The last trigger.
    pub last: Rect,
}

/// The places of the view *Play*.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlayPlaces {
    /// The bang.
    pub bang: BangPlaces,
    /// The level and the volume.
    pub output: Rect,
    /// The pads; in one column, everything else too.
    pub main: Rect,
    /// What there is beside them, if there are two columns.
    pub side: Option<SidePlaces>,
}

/// The places of the view *Play* that exist with two columns only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SidePlaces {
    /// Variables and room, below the bang.
    pub rest: Rect,
    /// What shapes the sounds that are played by hand, below the pads.
    pub hand: Rect,
}

/// The places of the view *Room*, for those who run it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoomPlaces {
    /// What is shown, the search, the filters.
    pub tools: Rect,
    /// The machines.
    pub main: Rect,
    /// The panel beside them, if there are two columns.
    pub side: Option<Rect>,
    /// The bar below them that opens the panel, in one column.
    pub bar: Option<Rect>,
}

impl Layout {
    /// The layout of `window`. It depends on nothing else: a button that moves when a bank arrives or an
    /// error shows would be missed.
    #[must_use]
    pub fn of(window: Rect) -> Self {
        let header = Rect::from_min_size(window.min, Vec2::new(window.width(), HEADER));
        let is_wide = window.width() >= TWO_COLUMNS;
        let (tabs, top) = if is_wide {
            let width = 46.0 * GRID;
            let left = (window.center().x - width / 2.0).min(window.left() + 31.0 * GRID).round();
            (
                Rect::from_min_size(pos2(left, header.top()), Vec2::new(width, HEADER)),
                header.bottom(),
            )
        } else {
            let row = Rect::from_min_size(header.left_bottom(), Vec2::new(window.width(), TABS));
            (row, row.bottom())
        };
        let body = Rect::from_min_max(pos2(window.left(), top), window.max).shrink(PAD);
        Self { header, tabs, body, is_wide }
    }

    /// The places of the view *Play*.
    #[must_use]
    pub fn play(&self) -> PlayPlaces {
        let body = self.body;
        if !self.is_wide {
            let height = 2.0 * (NARROW_RADIUS + BEZEL) - PAD;
            let area = Rect::from_min_size(body.min, Vec2::new(body.width(), height));
            let center = pos2(area.left() + NARROW_RADIUS + GRID, area.center().y);
            let left = center.x + NARROW_RADIUS + BEZEL;
            let right = Rect::from_min_max(pos2(left, area.top()), area.max);
            let (last, output) = right.split_top_bottom_at_y(area.top() + LAST + 0.75 * GRID);
            let bang = BangPlaces { area, center, radius: NARROW_RADIUS, last };
            let main = Rect::from_min_max(pos2(body.left(), area.bottom() + GRID), body.max);
            return PlayPlaces { bang, output, main, side: None };
        }
        let width = (body.width() * 0.32).clamp(272.0, 420.0).round();
        let split = body.right() - width;
        let bottom = body.bottom() - STRIP;
        let main = Rect::from_min_max(body.min, pos2(split - PAD, bottom - PAD));
        let radius = (body.height() * 0.13).clamp(PLAY_RADIUS.0, PLAY_RADIUS.1).floor();
        let area = Rect::from_min_size(
            pos2(split, body.top()),
            Vec2::new(width, 2.0 * (radius + BEZEL) + LAST),
        );
        let center = pos2(area.center().x, area.top() + radius + BEZEL).round();
        let last = Rect::from_min_max(pos2(split, area.bottom() - LAST), area.max);
        let side = SidePlaces {
            rest: Rect::from_min_max(
                pos2(split, area.bottom() + GRID),
                pos2(body.right(), bottom - PAD),
            ),
            hand: Rect::from_min_max(pos2(body.left(), bottom), pos2(split - PAD, body.bottom())),
        };
        let output = Rect::from_min_max(pos2(split, bottom), body.max);
        let bang = BangPlaces { area, center, radius, last };
        PlayPlaces { bang, output, main, side: Some(side) }
    }

    /// The places of the view *Room*.
    #[must_use]
    pub fn room(&self) -> RoomPlaces {
        let body = self.body;
        let (left, side, bar) = if self.is_wide {
            let width = (body.width() * 0.28).clamp(288.0, 372.0).round();
            let side = Rect::from_min_max(pos2(body.right() - width, body.top()), body.max);
            let left = Rect::from_min_max(body.min, pos2(side.left() - PAD, body.bottom()));
            (left, Some(side), None)
        } else {
            let bar = Rect::from_min_max(pos2(body.left(), body.bottom() - ROOM_BAR), body.max);
            let left = Rect::from_min_max(body.min, pos2(body.right(), bar.top() - GRID));
            (left, None, Some(bar))
        };
        let tools = Rect::from_min_size(left.min, Vec2::new(left.width(), ROOM_TOOLS));
        let main = Rect::from_min_max(pos2(left.left(), tools.bottom() + GRID), left.max);
        RoomPlaces { tools, main, side, bar }
    }

    /// The places of the view *Bang*: the bang, and below it the sounds to choose from, with the number
    /// of rows of them that are visible.
    #[must_use]
    pub fn bang(&self) -> (BangPlaces, Rect, usize) {
        let body = self.body;
        // Two rows of sounds, and more where the window is tall.
        let rows = ((body.height() * 0.22 / sounds::height(1)) as usize).max(2);
        let below =
            Rect::from_min_max(pos2(body.left(), body.bottom() - sounds::height(rows)), body.max);
        let area = Rect::from_min_max(body.min, pos2(body.right(), below.top() - PAD));
        let last = Rect::from_min_max(pos2(area.left(), area.bottom() - LAST), area.max);
        let room = Rect::from_min_max(area.min, last.right_top());
        let radius = (room.size().min_elem() / 2.0 - BEZEL).min(MAX_RADIUS).floor();
        (BangPlaces { area, center: room.center().round(), radius, last }, below, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [(f32, f32); 6] = [
        (480.0, 600.0),
        (839.0, 600.0),
        (840.0, 600.0),
        (960.0, 760.0),
        (1600.0, 1000.0),
        (3840.0, 2160.0),
    ];

    fn layout(width: f32, height: f32) -> Layout {
        Layout::of(Rect::from_min_size(Pos2::ZERO, Vec2::new(width, height)))
    }

    fn assert_apart(window: Rect, apart: &[Rect]) {
        for (index, place) in apart.iter().enumerate() {
            assert!(window.contains_rect(*place), "{window:?}: {place:?} leaves");
            assert!(place.is_positive(), "{window:?}: {place:?}");
            for other in &apart[index + 1..] {
                assert!(!place.shrink(0.5).intersects(*other), "{window:?}: {place:?}, {other:?}");
            }
        }
    }

    fn disc(places: &BangPlaces) -> Rect {
        Rect::from_center_size(places.center, Vec2::splat(2.0 * places.radius))
    }

    #[test]
    fn nothing_overlaps_or_leaves_the_window_at_any_size() {
        for (width, height) in SIZES {
            let window = Rect::from_min_size(Pos2::ZERO, Vec2::new(width, height));
            let layout = layout(width, height);
            let play = layout.play();
            let mut apart =
                vec![layout.header, disc(&play.bang), play.bang.last, play.output, play.main];
            if let Some(side) = play.side {
                apart.extend([side.rest, side.hand]);
            } else {
                apart.push(layout.tabs);
            }
            assert_apart(window, &apart);
            let (bang, below, _) = layout.bang();
            assert_apart(window, &[layout.header, disc(&bang), bang.last, below]);
            let room = layout.room();
            let rest = room.side.into_iter().chain(room.bar);
            let apart: Vec<Rect> =
                [layout.header, room.tools, room.main].into_iter().chain(rest).collect();
            assert_apart(window, &apart);
            assert!(room.main.height() >= 240.0, "{window:?}: {room:?}");
        }
    }

    #[test]
    fn the_bang_is_large_even_in_the_smallest_window() {
        let smallest = layout(MIN_SIZE.x, MIN_SIZE.y);
        assert!(!smallest.is_wide);
        assert!(smallest.play().bang.radius >= 60.0);
        assert!(smallest.bang().0.radius >= 88.0);
        assert!(layout(FIRST_SIZE.x, FIRST_SIZE.y).bang().0.radius >= 180.0);
    }
}
