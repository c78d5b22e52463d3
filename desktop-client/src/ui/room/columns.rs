//! The columns of the table of machines: which of them a width has room for, and where they stand.
//!
//! Pure arithmetic: it draws nothing.

use super::listing::Column;
use crate::ui::theme::GRID;

/// The place of the mark, before the first column.
pub(super) const MARK: f32 = 3.0 * GRID;
/// Between two columns.
pub(super) const GAP: f32 = GRID;

const SEAT: f32 = 5.0 * GRID;
const MIN_NAME: f32 = 15.0 * GRID;
const MIN_STATUS: f32 = 21.0 * GRID;
/// The name's share of what the columns of fixed widths leave.
const NAME_SHARE: f32 = 0.35;
const MAX_NAME: f32 = 32.0 * GRID;

/// The columns that come and go with the width, in the order in which they come.
const OPTIONAL: [(Column, f32); 8] = [
    (Column::Sync, 8.5 * GRID),
    (Column::Sounds, 9.0 * GRID),
    (Column::Latency, 9.5 * GRID),
    (Column::Last, 8.5 * GRID),
    (Column::Xruns, 8.0 * GRID),
    (Column::Level, 8.0 * GRID),
    (Column::Program, 16.0 * GRID),
    (Column::Output, 18.0 * GRID),
];

/// All of them, from left to right.
const SHOWN: [Column; 11] = [
    Column::Seat,
    Column::Name,
    Column::Status,
    Column::Sounds,
    Column::Sync,
    Column::Latency,
    Column::Last,
    Column::Xruns,
    Column::Level,
    Column::Program,
    Column::Output,
];

/// A column and its place, from the left of the row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) column: Column,
    pub(super) left: f32,
    pub(super) width: f32,
}

/// The columns of a row of this width.
pub(super) fn columns(width: f32) -> Vec<Placed> {
    let mut left_over = width - MARK - SEAT - GAP - MIN_NAME - GAP - MIN_STATUS - GAP;
    let mut chosen = Vec::new();
    for (column, needed) in OPTIONAL {
        if left_over < needed + GAP {
            break;
        }
        left_over -= needed + GAP;
        chosen.push((column, needed));
    }
    let left_over = left_over.max(0.0);
    let name = (MIN_NAME + left_over * NAME_SHARE).min(MAX_NAME).floor();
    let status = (MIN_STATUS + left_over - (name - MIN_NAME)).floor();
    let mut next = MARK;
    let mut placed = Vec::new();
    for column in SHOWN {
        let width = match column {
            Column::Seat => Some(SEAT),
            Column::Name => Some(name),
            Column::Status => Some(status),
            _ => chosen.iter().find(|(one, _)| *one == column).map(|(_, width)| *width),
        };
        if let Some(width) = width {
            // Numbers end where they stand, and words begin there.
            let follows_number = placed.last().is_some_and(|one: &Placed| is_number(one.column));
            let inset = if follows_number && !is_number(column) { GRID } else { 0.0 };
            let (left, width) = (next + inset, width - inset);
            placed.push(Placed { column, left, width });
            next = left + width + GAP;
        }
    }
    placed
}

/// Whether what stands in a column is a number, which stands at its right.
pub(super) fn is_number(column: Column) -> bool {
    matches!(
        column,
        Column::Sounds
            | Column::Sync
            | Column::Latency
            | Column::Last
            | Column::Xruns
            | Column::Level
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_with_the_width_and_never_overlap() {
        let mut fewest = 0;
        for width in [400, 448, 608, 800, 1000, 1156, 1600, 3000] {
            let width = width as f32;
            let placed = columns(width);
            assert!(placed.len() >= fewest, "{width}");
            fewest = placed.len();
            for pair in placed.windows(2) {
                assert!(pair[0].left + pair[0].width < pair[1].left, "{width}: {pair:?}");
            }
            let last = placed.last().unwrap();
            assert!(last.left + last.width <= width, "{width}: {last:?}");
        }
        assert_eq!(columns(1156.0).len(), SHOWN.len(), "a wide window has all of them");
        assert_eq!(columns(400.0).len(), 3);
    }
}
