//! Where machines stand on the plan of the room. Pure arithmetic: it draws nothing.

use downbeat_protocol::Place;
use egui::{Pos2, Rect, Vec2, pos2, vec2};

/// Places are on a grid of this many steps each way, so that rows become straight.
const STEPS: f32 = 40.0;

/// A step of the grid.
pub(super) const STEP: f32 = 1.0 / STEPS;

/// Columns of machines that are placed in rows.
const COLUMNS: usize = 8;

/// The middle of a machine on the plan, of which the middles of machines may be anywhere in `area`. The front
/// of the room is at the top.
pub(super) fn position(area: Rect, place: Place) -> Pos2 {
    pos2(egui::lerp(area.x_range(), place.x), egui::lerp(area.y_range(), place.y))
}

/// The place of a middle on the plan, on the grid.
pub(super) fn place(area: Rect, middle: Pos2) -> Place {
    let share = |at: f32, from: f32, length: f32| (at - from) / length.max(1.0);
    let place = Place {
        x: share(middle.x, area.left(), area.width()),
        y: share(middle.y, area.top(), area.height()),
    };
    on_grid(place)
}

/// The nearest place on the grid, within the room.
fn on_grid(place: Place) -> Place {
    let round = |share: f32| (share.clamp(0.0, 1.0) * STEPS).round() / STEPS;
    Place { x: round(place.x), y: round(place.y) }
}

/// A place, moved by steps of the grid to the right and to the back.
pub(super) fn moved(place: Place, steps: Vec2) -> Place {
    on_grid(Place { x: place.x + steps.x * STEP, y: place.y + steps.y * STEP })
}

/// Places for machines that have none, in rows from the front to the back, left to right, clear of those that
/// are `taken`; in the middle of the room once it is full.
pub(super) fn free_places(count: usize, taken: &[Place]) -> Vec<Place> {
    let columns = COLUMNS.min(count.max(1));
    let rows = 8;
    let cell = |index: usize| {
        let (column, row) = (index % columns, index / columns);
        let across = (column as f32 + 0.5) / columns as f32;
        let down = (row as f32 + 0.5) / rows as f32;
        on_grid(Place { x: across, y: down })
    };
    let is_free = |place: &Place| {
        let near = |other: &Place| {
            (other.x - place.x).abs() < 2.0 * STEP && (other.y - place.y).abs() < 2.0 * STEP
        };
        !taken.iter().any(near)
    };
    let free = (0..columns * rows).map(cell).filter(is_free);
    free.chain(std::iter::repeat(Place { x: 0.5, y: 0.5 })).take(count).collect()
}

/// The size of a token, and whether names fit below them, for this many machines in a plan of this size.
pub(super) fn token_size(plan: Vec2, count: usize) -> (Vec2, bool) {
    let each = (plan.x * plan.y / count.max(1) as f32).sqrt();
    if each >= 84.0 { (vec2(48.0, 32.0), true) } else { (vec2(36.0, 24.0), each >= 64.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Rect = Rect { min: pos2(100.0, 50.0), max: pos2(500.0, 350.0) };

    #[test]
    fn places_and_positions_are_inverse_on_the_grid() {
        for (x, y) in [(0.0, 0.0), (0.25, 0.5), (1.0, 1.0), (0.475, 0.975)] {
            let there = Place { x, y };
            assert_eq!(place(AREA, position(AREA, there)), there);
        }
        assert_eq!(position(AREA, Place { x: 0.0, y: 0.0 }), AREA.min, "the front is at the top");
        assert_eq!(place(AREA, pos2(-1e6, 1e6)), Place { x: 0.0, y: 1.0 });
        assert_eq!(place(AREA, pos2(203.0, 50.0)), Place { x: 0.25, y: 0.0 });
    }

    #[test]
    fn arrows_move_by_a_step_and_stop_at_the_walls() {
        let start = Place { x: 0.5, y: 0.0 };
        assert_eq!(moved(start, vec2(1.0, 0.0)), Place { x: 0.525, y: 0.0 });
        assert_eq!(moved(start, vec2(0.0, -1.0)), start);
    }

    #[test]
    fn free_places_are_apart_and_clear_of_those_that_are_taken() {
        let taken = [Place { x: 0.075, y: 0.075 }];
        let places = free_places(30, &taken);
        assert_eq!(places.len(), 30);
        for (index, place) in places.iter().enumerate() {
            for other in places[index + 1..].iter().chain(&taken) {
                let apart = (place.x - other.x).abs().max((place.y - other.y).abs());
                assert!(apart >= 1.9 * STEP, "{place:?} {other:?}");
            }
        }
        assert_eq!(free_places(100, &[]).len(), 100);
    }
}
