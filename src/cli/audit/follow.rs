//! `doorward audit follow`: events as they are committed, by every node.

use std::{collections::BTreeMap, io, time::Duration};

use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use super::{AboutArguments, about};
use crate::{
    audit::EventId,
    cli::{
        backend::LocalArguments,
        exit::{Failure, Outcome},
        output::{Format, Messages, RecordOutput, Results, insist, visible_json},
        records::Listed as _,
        settings::OpenStore,
        time::to_rfc3339,
    },
    store::{Access, EventFilter, EventRecord, Following, StoreError},
};

/// How often the store is asked for new events.
const EVERY: Duration = Duration::from_millis(500);
/// How many events are read at once, and at most between two looks at who waits.
const PAGE: usize = 500;
const PAGES_MAX: usize = 10;

/// Print audit events as they happen, on every node, until you press Ctrl-C
#[derive(Args, Debug)]
#[command(
    after_help = "Events and registrations are printed about a second after they are stored, each once, in the order of \
`audit export`. An event whose transaction takes longer is printed when it commits.

Examples:
  doorward audit follow
  doorward audit follow --action grant.reused
  doorward audit follow --output jsonl | jq --unbuffered -r .action"
)]
pub(in crate::cli) struct FollowArguments {
    #[command(flatten)]
    about: AboutArguments,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    store: LocalArguments,
}

impl FollowArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let store = self.store.open(Access::Read)?;
        let format = self.output.format();
        let mut follower = Follower {
            following: store.wait(store.handle.follow())?,
            filter: self.about.into_filter(),
            format,
            held: BTreeMap::new(),
            is_away: false,
        };
        messages.say("Following audit events. Press Ctrl-C to stop.");
        store.wait_for(follower.run(&store))?;
        Ok(Outcome::Done)
    }
}

struct Follower {
    following: Following,
    filter: EventFilter,
    format: Format,
    /// Events that wait for earlier ones which are stored later.
    held: BTreeMap<EventId, EventRecord>,
    /// Whether the store did not answer the last question.
    is_away: bool,
}

impl Follower {
    async fn run(&mut self, store: &OpenStore) -> Result<(), Failure> {
        let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let [mut interrupt, mut terminate] = signals;
        loop {
            let settled = self.held.keys().next_back().copied();
            let has_more = self.read(store).await?;
            self.print_until(settled)?;
            if is_closed() {
                return Ok(());
            }
            let pause = if has_more { Duration::ZERO } else { EVERY };
            tokio::select! {
                () = came(&mut interrupt) => break,
                () = came(&mut terminate) => break,
                () = sleep(pause) => {}
            }
        }
        self.read(store).await?;
        self.print_until(self.held.keys().next_back().copied())
    }

    /// Reads what is new; true if there may be more at once.
    async fn read(&mut self, store: &OpenStore) -> Result<bool, Failure> {
        for _ in 0..PAGES_MAX {
            let entries = match self.following.next(&store.handle, PAGE).await {
                Ok(entries) => entries,
                Err(error @ StoreError::Corrupt { .. }) => {
                    return Err(Failure::of(store.name())(error));
                }
                Err(error) => {
                    if !self.is_away {
                        let failure = Failure::of(store.name())(error);
                        insist(format_args!("{failure}. Trying again; no event is skipped."));
                    }
                    self.is_away = true;
                    return Ok(false);
                }
            };
            self.is_away = false;
            if entries.is_empty() {
                return Ok(false);
            }
            let events = entries.into_iter().map(|entry| entry.event);
            let admitted = events.filter(|event| self.filter.admits(event));
            self.held.extend(admitted.map(|event| (event.event_id, event)));
        }
        Ok(true)
    }

    /// Prints the events that are held, up to this one.
    fn print_until(&mut self, last: Option<EventId>) -> Result<(), Failure> {
        let Some(last) = last else { return Ok(()) };
        let mut results = Results::open();
        while let Some(first) = self.held.first_entry().filter(|first| *first.key() <= last) {
            let event = first.remove();
            match self.format {
                Format::Table => results.line(line(&event))?,
                Format::Json | Format::Jsonl => results.line(visible_json(&event.line()?))?,
            }
        }
        results.finish()
    }
}

fn line(event: &EventRecord) -> String {
    format!("{}  {}  {}", to_rfc3339(event.at), event.action, about(event).join("  "))
}

/// Waits for a signal, for ever if it cannot be received.
async fn came(signal: &mut io::Result<Signal>) {
    match signal {
        Ok(signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// Whether the reader of standard output has gone away, as after `head`.
fn is_closed() -> bool {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let polled = poll(&mut fds, Some(&now));
    polled.is_ok() && fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}
