//! Where values are given: files, the environment, the command line, the table's defaults.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    SECTIONS,
    fault::{Faults, did_you_mean, line_and_column, nearest},
    kind::{Given, Kind, Shape, shown_key},
    setting::Setting,
};

/// The most that is read of a file, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// What every variable of ours begins with.
const PREFIX: &str = "DOORWARD_";

/// Everything that settings may come from, the stronger after the weaker.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Development: embedded store, loopback listeners, derived issuer, no rate limits by default.
    pub dev: bool,
    /// Files, later ones over earlier ones. When there are none, `DOORWARD_CONFIG` in the environment
    /// may name some, with colons between them.
    pub files: Vec<PathBuf>,
    /// Variables; those that do not begin with `DOORWARD_` are passed over.
    pub environment: Vec<(String, String)>,
    /// Settings given on the command line: key and value, later ones over earlier ones.
    pub flags: Vec<(&'static str, String)>,
}

/// The variables of this process that concern Doorward.
///
/// A value that is not Unicode has U+FFFD in the place of what cannot be read.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()))
        .filter(|(name, _): &(String, String)| name.starts_with(PREFIX))
        .collect()
}

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// The table of settings.
    Default,
    /// A file, the nth of them.
    File { nth: usize, name: &'a str, text: &'a str },
    /// A variable.
    Variable { name: &'a str },
    /// The command line.
    Flag,
    /// None in particular: a rule about several settings, or about one that is missing.
    Nowhere,
}

impl Origin<'_> {
    /// Faults are shown in this order.
    pub(super) fn rank(self) -> usize {
        match self {
            Self::Default => 0,
            Self::File { nth, .. } => nth + 1,
            Self::Variable { .. } => usize::MAX - 2,
            Self::Flag => usize::MAX - 1,
            Self::Nowhere => usize::MAX,
        }
    }

    /// What a line about it begins with.
    pub(super) fn place(self, offset: usize) -> String {
        match self {
            Self::Default => "default: ".into(),
            Self::File { name, text, .. } => {
                let (line, column) = line_and_column(text, offset);
                format!("{name}:{line}:{column}: ")
            }
            Self::Variable { name } => format!("{name}: "),
            Self::Flag => "command line: ".into(),
            Self::Nowhere => String::new(),
        }
    }
}

/// A file that was read.
pub(super) struct ConfigFile {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl ConfigFile {
    /// `Err` says what the system says.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        Ok(Self { name: path.display().to_string(), bytes: read(path)? })
    }

    /// Its text as far as it is UTF-8, and whether that is all of it.
    fn text(&self) -> (&str, bool) {
        match str::from_utf8(&self.bytes) {
            Ok(text) => (text, true),
            Err(error) => {
                let read = self.bytes.get(..error.valid_up_to()).unwrap_or_default();
                (str::from_utf8(read).unwrap_or_default(), false)
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(format!("it has more than {FILE_MAX} bytes"));
    }
    Ok(bytes)
}

/// Every value that was given, by key, the strongest last.
#[derive(Default)]
pub(super) struct Values<'a>(BTreeMap<&'static str, Vec<(Origin<'a>, Spanned<DeValue<'a>>)>>);

impl<'a> Values<'a> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
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
            if !faults.incomplete {
                let what = format!("{key}: must be set to {}", kind.expected());
                faults.add(Origin::Nowhere, 0, what);
            }
            return None;
        };
        let mut last = None;
        for (origin, value) in given {
            last = kind.read(&Given { path: key.to_owned(), origin: *origin, value }, faults);
        }
        last
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
        for (path, offset, value) in flat(table.into_inner(), origin, faults) {
            match setting(&path) {
                // The parser guesses values where it finds faults; they would only confuse.
                Some(_) if value.span().is_empty() => {}
                Some(_) if guessed.contains(&line_and_column(text, value.span().end).0) => {}
                Some(setting) => self.add(setting.key, origin, value),
                None => unknown(&path, offset, origin, faults),
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

/// The members of sections, and what else stands at the top: path, offset of the key, value.
fn flat<'a>(
    table: DeTable<'a>,
    origin: Origin<'_>,
    faults: &mut Faults,
) -> Vec<(String, usize, Spanned<DeValue<'a>>)> {
    let mut found = Vec::new();
    for (name, value) in table {
        let offset = name.span().start;
        let name = name.into_inner();
        if !SECTIONS.iter().any(|section| section.name == name) {
            found.push((name.into_owned(), offset, value));
            continue;
        }
        let start = value.span().start;
        if let DeValue::Table(members) = value.into_inner() {
            for (member, value) in members {
                let path = format!("{name}.{}", member.get_ref());
                found.push((path, member.span().start, value));
            }
        } else {
            faults.add(origin, start, format_args!("{name}: expected a section, [{name}]"));
        }
    }
    found
}

fn unknown(key: &str, offset: usize, origin: Origin<'_>, faults: &mut Faults) {
    let sections = SECTIONS.iter().map(|section| section.name).filter(|name| !name.is_empty());
    let nearest = nearest(key, settings().map(|setting| setting.key).chain(sections));
    let what = format!("{}: unknown setting{}", shown_key(key), did_you_mean(nearest));
    faults.add(origin, offset, what);
}

/// The rows of the table, in its order.
pub(super) fn settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// The row of a key.
pub(super) fn setting(key: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.key == key)
}

/// A variable of ours, with the text of its value.
pub(super) struct Variable {
    pub(super) setting: &'static Setting,
    pub(super) name: String,
    pub(super) text: String,
}

/// Finds the setting of every variable and, for those that end in `_FILE`, reads the file.
pub(super) fn variables(environment: &[(String, String)], faults: &mut Faults) -> Vec<Variable> {
    let mut found: Vec<Variable> = Vec::new();
    for (name, value) in environment {
        if !name.starts_with(PREFIX) || name == "DOORWARD_CONFIG" || is_service_link(name) {
            continue;
        }
        let refuse = |faults: &mut Faults, what: String| {
            faults.add(Origin::Variable { name }, 0, what);
        };
        // A setting's own name comes first: `tls.key_file` ends in `_FILE` too.
        let (setting, text) = if let Some(setting) = of_variable(name) {
            (setting, Ok(value.clone()))
        } else if let Some(setting) = name.strip_suffix("_FILE").and_then(of_variable) {
            (setting, read_text(Path::new(value)))
        } else {
            let key = name.replacen(PREFIX, "", 1).replace("__", ".").to_lowercase();
            let nearest = nearest(&key, settings().map(|setting| setting.key)).and_then(setting);
            let nearest = nearest.map(Setting::variable);
            refuse(faults, format!("unknown setting{}", did_you_mean(nearest.as_deref())));
            continue;
        };
        if let Some(other) = found.iter().find(|other| other.setting.key == setting.key) {
            refuse(faults, format!("{} is set by {} as well", setting.key, other.name));
        }
        match text {
            Ok(text) => found.push(Variable { setting, name: name.clone(), text }),
            Err(error) => {
                faults.incomplete = true;
                refuse(faults, format!("{}: cannot read {value:?}: {error}", setting.key));
            }
        }
    }
    found
}

fn of_variable(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.variable() == name)
}

/// The text of a file, without the line end that editors leave.
fn read_text(path: &Path) -> Result<String, String> {
    let mut text = String::from_utf8(read(path)?).map_err(|_| "it is not UTF-8".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// Whether Kubernetes sets this variable in every container next to a service named `doorward…`:
/// `DOORWARD_SERVICE_HOST`, `DOORWARD_PORT_8080_TCP_ADDR`.
fn is_service_link(name: &str) -> bool {
    !name.contains("__")
        && (["_SERVICE_HOST", "_PORT"].iter().any(|end| name.ends_with(end))
            || ["_SERVICE_PORT_", "_PORT_"].iter().any(|part| name.contains(part)))
}
