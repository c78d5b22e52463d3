//! The dependency graph of a package's modules.
//!
//! A module's name is its path below `src`, such as `websocket` or `websocket/outbox`. Deeper
//! modules count as part of it. The code of `websocket/mod.rs` is the module `websocket`. Test code
//! is ignored, as are `lib.rs` and `main.rs`, which may name everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::Result;
use downbeat_tests::tools::workspace_folder;

use super::source::{Source, files};

/// A path in a source, such as `crate::room::hub::Hub`, as a list of names.
type Names = Vec<String>;

/// The modules of a package, with the modules that each names.
pub struct Modules(BTreeMap<String, BTreeSet<String>>);

impl Modules {
    /// Reads the sources in `folder` of the workspace; modules have at most `depth` names.
    pub fn read(folder: &str, depth: usize) -> Result<Self> {
        let folder = workspace_folder().join(folder);
        let mut sources = Vec::new();
        for path in files(&folder, &["rs"])? {
            let module = module_path(path.strip_prefix(&folder)?);
            let is_test = module.iter().any(|name| name == "tests");
            if !is_test && !matches!(module.first().map(String::as_str), None | Some("bin")) {
                sources.push((module, Source::read(path)?));
            }
        }
        let all: BTreeSet<Names> = sources.iter().map(|(module, _)| module.clone()).collect();
        let mut modules = BTreeMap::new();
        for (module, source) in &sources {
            let name = node(module, depth);
            let named: &mut BTreeSet<String> = modules.entry(name.clone()).or_default();
            for path in named_paths(module, &source.tokens, &all) {
                // The longest part of the path that is a module; the rest is an item of it.
                let lengths = (1..=path.len()).rev();
                let target = lengths.map(|length| &path[..length]).find(|part| all.contains(*part));
                if let Some(target) = target.map(|target| node(target, depth))
                    && target != name
                {
                    named.insert(target);
                }
            }
        }
        Ok(Self(modules))
    }

    /// All modules.
    pub fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    /// The modules that `module` names, in alphabetical order.
    pub fn named_by(&self, module: &str) -> impl Iterator<Item = &str> {
        self.0.get(module).into_iter().flatten().map(String::as_str)
    }

    /// The sets of modules that name each other, directly or through others in the set.
    pub fn cycles(&self) -> Vec<Vec<String>> {
        let reached: BTreeMap<_, _> =
            self.0.keys().map(|module| (module.as_str(), self.reachable(module))).collect();
        let mut cycles: BTreeSet<Vec<String>> = BTreeSet::new();
        for (module, others) in &reached {
            if others.contains(module) {
                let is_mutual = |other: &&&str| reached[**other].contains(module);
                cycles.insert(others.iter().filter(is_mutual).map(|&name| name.into()).collect());
            }
        }
        cycles.into_iter().collect()
    }

    fn reachable<'a>(&'a self, from: &str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut left: Vec<&str> = self.named_by(from).collect();
        while let Some(module) = left.pop() {
            if reached.insert(module) {
                left.extend(self.named_by(module));
            }
        }
        reached
    }
}

fn node(module: &[String], depth: usize) -> String {
    module[..module.len().min(depth)].join("/")
}

/// The module in a file below `src`; empty for the root.
fn module_path(file: &Path) -> Names {
    let mut names: Names =
        file.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        names.pop();
    }
    names
}

/// The paths into the package that the tokens of `module` name, except in test code.
fn named_paths(module: &[String], tokens: &[String], all: &BTreeSet<Names>) -> Vec<Names> {
    let mut paths = Vec::new();
    // The current module: that of the file, or one nested in it.
    let mut place = module.to_vec();
    let mut inner_ends = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while at < tokens.len() {
        let rest: Vec<&str> = tokens[at..].iter().take(3).map(String::as_str).collect();
        match rest[..] {
            ["mod", "tests", "{"] => {
                at = end_of_block(tokens, at + 2);
                continue;
            }
            // A visibility says who may use an item. It uses nothing.
            ["pub", "(", "in"] => {
                at += tokens[at..].iter().position(|token| token == ")").unwrap_or(0) + 1;
                continue;
            }
            ["mod", name, "{"] => {
                place.push(name.to_owned());
                inner_ends.push(depth);
                depth += 1;
                at += 3;
                continue;
            }
            ["{", ..] => depth += 1,
            ["}", ..] => {
                depth = depth.saturating_sub(1);
                if inner_ends.last() == Some(&depth) {
                    inner_ends.pop();
                    place.pop();
                }
            }
            ["crate" | "self" | "super", ":", ":"] if !follows_path(tokens, at) => {
                let start = match rest[0] {
                    "crate" => Vec::new(),
                    "self" => place.clone(),
                    _ => place[..place.len().saturating_sub(1)].to_vec(),
                };
                at = read_tree(tokens, at + 3, &start, &mut paths);
                continue;
            }
            // A child module can be named without `self`.
            [child, ":", ":"] if !follows_path(tokens, at) => {
                let start = [place.as_slice(), &[child.to_owned()]].concat();
                if all.contains(&start) {
                    at = read_tree(tokens, at + 3, &start, &mut paths);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    paths
}

fn follows_path(tokens: &[String], at: usize) -> bool {
    at > 0 && tokens[at - 1] == ":"
}

/// The index after the block that opens at `open`.
fn end_of_block(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Reads a path, or a tree of paths in braces, from `at`. Returns the index after it.
fn read_tree(tokens: &[String], mut at: usize, start: &[String], paths: &mut Vec<Names>) -> usize {
    let mut path = start.to_vec();
    let is = |at: usize, token: &str| tokens.get(at).is_some_and(|other| other == token);
    loop {
        if is(at, "{") {
            at += 1;
            while at < tokens.len() && !is(at, "}") {
                at = if is(at, ",") { at + 1 } else { read_tree(tokens, at, &path, paths) };
            }
            return at + 1;
        }
        match tokens.get(at).map(String::as_str) {
            Some("super") => {
                path.pop();
            }
            Some("self" | "*") => {}
            Some(name) if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                path.push(name.to_owned());
            }
            // Not part of a path; skipped, so that reading always advances.
            _ => {}
        }
        at += 1;
        if is(at, ":") && is(at + 1, ":") {
            at += 2;
            continue;
        }
        if is(at, "as") {
            at += 2;
        }
        paths.push(path);
        return at;
    }
}

#[test]
fn paths_are_resolved_relative_to_their_module() {
    let names = |path: &str| -> Names { path.split('/').map(str::to_owned).collect() };
    let all: BTreeSet<Names> = ["a", "a/b", "a/b/c"].map(names).into();
    let code = "use crate::{d::{self, E}, f}; use super::{g, super::h as i}; use c::J;
        mod inner { use super::K; } fn l() { self::m::n(); super::o(); }
        mod tests { use super::*; use crate::p; } pub(in crate::s) fn t() {} crate::q::r();";
    let tokens = super::source::tokens(code);
    let found = named_paths(&names("a/b"), &tokens, &all);
    let expected = ["d", "d/E", "f", "a/g", "h", "a/b/c/J", "a/b/K", "a/b/m/n", "a/o", "q/r"];
    assert_eq!(found, expected.map(names));
}

#[test]
fn a_cycle_is_a_set_of_modules_that_reach_each_other() {
    let edges = [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("e", "e2"), ("e2", "e")];
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in edges {
        modules.entry(to.to_owned()).or_default();
        modules.entry(from.to_owned()).or_default().insert(to.to_owned());
    }
    let cycles = Modules(modules).cycles();
    assert_eq!(cycles, [vec!["b".to_owned(), "c".into()], vec!["e".into(), "e2".into()]]);
}
