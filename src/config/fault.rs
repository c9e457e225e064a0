//! What is wrong with the settings: every fault at once, one line each, in the order of their places,
//! with the nearest known key where a name is unknown. What is a fault is said elsewhere: of one value
//! in `kind.rs` and `text.rs`, of a name in `source.rs` and `values.rs`, of several settings together in
//! `load.rs`.

use std::{error::Error, fmt};

use super::source::Origin;

/// Every fault of the settings, in the order of their sources and places; at least one.
///
/// Displayed as one line a fault: `doorward.toml:12:3: rate_limit.per_sorce: unknown setting; did you
/// mean rate_limit.per_source?`. Secrets do not appear in it.
#[derive(Debug)]
pub struct ConfigErrors(Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Error for ConfigErrors {}

/// The faults found so far.
#[derive(Default)]
pub(super) struct Faults {
    /// With the rank of the source and the offset in it, to sort by.
    found: Vec<((usize, usize), String)>,
    /// Whether a file could not be read whole. What is missing may then stand in the unread part.
    pub(super) incomplete: bool,
}

impl Faults {
    /// A fault of what stands at `offset` (bytes) in `origin`.
    pub(super) fn add(&mut self, origin: Origin<'_>, offset: usize, what: impl fmt::Display) {
        let line = format!("{}{what}", origin.place(offset));
        self.found.push(((origin.rank(), offset), line));
    }

    /// The value when it is there and nothing was found.
    pub(super) fn or<T>(mut self, value: Option<T>) -> Result<T, ConfigErrors> {
        self.found.sort();
        self.found.dedup();
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => Err(ConfigErrors(self.found.into_iter().map(|(_, line)| line).collect())),
        }
    }
}

/// Line and column (both from 1, columns in characters) of a byte offset.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    (line, column)
}

/// The candidate that `given` is most likely a misspelling of; `None` when nothing is near.
///
/// Near is one edit for three characters, of the whole key or (a setting under the wrong heading,
/// or under none) of its last part.
pub(super) fn nearest<'a>(
    given: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let whole = edits(given, candidate);
            let last = edits(last_part(given), last_part(candidate)).map(|edits| edits + 1);
            Some((whole.or(last)?, candidate))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

fn edits(given: &str, candidate: &str) -> Option<usize> {
    let edits = strsim::osa_distance(given, candidate);
    (edits * 3 <= given.chars().count()).then_some(edits)
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// The end of a fault about an unknown name.
pub(super) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}
