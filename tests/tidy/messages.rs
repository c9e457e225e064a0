//! The texts of pages: no template has one of its own, and the catalogs of all languages match.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{
    none, read,
    source::{files, root, shown},
};

/// Each message by its identifier, of one language.
fn catalog(tag: &str) -> BTreeMap<String, String> {
    let text = read(&format!("src/messages/{tag}.ftl"));
    let mut messages: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.split_once(" = ") {
            Some((id, text)) if !line.starts_with(' ') => {
                messages.push((id.to_owned(), text.to_owned()));
            }
            _ => messages.last_mut().expect("a message begins the file").1.push_str(line),
        }
    }
    let count = messages.len();
    let catalog: BTreeMap<_, _> = messages.into_iter().collect();
    assert_eq!(catalog.len(), count, "{tag} has a message twice");
    catalog
}

fn languages() -> BTreeSet<String> {
    let folder = fs::read_dir(root().join("src/messages")).expect("the catalogs are there");
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix(".ftl").map(str::to_owned)).collect()
}

/// The placeholders of a message, and its tags in alphabetical order.
fn shape(message: &str) -> (BTreeSet<&str>, Vec<&str>) {
    let placeholders = message.split('$').skip(1).filter_map(|rest| rest.split([' ', ')']).next());
    let mut tags: Vec<&str> =
        message.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect();
    tags.sort_unstable();
    (placeholders.collect(), tags)
}

#[test]
fn every_language_has_every_message_with_the_same_placeholders_and_tags() {
    let languages = languages();
    assert_eq!(languages, ["de", "en", "es", "fr", "ja"].map(str::to_owned).into());
    let english = catalog("en");
    let mut faults = Vec::new();
    for tag in &languages {
        let other = catalog(tag);
        for id in english.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
            match (english.get(id), other.get(id)) {
                (Some(one), Some(other)) if shape(one) == shape(other) => {}
                (one, other) => faults.push(format!("{tag}: {id}: {one:?} and {other:?}")),
            }
        }
    }
    none(&faults);
}

#[test]
fn no_language_repeats_the_english_text() {
    let same = ["sentences"];
    let english = catalog("en");
    let mut faults = Vec::new();
    for tag in languages().into_iter().filter(|tag| tag != "en") {
        for (id, text) in catalog(&tag) {
            let is_word = text.split(' ').count() == 1;
            if english.get(&id) == Some(&text) && !is_word && !same.contains(&&*id) {
                faults.push(format!("{tag}: {id} = {text}"));
            }
        }
    }
    none(&faults);
}

#[test]
fn no_template_has_text_of_its_own() {
    let mut faults = Vec::new();
    let attributes =
        ["alt=\"", "aria-label=\"", "aria-description=\"", "placeholder=\"", "title=\""];
    for file in files(&["src/pages"]).into_iter().filter(|file| is_template(file)) {
        let template = fs::read_to_string(&file).expect("a template is there");
        let html = without(&without(&template, "{%", "%}"), "{{", "}}");
        let texts = without(&html, "<", ">");
        if texts.contains(char::is_alphabetic) {
            faults.push(format!("{}: {}", shown(&file), texts.trim()));
        }
        for name in attributes {
            for value in html.split(name).skip(1).filter_map(|rest| rest.split('"').next()) {
                if value.contains(char::is_alphabetic) {
                    faults.push(format!("{}: {name}{value}", shown(&file)));
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn every_message_that_is_named_exists_and_every_message_is_named() {
    let english = catalog("en");
    let mut named = BTreeSet::new();
    let mut faults = Vec::new();
    for file in files(&["src"]) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        for literal in text.split('"').filter(|part| english.contains_key(*part)) {
            named.insert(literal.to_owned());
        }
        for before in ["Message::new(\"", "site.text(\""] {
            for id in text.split(before).skip(1).filter_map(|rest| rest.split('"').next()) {
                if !english.contains_key(id) {
                    faults.push(format!("{}: no message {id}", shown(&file)));
                }
            }
        }
    }
    faults
        .extend(english.keys().filter(|id| !named.contains(*id)).map(|id| format!("unused: {id}")));
    none(&faults);
}

fn is_template(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "html")
}

/// A text without what stands between two marks.
fn without(text: &str, begin: &str, end: &str) -> String {
    let mut parts = text.split(begin);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| {
        let rest = part.split_once(end).map(|(_, rest)| rest);
        kept + " " + rest.unwrap_or_default()
    })
}
