//! The table of results.

use std::fmt::Write as _;

use downbeat_tests::figures::quantile;

/// The measurements of one system.
#[derive(Debug, Default)]
pub struct Row {
    /// The system and its network.
    pub system: String,
    /// The spread of each bang, in microseconds.
    pub spreads: Vec<f64>,
    /// Latency from press to sound, per machine and bang, in milliseconds.
    pub presses: Vec<f64>,
    /// Time from connecting to the first clock estimate, per machine, in milliseconds.
    pub syncs: Vec<f64>,
    /// Additional lines.
    pub notes: Vec<String>,
}

impl Row {
    /// The row of a system that could not be measured.
    pub fn missing(system: &str, error: &anyhow::Error) -> Self {
        let notes = vec![format!("could not be measured: {error:#}")];
        Self { system: system.to_owned(), notes, ..Self::default() }
    }
}

/// Formats the rows as text.
pub fn print(rows: &[Row]) -> String {
    let mut text = String::from("\n");
    let heads = ["bangs", "spread", "", "", "", "press to", "sound", "first", "sync"];
    let units = ["", "median", "p95", "p99", "max us", "median", "p95 ms", "median", "max ms"];
    line(&mut text, "", &heads.map(str::to_owned));
    line(&mut text, "system", &units.map(str::to_owned));
    for row in rows {
        let show = |values: &[f64], share: f64, decimals: usize| {
            quantile(values, share).map_or("-".to_owned(), |value| format!("{value:.decimals$}"))
        };
        let spread = |share| show(&row.spreads, share, 0);
        let (press, sync) = (&row.presses, &row.syncs);
        let cells = [
            row.spreads.len().to_string(),
            spread(0.5),
            spread(0.95),
            spread(0.99),
            spread(1.0),
            show(press, 0.5, 1),
            show(press, 0.95, 1),
            show(sync, 0.5, 0),
            show(sync, 1.0, 0),
        ];
        line(&mut text, &row.system, &cells);
        for note in &row.notes {
            text.extend(["    ", note, "\n"]);
        }
    }
    text
}

fn line(text: &mut String, system: &str, cells: &[String; 9]) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{system:<34}");
    for cell in cells {
        let _ = write!(text, "{cell:>9}");
    }
    text.push('\n');
}
