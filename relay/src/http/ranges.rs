//! The `Range` header of RFC 9110, section 14, as far as a file in memory needs it.

use std::ops::Range;

/// What a `Range` header asks of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The whole: no range, several, or one that is not understood, which the standard lets a
    /// server ignore.
    Whole,
    /// These bytes.
    Part(Range<usize>),
    /// Bytes that the file does not have.
    Unsatisfiable,
}

/// What `header` asks of a file of `length` bytes.
#[must_use]
pub fn wanted(header: Option<&str>, length: usize) -> Wanted {
    match header.and_then(parse) {
        None => Wanted::Whole,
        Some((None, Some(last))) if last > 0 && length > 0 => {
            Wanted::Part(length.saturating_sub(last)..length)
        }
        Some((Some(first), last)) if first < length => {
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            Wanted::Part(first..end)
        }
        Some(_) => Wanted::Unsatisfiable,
    }
}

/// First and last byte, or, without a first, how many at the end.
fn parse(header: &str) -> Option<(Option<usize>, Option<usize>)> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            // More digits than a usize holds is beyond any file.
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
    fn one_range_is_honoured() {
        for (header, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-5", 2..6),
            ("bytes=7-", 7..10),
            ("bytes=7-1000", 7..10),
            ("bytes=-3", 7..10),
            ("bytes=-1000", 0..10),
            ("bytes=0-99999999999999999999999999", 0..10),
        ] {
            assert_eq!(wanted(Some(header), 10), Wanted::Part(part), "{header}");
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_given() {
        for header in ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(wanted(Some(header), 10), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn everything_else_is_the_whole() {
        assert_eq!(wanted(None, 10), Wanted::Whole);
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
            assert_eq!(wanted(Some(header), 10), Wanted::Whole, "{header}");
        }
    }
}
