//! How far a long command is, for a person who waits: nothing is drawn unless standard error is a
//! terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Messages;

/// A bar towards `total` clients; without one, a running count.
pub(super) fn of_clients(total: Option<u64>, messages: Messages) -> ProgressBar {
    bar(
        total,
        "{wide_bar} {human_pos}/{human_len} clients, {eta} left",
        "{human_pos} clients, {elapsed}",
        messages,
    )
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
    let target =
        if messages.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let template = if total.is_some() { of_many } else { endless };
    ProgressBar::with_draw_target(total, target)
        .with_style(ProgressStyle::with_template(template).expect("a template of the lines above"))
}
