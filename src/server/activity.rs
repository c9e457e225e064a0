//! What a connection is doing and since when, so that whoever dawdles can be cut off.
//!
//! Nothing here sets a timer for a request: the connection looks at its activity now and then.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::config::ConnectionsConfig;

/// How long a connection may take for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    /// For a TLS handshake, and for the head of a request once its first byte is there.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// For taking an answer, once it did not take all of it at once.
    pub(crate) answer: Duration,
}

impl TimeLimits {
    pub(crate) fn of(config: &ConnectionsConfig) -> Self {
        Self {
            head: Duration::from_secs(config.headers_timeout_seconds),
            idle: Duration::from_secs(config.idle_timeout_seconds),
            answer: Duration::from_secs(config.body_timeout_seconds),
        }
    }

    /// How often to look whether a limit is exceeded: often enough to be late by a quarter at most.
    pub(crate) fn look_every(self) -> Duration {
        (self.head.min(self.idle).min(self.answer) / 4)
            .clamp(Duration::from_millis(50), Duration::from_secs(5))
    }
}

/// What a connection is doing.
#[derive(Debug)]
pub(crate) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    in_flight: u32,
    /// Since when the caller has not taken all of what was written.
    blocked_since: Option<Instant>,
    /// Over HTTP/2 bytes come between requests too, and say nothing about a next one.
    is_multiplexed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come yet.
    Fresh,
    /// Part of a request's head has come.
    Head,
    /// Requests are being answered; how long that may take is the endpoint's to say.
    Busy,
    /// Between two requests.
    Idle,
}

/// What a connection took too long for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// For sending a request or taking an answer: nothing is owed to such a caller.
    Slow,
    /// For asking again: it may be told that the connection ends.
    Idle,
}

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            phase: Phase::Fresh,
            since: Instant::now(),
            in_flight: 0,
            blocked_since: None,
            is_multiplexed: false,
        })))
    }

    /// The connection speaks HTTP/2.
    pub(crate) fn multiplexed(&self) {
        self.state().is_multiplexed = true;
    }

    /// Counts a request as being answered until what is returned is dropped.
    pub(crate) fn request(self: &Arc<Self>) -> RequestInFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.phase = Phase::Busy;
        RequestInFlight(Arc::clone(self))
    }

    /// Whether nothing of a request has come that is not answered.
    pub(crate) fn is_waiting(&self) -> bool {
        let state = self.state();
        matches!(state.phase, Phase::Fresh | Phase::Idle) && state.blocked_since.is_none()
    }

    /// Whether the connection has taken longer than it may, and for what.
    pub(crate) fn overdue(&self, limits: TimeLimits) -> Option<Overdue> {
        let state = self.state();
        let (limit, overdue) = match state.phase {
            _ if state.blocked_since.is_some_and(|since| since.elapsed() >= limits.answer) => {
                return Some(Overdue::Slow);
            }
            Phase::Busy => return None,
            Phase::Fresh | Phase::Head => (limits.head, Overdue::Slow),
            Phase::Idle => (limits.idle, Overdue::Idle),
        };
        (state.since.elapsed() >= limit).then_some(overdue)
    }

    fn received(&self) {
        let mut state = self.state();
        match state.phase {
            // What a fresh connection may take is counted from its beginning.
            Phase::Fresh => state.phase = Phase::Head,
            Phase::Idle if !state.is_multiplexed => {
                state.phase = Phase::Head;
                state.since = Instant::now();
            }
            Phase::Idle | Phase::Head | Phase::Busy => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered.
pub(crate) struct RequestInFlight(Arc<Activity>);

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        if state.in_flight == 0 {
            state.phase = Phase::Idle;
            state.since = Instant::now();
        }
    }
}

/// A stream that tells the activity of its connection what passes.
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
        if buffer.filled().len() > before {
            self.activity.received();
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
        // Whoever flushes has handed on everything before: nothing waits for the caller any longer.
        if self.is_blocked {
            self.is_blocked = false;
            self.activity.state().blocked_since = None;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
