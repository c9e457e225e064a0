//! Where results and messages go: results to standard output, everything else to standard error.
//! A reader who stops reading ends the command quietly. Strangers chose the names that are shown here, so
//! no hidden or control character of theirs reaches a terminal. Nothing here is coloured, so that
//! `NO_COLOR` concerns clap's help alone, which honours it.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _},
};

use clap::{Args, ValueEnum};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};

use super::exit::Failure;

/// The form of a result: for people, one JSON value, or one JSON object a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Jsonl,
}

/// A number with the word for it: `1 client`, `2 clients`.
pub(super) fn number(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `--output` of the commands that show records.
#[derive(Args, Debug)]
pub(super) struct RecordOutput {
    /// Show the result as a table, as JSON, or as JSON Lines [default: table on a terminal, else jsonl]
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

impl RecordOutput {
    pub(super) fn format(&self) -> Format {
        self.output.unwrap_or_else(|| {
            if io::stdout().is_terminal() { Format::Table } else { Format::Jsonl }
        })
    }
}

/// `--output` of the commands that report to people first.
#[derive(Args, Debug)]
pub(super) struct ReportOutput {
    /// Show the result for people, as JSON, or as JSON Lines
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "table")]
    pub(super) output: Format,
}

/// Standard error, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages {
    pub(super) quiet: bool,
}

impl Messages {
    /// What a person may like to know; `--quiet` silences it.
    pub(super) fn say(self, message: impl fmt::Display) {
        if !self.quiet {
            insist(message);
        }
    }
}

/// What must be known, quiet or not.
pub(super) fn insist(message: impl fmt::Display) {
    // There is nobody to tell when standard error is gone.
    drop(writeln!(io::stderr(), "{message}"));
}

/// Standard output, for results; buffered, so [`Results::finish`] belongs at the end.
pub(super) struct Results(BufWriter<StdoutLock<'static>>);

impl Results {
    pub(super) fn open() -> Self {
        Self(BufWriter::with_capacity(64 * 1024, io::stdout().lock()))
    }

    /// One line.
    pub(super) fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        writeln!(self.0, "{text}").map_err(Failure::of_output)
    }

    /// Bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).map_err(Failure::of_output)
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.0.flush().map_err(Failure::of_output)
    }
}

/// Writes one text to standard output.
pub(super) fn print(text: impl fmt::Display) -> Result<(), Failure> {
    let mut results = Results::open();
    results.line(text)?;
    results.finish()
}

/// Refuses to go on where nobody can be asked; `is_sure` when nobody need be. `what` is about to be done.
pub(super) fn needs_a_terminal(is_sure: bool, what: &str) -> Result<(), Failure> {
    if is_sure || io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "there is no terminal to ask on: say --yes to {what} without being asked"
    )))
}

/// Whether the person at the terminal says yes. Silence is no.
pub(super) fn is_confirmed(question: &str) -> bool {
    let mut stderr = io::stderr();
    let asked = write!(stderr, "{question} [y/N] ").and(stderr.flush());
    let mut answer = String::new();
    asked.and_then(|()| io::stdin().read_line(&mut answer)).is_ok()
        && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// A table without frames, as wide as the terminal at most; unbounded when there is none. Its cells are
/// [`visible`].
pub(super) fn table<'text>(
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<&'text str>>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !header.is_empty() {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row.into_iter().map(visible));
    }
    let width = terminal_size::terminal_size_of(io::stdout());
    arrange(&mut table, width.map(|(terminal_size::Width(width), _)| width));
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The least width of a column that may break lines.
const COLUMN_MIN: u16 = 8;
const PADDING: u16 = 2;

/// Fits a table into `width`, but never breaks an identifier: a narrow terminal wraps the whole line instead, and what
/// is copied from it is whole.
fn arrange(table: &mut Table, width: Option<u16>) {
    let widths = table.column_max_content_widths();
    let mut holds_identifiers = vec![false; widths.len()];
    for row in table.row_iter() {
        for (holds, cell) in holds_identifiers.iter_mut().zip(row.cell_iter()) {
            *holds |= cell.content().lines().any(is_identifier);
        }
    }
    let mut needed = 0;
    let columns = table.column_iter_mut().zip(widths).zip(holds_identifiers);
    for ((column, content), holds_identifiers) in columns {
        column.set_padding((0, PADDING));
        let least = if holds_identifiers {
            column.set_constraint(ColumnConstraint::ContentWidth);
            content
        } else {
            content.min(COLUMN_MIN)
        };
        needed += least + PADDING;
    }
    if let Some(width) = width {
        table.set_width(width.max(needed));
    }
}

/// Whether a cell is what people copy: a UUID or a key identifier.
fn is_identifier(text: &str) -> bool {
    text.len() >= 36
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// `text` with every character that a terminal would obey or hide written as `\u{..}`; a line break is
/// kept, since tables break lines.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char != '\n' && is_treacherous(char) {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// As [`visible`], and in one line.
pub(super) fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

/// `json`, the text of a JSON value, with such characters as JSON escapes: the same value.
pub(super) fn visible_json(json: &str) -> Cow<'_, str> {
    // JSON strings hold no line breaks; those between values are layout.
    let is_shown = |char| char == '\n' || !is_treacherous(char);
    if json.chars().all(is_shown) {
        return json.into();
    }
    let mut shown = String::with_capacity(json.len());
    let mut units = [0; 2];
    for char in json.chars() {
        if is_shown(char) {
            shown.push(char);
            continue;
        }
        for unit in char.encode_utf16(&mut units) {
            write!(shown, "\\u{unit:04x}").expect("a String takes everything");
        }
    }
    shown.into()
}

/// Whether a terminal obeys `char`, nothing is to be seen of it, or it turns its neighbours around.
fn is_treacherous(char: char) -> bool {
    match char {
        ' '..='~' => false,
        '\u{2028}' | '\u{2029}' => true,
        _ => {
            char.is_control() || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_reaches_a_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(visible("a\u{202e}b\u{9b}c"), "a\\u{202e}b\\u{9b}c");
        assert_eq!(visible("Zürich 東京\n2"), "Zürich 東京\n2");
    }

    #[test]
    fn json_keeps_its_value_when_made_visible() {
        let value = serde_json::json!({
            "name": "a\u{7f}\u{9b}\u{202e}\u{e0041}\u{feff}\u{2028}é", "list": ["\u{1b}\n"],
        });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let shown = visible_json(&text);

            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            let treacherous = ['\u{7f}', '\u{9b}', '\u{202e}', '\u{e0041}', '\u{feff}', '\u{2028}'];
            assert!(!shown.contains(treacherous), "{shown}");
        }
    }

    #[test]
    fn an_identifier_never_breaks_in_a_table_however_narrow() {
        let id = "01a20a4b-dd88-7767-a207-cc627e04db0a";
        for width in [20, 40, 60, 80, 120] {
            let mut table = Table::new();
            table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
            table.set_header(["GRANT ID", "CLIENT", "SUBJECT", "SCOPE"]);
            table.add_row([id, id, "acme:248289761001", "tools:use tools:write projects:read"]);
            arrange(&mut table, Some(width));
            let shown = table.to_string();
            assert_eq!(shown.matches(id).count(), 2, "{width}: {shown}");
        }
    }

    #[test]
    fn a_table_is_plain_columns() {
        let shown = table(&["A", "B"], [vec!["1", "two"], vec!["three\u{1b}", ""]]);

        assert_eq!(shown, "A            B\n1            two\nthree\\u{1b}");
    }
}
