//! `doorward client import`: the inverse of `export`. Every line is kept or refused by itself; what is
//! there already is left alone, so an import that was cut short is simply run again.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    mem,
    path::{Path, PathBuf},
};

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use super::line;
use crate::{
    cli::{
        backend::LocalArguments,
        exit::{Chain, Failure, Outcome},
        output::{Format, Messages, ReportOutput, insist, print, visible_line},
        progress,
        settings::OpenStore,
    },
    clock::Clock,
    store::{Access, ClientRecord, Imported, Mark},
};

/// A line is longer than its metadata, and metadata is smaller than the largest request body (64 KiB).
const LINE_BYTES_MAX: usize = 256 * 1024;
/// What is kept in one change.
const BATCH_CLIENTS_MAX: usize = 500;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Keep clients that were exported elsewhere
#[derive(Args, Debug)]
#[command(
    after_help = "Each line is kept or refused by itself, and every refused line is reported with its \
number. A client that is there already stays as it is, so an import can be run again. The exit code is 3 \
when a line was refused.

Examples:
  doorward client import clients.jsonl
  gunzip < clients.jsonl.gz | doorward client import -"
)]
pub(in crate::cli) struct ImportArguments {
    /// JSON Lines as `client export` writes them; - for standard input
    file: PathBuf,
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    store: LocalArguments,
}

impl ImportArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let (input, bytes_total) = open(&self.file)?;
        let store = self.store.open(Access::Import)?;
        // No time before the import counts for the expiry of clients: it brings no uses that are not in the file.
        let mark = store.handle.put_mark(Mark::ClientsImported, Clock::System.now());
        store.wait(mark)?;
        let bar = progress::of_bytes(bytes_total, messages);
        let mut import = Import::new(&store, bar);
        let mut lines = Lines::new(input);
        while let Some((number, line)) =
            lines.next().map_err(Failure::of(format!("cannot read {}", self.file.display())))?
        {
            import.take(number, line)?;
        }
        import.keep()?;
        import.bar.finish_and_clear();
        let count = import.count;
        store.close()?;
        print(match self.output.output {
            Format::Table => count.to_string(),
            Format::Json | Format::Jsonl => {
                serde_json::to_string(&count).expect("numbers are JSON")
            }
        })?;
        Ok(Outcome::from_verdict(count.refused == 0))
    }
}

/// The file, and its length when it has one.
fn open(path: &Path) -> Result<(Box<dyn BufRead>, Option<u64>), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(path).map_err(Failure::of(format!("cannot read {}", path.display())))?;
    let bytes = file.metadata().ok().filter(fs::Metadata::is_file).map(|file| file.len());
    Ok((Box::new(BufReader::with_capacity(64 * 1024, file)), bytes))
}

/// What became of all lines.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Count {
    imported: u64,
    already_there: u64,
    refused: u64,
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Imported: {}. There already: {}. Refused: {}.",
            self.imported, self.already_there, self.refused
        )
    }
}

/// An import under way: what was counted, and what waits to be kept together.
struct Import<'store> {
    store: &'store OpenStore,
    bar: ProgressBar,
    count: Count,
    waiting: Vec<ClientRecord>,
    /// The line of each client that waits.
    line_numbers: Vec<u64>,
    waiting_bytes: usize,
}

impl<'store> Import<'store> {
    fn new(store: &'store OpenStore, bar: ProgressBar) -> Self {
        Self {
            store,
            bar,
            count: Count::default(),
            waiting: Vec::new(),
            line_numbers: Vec::new(),
            waiting_bytes: 0,
        }
    }

    fn take(&mut self, number: u64, line: Line<'_>) -> Result<(), Failure> {
        let bytes = match line {
            Line::Whole(bytes) => bytes,
            Line::TooLong { bytes } => {
                self.bar.inc(bytes);
                self.refuse(number, format_args!("longer than {LINE_BYTES_MAX} bytes"));
                return Ok(());
            }
        };
        self.bar.inc(bytes.len() as u64);
        if bytes.trim_ascii().is_empty() {
            return Ok(());
        }
        match line::parse(bytes) {
            Ok(client) => {
                self.waiting.push(client);
                self.line_numbers.push(number);
                self.waiting_bytes += bytes.len();
            }
            Err(refusal) => self.refuse(number, Chain(&refusal)),
        }
        if self.waiting.len() >= BATCH_CLIENTS_MAX || self.waiting_bytes >= BATCH_BYTES_MAX {
            self.keep()?;
        }
        Ok(())
    }

    /// Keeps what waits, in one change.
    fn keep(&mut self) -> Result<(), Failure> {
        let Some(&first) = self.line_numbers.first() else {
            return Ok(());
        };
        self.waiting_bytes = 0;
        let line_numbers = mem::take(&mut self.line_numbers);
        let change = self.store.handle.import_clients(mem::take(&mut self.waiting));
        let outcomes = self.store.wait(change).map_err(Failure::of(format!(
            "stopped before line {first}: run the import again to go on"
        )))?;
        for (number, outcome) in line_numbers.into_iter().zip(outcomes) {
            match outcome {
                Imported::Kept => self.count.imported += 1,
                Imported::AlreadyThere => self.count.already_there += 1,
                Imported::Differs => self.refuse(
                    number,
                    "another client has this client_id already, and stays as it is",
                ),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, number: u64, reason: impl std::fmt::Display) {
        self.count.refused += 1;
        let reason = visible_line(&reason.to_string());
        self.bar.suspend(|| insist(format_args!("line {number}: {reason}")));
    }
}

/// One line of the input, with its line break.
#[derive(Clone, Copy)]
enum Line<'text> {
    Whole(&'text [u8]),
    /// It was passed over.
    TooLong {
        bytes: u64,
    },
}

/// The lines of an input, however long they are, in bounded memory.
struct Lines {
    input: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    fn new(input: Box<dyn BufRead>) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// The next line and its number, from 1.
    fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1; // for the line break
        let bytes = self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        if bytes == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') || bytes <= LINE_BYTES_MAX {
            return Ok(Some((self.number, Line::Whole(&self.line))));
        }
        let rest = self.input.skip_until(b'\n')?;
        Ok(Some((self.number, Line::TooLong { bytes: (bytes + rest) as u64 })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: Vec<u8>) -> Vec<(u64, Result<usize, u64>)> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(text)));
        let mut lengths = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            let length = match line {
                Line::Whole(bytes) => Ok(bytes.len()),
                Line::TooLong { bytes } => Err(bytes),
            };
            lengths.push((number, length));
        }
        lengths
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_read() {
        let longest = vec![b'a'; LINE_BYTES_MAX];
        let text =
            [&longest[..], b"\n", &longest[..], b"a\n", b"b\n\n", &longest[..], b"aa"].concat();

        let max = LINE_BYTES_MAX;
        assert_eq!(
            lengths(text),
            [
                (1, Ok(max + 1)),
                (2, Err(max as u64 + 2)),
                (3, Ok(2)),
                (4, Ok(1)),
                (5, Err(max as u64 + 2))
            ]
        );
        assert_eq!(lengths([&longest[..]].concat()), [(1, Ok(max))]);
        assert_eq!(lengths(Vec::new()), []);
    }
}
