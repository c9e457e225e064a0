//! `doorward audit follow`: events as they are committed, by every node.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    time::Duration,
};

use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use super::{AboutArguments, about, trail::Trail};
use crate::{
    audit::EventId,
    cli::{
        backend::{Backend, BackendArguments},
        exit::{Failure, Outcome},
        output::{Format, Messages, RecordOutput, Results, insist, visible_json},
        records::Listed as _,
        remote::CallError,
        time::to_rfc3339,
    },
    store::{Access, EventRecord},
};

/// How often new events are read.
const EVERY: Duration = Duration::from_millis(500);
/// How many pages are read, at most, between two looks at who waits.
const PAGES_MAX: usize = 10;
/// How many events are remembered: more than come twice when last rows are deleted.
const REMEMBERED: usize = 4_096;

/// Print audit events as they happen, on every node, until you press Ctrl-C
#[derive(Args, Debug)]
#[command(
    after_help = "Events and registrations are printed about a second after they are stored, each once, in the order of \
`audit export`. An event whose transaction takes longer is printed when it commits.

Examples:
  doorward audit follow
  doorward audit follow --action grant.reused
  doorward audit follow --output jsonl | jq --unbuffered -r .action
  doorward audit follow --server https://auth.example.com --token-file token"
)]
pub(in crate::cli) struct FollowArguments {
    #[command(flatten)]
    about: AboutArguments,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

impl FollowArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let backend = self.backend.open(Access::Read)?;
        let format = self.output.format();
        let (trail, stored) = Trail::begin(&backend, self.about.into_filter())?;
        let mut known = Remembered::default();
        for event in stored.iter().rev() {
            known.is_new(event.event_id);
        }
        let mut follower = Follower { trail, format, held: BTreeMap::new(), known, is_away: false };
        messages.say("Following audit events. Press Ctrl-C to stop.");
        backend.wait_for(follower.run(&backend))?;
        Ok(Outcome::Done)
    }
}

struct Follower {
    trail: Trail,
    format: Format,
    /// Events that wait for earlier ones which are stored later.
    held: BTreeMap<EventId, EventRecord>,
    /// The last events that were read.
    known: Remembered,
    /// Whether the last attempt to read failed.
    is_away: bool,
}

impl Follower {
    async fn run(&mut self, backend: &Backend) -> Result<(), Failure> {
        let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let [mut interrupt, mut terminate] = signals;
        loop {
            let settled = self.held.keys().next_back().copied();
            let has_more = tokio::select! {
                has_more = self.read(backend) => has_more?,
                () = came(&mut interrupt) => break,
                () = came(&mut terminate) => break,
            };
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
        // A second signal ends it though the server does not answer.
        tokio::select! {
            read = self.read(backend) => drop(read?),
            () = came(&mut interrupt) => {}
            () = came(&mut terminate) => {}
        }
        self.print_until(self.held.keys().next_back().copied())
    }

    /// Reads what is new; true if there may be more at once.
    async fn read(&mut self, backend: &Backend) -> Result<bool, Failure> {
        for _ in 0..PAGES_MAX {
            let batch = match self.trail.next(backend).await {
                Ok(batch) => batch,
                Err(CallError::Lasts(failure)) => return Err(failure),
                Err(CallError::MayPass(failure)) => {
                    if !self.is_away {
                        insist(format_args!("{failure}. Trying again; no event is skipped."));
                    }
                    self.is_away = true;
                    return Ok(false);
                }
            };
            self.is_away = false;
            for event in batch.events {
                if self.known.is_new(event.event_id) {
                    self.held.insert(event.event_id, event);
                }
            }
            if !batch.has_more {
                return Ok(false);
            }
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

/// The last events that were read, since one can come twice.
#[derive(Default)]
struct Remembered {
    in_order: VecDeque<EventId>,
    all: BTreeSet<EventId>,
}

impl Remembered {
    fn is_new(&mut self, id: EventId) -> bool {
        if !self.all.insert(id) {
            return false;
        }
        self.in_order.push_back(id);
        if self.in_order.len() > REMEMBERED
            && let Some(forgotten) = self.in_order.pop_front()
        {
            self.all.remove(&forgotten);
        }
        true
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
