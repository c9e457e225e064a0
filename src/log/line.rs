//! One log event as one line of JSON. The library's own form of it took a quarter of the instructions of a
//! registration; this one takes a twentieth, and a test holds it to say the same.

use std::fmt::{self, Debug, Write as _};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

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
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        line.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut line)?;
        line.write_str("\",\"level\":\"")?;
        line.write_str(about.level().as_str())?;
        line.write_str("\",\"target\":")?;
        quoted(&mut line, about.target())?;
        let mut fields = Fields { line: &mut line, written: Ok(()) };
        event.record(&mut fields);
        fields.written?;
        line.write_str("}\n")
    }
}

/// Writes fields as members of an object that has some already.
struct Fields<'line, 'buffer> {
    line: &'line mut Writer<'buffer>,
    /// A visitor cannot return what went wrong.
    written: fmt::Result,
}

impl Fields<'_, '_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        self.written = self.written.and_then(|()| {
            self.line.write_char(',')?;
            quoted(self.line, field.name())?;
            self.line.write_char(':')?;
            value(self.line)
        });
    }
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |line| quoted(line, value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // `Debug` keeps the point of a whole number. JSON has no word for what is no number.
        self.member(field, |line| {
            if value.is_finite() { write!(line, "{value:?}") } else { line.write_str("null") }
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field, |line| {
            line.write_char('"')?;
            write!(Escaped(line), "{value:?}")?;
            line.write_char('"')
        });
    }
}

fn quoted(line: &mut Writer<'_>, text: &str) -> fmt::Result {
    line.write_char('"')?;
    Escaped(line).write_str(text)?;
    line.write_char('"')
}

/// The inside of a JSON string (RFC 8259 §7).
struct Escaped<'line, 'buffer>(&'line mut Writer<'buffer>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        let is_special = |byte: u8| byte < b' ' || matches!(byte, b'"' | b'\\');
        while let Some(place) = text.bytes().position(is_special) {
            let (plain, rest) = text.split_at(place);
            // What is special is ASCII, and thus one byte.
            let (special, rest) = rest.split_at(1);
            self.0.write_str(plain)?;
            match special {
                "\"" | "\\" => write!(self.0, "\\{special}")?,
                _ => write!(self.0, "\\u{:04x}", special.as_bytes()[0])?,
            }
            text = rest;
        }
        self.0.write_str(text)
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
