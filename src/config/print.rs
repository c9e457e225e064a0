//! What is made of the table for people: the dump, the sample file, `docs/run/configuration.md`.
//! Dump and sample are TOML that loads again; the commands that print them are in `cli/`, and the test
//! that keeps the document in step is in `tests/it/configuration/written.rs`.

use std::fmt::{Display, Write};

use super::{
    Config, SECTIONS,
    setting::{Section, SectionAbout, Setting},
};

impl Config {
    /// Every setting as it holds, in TOML that can be loaded again; secrets are hidden.
    pub fn dump(&self) -> String {
        let written = self.write();
        let mut out = String::new();
        for section in SECTIONS {
            let keys: Vec<&str> = section.settings.iter().map(|setting| setting.key).collect();
            let mut rows = written.iter().filter(|(key, _)| keys.contains(key)).peekable();
            if !section.name.is_empty() && rows.peek().is_some() {
                line(&mut out, format_args!("\n[{}]", section.name));
            }
            for (key, toml) in rows {
                line(&mut out, format_args!("{} = {toml}", last_part(key)));
            }
        }
        out
    }
}

/// A file with every setting, explained; each is commented out, with an example or its default.
pub fn sample() -> String {
    let mut out = String::from(SAMPLE_TOP);
    for section in SECTIONS {
        if !section.name.is_empty() {
            out.push('\n');
            comment(&mut out, section.about);
            line(&mut out, format_args!("[{}]", section.name));
        }
        for setting in section.settings {
            out.push('\n');
            comment(&mut out, setting.about);
            comment_members(&mut out, (setting.members)(), "");
            if setting.default.is_none() || setting.dev.is_some() || setting.example.is_some() {
                line(&mut out, format_args!("# {}", default_in_words(setting, section, "")));
            }
            let toml = setting.example.or(setting.default).map(setting.spell).unwrap_or_default();
            let assignment = format!("{} = {toml}", last_part(setting.key));
            line(&mut out, format_args!("#{}", assignment.replace('\n', "\n#")));
        }
    }
    out
}

const SAMPLE_TOP: &str = "\
# Settings of Doorward. A line that begins with \"#\" and no space is a setting; take the \"#\" away
# to set it. The environment and the command line are stronger than this file.
";

/// The text of `docs/run/configuration.md`.
pub fn reference() -> String {
    let mut out = String::from(REFERENCE_TOP);
    for section in SECTIONS {
        if section.name.is_empty() {
            line(&mut out, "\n## Before any section");
        } else {
            let about = paragraphs(section.about);
            line(&mut out, format_args!("\n## `[{}]`\n\n{about}", section.name));
        }
        for setting in section.settings {
            let about = paragraphs(setting.about);
            line(&mut out, format_args!("\n### `{}`\n\n{about}\n", setting.key));
            line(&mut out, format_args!("- Value: {}", (setting.expected)()));
            line(&mut out, format_args!("- {}", default_in_words(setting, section, "`")));
            if let Some(example) = setting.example.map(setting.spell) {
                line(&mut out, format_args!("- Example: `{example}`"));
            }
            line(&mut out, format_args!("- Variable: `{}`", setting.variable()));
            write_members(&mut out, (setting.members)(), "");
            if (setting.is_secret)() && (setting.members)().is_empty() {
                line(&mut out, "- Secret: messages never show it");
            }
            if let Some(list) = long_default(setting) {
                line(&mut out, format_args!("\n```toml\n{} = {list}\n```", last_part(setting.key)));
            }
        }
    }
    out
}

const REFERENCE_TOP: &str = "\
# Settings

<!-- Made from the table in src/config/mod.rs by `UPDATE_DOCS=1 cargo test`. Do not edit. -->

`doorward config init` prints a file with every setting, `doorward config check` finds every fault,
and `doorward config dump` shows what holds. The strongest first, settings come from:

1. the command line, such as `--listen 127.0.0.1:8080`;
2. the environment: `DOORWARD_` and the key in capitals, with two underscores for the dot.
   The value is the text itself; a list is a TOML array, or its entries with commas between them.
   A variable with `_FILE` after its name holds the path of a file that holds the value, for secrets;
3. TOML files: `--config FILE`, which may be repeated, later files over earlier ones. Without it,
   `DOORWARD_CONFIG` may name files, with colons between them;
4. the defaults below. `serve --dev` has other defaults for a few.

A list replaces the list of a weaker source. Durations are whole numbers of the unit in the name.
Relative paths start at the folder in which Doorward is started. Unknown settings are refused, in
files and in variables, and so is every value that is not as described here. All faults are reported
at once, each with its place.
";

/// A comment for each member of an entry, and for theirs.
fn comment_members(out: &mut String, members: &'static [Setting], above: &str) {
    for member in members {
        let about = lines(member.about).collect::<Vec<_>>().join(" ");
        line(out, format_args!("# - {above}{}: {about}", member.key));
        comment_members(out, (member.members)(), &format!("{above}{}.", member.key));
    }
}

/// A line for each member of an entry, and for theirs.
fn write_members(out: &mut String, members: &'static [Setting], indent: &str) {
    if !members.is_empty() {
        line(out, format_args!("{indent}- Members:"));
    }
    for member in members {
        let about = lines(member.about).collect::<Vec<_>>().join(" ");
        let default = match member.default.map(member.spell) {
            Some(default) => format!("default `{default}`"),
            None if member.may_be_absent => "optional".into(),
            None => "required".into(),
        };
        let (key, expected) = (member.key, (member.expected)());
        let is_secret = (member.is_secret)() && (member.members)().is_empty();
        let secret = if is_secret { " Secret: messages never show it." } else { "" };
        let text = format_args!("({default}): {about} Value: {expected}.{secret}");
        line(out, format_args!("{indent}  - `{key}` {text}"));
        write_members(out, (member.members)(), &format!("{indent}    "));
    }
}

/// `Default: 60, with --dev 0`, the values between `quote`s.
fn default_in_words(setting: &Setting, section: &SectionAbout, quote: &str) -> String {
    let quoted = |toml: String| format!("{quote}{toml}{quote}");
    match setting.default.map(setting.spell) {
        None if section.optional => "No default: all settings of this section, or none".into(),
        None => format!("No default: must be set, except with {}", quoted("--dev".into())),
        Some(_) if long_default(setting).is_some() => "Default: the list below".into(),
        Some(default) => {
            let dev = setting.dev.map(setting.spell).map(quoted);
            let dev = dev.map(|dev| format!(", with {} {dev}", quoted("--dev".into())));
            format!("Default: {}{}", quoted(default), dev.unwrap_or_default())
        }
    }
}

fn long_default(setting: &Setting) -> Option<String> {
    setting.default.map(setting.spell).filter(|default| default.contains('\n'))
}

/// The lines of a comment in the table, without the space after `///`.
fn lines(about: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    about.iter().map(|line| line.trim())
}

fn paragraphs(about: &'static [&'static str]) -> String {
    lines(about).collect::<Vec<_>>().join("\n")
}

fn comment(out: &mut String, about: &'static [&'static str]) {
    for text in lines(about) {
        line(out, format_args!("# {text}").to_string().trim_end());
    }
}

fn line(out: &mut String, text: impl Display) {
    writeln!(out, "{text}").expect("a String takes every text");
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
