//! Whether `docs/protocol.md` and the description of the interface have what the code has.

use std::{collections::BTreeSet, fs};

use crate::{
    documents::documents,
    none, quoted, read,
    source::{read_sources, shown, sources},
};

#[test]
fn every_route_member_and_error_code_has_a_row_in_the_protocol() {
    let protocol = read("docs/protocol.md");
    let rows: Vec<&str> = protocol.lines().filter(|line| line.starts_with('|')).collect();
    let has_row = |word: &str| rows.iter().any(|row| row.contains(&format!("`{word}`")));
    let between = |text: &str, start: &str, end: &str| -> Vec<String> {
        let mut found = Vec::new();
        for part in text.split(start).skip(1) {
            found.extend(part.split_once(end).map(|(word, _)| word.to_owned()));
        }
        found
    };
    let routes = between(&read("src/paths.rs"), "&str = \"", "\"");
    let codes = between(&read("src/error_code.rs"), "=> \"", "\"");
    let table = between(&read("src/client/metadata.rs"), "\nmembers! {", "\n}").concat();
    let members: Vec<String> = table
        .lines()
        .filter(|line| !line.trim_start().starts_with("///"))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name.trim().to_owned()))
        .collect();
    assert!(routes.len() >= 19 && codes.len() >= 5 && members.len() >= 16, "nothing was read");
    let all = routes.iter().chain(&codes).chain(&members);
    let faults: Vec<String> =
        all.filter(|word| !has_row(word)).map(|word| format!("`{word}` has no row")).collect();
    none(&faults);
}

#[test]
fn every_parameter_that_is_read_is_described() {
    let description = read("docs/openapi.json");
    let readers = [".one(\"", ".all(\"", "one(form, \"", "required(form, \"", "required(&form, \""];
    let mut names = BTreeSet::new();
    for source in sources().iter().filter(|source| !source.is_test) {
        // Forms of the server's own pages are not described.
        if source.module() != "token" && source.path != "src/authorization/request.rs" {
            continue;
        }
        let code = source.text.get(..source.tests_at()).unwrap_or_default();
        for reader in readers {
            let read = code.split(reader).skip(1).filter_map(|rest| rest.split_once('"'));
            names.extend(read.map(|(name, _)| name.to_owned()));
        }
    }
    assert!(names.len() >= 15, "nothing was read: {names:?}");
    let is_described = |name: &str| {
        [format!("\"{name}\": {{"), format!("\"name\": \"{name}\"")]
            .iter()
            .any(|described| description.contains(described))
    };
    let faults = names.iter().filter(|name| !is_described(name));
    none(&faults.map(|name| format!("{name} is read and not described")).collect::<Vec<_>>());
}

#[test]
fn every_test_that_the_protocol_names_is_there() {
    let mut functions = BTreeSet::new();
    for source in sources().iter().chain(&read_sources("tests")) {
        let tests = if source.is_test { 0 } else { source.tests_at() };
        let code = source.text.get(tests..).unwrap_or_default();
        let names = code.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
        functions.extend(names.map(|(name, _)| name.to_owned()));
    }
    let mut faults = Vec::new();
    let mut has_tests = false;
    let mut rows = 0;
    for line in read("docs/protocol.md").lines().filter(|line| !line.starts_with("|-")) {
        let cells = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        let cell = cells.map(|cells| cells.rsplit(" | ").next().unwrap_or_default());
        let Some(cell) = cell.filter(|cell| has_tests && *cell != "Test") else {
            has_tests = cell == Some("Test");
            continue;
        };
        rows += 1;
        if cell.trim().is_empty() {
            faults.push(format!("no test is named: {line}"));
        }
        let names = quoted(cell).into_iter().filter(|word| !word.contains('/'));
        let missing = names.filter(|word| !functions.contains(*word));
        faults.extend(missing.map(|name| format!("there is no test {name}")));
    }
    assert!(rows >= 300, "{rows} rows were read");
    none(&faults);
}

#[test]
fn the_protocol_is_the_only_ledger_of_tests() {
    let mut faults = Vec::new();
    for document in documents().into_iter().filter(|file| !file.ends_with("protocol.md")) {
        let text = fs::read_to_string(&document).unwrap_or_default();
        if text.lines().any(|line| line.starts_with('|') && line.ends_with("| Test |")) {
            faults.push(format!("{} names tests", shown(&document)));
        }
    }
    none(&faults);
}
