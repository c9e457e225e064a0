//! `docs/run/cli.md`, made from the same words as `--help`.

use std::{env, fmt::Write as _, fs};

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::{Arguments, exit::EXIT_CODES};

const TOP: &str = "\
# Command line

<!-- Made from src/cli/ by `UPDATE_DOCS=1 cargo test`. Do not edit. -->

`doorward help COMMAND` prints the same as text, and `doorward man` as manual pages. `doorward completions SHELL` prints
completions for a shell.

";

/// A command and all below it, each a section.
fn section(command: &Command, path: &str, page: &mut String) {
    let about = command.get_long_about().or(command.get_about());
    write!(page, "## {path}\n\n{}.\n\n", about.map(ToString::to_string).unwrap_or_default())
        .unwrap();
    let below: Vec<&Command> = command.get_subcommands().filter(|it| !it.is_hide_set()).collect();
    if below.is_empty() {
        let usage = command.clone().render_usage().to_string();
        write!(page, "```text\n{}\n```\n\n", usage.trim_start_matches("Usage: ")).unwrap();
    }
    for it in &below {
        let anchor = format!("{path} {}", it.get_name()).replace(' ', "-");
        let about = it.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(page, "- [{}](#{anchor}): {about}", it.get_name()).unwrap();
    }
    if !below.is_empty() {
        page.push('\n');
    }
    let is_own = |it: &&Arg| !it.is_hide_set() && !it.is_global_set() && it.get_id() != "help";
    let arguments: Vec<&Arg> = command.get_arguments().filter(is_own).collect();
    if !arguments.is_empty() {
        page.push_str("| Argument | Meaning |\n|---|---|\n");
    }
    for it in &arguments {
        writeln!(page, "| `{}` | {} |", name(it), meaning(it)).unwrap();
    }
    if !arguments.is_empty() {
        page.push('\n');
    }
    if let Some(notes) = command.get_after_help().map(ToString::to_string)
        && notes != EXIT_CODES
    {
        write_notes(&notes, page);
    }
    for it in below {
        section(it, &format!("{path} {}", it.get_name()), page);
    }
}

/// Paragraphs; those with a heading, such as examples, as they are.
fn write_notes(notes: &str, page: &mut String) {
    for paragraph in notes.split("\n\n") {
        match paragraph.split_once(":\n") {
            Some((heading, lines)) if !heading.contains('\n') => {
                let lines: Vec<&str> =
                    lines.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
                write!(page, "{heading}:\n\n```text\n{}\n```\n\n", lines.join("\n")).unwrap();
            }
            _ => write!(page, "{}\n\n", paragraph.trim()).unwrap(),
        }
    }
}

fn name(argument: &Arg) -> String {
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let values = argument.get_value_names().unwrap_or_default();
    let values: Vec<String> = values.iter().map(|value| format!("<{value}>")).collect();
    let values = values.join(" ");
    if argument.is_positional() {
        return values;
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let separator = if takes_value { " " } else { "" };
    format!("{}{separator}{}", names.join(", "), if takes_value { &values } else { "" })
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help());
    let mut meaning = help.map(ToString::to_string).unwrap_or_default().replace('\n', " ");
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let possible = if takes_value { argument.get_possible_values() } else { Vec::new() };
    if !possible.is_empty() {
        let words: Vec<String> =
            possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
        write!(meaning, "; one of {}", words.join(", ")).unwrap();
    }
    let defaults = argument.get_default_values();
    if takes_value && !defaults.is_empty() {
        let defaults: Vec<String> =
            defaults.iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
        write!(meaning, "; default {}", defaults.join(", ")).unwrap();
    }
    if argument.is_required_set() {
        meaning.push_str("; required");
    }
    meaning.replace('|', "\\|")
}

#[test]
fn the_committed_reference_is_what_help_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/run/cli.md");
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut page = TOP.to_owned();
    section(&command, "doorward", &mut page);
    write!(page, "## Exit codes\n\n").unwrap();
    write_notes(EXIT_CODES, &mut page);
    let page = format!("{}\n", page.trim_end());
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &page).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(committed == page, "{path} is out of date: run `UPDATE_DOCS=1 cargo test`");
}
