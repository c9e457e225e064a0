//! The files that hold secrets: can anybody but the server read them?

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

use super::{Examined, Finding, Look, Verdict};
use crate::{
    config::{Config, StoreLocation},
    keys,
    private_file::Access,
    store::embedded,
};

const CHECK: &str = "secrets";

/// What users may do who are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

/// Can others read the data of the embedded store, or a file that the settings take a secret from?
pub(super) fn private(examined: &Examined<'_>) -> Vec<Finding> {
    let me = geteuid().as_raw();
    // One line for each file, even if several settings name it.
    let mut findings: BTreeMap<PathBuf, Finding> = BTreeMap::new();
    for file in examined.secret_files {
        if let Some(access) = Access::of(&file.path).filter(|access| is_exposed(*access, me)) {
            let found = readable(&file.path, access, me, &format!("a secret ({})", file.setting));
            findings.entry(file.path.clone()).or_insert(found);
        }
    }
    for finding in in_data_folder(examined.config, me) {
        findings.insert(PathBuf::from(&finding.place), finding);
    }
    if findings.is_empty() {
        return vec![Look::at(CHECK, &"all").ok("none can be read by others")];
    }
    findings.into_values().collect()
}

/// The files of the embedded store, which belong to the server alone.
fn in_data_folder(config: &Config, me: u32) -> Vec<Finding> {
    let StoreLocation::Folder(folder) = &config.store else { return Vec::new() };
    let exposed = |name: &str| {
        let path = folder.join(name);
        Access::of(&path).filter(|access| !access.is_private()).map(|access| (path, access))
    };
    let databases = embedded::FILES.iter().filter_map(|name| exposed(name));
    let mut found: Vec<Finding> =
        databases.map(|(path, access)| readable(&path, access, me, "clients and grants")).collect();
    if let Some((path, access)) = exposed(keys::SECRET_FILE) {
        let mut finding = readable(&path, access, me, "the secret of the signing keys");
        if config.authorizes() && config.token.keys_secret.reveal().is_empty() {
            // A server refuses to start with it.
            finding.verdict = Verdict::Problem;
        }
        found.push(finding);
    }
    found
}

/// Whether others than the server can read a file that an operator made. One that belongs to another user may be
/// readable by the group, which is how the server then reads it.
fn is_exposed(access: Access, me: u32) -> bool {
    if access.owner == me { !access.is_private() } else { access.mode & OTHERS != 0 }
}

fn readable(path: &Path, access: Access, me: u32, held: &str) -> Finding {
    let place = path.display();
    let what = format!("others can read it (mode {:04o}), and it holds {held}", access.mode);
    let file = quoted(&place.to_string());
    // Mode 0600 alone would take a file of another user away from the server.
    let advice = if access.owner == me || me == 0 {
        format!("chmod 600 {file}")
    } else {
        format!("chown {me} {file} && chmod 600 {file}")
    };
    Look::at(CHECK, &place).warning(what, advice)
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_user_may_be_readable_by_the_group_through_which_the_server_reads_it() {
        let (me, other) = (1_000, 0);
        for (owner, mode, expected) in [
            (me, 0o600, false),
            (me, 0o640, true),
            (me, 0o604, true),
            (other, 0o640, false),
            (other, 0o660, false),
            (other, 0o644, true),
        ] {
            assert_eq!(is_exposed(Access { mode, owner }, me), expected, "{owner} {mode:o}");
        }
    }

    #[test]
    fn the_command_leaves_the_server_able_to_read_the_file() {
        let advice = |owner, me| {
            let found = readable(Path::new("a b"), Access { mode: 0o644, owner }, me, "a secret");
            found.advice.unwrap()
        };
        assert_eq!(advice(1_000, 1_000), "chmod 600 'a b'");
        assert_eq!(advice(1_000, 0), "chmod 600 'a b'");
        assert_eq!(advice(0, 1_000), "chown 1000 'a b' && chmod 600 'a b'");
    }
}
