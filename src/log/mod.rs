//! Sets the log up: text for people, JSON for machines, always on stderr.
//!
//! A thread of its own writes the lines. When nobody reads stderr, lines are dropped and counted instead of stopping
//! the server; once lines flow again, one of them says how many are missing.

mod line;

use std::{
    io::{self, BufWriter, IsTerminal as _, Stderr, Write, stderr},
    sync::OnceLock,
};

use tracing::subscriber::with_default;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt};

use self::line::JsonLine;
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
    /// Another log was already set up in this process.
    #[error("the log is set up already")]
    Already(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How many lines wait to be written; those after them are dropped.
const LINES_MAX: usize = 8192;
/// How much is written at once, in bytes.
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// Counts the dropped lines of the process, once there is a log.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// How many lines were dropped since the process started.
pub(crate) fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |dropped| dropped.dropped_lines() as u64)
}

/// A directive that overrides the filter: at `debug` the database driver would log the values of every statement,
/// which strangers may have written.
const DISCREET: &str = "tokio_postgres::query=info";

/// The log. Dropped, it writes the lines that wait, for one second at most.
#[must_use = "dropped, it writes the lines that wait: keep it to the end"]
pub struct Log(#[expect(dead_code, reason = "it works when it is dropped")] WorkerGuard);

/// Sets up the log of the whole process, once.
pub fn init(config: &LogConfig) -> Result<Log, LogError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|source| LogError::Filter { filter: config.filter.clone(), source })?
        .add_directive(DISCREET.parse().expect("it is a directive"));
    let is_terminal = stderr().is_terminal();
    let is_json = match config.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !is_terminal,
    };
    let (lines, guard) = writer(is_json);
    let log = fmt().with_env_filter(filter).with_ansi(is_terminal).with_writer(lines);
    let set_up = if is_json {
        log.event_format(JsonLine).try_init()
    } else {
        log.with_target(false).try_init()
    };
    set_up.map_err(LogError::Already)?;
    Ok(Log(guard))
}

/// Takes lines without ever waiting.
fn writer(is_json: bool) -> (NonBlocking, WorkerGuard) {
    let stderr = BufWriter::with_capacity(WRITTEN_AT_ONCE, stderr());
    let lines = Lines { stderr, is_json, told: 0 };
    let (lines, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_MAX)
        .lossy(true)
        .thread_name("log")
        .finish(lines);
    // A second log is rejected later, and its counter must not replace this one.
    let _first = DROPPED.set(lines.error_counter());
    (lines, guard)
}

/// Lines on their way to stderr, gathered for as long as more of them wait.
struct Lines {
    stderr: BufWriter<Stderr>,
    is_json: bool,
    /// How many dropped lines the log has reported.
    told: u64,
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.stderr.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stderr.flush()?;
        let dropped = dropped_lines();
        if dropped > self.told {
            report(dropped - self.told, self.is_json);
            self.told = dropped;
        }
        Ok(())
    }
}

/// Writes how many lines are missing, directly: the queue is full at that moment.
fn report(lines: u64, is_json: bool) {
    let say = || tracing::warn!(lines, "log lines were dropped: stderr was not read fast enough");
    let log = fmt().with_ansi(false).with_writer(stderr);
    if is_json {
        with_default(log.event_format(JsonLine).finish(), say);
    } else {
        with_default(log.with_target(false).finish(), say);
    }
}
