//! The table that the benchmark ends with.

use downbeat_tests::figures::quantile;

/// What was measured of one system.
#[derive(Debug, Default)]
pub struct Row {
    /// Which system, in which network.
    pub system: String,
    /// How far apart each bang sounded, in microseconds.
    pub spreads: Vec<f64>,
    /// From the press to the sound, at every machine and bang, in milliseconds.
    pub presses: Vec<f64>,
    /// From connecting to the first usable estimate of the clock, per machine, in milliseconds.
    pub syncs: Vec<f64>,
    /// What else there is to say, a line each.
    pub notes: Vec<String>,
}

impl Row {
    /// Of a system that could not be measured.
    pub fn missing(system: &str, error: &anyhow::Error) -> Self {
        let notes = vec![format!("could not be measured: {error:#}")];
        Self { system: system.to_owned(), notes, ..Self::default() }
    }
}

/// The rows as text for people.
pub fn print(rows: &[Row]) -> String {
    let mut text = format!(
        "\n{:<26}{:>6}{:>9}{:>9}{:>9}{:>9}   {:>8}{:>8}   {:>8}{:>8}\n",
        "", "bangs", "spread", "", "", "", "press to", "sound", "first", "sync"
    );
    text += &format!(
        "{:<26}{:>6}{:>9}{:>9}{:>9}{:>9}   {:>8}{:>8}   {:>8}{:>8}\n",
        "system", "", "median", "p95", "p99", "max us", "median", "p95 ms", "median", "max ms"
    );
    for row in rows {
        let show = |values: &[f64], share: f64, decimals: usize| {
            quantile(values, share).map_or("-".to_owned(), |value| format!("{value:.decimals$}"))
        };
        text += &format!(
            "{:<26}{:>6}{:>9}{:>9}{:>9}{:>9}   {:>8}{:>8}   {:>8}{:>8}\n",
            row.system,
            row.spreads.len(),
            show(&row.spreads, 0.5, 0),
            show(&row.spreads, 0.95, 0),
            show(&row.spreads, 0.99, 0),
            show(&row.spreads, 1.0, 0),
            show(&row.presses, 0.5, 1),
            show(&row.presses, 0.95, 1),
            show(&row.syncs, 0.5, 0),
            show(&row.syncs, 1.0, 0),
        );
        for note in &row.notes {
            text += &format!("    {note}\n");
        }
    }
    text
}
