//! The hash that identifies a sound's file.

use std::fmt;

use sha2::{Digest, Sha256};

/// The SHA-256 of a file. As text it is exactly 64 lower-case hexadecimal digits, so that it is safe as a
/// file name and in a path, whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of `file`.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        Self(Sha256::digest(file).into())
    }

    /// Parses hexadecimal digits of either case; `None` if `text` is anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digits, []) = text.as_bytes().as_chunks::<2>() else { return None };
        let digits: &[[u8; 2]; 32] = digits.try_into().ok()?;
        let mut hash = [0; 32];
        for (byte, [high, low]) in hash.iter_mut().zip(digits) {
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            *byte = (digit(high)? << 4 | digit(low)?) as u8;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::ContentHash;

    /// FIPS 180-4's example.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn it_is_sha_256_in_hexadecimal() {
        assert_eq!(ContentHash::of(b"abc").to_string(), ABC);
        assert_eq!(ContentHash::parse(ABC), Some(ContentHash::of(b"abc")));
        assert_eq!(ContentHash::parse(&ABC.to_uppercase()), Some(ContentHash::of(b"abc")));
    }

    #[test]
    fn any_other_text_is_rejected() {
        let slashed = format!("../{}", &ABC[3..]);
        let accented = format!("é{}", &ABC[2..]);
        for text in ["", "abc", &ABC[1..], &format!("{ABC}00"), &slashed, &accented] {
            assert_eq!(ContentHash::parse(text), None, "{text}");
        }
    }
}
