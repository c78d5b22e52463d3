//! What opens a relay's door: the token that it asks for, and the fingerprint by which its
//! certificate is known.
//!
//! A token is never shown: no type here that holds one can be displayed, and `Debug` hides it.

use std::{convert::Infallible, fmt, str::FromStr};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A token, as it was given; whether a relay could have it is asked later, because a parser's error
/// would show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Whether a relay could have such a token, and a header carry it.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        (1..=128).contains(&self.0.len())
            && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    }

    /// The value of the header `Authorization`, for the relay's eyes only.
    #[must_use]
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl FromStr for Token {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// Why a text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fingerprint has 64 hexadecimal digits, as the relay prints it")]
pub struct FingerprintError;

impl Fingerprint {
    /// That of a certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Takes it with colons, too, and in either case, as other programs show it.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digits: Option<Vec<u8>> = text
            .trim()
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).map(|digit| digit as u8))
            .collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or(FingerprintError)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_a_relay_could_have_and_is_not_shown() {
        let token = |text: &str| text.parse::<Token>().unwrap();
        assert!(token("let-me_in.~9").is_valid());
        for wrong in ["", "two words", "a,b", "ü", &"x".repeat(129)] {
            assert!(!token(wrong).is_valid(), "{wrong}");
        }
        assert!(!format!("{:?}", token("hidden")).contains("hidden"));
    }

    #[test]
    fn a_fingerprint_is_read_in_every_usual_form() {
        let shown = "00ff".repeat(16);
        let read: Fingerprint = shown.parse().unwrap();
        assert_eq!(read.to_string(), shown);
        let pairs: Vec<_> = ["00", "FF"].into_iter().cycle().take(32).collect();
        assert_eq!(pairs.join(":").parse(), Ok(read));
        for wrong in ["", "00", &"0g".repeat(32), &"00".repeat(33)] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(FingerprintError), "{wrong}");
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Fingerprint::of(b"").to_string(), empty);
    }
}
