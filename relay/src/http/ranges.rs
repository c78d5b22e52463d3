//! The `Range` header of RFC 9110, section 14, as far as a file in memory needs it.

use std::ops::Range;

/// What a `Range` header requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// The whole file: no range, several ranges, or an invalid one. The RFC lets a server ignore ranges.
    Whole,
    /// A part.
    Part(Range<usize>),
    /// A part beyond the file.
    Unsatisfiable,
}

/// What `header` requests of a file of `length` bytes.
#[must_use]
pub fn requested(header: Option<&str>, length: usize) -> Requested {
    match header.and_then(parse) {
        None => Requested::Whole,
        Some((None, Some(last))) if last > 0 && length > 0 => {
            Requested::Part(length.saturating_sub(last)..length)
        }
        Some((Some(first), last)) if first < length => {
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            Requested::Part(first..end)
        }
        Some(_) => Requested::Unsatisfiable,
    }
}

/// First and last byte; without a first, the length of a suffix.
fn parse(header: &str) -> Option<(Option<usize>, Option<usize>)> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            // A number beyond usize is beyond any file.
            Some(Some(digits.parse().unwrap_or(usize::MAX)))
        }
        _ => None,
    };
    match (number(first)?, number(last)?) {
        (None, None) => None,
        (Some(first), Some(last)) if last < first => None,
        range => Some(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_range_is_a_part() {
        for (header, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-5", 2..6),
            ("bytes=7-", 7..10),
            ("bytes=7-1000", 7..10),
            ("bytes=-3", 7..10),
            ("bytes=-1000", 0..10),
            ("bytes=0-99999999999999999999999999", 0..10),
        ] {
            assert_eq!(requested(Some(header), 10), Requested::Part(part), "{header}");
        }
    }

    #[test]
    fn a_range_beyond_the_file_is_unsatisfiable() {
        for header in ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(requested(Some(header), 10), Requested::Unsatisfiable, "{header}");
        }
        assert_eq!(requested(Some("bytes=0-"), 0), Requested::Unsatisfiable);
    }

    #[test]
    fn invalid_and_multiple_ranges_are_ignored() {
        assert_eq!(requested(None, 10), Requested::Whole);
        for header in [
            "",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "lines=1-2",
            "bytes=a-b",
            "bytes=+1-2",
        ] {
            assert_eq!(requested(Some(header), 10), Requested::Whole, "{header}");
        }
    }
}
