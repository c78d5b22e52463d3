//! Local time, and durations as people read them.

pub use downbeat_platform::local_time::{LocalClock, LocalTime};

/// Formats a duration for people, with the digits that matter: `35 µs`, `2.4 ms`, `14 ms`, `1.2 s`.
pub(crate) fn format_micros(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.1} ms", micros as f64 / 1e3),
        10_000..999_500 => format!("{:.0} ms", micros as f64 / 1e3),
        999_500..9_950_000 => format!("{:.1} s", micros as f64 / 1e6),
        _ => format!("{:.0} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_digits_that_matter() {
        let cases = [
            (0, "0 µs"),
            (35, "35 µs"),
            (999, "999 µs"),
            (2_400, "2.4 ms"),
            (14_200, "14 ms"),
            (999_400, "999 ms"),
            (999_600, "1.0 s"),
            (1_234_000, "1.2 s"),
            (30_000_000, "30 s"),
        ];
        for (value, text) in cases {
            assert_eq!(format_micros(value), text);
        }
    }
}
