//! One log event as one line of JSON. The library's formatter took a quarter of the instructions of a registration;
//! this one takes a twentieth, and a test compares their output.

use std::{
    cell::RefCell,
    fmt::{self, Debug, Write as _},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{
    clock::{Clock, Timestamp},
    json,
};

/// Room for the line of a registration, in bytes.
const LINE_BYTES: usize = 512;

/// Writes `timestamp`, `level`, `target`, and the fields of an event beside them. Spans are left out: an
/// event tells all of a request.
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _spans: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        let mut line = Line(String::with_capacity(LINE_BYTES));
        line.0.push_str("{\"timestamp\":\"");
        timestamp(&mut line.0, Clock::System.now());
        line.0.push_str("\",\"level\":\"");
        line.0.push_str(about.level().as_str());
        line.0.push_str("\",\"target\":");
        json::write_text(&mut line.0, about.target());
        event.record(&mut line);
        line.0.push_str("}\n");
        writer.write_str(&line.0)
    }
}

thread_local! {
    /// The second of this thread's last line, and its text: most lines share the second of the line before, and
    /// computing the date costs more than the rest of the line's head.
    static SECOND: RefCell<(Option<u64>, String)> = const { RefCell::new((None, String::new())) };
}

/// Adds a moment in RFC 3339, with milliseconds.
fn timestamp(line: &mut String, now: Timestamp) {
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != Some(now.as_seconds()) {
            *text = date_and_time(now);
            *second = Some(now.as_seconds());
        }
        line.push_str(text);
    });
    write!(line, ".{:03}Z", now.as_millis() % 1_000).expect("a string takes any text");
}

/// `2026-11-23T19:30:00`; nothing beyond the year 9999.
fn date_and_time(now: Timestamp) -> String {
    let seconds = i64::try_from(now.as_seconds()).ok();
    let written = seconds
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok());
    written.unwrap_or_default().trim_end_matches('Z').to_owned()
}

/// A JSON object that is being written.
struct Line(String);

impl Line {
    fn name(&mut self, field: &Field) {
        self.0.push(',');
        json::write_text(&mut self.0, field.name());
        self.0.push(':');
    }

    /// Adds a value whose `Debug` form is valid JSON.
    fn plain(&mut self, field: &Field, value: impl Debug) {
        self.name(field);
        write!(self.0, "{value:?}").expect("a string takes any text");
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        json::write_text(&mut self.0, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity and no NaN.
        if value.is_finite() {
            self.plain(field, value);
        } else {
            self.name(field);
            self.0.push_str("null");
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.name(field);
        json::write_text(&mut self.0, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use proptest::prelude::*;
    use serde_json::Value;
    use tracing_subscriber::fmt::{fmt, writer::MakeWriter};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// What `log` holds, as JSON, without the time.
    fn said(log: &Log) -> Value {
        let bytes = std::mem::take(&mut *log.0.lock().unwrap());
        assert_eq!(bytes.split(|byte| *byte == b'\n').count(), 2, "one event, one line");
        let mut line: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(line.as_object_mut().unwrap().remove("timestamp").is_some());
        line
    }

    #[test]
    fn a_moment_is_written_as_rfc_3339_wants_it() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_800_000_000_007, "2027-01-15T08:00:00.007Z"),
            (1_800_000_000_999, "2027-01-15T08:00:00.999Z"),
            (1_800_000_001_000, "2027-01-15T08:00:01.000Z"),
            (1_709_210_096_120, "2024-02-29T12:34:56.120Z"),
        ] {
            let mut line = String::new();
            timestamp(&mut line, Timestamp::from_millis(millis));
            assert_eq!(line, expected);
        }
    }

    proptest! {
        #[test]
        fn a_line_says_what_the_library_would_say(
            text: String, whole: u64, signed: i64, eighths: i32, flag: bool,
        ) {
            // Few digits: what reads the line here rounds the last of many.
            let number = f64::from(eighths) / 8.0;
            let log = Log::default();
            let emit = || tracing::info!(
                text, whole, signed, number, flag, absent = None::<&str>, "a\"dotted.name" = 1,
                shown = %text, debugged = ?text, "a \"message\""
            );
            let library = fmt().json().flatten_event(true).with_current_span(false)
                .with_span_list(false).with_writer(log.clone()).finish();
            tracing::subscriber::with_default(library, emit);
            let expected = said(&log);
            let ours = fmt().event_format(JsonLine).with_writer(log.clone()).finish();
            tracing::subscriber::with_default(ours, emit);
            prop_assert_eq!(said(&log), expected);
        }
    }
}
