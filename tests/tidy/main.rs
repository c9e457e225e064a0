//! What no compiler checks of this repository: which module may name which, what stays in its place, how
//! long files are, and whether the documents say what is there. Each test reads files and nothing else.

mod changes;
mod confined;
mod documents;
mod files;
mod messages;
mod modules;
mod protocol;
mod source;

use std::fs;

use source::root;

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
