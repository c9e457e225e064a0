//! Reads the sources: which files there are, and what is code in them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A Rust file.
pub(crate) struct Source {
    /// From the root of the repository, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Whether all of it is built for tests alone.
    pub(crate) is_test: bool,
}

impl Source {
    /// The module below the crate that it belongs to.
    pub(crate) fn module(&self) -> String {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        path.split(['/', '.']).next().unwrap_or_default().to_owned()
    }

    /// Where its tests begin; they come last.
    pub(crate) fn tests_at(&self) -> usize {
        self.text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(self.text.len())
    }

    /// Its code without tests, comments and texts. In a file that is a module of the crate itself,
    /// `super` is the crate.
    pub(crate) fn code_with_crate_paths(&self) -> String {
        if self.is_test {
            return String::new();
        }
        let code = without_comments_and_texts(self.text.get(..self.tests_at()).unwrap_or_default());
        let is_top = self.path.matches('/').count() == 1 || {
            self.path.ends_with("/mod.rs") && self.path.matches('/').count() == 2
        };
        if is_top { code.replace("super::", "crate::") } else { code }
    }
}

/// Every file of the program.
pub(crate) fn sources() -> Vec<Source> {
    let mut sources = read_sources("src");
    let mut tests = Vec::new();
    for source in &sources {
        let folder = source.path.trim_end_matches("mod.rs").trim_end_matches(".rs");
        let folder = folder.trim_end_matches('/');
        for rest in source.text.split("#[cfg(test)]\nmod ").skip(1) {
            let name = rest.split([';', ' ']).next().unwrap_or_default();
            tests.push(format!("{folder}/{name}"));
        }
    }
    for source in &mut sources {
        let is_below = |test: &String| {
            source.path == format!("{test}.rs") || source.path.starts_with(&format!("{test}/"))
        };
        source.is_test = tests.iter().any(is_below);
    }
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

pub(crate) fn read_sources(folder: &str) -> Vec<Source> {
    let files = files(&[folder]).into_iter();
    files
        .filter(|file| file.extension().is_some_and(|it| it == "rs"))
        .map(|file| {
            let text = fs::read_to_string(&file).expect("a source file is UTF-8");
            Source { path: shown(&file), text, is_test: folder == "tests" }
        })
        .collect()
}

/// The code with its comments, its strings and its characters taken out.
fn without_comments_and_texts(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = hashes + 2;
            rest.get(begin..)
                .and_then(|it| it.find(&end))
                .map_or(rest.len(), |at| begin + at + end.len())
        } else if first == '"' {
            end_of_string(rest)
        } else if first == '\'' {
            end_of_character(rest)
        } else {
            code.push(first);
            rest = rest.split_at(first.len_utf8()).1;
            continue;
        };
        rest = rest.split_at(skipped).1;
    }
    code
}

/// How many `#` a raw string has that begins here.
fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest.trim_start_matches('#').starts_with('"').then_some(hashes)
}

fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Where a character ends that begins here; a lifetime ends after its apostrophe.
fn end_of_character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            characters.next();
            characters.find(|(_, it)| *it == '\'').map_or(1, |(at, _)| at + 1)
        }
        _ => characters.next().filter(|(_, it)| *it == '\'').map_or(1, |(at, _)| at + 1),
    }
}

/// The modules of the crate that `code` names, and the code without those paths.
pub(crate) fn split_paths(code: &str) -> (BTreeSet<String>, String) {
    let mut names = BTreeSet::new();
    let mut others = String::new();
    let mut parts = code.split("crate::");
    others.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (inside, rest) = match part.strip_prefix('{') {
            Some(group) => group.split_at(end_of_group(group, '{', '}')),
            None => part.split_at(part.find(|c: char| !is_word(c)).unwrap_or(part.len())),
        };
        let mut depth = 0_u32;
        for entry in inside.split_inclusive(['{', '}', ',']) {
            let word: String = entry.trim().chars().take_while(|c| is_word(*c)).collect();
            if depth == 0 && !word.is_empty() {
                names.insert(word);
            }
            match entry.chars().next_back() {
                Some('{') => depth += 1,
                Some('}') => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        others.push_str("crate_");
        others.push_str(rest);
    }
    (names, others)
}

/// Where a group ends that `open` has begun just before `text`.
pub(crate) fn end_of_group(text: &str, open: char, close: char) -> usize {
    let mut depth = 1_usize;
    for (at, character) in text.char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            depth -= 1;
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Whether `code` has a path that begins with `path`.
pub(crate) fn holds_path(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let (before, from) = code.split_at(at);
        let after = from.split_at(path.len()).1;
        let begins = !before.ends_with(|c: char| is_word(c) || c == ':' || c == '.');
        let goes_on =
            after.starts_with("::") || (path.contains("::") && !after.starts_with(is_word));
        begins && goes_on
    })
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

pub(crate) fn is_at(path: &str, home: &str) -> bool {
    if home.ends_with('/') { path.starts_with(home) } else { path == home }
}

/// Every file below these folders that is ours.
pub(crate) fn files(folders: &[&str]) -> Vec<PathBuf> {
    const ELSEWHERE: [&str; 6] =
        [".cache", "__pycache__", "artifacts", "corpus", "node_modules", "target"];
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a folder can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !path.is_dir() {
                found.push(path);
            } else if !ELSEWHERE.contains(&name.as_str()) {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).to_string_lossy().replace('\\', "/")
}
