//! The page that Prometheus reads, in its text format.

use std::{
    fmt::{self, Write as _},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use super::{BUCKETS, By, Counter, Gauge, Histogram, Label};

/// Writes metrics in Prometheus' text format.
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn new() -> Self {
        Self(String::with_capacity(16 << 10))
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }

    /// The head of a metric; its samples follow.
    pub(crate) fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// One sample. `labels` is what stands between the braces.
    pub(crate) fn sample(&mut self, name: &str, labels: &str, value: impl fmt::Display) {
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{labels}}} {value}"));
        }
    }

    pub(crate) fn counter(&mut self, name: &str, labels: &str, counter: &Counter) {
        self.sample(name, labels, counter.value());
    }

    /// The samples of a counter for each value of a label. `labels` are further labels, each with its comma.
    pub(crate) fn counters<L: Label>(
        &mut self,
        name: &str,
        labels: &str,
        counters: &By<L, Counter>,
    ) {
        for &value in L::ALL {
            let labels = format!("{labels}{}=\"{}\"", L::NAME, value.as_str());
            self.counter(name, &labels, &counters[value]);
        }
    }

    pub(crate) fn gauge(&mut self, name: &str, labels: &str, gauge: &Gauge) {
        self.sample(name, labels, gauge.value());
    }

    /// The samples of a gauge for each value of a label.
    pub(crate) fn gauges<L: Label>(&mut self, name: &str, gauges: &By<L, Gauge>) {
        for &value in L::ALL {
            self.gauge(name, &format!("{}=\"{}\"", L::NAME, value.as_str()), &gauges[value]);
        }
    }

    /// The samples of a histogram for each value of a label.
    pub(crate) fn histograms<L: Label>(&mut self, name: &str, histograms: &By<L, Histogram>) {
        for &value in L::ALL {
            let labels = format!("{}=\"{}\"", L::NAME, value.as_str());
            self.histogram(name, &labels, &histograms[value]);
        }
    }

    /// The samples of a histogram, in seconds.
    pub(crate) fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let mut count = 0;
        for (place, bucket) in histogram.buckets.iter().enumerate() {
            count += bucket.load(Relaxed);
            match BUCKETS.get(place).map(|&bound| Duration::from_micros(bound).as_secs_f64()) {
                Some(bound) => {
                    self.line(format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {count}"));
                }
                None => self.line(format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {count}")),
            }
        }
        let sum = Duration::from_micros(histogram.sum_micros.load(Relaxed)).as_secs_f64();
        self.sample(&format!("{name}_sum"), labels, sum);
        self.sample(&format!("{name}_count"), labels, count);
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{line}");
    }
}
