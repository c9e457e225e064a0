//! Sets the log up: text for people, JSON for machines, always on stderr.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("log.filter `{filter}`: is no filter, such as `info` or `doorward=debug`")]
    Filter {
        /// What was set.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else has set up a log in this process.
    #[error("the log is set up already")]
    Already(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sets up the log of the whole process, once.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|source| LogError::Filter { filter: config.filter.clone(), source })?;
    let is_terminal = stderr().is_terminal();
    let is_json = match config.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !is_terminal,
    };
    let log = fmt().with_env_filter(filter).with_writer(stderr).with_ansi(is_terminal);
    if is_json {
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        log.with_target(false).try_init()
    }
    .map_err(LogError::Already)
}
