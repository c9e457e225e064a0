//! Every value that was given, with its place, sorted by setting; what is no setting is refused.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    SECTIONS,
    fault::{Faults, line_and_column, nearest},
    kind::{Given, Kind, Shape, unknown},
    setting::{SectionAbout, Setting, setting, settings},
    source::{ConfigFile, Origin},
};

/// Every value that was given, by key, the strongest last.
#[derive(Default)]
pub(super) struct Values<'a>(BTreeMap<&'static str, Vec<(Origin<'a>, Spanned<DeValue<'a>>)>>);

impl<'a> Values<'a> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Every value that was given, with its key and its place.
    pub(super) fn all(
        &self,
    ) -> impl Iterator<Item = (&'static str, Origin<'a>, &Spanned<DeValue<'a>>)> {
        self.0.iter().flat_map(|(key, given)| {
            given.iter().map(move |(origin, value)| (*key, *origin, value))
        })
    }

    /// Where the value that holds stands.
    pub(super) fn origin(&self, key: &str) -> Option<(Origin<'a>, usize)> {
        let (origin, value) = self.0.get(key)?.last()?;
        Some((*origin, value.span().start))
    }

    /// The value that holds. Those it hides are checked as well.
    pub(super) fn read<K: Kind>(
        &self,
        key: &'static str,
        kind: &K,
        faults: &mut Faults,
    ) -> Option<K::Value> {
        let Some(given) = self.0.get(key) else {
            self.refuse_missing(key, &kind.expected(), faults);
            return None;
        };
        let mut last = None;
        for (origin, value) in given {
            last = kind.read(&Given { path: key.to_owned(), origin: *origin, value }, faults);
        }
        last
    }

    fn refuse_missing(&self, key: &str, expected: &str, faults: &mut Faults) {
        if faults.incomplete {
            return;
        }
        // In an optional section it is missing where another setting of the section stands.
        let of_key = |section: &&SectionAbout| section.settings.iter().any(|row| row.key == key);
        let section = SECTIONS.iter().find(of_key).filter(|section| section.optional);
        let mut others = section.into_iter().flat_map(|section| section.settings);
        let other = others.find(|row| self.has(row.key));
        match other.and_then(|row| Some((row.key, self.origin(row.key)?))) {
            Some((other, (origin, offset))) => {
                let what = format_args!("{key}: must be set to {expected}, as {other} is set");
                faults.add(origin, offset, what);
            }
            None => {
                faults.add(Origin::Nowhere, 0, format_args!("{key}: must be set to {expected}"));
            }
        }
    }

    pub(super) fn add(
        &mut self,
        key: &'static str,
        origin: Origin<'a>,
        value: Spanned<DeValue<'a>>,
    ) {
        self.0.entry(key).or_default().push((origin, value));
    }

    pub(super) fn add_defaults(&mut self, dev: bool) {
        for setting in settings() {
            let of_dev = if dev { setting.dev } else { None };
            if let Some(toml) = of_dev.or(setting.default) {
                let value = DeValue::parse(toml).expect("what stands in the table is TOML");
                self.add(setting.key, Origin::Default, value);
            }
        }
    }

    /// Everything in a file. Where it is not TOML, the rest of it is checked all the same.
    pub(super) fn add_file(&mut self, nth: usize, file: &'a ConfigFile, faults: &mut Faults) {
        let (text, is_whole) = file.text();
        let origin = Origin::File { nth, name: &file.name, text };
        if !is_whole {
            faults.incomplete = true;
            return faults.add(origin, text.len(), "not UTF-8");
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut guessed = BTreeSet::new();
        for error in &errors {
            let offset = error.span().map_or(text.len(), |span| span.start);
            faults.incomplete = true;
            // What follows the first fault of a line is mostly of its making.
            if guessed.insert(line_and_column(text, offset).0) {
                faults.add(origin, offset, error.message());
            }
        }
        for entry in flat(table.into_inner(), origin, faults) {
            let end = entry.value.span().end;
            match setting(&entry.key()) {
                // The parser guesses values where it finds faults; they would only confuse.
                Some(_) if entry.value.span().is_empty() => {}
                Some(_) if guessed.contains(&line_and_column(text, end).0) => {}
                Some(setting) => self.add(setting.key, origin, entry.value),
                None => refuse_unknown(&entry, origin, faults),
            }
        }
    }

    /// A value from the environment or the command line.
    pub(super) fn add_text(&mut self, setting: &Setting, origin: Origin<'a>, text: &'a str) {
        let as_text = |text: &'a str| Spanned::new(0..0, DeValue::String(Cow::Borrowed(text)));
        let value = match (setting.shape)() {
            Shape::Text => as_text(text),
            Shape::Word => DeValue::parse(text.trim()).unwrap_or_else(|_| as_text(text)),
            Shape::List if text.trim_start().starts_with('[') => {
                DeValue::parse(text.trim()).unwrap_or_else(|_| as_text(text))
            }
            Shape::List => {
                let items = text.split(',').filter(|_| !text.trim().is_empty());
                let items = items.map(|item| as_text(item.trim())).collect();
                Spanned::new(0..0, DeValue::Array(items))
            }
        };
        self.add(setting.key, origin, value);
    }
}

/// A value in a file, and where it stands.
struct Entry<'a> {
    /// Empty before any section, and of what is no section.
    section: String,
    name: String,
    offset: usize,
    value: Spanned<DeValue<'a>>,
}

impl Entry<'_> {
    fn key(&self) -> String {
        let separator = if self.section.is_empty() { "" } else { "." };
        format!("{}{separator}{}", self.section, self.name)
    }
}

/// The members of sections, and what else stands at the top.
fn flat<'a>(table: DeTable<'a>, origin: Origin<'_>, faults: &mut Faults) -> Vec<Entry<'a>> {
    let mut found = Vec::new();
    for (name, value) in table {
        let offset = name.span().start;
        let name = name.into_inner().into_owned();
        if !SECTIONS.iter().any(|section| section.name == name) {
            found.push(Entry { section: String::new(), name, offset, value });
            continue;
        }
        let start = value.span().start;
        if let DeValue::Table(members) = value.into_inner() {
            found.extend(members.into_iter().map(|(member, value)| Entry {
                section: name.clone(),
                offset: member.span().start,
                name: member.into_inner().into_owned(),
                value,
            }));
        } else {
            faults.add(origin, start, format_args!("{name}: expected a section, [{name}]"));
        }
    }
    found
}

fn refuse_unknown(entry: &Entry<'_>, origin: Origin<'_>, faults: &mut Faults) {
    let key = entry.key();
    let sections = SECTIONS.iter().map(|section| section.name).filter(|name| !name.is_empty());
    let meant = nearest(&key, settings().map(|setting| setting.key).chain(sections));
    let meant = meant.map(|key| (key, setting(key).is_some_and(|it| (it.is_secret)())));
    faults.add(origin, entry.offset, unknown(&entry.section, &entry.name, "setting", meant));
}
