//! Figures of a system whose presses are not marked in the recording: only how far apart its
//! machines sound.

use downbeat_tests::{
    figures::{later, spread, within},
    recorder::{RATE, Recording},
};

use crate::table::Row;

/// How far from the first machine's onset another's may lie to be the same click, in frames.
const REACH: f64 = RATE as f64 / 4.0;

/// Frames compared from an onset on.
const WINDOW: usize = RATE / 40;

/// How far apart each click sounded on the first `players` channels.
pub fn row(system: &str, recording: &Recording, players: usize) -> Row {
    let onsets: Vec<_> = (0..players).map(|channel| recording.onsets(channel)).collect();
    let mut row = Row { system: system.to_owned(), ..Row::default() };
    let mut missed = 0;
    // The first and the last may be cut by the recording's ends.
    for begun in onsets[0].iter().skip(1).rev().skip(1).copied() {
        let reference = (recording.channels[0].as_slice(), begun);
        let at = begun as f64;
        let sounded: Vec<f64> = (0..players)
            .filter_map(|channel| {
                let begun = within(&onsets[channel], at - REACH, at + REACH)?;
                later((recording.channels[channel].as_slice(), begun), reference, WINDOW)
            })
            .collect();
        missed += players - sounded.len();
        row.spreads.extend(spread(&sounded).map(|frames| frames * 1e6 / RATE as f64));
    }
    row.notes.push(format!("{missed} sounds missed"));
    row
}
