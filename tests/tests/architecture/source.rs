//! Tokenizes Rust sources, without comments and strings, and finds the paths that they name.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use downbeat_tests::tools::workspace_folder;

/// A source file and its tokens.
pub struct Source {
    pub path: PathBuf,
    pub tokens: Vec<String>,
}

impl Source {
    pub fn read(path: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let tokens = tokens(&text);
        Ok(Self { path, tokens })
    }

    pub fn names(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token == word)
    }

    /// Whether it names `path`, such as `std::net`.
    pub fn names_path(&self, path: &[&str]) -> bool {
        let separated: Vec<&str> =
            path.iter().flat_map(|name| [*name, ":", ":"]).take(path.len() * 3 - 2).collect();
        self.tokens.windows(separated.len()).any(|window| window == separated)
            // The same within braces: `use std::{io, net::TcpStream}`.
            || match path {
                [root, name] => roots(&self.tokens, root).contains(*name),
                _ => false,
            }
    }
}

/// The names directly after `root::`, single or in braces.
pub fn roots(tokens: &[String], root: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (index, window) in tokens.windows(3).enumerate() {
        if window != [root, ":", ":"] {
            continue;
        }
        let mut rest = tokens[index + 3..].iter().map(String::as_str).peekable();
        if rest.next_if_eq(&"{").is_none() {
            names.extend(rest.next().map(str::to_owned));
            continue;
        }
        let (mut depth, mut begins) = (1, true);
        for token in rest {
            match token {
                "{" => depth += 1,
                "}" => depth -= 1,
                name if depth == 1 && begins => {
                    names.insert(name.to_owned());
                }
                _ => {}
            }
            begins = token == ",";
            if depth == 0 {
                break;
            }
        }
    }
    names
}

/// The words and punctuation of a Rust source, without comments, strings and character literals.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if first == '"' {
            quoted(rest, '"').unwrap_or(rest.len())
        } else if let Some(length) = character(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..end].to_owned());
            end
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    tokens
}

/// The length of the raw string at the start of `text`.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = 2 + hashes;
    text[begin..].find(&end).map(|at| begin + at + end.len())
}

/// The length of the character literal at the start of `text`; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let content = text.strip_prefix('\'')?;
    if content.starts_with('\\') {
        return quoted(text, '\'');
    }
    let length = content.chars().next()?.len_utf8();
    content[length..].starts_with('\'').then_some(length + 2)
}

/// The length from the quote at the start of `text` to the next one that is not escaped.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Every file below `folder` with one of these extensions, except build output and installed packages.
pub fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                found.extend(files(&path, endings)?);
            }
        } else if path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The Rust files of a module: `<name>.rs` and those in `<name>/`.
pub fn module(package: &str, name: &str) -> Result<Vec<Source>> {
    let folder = workspace_folder().join(package).join(name);
    let mut paths = if folder.is_dir() { files(&folder, &["rs"])? } else { Vec::new() };
    paths.extend(Some(folder.with_extension("rs")).filter(|file| file.is_file()));
    assert!(!paths.is_empty(), "no module {name} in {package}");
    paths.into_iter().map(Source::read).collect()
}
