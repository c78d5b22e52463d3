//! What a relay is shown and known by: the token that lets a client in, and the fingerprint of the
//! relay's certificate.
//!
//! A token is never displayed: [`Token`] has no `Display`, and its `Debug` hides it.

use std::{convert::Infallible, fmt, str::FromStr};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A token as it was given. Validation is separate from parsing, because the error of a command-line
/// parser would print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Whether it is a token by the relay's rules, which also makes it a valid header value.
    pub(crate) fn is_valid(&self) -> bool {
        (1..=128).contains(&self.0.len())
            && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    }

    /// The token itself, to be kept where only its user can read it.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }

    /// The value of the header `Authorization` (RFC 6750). It holds the token.
    pub(crate) fn authorization(&self) -> String {
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

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// A text is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fingerprint has 64 hexadecimal digits, as the relay prints it")]
pub struct FingerprintError;

impl Fingerprint {
    /// The fingerprint of a certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Accepts what other programs print as well: upper or lower case, bytes separated by colons,
    /// dashes or spaces, and a label in front, as in `sha256 Fingerprint=1F:C8:…`.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let (mut bytes, mut count) = ([0; 32], 0);
        let mut label = text;
        // From the last digit to the first: what precedes them is a label.
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

/// Whether it is empty, or words that end where a fingerprint may begin. Digits alone are part of a
/// longer number.
fn is_label(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || is_mark(c));
    text.is_empty()
        || text.chars().any(|c| c.is_alphabetic() && !c.is_ascii_hexdigit())
            && !text.ends_with(char::is_alphanumeric)
}

/// Invisible marks that come along when text is copied: on Windows, the certificate dialog puts one
/// before the fingerprint.
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
    fn a_token_is_validated_and_never_printed() {
        let token = |text: &str| text.parse::<Token>().unwrap();
        assert!(token("let-me_in.~9").is_valid());
        for wrong in ["", "two words", "a,b", "ü", &"x".repeat(129)] {
            assert!(!token(wrong).is_valid(), "{wrong}");
        }
        assert!(!format!("{:?}", token("hidden")).contains("hidden"));
    }

    #[test]
    fn a_fingerprint_is_read_in_every_common_notation() {
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
