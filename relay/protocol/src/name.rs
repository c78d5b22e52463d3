//! The rule for names of sounds, clients and targets.
//!
//! Names that look alike are equal, and contain no invisible characters. The rule is applied when a name is
//! decoded, so that no other code needs to. `tests/vectors/names.json` tests the page against the same
//! rule.

use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization as _;

/// Longest name, in characters: it must fit a line of the window.
pub const MAX_NAME_CHARS: usize = 64;

/// Code points that are invisible, but hide, reorder or break the text around them: the categories Cc, Cf, Zl
/// and Zp, and `Default_Ignorable_Code_Point`, of Unicode 17. Sorted. The joiners inside emoji are among
/// them: such an emoji falls apart.
const HIDDEN: [(char, char); 27] = [
    ('\0', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether `c` is removed from names and log lines: it is invisible, or changes how the text around it is
/// displayed.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let range = HIDDEN.partition_point(|(_, last)| *last < c);
    HIDDEN.get(range).is_some_and(|(first, _)| *first <= c)
}

/// The name as it is compared and displayed: without hidden characters, composed (NFC), trimmed.
///
/// `None` if it is then empty or longer than [`MAX_NAME_CHARS`].
#[must_use]
pub fn clean_name(name: &str) -> Option<String> {
    let clean = clean(name);
    (1..=MAX_NAME_CHARS).contains(&clean.chars().count()).then_some(clean)
}

/// The same for any length: a name that is too long is refused later, with an error.
fn clean(name: &str) -> String {
    let composed: String = name.chars().filter(|c| !is_hidden(*c)).nfc().collect();
    composed.trim().to_owned()
}

/// A decoded name.
#[derive(Deserialize)]
#[serde(from = "String")]
struct Clean(String);

impl From<String> for Clean {
    fn from(name: String) -> Self {
        Self(clean(&name))
    }
}

pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Clean::deserialize(from).map(|name| name.0)
}

pub(crate) fn read_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::<Clean>::deserialize(from).map(|name| name.map(|name| name.0))
}

pub(crate) fn read_list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<Clean>::deserialize(from)?;
    Ok(names.into_iter().map(|name| name.0).collect())
}

pub(crate) fn read_list_option<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<String>>, D::Error> {
    let names = Option::<Vec<Clean>>::deserialize(from)?;
    Ok(names.map(|names| names.into_iter().map(|name| name.0).collect()))
}
