//! The activity of a connection: what it does, since when, and how many bytes it holds, so that a slow or greedy
//! caller is disconnected.
//!
//! No request has a timer of its own: the connection checks its activity periodically. A request counts until the
//! caller has taken its response, which over HTTP/2 depends on the caller's windows.

use std::{
    io, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

use super::places::Bytes;
use crate::config::ConnectionsConfig;

/// The most bytes that count for a handshake or a head before there is a request.
const HEAD_HELD_MAX: usize = 64 << 10;

/// The time limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    /// The limit for a TLS handshake, and for the head of a request from its first byte on.
    pub(crate) head: Duration,
    /// The limit between two requests.
    pub(crate) idle: Duration,
    /// The limit for making a response, whatever it waits for.
    pub(crate) work: Duration,
    /// The limit for taking a response, once the caller did not take all of it at once.
    pub(crate) answer: Duration,
}

impl TimeLimits {
    pub(crate) fn of(config: &ConnectionsConfig) -> Self {
        Self {
            head: Duration::from_secs(config.headers_timeout_seconds),
            idle: Duration::from_secs(config.idle_timeout_seconds),
            work: Duration::from_secs(config.request_timeout_seconds),
            answer: Duration::from_secs(config.body_timeout_seconds),
        }
    }

    /// How often to look whether a limit is exceeded: often enough to be late by a quarter at most.
    pub(crate) fn look_every(self) -> Duration {
        (self.head.min(self.idle).min(self.answer).min(self.work) / 4)
            .clamp(Duration::from_millis(50), Duration::from_secs(5))
    }
}

/// The state of a connection, and the bytes that it holds.
#[derive(Debug)]
pub(crate) struct Activity {
    state: Mutex<State>,
    bytes: Bytes,
    end: Notify,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    exchanges: Vec<InFlight>,
    next: u32,
    /// When the caller stopped taking what was written.
    blocked_since: Option<Instant>,
    /// Whether the connection speaks HTTP/2. Its bytes between requests do not mean that a request is coming.
    is_multiplexed: bool,
    /// All bytes that count for this connection: incomplete handshakes and heads, requests, and responses.
    held: usize,
    /// The bytes of a handshake or a head, until there is a request.
    head: usize,
    /// The bytes of responses that were written and not flushed.
    written: usize,
    /// Whether counting has stopped.
    is_ended: bool,
}

/// A request whose response the caller has not fully taken.
#[derive(Debug)]
struct InFlight {
    id: u32,
    since: Instant,
    stage: Stage,
}

/// The stage of an exchange, which determines its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// This server makes the answer.
    Working,
    /// Another server makes or streams the response; the code that waits for that server limits the time.
    Elsewhere,
    /// The caller has been taking the response since then.
    Answered(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No byte has arrived yet.
    Fresh,
    /// Part of a request's head has come.
    Head,
    /// Requests are being processed, or callers take their responses.
    Busy,
    /// Between two requests.
    Idle,
}

/// The time limit that a connection has exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// The caller sends a request or takes a response too slowly; it gets no response.
    Slow,
    /// The server took too long for a response.
    Unanswered,
    /// No next request came; the server may close the connection properly.
    Idle,
}

impl Activity {
    pub(super) fn new(bytes: Bytes) -> Arc<Self> {
        let state = State {
            phase: Phase::Fresh,
            since: Instant::now(),
            exchanges: Vec::new(),
            next: 0,
            blocked_since: None,
            is_multiplexed: false,
            held: 0,
            head: 0,
            written: 0,
            is_ended: false,
        };
        Arc::new(Self { state: Mutex::new(state), bytes, end: Notify::new() })
    }

    /// Marks the connection as HTTP/2.
    pub(crate) fn multiplexed(&self) {
        self.state().is_multiplexed = true;
    }

    /// Counts a request that holds so many bytes, until the caller has taken its response.
    pub(crate) fn request(self: &Arc<Self>, bytes: usize) -> Exchange {
        let id = {
            let mut state = self.state();
            let id = state.next;
            state.next = id.wrapping_add(1);
            let began = InFlight { id, since: Instant::now(), stage: Stage::Working };
            state.exchanges.push(began);
            state.phase = Phase::Busy;
            let head = mem::take(&mut state.head);
            state.hold(&self.bytes, bytes);
            state.release(&self.bytes, head);
            id
        };
        self.bytes.check();
        Exchange { activity: Arc::clone(self), id, bytes, is_answered: false, has_length: false }
    }

    /// The number of the request whose head is arriving.
    pub(super) fn head(&self) -> Option<u32> {
        let state = self.state();
        (state.phase == Phase::Head).then_some(state.next)
    }

    /// Whether the connection waits for a request, with none arriving or unanswered.
    pub(crate) fn is_waiting(&self) -> bool {
        let state = self.state();
        matches!(state.phase, Phase::Fresh | Phase::Idle) && state.blocked_since.is_none()
    }

    /// When the connection became idle; `None` while it is busy.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.phase == Phase::Idle && state.blocked_since.is_none()).then_some(state.since)
    }

    /// When the oldest current request began; `None` between two requests.
    pub(super) fn busy_since(&self) -> Option<Instant> {
        let state = self.state();
        match state.phase {
            Phase::Fresh | Phase::Head => Some(state.since),
            Phase::Busy => state.exchanges.iter().map(|exchange| exchange.since).min(),
            Phase::Idle => state.blocked_since,
        }
    }

    /// The time limit that the connection has exceeded, if any.
    pub(crate) fn overdue(&self, limits: TimeLimits) -> Option<Overdue> {
        let state = self.state();
        let answered = state.exchanges.iter().filter_map(|exchange| match exchange.stage {
            Stage::Answered(since) => Some(since),
            Stage::Working | Stage::Elsewhere => None,
        });
        let untaken_since = answered.chain(state.blocked_since).min();
        let (limit, overdue) = match state.phase {
            _ if untaken_since.is_some_and(|since| since.elapsed() >= limits.answer) => {
                return Some(Overdue::Slow);
            }
            Phase::Busy => {
                let working =
                    state.exchanges.iter().filter(|exchange| exchange.stage == Stage::Working);
                let since = working.map(|exchange| exchange.since).min();
                let is_late = since.is_some_and(|since| since.elapsed() >= limits.work);
                return is_late.then_some(Overdue::Unanswered);
            }
            Phase::Fresh | Phase::Head => (limits.head, Overdue::Slow),
            Phase::Idle => (limits.idle, Overdue::Idle),
        };
        (state.since.elapsed() >= limit).then_some(overdue)
    }

    /// Tells the connection to end, and stops counting its bytes.
    pub(super) fn end(&self) {
        let mut state = self.state();
        let held = state.held;
        state.release(&self.bytes, held);
        state.is_ended = true;
        self.end.notify_one();
    }

    #[cfg(test)]
    pub(super) fn is_ended(&self) -> bool {
        self.state().is_ended
    }

    /// Waits until the connection is told to end.
    pub(super) async fn ended(&self) {
        self.end.notified().await;
    }

    fn received(&self, count: usize) {
        {
            let mut state = self.state();
            match state.phase {
                // The time limit of a new connection runs from its start.
                Phase::Fresh => state.phase = Phase::Head,
                Phase::Idle if !state.is_multiplexed => {
                    state.phase = Phase::Head;
                    state.since = Instant::now();
                }
                Phase::Idle | Phase::Head | Phase::Busy => {}
            }
            if state.phase != Phase::Head {
                return;
            }
            let count = count.min(HEAD_HELD_MAX - state.head);
            state.head += count;
            state.hold(&self.bytes, count);
        }
        self.bytes.check();
    }

    fn flushed(&self) {
        let mut state = self.state();
        state.blocked_since = None;
        let written = mem::take(&mut state.written);
        state.release(&self.bytes, written);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, id: u32, stage: Stage) {
        if let Some(exchange) = self.exchanges.iter_mut().find(|exchange| exchange.id == id) {
            exchange.stage = stage;
        }
    }

    fn hold(&mut self, bytes: &Bytes, count: usize) {
        if !self.is_ended {
            self.held += count;
            bytes.add(count);
        }
    }

    fn release(&mut self, bytes: &Bytes, count: usize) {
        if !self.is_ended {
            self.held -= count;
            bytes.sub(count);
        }
    }
}

/// A request and its answer, from the complete head to the last byte that the transport takes.
#[derive(Debug)]
pub(crate) struct Exchange {
    activity: Arc<Activity>,
    id: u32,
    bytes: usize,
    is_answered: bool,
    /// Whether the head of the request had `Content-Length` as it came.
    pub(super) has_length: bool,
}

impl Exchange {
    /// Marks the response as made by another server. The code that waits for it limits the time.
    pub(crate) fn waits_for_another_server(&self) {
        self.activity.state().enter(self.id, Stage::Elsewhere);
    }

    /// Marks the response as ready, with so many bytes: from now on the caller's time counts.
    pub(crate) fn answered(&mut self, bytes: usize) {
        self.holds(bytes, Stage::Answered(Instant::now()));
    }

    /// Marks the response as a stream without a time limit that holds so many bytes.
    pub(crate) fn streams(&mut self, bytes: usize) {
        self.holds(bytes, Stage::Elsewhere);
    }

    fn holds(&mut self, bytes: usize, enters: Stage) {
        let activity = &self.activity;
        {
            let mut state = activity.state();
            state.enter(self.id, enters);
            state.hold(&activity.bytes, bytes);
            state.release(&activity.bytes, mem::replace(&mut self.bytes, bytes));
        }
        self.is_answered = true;
        activity.bytes.check();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.exchanges.retain(|exchange| exchange.id != self.id);
        if self.is_answered {
            state.written += self.bytes;
        } else {
            state.release(&self.activity.bytes, self.bytes);
        }
        if state.exchanges.is_empty() {
            state.phase = Phase::Idle;
            state.since = Instant::now();
        }
    }
}

/// A stream that reports its bytes to the activity of its connection.
pub(crate) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    is_blocked: bool,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, is_blocked: false }
    }

    fn note<T>(&mut self, written: Poll<T>) -> Poll<T> {
        if written.is_pending() && !self.is_blocked {
            self.is_blocked = true;
            self.activity.state().blocked_since = Some(Instant::now());
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let count = buffer.filled().len() - before;
        if count > 0 {
            self.activity.received(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // All data was written before this flush, so nothing waits for the caller any longer.
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.is_blocked = false;
        self.activity.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
