//! The command line: what can be asked of the program, one file a command. It parses, opens what the
//! command needs, calls it, and says what became of it. What a command does is done elsewhere.

mod attempt;
mod audit;
mod author;
mod backend;
mod client;
mod completions;
mod config;
mod credential;
mod doctor;
mod exit;
mod export;
mod family;
mod grant;
mod guard;
mod key;
mod man;
mod metadata;
mod migrate;
mod openapi;
mod operator;
mod output;
mod person;
mod progress;
mod records;
#[cfg(test)]
mod reference;
mod registration_token;
mod remote;
mod rule;
mod serve;
mod session;
mod settings;
mod store;
mod time;
mod upgrade_check;
mod version;

use std::{ffi::OsString, process::ExitCode};

use clap::{
    Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};

use self::{
    exit::{EXIT_CODES, Failure, Outcome},
    output::{Messages, insist},
};

/// The front door of an API: strangers become OAuth clients by Dynamic Client Registration (RFC 7591)
#[derive(Parser, Debug)]
#[command(
    name = "doorward",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = EXIT_CODES,
)]
struct Arguments {
    /// Print results and errors only
    #[arg(long, short, global = true, display_order = 900)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Serve(serve::ServeArguments),
    #[command(subcommand)]
    Client(client::ClientCommand),
    #[command(subcommand)]
    Family(family::FamilyCommand),
    #[command(subcommand)]
    Grant(grant::GrantCommand),
    #[command(subcommand)]
    Session(session::SessionCommand),
    #[command(subcommand)]
    Person(person::PersonCommand),
    #[command(subcommand)]
    Rule(Box<rule::RuleCommand>),
    #[command(subcommand)]
    Attempt(attempt::AttemptCommand),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(subcommand)]
    RegistrationToken(registration_token::TokenCommand),
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    #[command(subcommand)]
    Guard(guard::GuardCommand),
    #[command(subcommand)]
    Metadata(metadata::MetadataCommand),
    #[command(subcommand)]
    Store(store::StoreCommand),
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    #[command(subcommand)]
    Key(key::KeyCommand),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Doctor(doctor::DoctorArguments),
    UpgradeCheck(upgrade_check::UpgradeCheckArguments),
    Openapi(openapi::OpenapiArguments),
    Completions(completions::CompletionsArguments),
    Man(man::ManArguments),
    Version(version::VersionArguments),
}

/// Carries out one command line, its first word the name of the program, and returns the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(mut error) => {
            hide_words(&mut error);
            refuse_words(&error, &words);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let messages = Messages { quiet: arguments.quiet };
    match arguments.command.run(messages) {
        Ok(outcome) => outcome.code(),
        Err(failure) => {
            if !matches!(failure, Failure::OutputClosed) {
                insist(format_args!("error: {failure}"));
            }
            failure.code()
        }
    }
}

/// What stands for a word of the command line that may be a secret.
const HIDDEN: &str = "[hidden]";

/// Hides the words that clap repeats because it does not understand them: any of them may be a secret that was typed in
/// the wrong place. What resembles a known word is shown, and so are the names of options.
fn hide_words(error: &mut clap::Error) {
    let (given, meant) = match error.kind() {
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, ContextKind::SuggestedArg),
        ErrorKind::InvalidSubcommand => {
            (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand)
        }
        _ => (ContextKind::InvalidValue, ContextKind::SuggestedValue),
    };
    let is_shown = match error.get(given) {
        Some(ContextValue::String(word)) => word.is_empty() || is_option(word),
        _ => true,
    };
    if !is_shown && error.get(meant).is_none() {
        error.insert(given, ContextValue::String(HIDDEN.into()));
        // Hints such as "to pass … as a value" repeat the word.
        error.remove(ContextKind::Suggested);
        error.remove(ContextKind::TrailingArg);
    }
}

/// Whether a word looks like the name of an option: a secret has more than lower-case letters in it.
fn is_option(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || b"-.".contains(&byte);
    let short = word.len() <= 2;
    word.starts_with('-') && (short || word.bytes().all(is_plain))
}

/// Prints what clap says: help, or what is wrong with the command line, and nothing of a password in it.
fn refuse_words(error: &clap::Error, words: &[OsString]) {
    let mut shown = error.to_string();
    let mut is_whole = true;
    for word in words.iter().map(|word| word.to_string_lossy()) {
        let value = word.split_once('=').filter(|_| word.starts_with('-'));
        let value = value.map_or(&*word, |(_, value)| value);
        let hidden = crate::config::without_credentials(value);
        if hidden != value && shown.contains(value) {
            shown = shown.replace(value, &hidden);
            is_whole = false;
        }
    }
    // Help that nobody reads to its end is no fault.
    if is_whole {
        drop(error.print());
    } else {
        insist(shown.trim_end());
    }
}

impl Command {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::Serve(arguments) => arguments.run(messages),
            Self::Client(command) => command.run(messages),
            Self::Family(command) => command.run(messages),
            Self::Grant(command) => command.run(messages),
            Self::Session(command) => command.run(messages),
            Self::Person(command) => command.run(messages),
            Self::Rule(command) => command.run(messages),
            Self::Attempt(command) => command.run(messages),
            Self::Audit(command) => command.run(messages),
            Self::RegistrationToken(command) => command.run(messages),
            Self::Operator(command) => command.run(messages),
            Self::Guard(command) => command.run(),
            Self::Metadata(command) => command.run(),
            Self::Store(command) => command.run(messages),
            Self::Migrate(command) => command.run(),
            Self::Key(command) => command.run(messages),
            Self::Config(command) => command.run(messages),
            Self::Doctor(arguments) => arguments.run(messages),
            Self::UpgradeCheck(arguments) => arguments.run(messages),
            Self::Openapi(arguments) => arguments.run(),
            Self::Completions(arguments) => arguments.run(),
            Self::Man(arguments) => arguments.run(messages),
            Self::Version(arguments) => arguments.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_and_every_option_says_what_it_is_for() {
        let mut commands = vec![Arguments::command()];
        while let Some(command) = commands.pop() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{}: {argument}", command.get_name());
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
