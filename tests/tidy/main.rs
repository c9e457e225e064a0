//! What no compiler checks of this repository: which module may name which, what stays in its place, how
//! long files are, and whether the documents say what is there. Each test reads files and nothing else.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use source::{
    Source, end_of_group, files, holds_path, is_at, is_word, read_sources, root, shown, sources,
    split_paths,
};

/// Which module may name which. A new edge is a design decision: add it here, in the same commit, and say
/// why in the message. An edge that nothing uses is refused as well, so that this stays the picture.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("admission", &["appearance", "client", "family", "json", "metrics"]),
    ("appearance", &[]),
    ("audit", &["client", "clock", "entropy", "id"]),
    (
        "app",
        &[
            "admission",
            "audit",
            "client",
            "client_document",
            "clock",
            "config",
            "entropy",
            "http",
            "internet",
            "keys",
            "local_password",
            "look_alike",
            "metrics",
            "provider",
            "server_metadata",
            "store",
        ],
    ),
    (
        "authorization",
        &[
            "app",
            "audit",
            "client",
            "client_document",
            "clock",
            "config",
            "error_code",
            "grant",
            "http",
            "identified_client",
            "pages",
            "paths",
            "refusal",
            "secret",
            "sign_in",
            "store",
        ],
    ),
    // The door of the benches.
    (
        "bench",
        &["app", "clock", "config", "entropy", "keys", "metadata_policy", "registration", "store"],
    ),
    (
        "cli",
        &[
            "app",
            "audit",
            "client",
            "clock",
            "config",
            "doctor",
            "entropy",
            "grant",
            "guard",
            "json",
            "keys",
            "log",
            "metadata_policy",
            "private_file",
            "registration",
            "server",
            "store",
        ],
    ),
    ("client", &["id", "json", "special_use"]),
    (
        "client_document",
        &["client", "clock", "config", "entropy", "http", "internet", "metadata_policy", "metrics"],
    ),
    ("clock", &[]),
    // What a setting names as requests do is read by the same rule; admission rules of every origin are one type.
    ("config", &["admission", "grant", "paths"]),
    ("discovery", &["app", "http", "pages", "paths"]),
    // It looks at what the others use, with their own means.
    (
        "doctor",
        &[
            "clock",
            "config",
            "entropy",
            "http",
            "internet",
            "keys",
            "private_file",
            "provider",
            "server",
            "store",
        ],
    ),
    ("entropy", &[]),
    ("error_code", &[]),
    ("family", &["appearance", "client", "id"]),
    // The doors of the fuzz targets, which no build but theirs has.
    (
        "fuzz",
        &[
            "authorization",
            "client",
            "config",
            "grant",
            "guard",
            "http",
            "keys",
            "metadata_policy",
            "provider",
            "registration",
            "sign_in",
            "token",
        ],
    ),
    ("grant", &["entropy", "id", "secret"]),
    // The handlers take `app`, and `Guards` from the server.
    (
        "guard",
        &[
            "app", "client", "clock", "config", "grant", "http", "internet", "json", "keys",
            "paths", "secret", "store", "token",
        ],
    ),
    ("http", &["clock", "config", "entropy", "internet", "metrics", "special_use"]),
    ("id", &["clock", "entropy"]),
    (
        "identified_client",
        &["admission", "app", "client", "client_document", "clock", "http", "store"],
    ),
    ("internet", &[]),
    ("json", &[]),
    ("keys", &["audit", "clock", "config", "entropy", "private_file", "store"]),
    ("local_password", &["entropy", "secret", "store"]),
    ("log", &["clock", "config", "json"]),
    ("look_alike", &["appearance", "client", "config"]),
    ("metadata_policy", &["client", "config", "error_code", "json"]),
    ("metrics", &[]),
    // It describes what the others answer, by their own tables.
    (
        "openapi",
        &[
            "authorization",
            "client",
            "config",
            "error_code",
            "guard",
            "http",
            "keys",
            "metadata_policy",
            "refusal",
            "registration",
            "server_metadata",
            "sign_in",
            "token",
        ],
    ),
    ("pages", &["config", "http", "paths"]),
    ("paths", &[]),
    ("private_file", &[]),
    ("provider", &["clock", "config", "http", "internet"]),
    ("refusal", &["error_code", "http", "pages", "store"]),
    (
        "registration",
        &[
            "admission",
            "app",
            "client",
            "clock",
            "config",
            "entropy",
            "error_code",
            "http",
            "json",
            "look_alike",
            "metadata_policy",
            "refusal",
            "store",
        ],
    ),
    ("secret", &["entropy"]),
    ("server_metadata", &["config", "paths"]),
    (
        "server",
        &[
            "admission",
            "app",
            "audit",
            "authorization",
            "client",
            "clock",
            "config",
            "discovery",
            "guard",
            "http",
            "keys",
            "log",
            "metadata_policy",
            "metrics",
            "openapi",
            "pages",
            "paths",
            "registration",
            "sign_in",
            "store",
            "token",
        ],
    ),
    (
        "sign_in",
        &[
            "app",
            "audit",
            "clock",
            "config",
            "entropy",
            "error_code",
            "grant",
            "http",
            "local_password",
            "metrics",
            "pages",
            "paths",
            "provider",
            "refusal",
            "secret",
            "store",
        ],
    ),
    ("special_use", &[]),
    (
        "store",
        &[
            "audit",
            "client",
            "clock",
            "config",
            "family",
            "grant",
            "id",
            "metrics",
            "private_file",
            "secret",
        ],
    ),
    (
        "token",
        &[
            "app",
            "audit",
            "client",
            "clock",
            "config",
            "error_code",
            "grant",
            "http",
            "identified_client",
            "keys",
            "refusal",
            "secret",
            "store",
        ],
    ),
];

/// Something that is at home in a few places.
struct Confined {
    /// Beginnings of paths in code.
    what: &'static [&'static str],
    /// Files, or folders with a slash.
    to: &'static [&'static str],
}

const CONFINED: &[Confined] = &[
    // HTTP is a detail of what speaks it. `server/management.rs` is a listener's answers; of
    // `registration/` the endpoint speaks it, and `error.rs` chooses the status of an error.
    Confined {
        what: &["http", "http_body", "http_body_util", "hyper", "hyper_util"],
        to: &[
            "src/fuzz.rs",
            "src/http/",
            "src/authorization/",
            "src/discovery.rs",
            "src/guard/",
            "src/pages/",
            "src/provider/",
            "src/refusal.rs",
            "src/registration/endpoint.rs",
            "src/registration/error.rs",
            "src/server/",
            "src/sign_in/",
            "src/token/",
        ],
    },
    // Sockets are opened in one place. Two outbound ones lead elsewhere: to the Redis in which nodes count
    // together, opened where the limits are kept, and to the database, by its driver. A third leads to the upstreams
    // of guarded resources, which the operator names. Whatever else is
    // fetched goes out through `http/fetch.rs`, which asks `internet.rs` for addresses and trust. `doctor/`
    // asks whose a certificate is.
    Confined {
        what: &["tokio::net", "tokio_rustls"],
        to: &["src/guard/proxy/upstream.rs", "src/http/rate_limit/link.rs", "src/server/"],
    },
    Confined {
        what: &["rustls"],
        to: &[
            "src/doctor/",
            "src/http/fetch.rs",
            "src/internet.rs",
            "src/server/",
            "src/store/postgres/",
        ],
    },
    Confined { what: &["redis"], to: &["src/http/rate_limit/link.rs"] },
    Confined { what: &["rustls_native_certs"], to: &["src/internet.rs", "src/store/postgres/"] },
    // Nothing else sends requests.
    Confined { what: &["reqwest"], to: &["src/http/fetch.rs"] },
    Confined {
        what: &["rustix"],
        to: &["src/cli/author.rs", "src/doctor/", "src/server/descriptors.rs"],
    },
    // A URL of a database is read where settings are.
    Confined {
        what: &["deadpool_postgres", "tokio_postgres", "tokio_postgres_rustls"],
        to: &["src/config/location.rs", "src/store/postgres/"],
    },
    Confined { what: &["rusqlite"], to: &["src/store/embedded/"] },
    // Each derive of these is a promise to somebody: the names of `client/` are fixed by RFCs, those of
    // the answers by the contract, those of the commands by what scripts read. `json.rs` writes what it
    // has read.
    Confined {
        what: &["serde"],
        to: &[
            "src/metadata_policy/error.rs",
            "src/cli/",
            "src/client/",
            "src/error_code.rs",
            "src/guard/",
            "src/http/answer.rs",
            "src/identified_client.rs",
            "src/json.rs",
            "src/token/access_token.rs",
            "src/token/introspection.rs",
        ],
    },
    Confined { what: &["toml"], to: &["src/config/"] },
    Confined { what: &["clap", "comfy_table", "indicatif"], to: &["src/cli/"] },
    // Settings come from one place. `main.rs` hands over the words of the command line, and `version.rs`
    // says what it was built for.
    Confined {
        what: &["std::env", "env"],
        to: &["src/cli/version.rs", "src/config/source.rs", "src/main.rs"],
    },
    Confined { what: &["tracing_subscriber"], to: &["src/config/", "src/log/"] },
];

/// The most lines of a file before its tests.
const LINES_MAX: usize = 500;

#[test]
fn no_module_names_one_that_it_may_not() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let names = edges.entry(source.module()).or_default();
        names.extend(split_paths(&source.code_with_crate_paths()).0);
    }
    edges.remove("lib");
    edges.remove("main");
    let mut faults = Vec::new();
    for (module, names) in &edges {
        let Some((_, allowed)) = MAY_NAME.iter().find(|(row, _)| row == module) else {
            faults.push(format!("{module} has no row"));
            continue;
        };
        let other = names.iter().filter(|name| *name != module);
        faults.extend(
            other
                .filter(|name| !allowed.contains(&name.as_str()))
                .map(|name| format!("{module} may not name {name}")),
        );
        faults.extend(
            allowed
                .iter()
                .filter(|name| !names.contains(**name))
                .map(|name| format!("{module} names {name} no longer: take the edge away")),
        );
    }
    let gone = MAY_NAME.iter().filter(|(row, _)| !edges.contains_key(*row));
    faults.extend(gone.map(|(row, _)| format!("there is no module {row}")));
    none(&faults);
}

#[test]
fn modules_form_no_circle() {
    let mut open = MAY_NAME.to_vec();
    // A module that names no open one is in no circle.
    loop {
        let left: Vec<&str> = open.iter().map(|(module, _)| *module).collect();
        open.retain(|(_, names)| names.iter().any(|name| left.contains(name)));
        if open.len() == left.len() {
            break;
        }
    }
    none(&open.iter().map(|(module, names)| format!("{module} → {names:?}")).collect::<Vec<_>>());
}

#[test]
fn what_is_at_home_in_one_place_stays_there() {
    let mut faults = Vec::new();
    for Confined { what, to } in CONFINED {
        let mut used = BTreeSet::new();
        for source in sources().iter().filter(|source| !source.is_test) {
            let (_, rest) = split_paths(&source.code_with_crate_paths());
            if !what.iter().any(|path| holds_path(&rest, path)) {
                continue;
            }
            match to.iter().find(|home| is_at(&source.path, home)) {
                Some(home) => drop(used.insert(*home)),
                None => faults.push(format!("{} names one of {what:?}", source.path)),
            }
        }
        let idle = to.iter().filter(|home| !used.contains(*home));
        faults.extend(idle.map(|home| format!("{home} names none of {what:?}: take it off")));
    }
    none(&faults);
}

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
        if !is_code || file.ends_with("tests/tidy/main.rs") {
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

/// Documents that still have markers of translated text. Remove each one here once it is rewritten.
const UNREAD_DOCUMENTS: &[&str] = &["docs/run/configuration.md"];

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
        let found: Vec<_> = found.collect();
        match UNREAD_DOCUMENTS.contains(&document.as_str()) {
            true if found.is_empty() => faults.push(format!("{document} has no markers any more")),
            true => {}
            false => faults.extend(found.iter().map(|it| format!("{document} says \"{it}\""))),
        }
    }
    none(&faults);
}

/// Every document of ours, for people who use, run, or change the program.
fn documents() -> Vec<PathBuf> {
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
    let manual = read("docs/run/operating.md");
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

/// Whether a line looks like code that was made a comment.
fn is_commented_out(line: &str) -> bool {
    let Some(text) = line.trim_start().strip_prefix("// ") else { return false };
    let is_statement = text.ends_with(';') && text.contains(['(', '=']);
    is_statement
        || ["let ", "fn ", "use ", "pub ", "#["].iter().any(|word| text.starts_with(word))
            && text.ends_with([';', '{', ']'])
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

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
