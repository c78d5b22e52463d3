//! Text helpers: hexadecimal digits, and untrusted text made safe to log.

use std::fmt;

use downbeat_protocol::is_hidden;

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Longest text that is logged, in characters.
const MAX_LOGGED_CHARS: usize = 200;

/// Text from the network, made safe for a log: one line, without control or formatting characters that
/// could forge lines or drive a terminal, and cut to a useful length.
pub struct Sanitized<'a>(pub &'a str);

impl fmt::Display for Sanitized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let visible = self.0.chars().filter(|c| !is_hidden(*c));
        visible.take(MAX_LOGGED_CHARS).try_for_each(|c| f.write_char(c))
    }
}
