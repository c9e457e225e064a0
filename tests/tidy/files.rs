//! Each file by itself: its first line, its length, and what it leaves for later; and the manifest.

use std::fs;

use crate::{
    none, read,
    source::{files, holds_path, shown, sources},
};

/// The most lines of a file before its tests.
const LINES_MAX: usize = 500;

#[test]
fn every_file_says_what_it_is_and_none_is_long() {
    let mut faults = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            faults.push(format!("{} does not begin with what it is (//!)", source.path));
        }
        let lines = source.text.get(..source.tests_at()).unwrap_or_default().lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{} has {lines} lines before its tests", source.path));
        }
    }
    none(&faults);
}

#[test]
fn nothing_is_left_for_later_without_a_number() {
    let mut faults = Vec::new();
    for file in files(&["src", "tests", "bench", "fuzz"]) {
        let extension = file.extension().unwrap_or_default().to_string_lossy();
        let is_code = ["", "js", "lua", "mjs", "py", "rs", "sql", "toml"].contains(&&*extension);
        // This file has to name what it looks for.
        if !is_code || file.ends_with("tests/tidy/files.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap_or_default();
        for (line, text) in text.lines().enumerate() {
            let is_bare_todo = text.contains("TODO") && !text.contains("TODO(#");
            let is_idle = is_commented_out(text) && extension == "rs";
            let words = ["FIXME", "XXX", "dbg!(", "#[ignore"];
            if is_bare_todo || is_idle || words.iter().any(|word| text.contains(word)) {
                faults.push(format!("{}:{}: {}", shown(&file), line + 1, text.trim()));
            }
        }
    }
    none(&faults);
}

/// Whether a line looks like code that was made a comment.
fn is_commented_out(line: &str) -> bool {
    let Some(text) = line.trim_start().strip_prefix("// ") else { return false };
    let is_statement = text.ends_with(';') && text.contains(['(', '=']);
    is_statement
        || ["let ", "fn ", "use ", "pub ", "#["].iter().any(|word| text.starts_with(word))
            && text.ends_with([';', '{', ']'])
}

#[test]
fn every_dependency_has_its_reason_and_is_used() {
    let manifest = read("Cargo.toml");
    let all_code: String = files(&["src", "tests", "bench"])
        .into_iter()
        .filter(|file| file.extension().is_some_and(|it| it == "rs"))
        .map(|file| fs::read_to_string(file).unwrap_or_default())
        .collect();
    let mut faults = Vec::new();
    let mut is_dependency = false;
    let mut before = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_dependency = ["[dependencies]", "[dev-dependencies]"].contains(&line);
        } else if let (true, Some((name, _))) = (is_dependency, line.split_once(" = ")) {
            if !line.contains(" # ") && !before.starts_with("# ") {
                faults.push(format!("{name} has no reason"));
            }
            let path = name.replace('-', "_");
            if !holds_path(&all_code, &path) {
                faults.push(format!("{name} is used nowhere"));
            }
        }
        before = line;
    }
    none(&faults);
}
