//! Says which tests this machine leaves out.

use std::{collections::BTreeSet, env, fs::OpenOptions, io::Write as _, sync::Mutex};

static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Says once that tests are left out: on the console, past the runner, which hides what passing tests print, or in the
/// file that `DOORWARD_LEFT_OUT` names, from which `./check` reports.
pub(crate) fn left_out(tests_and_reason: &str) {
    if !SAID.lock().unwrap().insert(tests_and_reason.to_owned()) {
        return;
    }
    let line = format!("LEFT OUT: {tests_and_reason}\n");
    let written = match env::var_os("DOORWARD_LEFT_OUT") {
        Some(file) => OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .and_then(|mut file| file.write_all(line.as_bytes())),
        None => std::io::stderr().write_all(line.as_bytes()),
    };
    written.unwrap();
}
