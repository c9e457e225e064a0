//! How far a long command is, for a person who waits: nothing is drawn unless standard error is a
//! terminal.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Messages;

/// How often time goes on where nothing else does: behind a filter that lets few clients through.
const TICK: Duration = Duration::from_millis(200);

/// Whether anybody would see a bar.
pub(super) fn is_seen(messages: Messages) -> bool {
    !messages.quiet && io::stderr().is_terminal()
}

/// A bar towards `total` records that are called `plural`; without a total, a running count.
pub(super) fn of_records(plural: &str, total: Option<u64>, messages: Messages) -> ProgressBar {
    let of_many = format!("{{wide_bar}} {{human_pos}}/{{human_len}} {plural}, {{eta}} left");
    bar(total, &of_many, &format!("{{human_pos}} {plural}, {{elapsed}}"), messages)
}

/// As [`of_records`].
pub(super) fn of_clients(total: Option<u64>, messages: Messages) -> ProgressBar {
    of_records("clients", total, messages)
}

/// A bar towards `total` bytes; without one, a running count.
pub(super) fn of_bytes(total: Option<u64>, messages: Messages) -> ProgressBar {
    bar(total, "{wide_bar} {bytes}/{total_bytes}, {eta} left", "{bytes}, {elapsed}", messages)
}

/// A bar over the pages of a file, whose number the work itself finds out.
pub(super) fn of_pages(messages: Messages) -> ProgressBar {
    bar(Some(0), "{wide_bar} {percent} %, {eta} left", "", messages)
}

fn bar(total: Option<u64>, of_many: &str, endless: &str, messages: Messages) -> ProgressBar {
    let is_seen = is_seen(messages);
    let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let template = if total.is_some() { of_many } else { endless };
    let bar = ProgressBar::with_draw_target(total, target)
        .with_style(ProgressStyle::with_template(template).expect("a template of the lines above"));
    if is_seen {
        bar.enable_steady_tick(TICK);
    }
    bar
}
