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

    /// Takes it as other programs show it, too: in either case, its bytes apart by colons, dashes or
    /// spaces, and behind a label, as in `sha256 Fingerprint=1F:C8:…`.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let (mut bytes, mut count) = ([0; 32], 0);
        let mut label = text;
        // From the last digit to the first: what stands before that is a label.
        while count < 64 {
            let c = label.chars().next_back().ok_or(FingerprintError)?;
            label = &label[..label.len() - c.len_utf8()];
            if matches!(c, ':' | '-') || c.is_whitespace() || is_mark(c) {
                continue;
            }
            let digit = c.to_digit(16).ok_or(FingerprintError)? as u8;
            bytes[31 - count / 2] |= digit << (4 * (count % 2));
            count += 1;
        }
        if is_label(label) { Ok(Self(bytes)) } else { Err(FingerprintError) }
    }
}

/// Whether it is nothing, or words that end where a fingerprint may begin. Digits alone are a part of
/// a longer number.
fn is_label(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || is_mark(c));
    text.is_empty()
        || text.chars().any(|c| c.is_alphabetic() && !c.is_ascii_hexdigit())
            && !text.ends_with(char::is_alphanumeric)
}

/// A mark that cannot be seen and comes along when a text is copied from a window, on Windows as the
/// first character of a certificate's fingerprint.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
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
        let (colons, spaces) = (pairs.join(":"), pairs.join(" "));
        for usual in [
            colons.clone(),
            spaces.clone(),
            pairs.join("-"),
            format!("  {}\n{}\r\n", &spaces[..47], &spaces[48..]),
            format!("\u{200e}{spaces}"),
            shown.to_uppercase(),
            format!("SHA256 Fingerprint={colons}\n"),
            format!("sha256 Fingerprint={colons}"),
            format!("SHA2-256(relay.der)= {shown}"),
            format!("sha256:{shown}"),
            format!("Fingerprint (SHA-256): {shown}"),
        ] {
            assert_eq!(usual.parse(), Ok(read), "{usual:?}");
        }
        for wrong in [
            "",
            "00",
            &"0g".repeat(32),
            &"00".repeat(33),
            &format!("00:{colons}"),
            &format!("SHA1 Fingerprint={}", &colons[..59]),
            &format!("x{shown}"),
            &format!("é{shown}"),
            &format!("{shown} x"),
        ] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(FingerprintError), "{wrong}");
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Fingerprint::of(b"").to_string(), empty);
    }
}
