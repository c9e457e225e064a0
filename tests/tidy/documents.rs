//! Whether the documents are in plain words, name only what exists, and leave nothing out.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    none, quoted, read,
    source::{Source, end_of_group, files, is_word, root, shown, sources},
};

/// Words and phrases that mark a sentence as translated.
const MARKERS: &[&str] = &[
    "whoever",
    "somebody",
    "nobody",
    "whom",
    "of which",
    "in vain",
    "amiss",
    "it is not known",
    "it cannot be",
];

#[test]
fn plain_documents_have_no_markers_of_translated_text() {
    let mut faults = Vec::new();
    for document in documents() {
        let document = shown(&document);
        let text = read(&document).to_lowercase();
        // Code in backquotes is a quotation: it stands at odd places of the split.
        let prose: String = text.split('`').step_by(2).collect();
        let words: Vec<&str> = prose.split(|it: char| !it.is_alphanumeric()).collect();
        let prose = format!(" {} ", words.join(" "));
        let found = MARKERS.iter().filter(|marker| prose.contains(&format!(" {marker} ")));
        faults.extend(found.map(|it| format!("{document} says \"{it}\"")));
    }
    none(&faults);
}

#[test]
fn every_page_is_in_the_navigation_of_the_site() {
    // The start page, and pages that Architecture links.
    let is_elsewhere = |page: &str| page == "README.md" || page.starts_with("change/decisions/");
    let navigation = read("packaging/site/mkdocs.yaml");
    let entries: BTreeSet<&str> =
        navigation.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
    let documents = documents().into_iter();
    let pages = documents.filter_map(|file| Some(shown(&file).strip_prefix("docs/")?.to_owned()));
    let pages = pages.filter(|page| !is_elsewhere(page));
    let missing = pages.filter(|page| !entries.contains(page.as_str()));
    let fault =
        |page| format!("docs/{page} is not in the navigation of packaging/site/mkdocs.yaml");
    none(&missing.map(fault).collect::<Vec<_>>());
}

/// Every document of ours, for people who use, run, or change the program.
pub(crate) fn documents() -> Vec<PathBuf> {
    let top = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md", "CHANGELOG.md"];
    let below = files(&["docs", "packaging"]);
    let is_document = |file: &PathBuf| file.extension().is_some_and(|it| it == "md");
    top.map(|name| root().join(name)).into_iter().chain(below).filter(is_document).collect()
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let mut faults = Vec::new();
    for document in &documents() {
        let text = fs::read_to_string(document).unwrap_or_default();
        let own = document.parent().unwrap_or_else(|| root());
        let mut folders = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with("    ")) {
            if line.starts_with('#') {
                folders = vec![own.to_owned(), root().to_owned(), root().join("src")];
            }
            for word in quoted(line).into_iter().filter(|word| is_path(word)) {
                match folders.iter().map(|folder| folder.join(word)).find(|path| path.exists()) {
                    // What a section has named, its next names may stand in.
                    Some(path) if path.is_dir() => folders.push(path),
                    Some(path) => folders.extend(path.parent().map(Path::to_owned)),
                    None => faults.push(format!("{}: there is no {word}", shown(document))),
                }
            }
        }
    }
    none(&faults);
}

/// Whether a word in a document is meant as a path of this repository.
fn is_path(word: &str) -> bool {
    let is_plain = |c: char| is_word(c) || "./-".contains(c);
    let is_ours = ["src/", "tests/", "docs/", "packaging/", "bench/", "fuzz/"]
        .iter()
        .any(|folder| word.starts_with(folder));
    let extension = Path::new(word).extension();
    let has_form = extension.is_some_and(|it| it == "rs" || it == "md");
    (has_form || is_ours || word.ends_with('/'))
        && !word.starts_with('/')
        && word.chars().all(is_plain)
}

#[test]
fn the_map_is_short_and_has_every_module_on_it() {
    let map = read("ARCHITECTURE.md");
    let lines = map.lines().count();
    assert!(lines <= 300, "ARCHITECTURE.md has {lines} lines");
    let modules: BTreeSet<String> = sources().iter().map(Source::module).collect();
    let is_there = |module: &String| {
        [format!("`{module}/`"), format!("`{module}.rs`")].iter().any(|name| map.contains(name))
    };
    let missing: Vec<String> = modules.into_iter().filter(|module| !is_there(module)).collect();
    none(&missing);
}

#[test]
fn operators_are_told_of_every_metric_log_field_and_management_path() {
    let manuals = ["operating", "metrics", "tracing"];
    let manual: String = manuals.iter().map(|name| read(&format!("docs/run/{name}.md"))).collect();
    let told = quoted(&manual);
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    for source in sources() {
        let literals = source.text.split('"').skip(1).step_by(2);
        names.extend(
            literals
                .filter(|text| text.starts_with("doorward_") || text.starts_with("process_"))
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
                .map(str::to_owned),
        );
    }
    let management = read("src/server/management.rs");
    names.extend(
        management
            .split("\"/")
            .skip(1)
            .filter_map(|rest| rest.split_once('"').map(|(path, _)| format!("/{path}"))),
    );
    let event = read("src/http/request_event.rs");
    let event = event.split("tracing::event!(").nth(1).unwrap_or_default();
    let event = event.split_at(end_of_group(event, '(', ')')).0;
    let fields = event.lines().map(str::trim).filter_map(|line| line.split_once(" = "));
    names.extend(
        fields
            .map(|(name, _)| name)
            .filter(|name| {
                name.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte))
            })
            .map(str::to_owned),
    );
    for source in sources().iter().filter(|source| !source.is_test) {
        let code = source.text.get(..source.tests_at()).unwrap_or_default();
        for event in ["tracing::info!(", "tracing::warn!(", "tracing::error!("] {
            let events = code.split(event).skip(1);
            let events = events.map(|rest| rest.split_at(end_of_group(rest, '(', ')')).0);
            names.extend(events.filter_map(|event| event.rsplit('"').nth(1).map(str::to_owned)));
        }
    }
    assert!(names.len() >= 28, "nothing was read: {names:?}");
    faults.extend(names.into_iter().filter(|name| !told.contains(&name.as_str())));
    none(&faults);
}
