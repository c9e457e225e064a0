//! The loop: who has come, who finds a connection, who was answered.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write as _},
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token};
use serde_json::{Value, json};

use super::{
    connection::{Answer, Connection, Found},
    latency::Latencies,
    requests::Requests,
};

/// How long the last answers are waited for.
const GRACE: Duration = Duration::from_secs(10);
/// How long nothing is looked at when there was nothing to do. The system adds the timer slack of the thread,
/// 50 µs unless whoever starts the program sets another.
const PAUSE: Duration = Duration::from_micros(50);

/// What is to happen.
pub(crate) struct Plan {
    pub(crate) target: SocketAddr,
    /// Requests a second.
    pub(crate) rate: u64,
    pub(crate) total: u64,
    pub(crate) connections: u32,
    pub(crate) patience: Duration,
}

impl Plan {
    /// When request `number` is meant to be sent, from the start, in nanoseconds.
    fn intended(&self, number: u64) -> u64 {
        let nanoseconds = u128::from(number) * 1_000_000_000 / u128::from(self.rate);
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }
}

pub(crate) struct Load {
    plan: Plan,
    requests: Requests,
    accepted_ids: Option<BufWriter<File>>,
    poll: Poll,
    connections: Vec<Connection>,
    idle: Vec<usize>,
    /// The first request that neither was sent nor went away; those from here to `arrived` wait.
    waiting: u64,
    arrived: u64,
    text: Vec<u8>,
    outcome: Outcome,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    statuses: BTreeMap<u16, u64>,
    accepted: Latencies,
    refused: Latencies,
    /// Went away before there was a connection.
    gave_up: u64,
    /// Connections that ended in the middle of a request, and requests never answered.
    broken: u64,
    seconds: f64,
    busy: Duration,
}

impl Load {
    pub(crate) fn new(
        plan: Plan,
        requests: Requests,
        accepted_ids: Option<BufWriter<File>>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let count = usize::try_from(plan.connections).unwrap_or_default();
        let connections: io::Result<Vec<Connection>> = (0..count)
            .map(|index| Connection::open(plan.target, poll.registry(), Token(index)))
            .collect();
        let connections = connections?;
        let idle = (0..count).rev().collect();
        Ok(Self {
            plan,
            requests,
            accepted_ids,
            poll,
            connections,
            idle,
            waiting: 0,
            arrived: 0,
            text: Vec::new(),
            outcome: Outcome::default(),
        })
    }

    pub(crate) fn run(mut self) -> io::Result<Outcome> {
        let started = Instant::now();
        let mut events = Events::with_capacity(1_024);
        let mut buffer = vec![0; 64 << 10];
        let end = self.plan.intended(self.plan.total);
        let mut now = 0;
        let mut looked = Instant::now();
        loop {
            let sent = self.arrive_and_send(now)?;
            let is_idle = self.idle.len() == self.connections.len();
            if self.waiting == self.plan.total && is_idle {
                break;
            }
            if now > end + nanoseconds(GRACE) {
                let open = (self.connections.len() - self.idle.len()) as u64;
                self.outcome.broken += open + (self.plan.total - self.waiting);
                break;
            }
            self.poll.poll(&mut events, Some(Duration::ZERO))?;
            now = nanoseconds(started.elapsed());
            for event in &events {
                self.receive(event.token().0, now, &mut buffer)?;
            }
            if sent == 0 && events.is_empty() {
                thread::sleep(PAUSE);
            } else {
                self.outcome.busy += looked.elapsed();
            }
            looked = Instant::now();
            now = nanoseconds(started.elapsed());
        }
        self.outcome.seconds = started.elapsed().max(Duration::from_nanos(end)).as_secs_f64();
        if let Some(ids) = &mut self.accepted_ids {
            ids.flush()?;
        }
        Ok(self.outcome)
    }

    /// Counts who has come by `now`, and sends for as many as find a connection.
    fn arrive_and_send(&mut self, now: u64) -> io::Result<u64> {
        while self.arrived < self.plan.total && self.plan.intended(self.arrived) <= now {
            self.arrived += 1;
        }
        let patience = nanoseconds(self.plan.patience);
        while self.waiting < self.arrived && self.plan.intended(self.waiting) + patience < now {
            self.waiting += 1;
            self.outcome.gave_up += 1;
        }
        let before = self.waiting;
        while self.waiting < self.arrived
            && let Some(index) = self.idle.pop()
        {
            self.requests.write(self.waiting, &mut self.text);
            self.connections[index].request = Some(self.waiting);
            self.waiting += 1;
            if self.connections[index].send(&self.text).is_err() {
                // The server had hung up on an idle connection: that is no answer, and is tried once more.
                let request = self.connections[index].request;
                self.reopen(index)?;
                self.connections[index].request = request;
                if self.connections[index].send(&self.text).is_err() {
                    self.broke(index)?;
                }
            }
        }
        Ok(self.waiting - before)
    }

    fn receive(&mut self, index: usize, now: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self.connections[index].receive(buffer, self.accepted_ids.is_some()) {
            Found::Nothing => Ok(()),
            Found::Gone if self.connections[index].request.is_some() => self.broke(index),
            Found::Gone => self.reopen(index),
            Found::Answer(answer) => {
                self.count(index, &answer, now)?;
                if answer.is_last {
                    self.reopen(index)?;
                }
                self.idle.push(index);
                Ok(())
            }
        }
    }

    fn count(&mut self, index: usize, answer: &Answer, now: u64) -> io::Result<()> {
        let Some(number) = self.connections[index].request.take() else { return Ok(()) };
        let latency = now.saturating_sub(self.plan.intended(number));
        *self.outcome.statuses.entry(answer.status).or_default() += 1;
        if !matches!(answer.status, 200..=299) {
            self.outcome.refused.add(latency);
            return Ok(());
        }
        self.outcome.accepted.add(latency);
        if let (Some(ids), Some(id)) = (&mut self.accepted_ids, &answer.client_id) {
            ids.write_all(id)?;
            ids.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The connection ended under a request.
    fn broke(&mut self, index: usize) -> io::Result<()> {
        self.outcome.broken += 1;
        self.reopen(index)?;
        self.idle.push(index);
        Ok(())
    }

    fn reopen(&mut self, index: usize) -> io::Result<()> {
        let registry = self.poll.registry();
        self.connections[index] = Connection::open(self.plan.target, registry, Token(index))?;
        Ok(())
    }
}

impl Outcome {
    /// Latencies in milliseconds, `accepted_rate` a second; `busy` is the generator's share of its core.
    pub(crate) fn into_json(self) -> Value {
        let accepted_count = u32::try_from(self.accepted.count()).unwrap_or(u32::MAX);
        let mut all = Latencies::default();
        all.extend(&self.accepted);
        all.extend(&self.refused);
        json!({
            "seconds": self.seconds,
            "statuses": self.statuses,
            "gave_up": self.gave_up,
            "broken": self.broken,
            "accepted_rate": f64::from(accepted_count) / self.seconds,
            "all": all.summary(),
            "accepted": self.accepted.summary(),
            "refused": self.refused.summary(),
            "busy": self.busy.as_secs_f64() / self.seconds,
        })
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
