//! Sets the log up: text for people, JSON for machines, always on stderr.
//!
//! Lines for machines are gathered and written together, since a system call a line is a tenth of what a
//! registration costs. Warnings and errors are written at once, with all that came before them.

mod line;

use std::{
    io::{self, IsTerminal as _, Write, stderr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, Thread},
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, fmt, fmt::MakeWriter};

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
    /// The system gives no thread.
    #[error("the log has no thread to write it")]
    Thread(#[source] io::Error),
    /// Somebody else has set up a log in this process.
    #[error("the log is set up already")]
    Already(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How long a line waits for others.
const GATHERED_FOR: Duration = Duration::from_millis(50);
/// How much waits, in bytes.
const GATHERED_MAX: usize = 64 << 10;

/// In force whatever the filter says: at `debug` the driver of the database writes the values of every statement,
/// and what strangers wrote is never logged.
const DISCREET: &str = "tokio_postgres::query=info";

/// The log, while it is kept; dropped, it writes what still waits.
#[must_use = "dropped, it writes what still waits: keep it to the end"]
pub struct Log(Gathered);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.write_out();
    }
}

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
    let gathered = Gathered::new().map_err(LogError::Thread)?;
    let log = fmt().with_env_filter(filter).with_ansi(is_terminal);
    let set_up = if is_json {
        log.event_format(JsonLine).with_writer(gathered.clone()).try_init()
    } else {
        log.with_target(false).with_writer(stderr).try_init()
    };
    set_up.map_err(LogError::Already)?;
    Ok(Log(gathered))
}

/// Lines that wait to be written.
#[derive(Clone)]
struct Gathered {
    lines: Arc<Mutex<Vec<u8>>>,
    writer: Thread,
}

impl Gathered {
    fn new() -> io::Result<Self> {
        let lines = Arc::new(Mutex::new(Vec::with_capacity(GATHERED_MAX)));
        let theirs = Arc::clone(&lines);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
            let gathered = Self { lines: theirs, writer: thread::current() };
            loop {
                thread::park();
                thread::sleep(GATHERED_FOR);
                gathered.write_out();
            }
        })?;
        Ok(Self { lines, writer: thread.thread().clone() })
    }

    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits. The lock is held meanwhile, so that lines keep their order, and so that a
    /// stderr that nobody reads holds callers up instead of filling memory.
    fn write_out(&self) {
        let mut lines = self.lines();
        // There is no place left to say that the log cannot be written.
        let _written = stderr().write_all(&lines);
        lines.clear();
    }
}

impl<'a> MakeWriter<'a> for Gathered {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { gathered: self, is_urgent: true }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line { gathered: self, is_urgent: *event.level() <= Level::WARN }
    }
}

/// One line on its way.
struct Line<'a> {
    gathered: &'a Gathered,
    is_urgent: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.gathered.lines();
        let is_first = lines.is_empty();
        lines.extend_from_slice(line);
        let is_much = lines.len() >= GATHERED_MAX;
        drop(lines);
        if self.is_urgent || is_much {
            self.gathered.write_out();
        } else if is_first {
            self.gathered.writer.unpark();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
