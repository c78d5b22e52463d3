//! The one rule for names: of sounds, of clients, of targets.
//!
//! Two names that look alike are equal, and nothing that cannot be seen is in one. The rule is
//! applied wherever a name is read from the wire, so that neither end needs to remember it.
//! `tests/vectors/names.json` holds the page to the same rule.

use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization as _;

/// Longest name of a client or a sound, in characters: it must fit a line of the window.
pub const MAX_NAME_CHARS: usize = 64;

/// Code points that show nothing by themselves, but hide, reorder or break what stands around them:
/// the categories Cc, Cf, Zl and Zp, and what is `Default_Ignorable_Code_Point`, of Unicode 17.
/// Sorted. The joiners inside emoji are among them: such an emoji falls into its parts.
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

/// Whether `c` must not be in a name or in a line of a log: it cannot be seen, or it changes how what
/// stands around it is seen.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let range = HIDDEN.partition_point(|(_, last)| *last < c);
    HIDDEN.get(range).is_some_and(|(first, _)| *first <= c)
}

/// `name` as it is compared and shown: without what is hidden, composed (NFC), its ends trimmed.
///
/// `None` if nothing is left of it or if it is longer than [`MAX_NAME_CHARS`].
#[must_use]
pub fn clean_name(name: &str) -> Option<String> {
    let clean = clean(name);
    (1..=MAX_NAME_CHARS).contains(&clean.chars().count()).then_some(clean)
}

/// The same, of any length: what is too long is refused where it can be answered.
fn clean(name: &str) -> String {
    let composed: String = name.chars().filter(|c| !is_hidden(*c)).nfc().collect();
    composed.trim().to_owned()
}

/// A name as it is read from the wire.
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

pub(crate) fn read_list<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<String>>, D::Error> {
    let names = Option::<Vec<Clean>>::deserialize(from)?;
    Ok(names.map(|names| names.into_iter().map(|name| name.0).collect()))
}
