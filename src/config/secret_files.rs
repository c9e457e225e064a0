//! The files that hold a secret by these settings: those that a setting names, those that a variable with `_FILE` names,
//! and configuration files with a secret in them. All of it follows from the table of settings.

use std::path::PathBuf;

use toml::{Spanned, de::DeValue};

use super::{
    Config, Sources,
    fault::Faults,
    kind::Given,
    load::{named_files, read_file},
    setting::{Section as _, Setting, setting},
    source::{Origin, variables},
    values::Values,
};

/// A file that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// Where it is.
    pub path: PathBuf,
    /// The setting whose secret it holds, or that names it.
    pub setting: String,
}

/// Every file that holds a secret by settings that were loaded from these sources.
pub fn secret_files(sources: &Sources, config: &Config) -> Vec<SecretFile> {
    let mut found = in_sources(sources);
    for (key, toml) in config.write() {
        if let (Some(setting), Ok(value)) = (setting(key), DeValue::parse(&toml)) {
            add_named(setting, key.to_owned(), &value, &mut found);
        }
    }
    found
}

/// Configuration files with a secret in them, and the files that variables name.
fn in_sources(sources: &Sources) -> Vec<SecretFile> {
    // What was loaded before has no faults.
    let faults = &mut Faults::default();
    let mut found = Vec::new();
    let paths = match &sources.files[..] {
        [] => named_files(&sources.environment),
        files => files.to_vec(),
    };
    for path in paths {
        let Some(file) = read_file(&path, faults) else { continue };
        let mut values = Values::default();
        values.add_file(0, &file, faults);
        let holding = values.all().find(|(key, origin, value)| holds_secret(key, *origin, value));
        found.extend(holding.map(|(key, ..)| SecretFile { path, setting: key.to_owned() }));
    }
    for variable in variables(&sources.environment, faults) {
        let Some(path) = variable.file else { continue };
        let origin = Origin::Variable { name: &variable.name };
        let mut values = Values::default();
        values.add_text(variable.setting, origin, &variable.text);
        if values.all().any(|(key, origin, value)| holds_secret(key, origin, value)) {
            found.push(SecretFile { path, setting: variable.setting.key.to_owned() });
        }
    }
    found
}

fn holds_secret(key: &str, origin: Origin<'_>, value: &Spanned<DeValue<'_>>) -> bool {
    let given = Given { path: key.to_owned(), origin, value };
    setting(key).is_some_and(|setting| (setting.holds_secret)(&given))
}

/// The files that a value of this setting names.
fn add_named(
    setting: &Setting,
    path: String,
    value: &Spanned<DeValue<'_>>,
    found: &mut Vec<SecretFile>,
) {
    match value.get_ref() {
        DeValue::String(file) if (setting.names_secret_file)() => {
            found.push(SecretFile { path: PathBuf::from(&**file), setting: path });
        }
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                add_named(setting, format!("{path}[{index}]"), item, found);
            }
        }
        DeValue::Table(members) => {
            for member in (setting.members)() {
                if let Some(value) = members.get(member.key) {
                    add_named(member, format!("{path}.{}", member.key), value, found);
                }
            }
        }
        _ => {}
    }
}
