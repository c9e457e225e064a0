//! `doorward man`: the manual pages, made from the same words as `--help`.

use std::{fs, path::PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use super::{
    Arguments,
    exit::{EXIT_CODES, Failure, Outcome},
    output::{Messages, Results},
};

/// Print the manual page, or write one page a command
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward man | man -l -
  doorward man --directory /usr/local/share/man/man1")]
pub(super) struct ManArguments {
    /// Write the pages of all commands into this folder instead
    #[arg(long, value_name = "FOLDER")]
    directory: Option<PathBuf>,
}

impl ManArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        // The exit codes are on every page.
        let mut command =
            Arguments::command().disable_help_subcommand(true).after_help(None::<&str>);
        command.build();
        let Some(folder) = self.directory else {
            let mut results = Results::open();
            results.bytes(&page(command)?)?;
            results.finish()?;
            return Ok(Outcome::Done);
        };
        fs::create_dir_all(&folder)
            .map_err(Failure::of(format!("cannot create {}", folder.display())))?;
        let mut pages = vec![command];
        let mut number = 0;
        while let Some(command) = pages.pop() {
            pages.extend(command.get_subcommands().cloned());
            let path = folder.join(Man::new(command.clone()).get_filename());
            fs::write(&path, page(command)?)
                .map_err(Failure::of(format!("cannot write {}", path.display())))?;
            number += 1;
        }
        messages.say(format_args!("Wrote {number} pages into {}.", folder.display()));
        Ok(Outcome::Done)
    }
}

/// The page of one command in roff.
fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command.after_help(None::<&str>))
        .manual("Doorward")
        .source(concat!("doorward ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render(&mut page).map_err(Failure::of("cannot make the manual page"))?;
    let paragraphs = help.split("\n\n").chain([EXIT_CODES]).filter(|text| !text.is_empty());
    for paragraph in paragraphs {
        page.extend_from_slice(section(paragraph).as_bytes());
    }
    Ok(page)
}

/// A section of a page. A paragraph that begins with a line like `Examples:` is a section of that name,
/// its lines kept as they are.
fn section(paragraph: &str) -> String {
    let (name, format, text) = match paragraph.split_once(":\n") {
        Some((name, text)) if !name.contains('\n') => (name, (".nf\n", ".fi\n"), text),
        _ => ("Notes", ("", ""), paragraph),
    };
    let mut section = format!(".SH {}\n{}", name.to_uppercase(), format.0);
    for line in text.lines() {
        if line.starts_with(['.', '\'']) {
            section.push_str("\\&");
        }
        section.push_str(&line.replace('\\', "\\e").replace('-', "\\-"));
        section.push('\n');
    }
    section + format.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_shows_its_text_as_it_is() {
        assert_eq!(
            section("Examples:\n  a --b \\\n.c"),
            ".SH EXAMPLES\n.nf\n  a \\-\\-b \\e\n\\&.c\n.fi\n"
        );
        assert_eq!(section("It is so."), ".SH NOTES\nIt is so.\n");
    }
}
