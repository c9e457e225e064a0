//! Where values are given: files, the environment, the command line.
//!
//! The only file that reads the environment of the process, and that only when it is asked to: what
//! was read is handed in, so that tests hold it. What the sources say is sorted in `values.rs`.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    fault::{Faults, did_you_mean, line_and_column, nearest},
    otel,
    setting::{Setting, setting, settings},
    text::without_credentials,
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
    /// Variables; those that are neither ours nor OpenTelemetry's are passed over.
    pub environment: Vec<(String, String)>,
    /// Settings given on the command line: key and value, later ones over earlier ones.
    pub flags: Vec<(&'static str, String)>,
    /// URLs of servers to protect, as `--protect` names them.
    pub protect: Vec<String>,
}

/// The variables of this process that concern Doorward, OpenTelemetry's among them.
///
/// A value that is not Unicode has U+FFFD in the place of what cannot be read.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()))
        .filter(|(name, _): &(String, String)| {
            name.starts_with(PREFIX) || name.starts_with(otel::PREFIX)
        })
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
        Ok(Self { name: without_credentials(&path.display().to_string()), bytes: read(path)? })
    }

    /// Its text as far as it is UTF-8, and whether that is all of it.
    pub(super) fn text(&self) -> (&str, bool) {
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

/// A variable of ours, with the text of its value.
pub(super) struct Variable {
    pub(super) setting: &'static Setting,
    pub(super) name: String,
    pub(super) text: String,
    /// The file that the text was read from.
    pub(super) file: Option<PathBuf>,
}

/// Finds the setting of every variable and, for those that end in `_FILE`, reads the file.
pub(super) fn variables(environment: &[(String, String)], faults: &mut Faults) -> Vec<Variable> {
    let mut found: Vec<Variable> = Vec::new();
    for (name, value) in environment {
        let is_no_setting = ["DOORWARD_CONFIG", "DOORWARD_TOKEN"].contains(&&**name);
        if !name.starts_with(PREFIX) || is_no_setting || is_service_link(name) {
            continue;
        }
        let refuse = |faults: &mut Faults, what: String| {
            faults.add(Origin::Variable { name }, 0, what);
        };
        // A setting's own name comes first: `tls.key_file` ends in `_FILE` too.
        let (setting, file, text) = if let Some(setting) = of_variable(name) {
            (setting, None, Ok(value.clone()))
        } else if let Some(setting) = name.strip_suffix("_FILE").and_then(of_variable) {
            (setting, Some(PathBuf::from(value)), read_text(Path::new(value)))
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
            Ok(text) => found.push(Variable { setting, name: name.clone(), text, file }),
            Err(error) => {
                faults.incomplete = true;
                // The value is not shown: it may be the secret itself instead of a file that holds it.
                let what = format!("{}: cannot read the file named here: {error}", setting.key);
                refuse(faults, what);
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
