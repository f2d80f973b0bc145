//! Finds which module imports which, and the circles among them.

use crate::code::Source;
use std::collections::{BTreeMap, BTreeSet};

/// A module, and the modules that it names.
pub type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// What each of `sources` imports, tests left out. A file that names an item names the module of the item.
pub fn imports(sources: &[Source]) -> Imports {
    let modules: BTreeSet<&[String]> = sources.iter().map(|source| source.module.as_slice()).collect();
    let mut imports = Imports::new();
    for source in sources.iter().filter(|source| !source.is_test) {
        let targets = imports.entry(source.module.clone()).or_default();
        for path in paths(&source.code) {
            let Some(absolute) = absolute(&source.module, &path, &modules) else { continue };
            // The longest beginning that is a module: the rest is an item in it.
            let module = (0..=absolute.len()).rev().map(|length| &absolute[..length]).find(|m| modules.contains(m));
            if let Some(module) = module.filter(|module| *module != source.module) {
                targets.insert(module.to_vec());
            }
        }
    }
    imports
}

/// `path` from the root of the crate, as seen from `module`; `None` for what lies outside of the crate.
fn absolute(module: &[String], path: &[String], modules: &BTreeSet<&[String]>) -> Option<Vec<String>> {
    let mut base = module.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => (base, rest) = (Vec::new(), &path[1..]),
        "self" => rest = &path[1..],
        "super" => {
            while let Some("super") = rest.first().map(String::as_str) {
                base.pop();
                rest = &rest[1..];
            }
        }
        child => {
            base.push(child.to_string());
            let is_child = modules.contains(base.as_slice());
            base.pop();
            is_child.then_some(())?;
        }
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// Each path of two names or more in `code`, with the trees of `use` written out: `a::{b, c::d}` is `a::b` and
/// `a::c::d`.
pub fn paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    // The path so far, and how many of its names came before each open brace.
    let mut path: Vec<String> = Vec::new();
    let mut braces: Vec<Option<usize>> = Vec::new();
    let tokens = tokens(code);
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |at| tokens[at].as_str());
        match token.as_str() {
            "::" => {}
            "{" => {
                // A brace right behind `::` opens a tree of names, any other a block.
                braces.push((before == "::").then_some(path.len()));
                if before != "::" {
                    finish(&mut paths, &mut path, 0);
                }
            }
            "}" | "," | ";" => {
                let kept = braces.last().copied().flatten();
                finish(&mut paths, &mut path, kept.unwrap_or(0));
                if token == "}" {
                    braces.pop();
                    let outer = braces.last().copied().flatten();
                    path.truncate(outer.unwrap_or(0));
                }
            }
            name if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                let kept = braces.last().copied().flatten().unwrap_or(0);
                if before != "::" && path.len() > kept {
                    finish(&mut paths, &mut path, kept);
                }
                path.push(name.to_string());
            }
            _ => finish(&mut paths, &mut path, braces.last().copied().flatten().unwrap_or(0)),
        }
    }
    paths
}

/// Takes `path` in, if it says more than its first `kept` names, and goes back to those.
fn finish(paths: &mut Vec<Vec<String>>, path: &mut Vec<String>, kept: usize) {
    if path.len() > kept && path.len() > 1 {
        paths.push(path.clone());
    }
    path.truncate(kept);
}

/// Names, `::`, and single other characters.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut follows = false;
    for c in code.chars() {
        let is_name = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if follows && is_name && !last.ends_with(':') => last.push(c),
            Some(last) if follows && c == ':' && last == ":" => last.push(c),
            _ if !c.is_whitespace() => tokens.push(c.to_string()),
            _ => {}
        }
        follows = is_name || c == ':';
    }
    tokens
}

/// The groups of modules that import each other in a circle, each as its names. A file and the files in its own folder
/// are one thing in several pieces: what they take from each other does not count.
pub fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reached: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> =
        imports.keys().map(|module| (module, reached(imports, module))).collect();
    let mut groups = BTreeSet::new();
    for (module, targets) in &reached {
        let back = targets.iter().filter(|target| reached.get(**target).is_some_and(|ways| ways.contains(module)));
        let group: Vec<String> = back.map(|target| target.join("::")).collect();
        if !group.is_empty() {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

/// All that `module` imports, and what those import, and so on. It is among them if it is in a circle.
fn reached<'a>(imports: &'a Imports, module: &'a Vec<String>) -> BTreeSet<&'a Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut open = vec![module];
    while let Some(from) = open.pop() {
        for target in imports.get(from).into_iter().flatten() {
            let is_own = target.starts_with(from) || from.starts_with(target);
            if !is_own && reached.insert(target) {
                open.push(target);
            }
        }
    }
    reached
}

#[test]
fn the_trees_of_use_are_written_out() {
    let written = |code: &str| paths(code).iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(
        written("use crate::{\n    a::{b, c::{self, d}},\n    e,\n};"),
        ["crate::a::b", "crate::a::c::self", "crate::a::c::d", "crate::e"]
    );
    assert_eq!(
        written("use a::b as c; fn f(x: super::y::Z) -> q::R { s::t(u, v::w()) }"),
        ["a::b", "super::y::Z", "q::R", "s::t", "v::w"]
    );
}

#[test]
fn a_circle_is_found() {
    let module = |name: &str| vec![name.to_string()];
    let mut imports = Imports::new();
    for (from, to) in [("a", "b"), ("b", "c"), ("d", "a")] {
        imports.entry(module(from)).or_default().insert(module(to));
    }
    assert!(circles(&imports).is_empty());
    imports.entry(module("c")).or_default().insert(module("a"));
    assert_eq!(circles(&imports), [["a", "b", "c"]]);
}
