//! Accepts connections: how many there may be, in all and from one source, and what is spoken on them.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::{
    Request,
    body::Incoming,
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use ipnet::IpNet;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::activity::{Activity, Overdue, TimeLimits, Watched};
use crate::{
    http::answer::Response,
    http::client_address::{Source, is_trusted},
    metrics::ConnectionMetrics,
};

/// The largest head of a request, and the largest read, in bytes.
const BUFFER_MAX: usize = 32 << 10;
/// Requests that one HTTP/2 connection may have in flight.
const STREAMS_MAX: u32 = 128;
/// The largest head of an HTTP/2 request, in bytes.
const HEAD_MAX_HTTP2: u32 = 32 << 10;
/// Streams that an HTTP/2 caller may have opened and given up at a time.
const RESET_STREAMS_MAX: usize = 64;
/// What an HTTP/2 caller may send ahead on one stream, and on one connection, in bytes.
const STREAM_WINDOW: u32 = 16 << 10;
const CONNECTION_WINDOW: u32 = 64 << 10;
/// After this silence an HTTP/2 peer is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(20);
/// How long nothing is accepted after the system could not give a connection.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

/// Who answers the requests of a listener.
pub(crate) trait Answer: Send + Sync + 'static {
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> impl Future<Output = Response> + Send;
}

/// Everything about a listener but its socket.
pub(crate) struct Listener<A> {
    pub(crate) answer: A,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) places: Places,
    pub(crate) time: TimeLimits,
    pub(crate) metrics: Arc<ConnectionMetrics>,
    /// Once cancelled nothing is accepted, and what is in flight is finished within `drain`.
    pub(crate) draining: CancellationToken,
    pub(crate) drain: Duration,
    pub(crate) tasks: TaskTracker,
}

impl<A: Answer> Listener<A> {
    /// Accepts connections until it is told to drain.
    pub(crate) async fn run(self: Arc<Self>, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.draining.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) if is_of_one_connection(&error) => {}
                // No more file descriptors, or no memory: trying at once would only burn the processor.
                Err(error) => {
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let peer = peer.ip().to_canonical();
        match self.places.take(peer) {
            Ok(place) => {
                let listener = Arc::clone(self);
                self.tasks.spawn(async move {
                    let _open = listener.metrics.open.one_more();
                    let _place = place;
                    listener.connection(stream, peer).await;
                });
            }
            Err(Full::InAll) => self.metrics.refused_total.add_one(),
            Err(Full::OfSource) => self.metrics.refused_source.add_one(),
        }
    }

    async fn connection(self: &Arc<Self>, stream: TcpStream, peer: IpAddr) {
        // An answer is one write, which must not wait for the peer's acknowledgement of the last one.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection was gone before it was served");
            return;
        }
        let activity = Activity::new();
        let stream = Watched::new(stream, Arc::clone(&activity));
        let Some(tls) = &self.tls else {
            return self.http1(stream, peer, activity).await;
        };
        // In a box, or every plain connection would carry the room that TLS and HTTP/2 need.
        Box::pin(self.encrypted(tls, stream, peer, activity)).await;
    }

    async fn encrypted(
        self: &Arc<Self>,
        tls: &TlsAcceptor,
        stream: Watched<TcpStream>,
        peer: IpAddr,
        activity: Arc<Activity>,
    ) {
        let handshake = tokio::select! {
            () = self.draining.cancelled() => return,
            handshake = timeout(self.time.head, tls.accept(stream)) => handshake,
        };
        match handshake {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.http2(stream, peer, activity).await;
            }
            Ok(Ok(stream)) => self.http1(stream, peer, activity).await,
            Ok(Err(error)) => tracing::debug!(error = %error, "a TLS handshake failed"),
            Err(_) => self.metrics.slow.add_one(),
        }
    }

    async fn http1<S>(&self, stream: S, peer: IpAddr, activity: Arc<Activity>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| {
            let in_flight = activity.request();
            async {
                let response = self.answer.answer(request, peer).await;
                drop(in_flight);
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(BUFFER_MAX)
            // Head and body of an answer are small: one copy is cheaper than a scattered write.
            .writev(false)
            .serve_connection(TokioIo::new(stream), service);
        self.drive(connection, &activity).await;
    }

    async fn http2<S>(self: &Arc<Self>, stream: S, peer: IpAddr, activity: Arc<Activity>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        activity.multiplexed();
        let (listener, counted) = (Arc::clone(self), Arc::clone(&activity));
        let service = service_fn(move |request| {
            let in_flight = counted.request();
            let listener = Arc::clone(&listener);
            async move {
                let response = listener.answer.answer(request, peer).await;
                drop(in_flight);
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http2::Builder::new(Tracked(self.tasks.clone()))
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_MAX_HTTP2)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(BUFFER_MAX)
            .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
            .max_local_error_reset_streams(RESET_STREAMS_MAX)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_AFTER)
            .serve_connection(TokioIo::new(stream), service);
        self.drive(connection, &activity).await;
    }

    /// Lets a connection work, looks now and then whether it dawdles, and ends it when the server ends.
    async fn drive(&self, connection: impl GracefulConnection, activity: &Activity) {
        let mut connection = pin!(connection);
        let draining = self.draining.child_token();
        let look_every = self.time.look_every();
        let mut look = pin!(sleep(look_every));
        let mut ends_at = None;
        loop {
            tokio::select! {
                biased;
                _ = connection.as_mut() => return,
                () = draining.cancelled(), if ends_at.is_none() => {
                    if activity.is_waiting() {
                        return;
                    }
                    ends_at = Some(Instant::now() + self.drain);
                    connection.as_mut().graceful_shutdown();
                }
                () = look.as_mut() => {
                    let now = Instant::now();
                    if ends_at.is_some_and(|end| end <= now) {
                        return;
                    }
                    match activity.overdue(self.time) {
                        Some(Overdue::Slow) => return self.metrics.slow.add_one(),
                        Some(Overdue::Idle) if ends_at.is_none() => {
                            self.metrics.idle.add_one();
                            ends_at = Some(now + look_every);
                            connection.as_mut().graceful_shutdown();
                        }
                        _ => {}
                    }
                    look.as_mut().reset(ends_at.unwrap_or(now + look_every).min(now + look_every));
                }
            }
        }
    }
}

/// Runs what HTTP/2 does beside the connection as tasks of the server.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Whether an error of `accept` is about the connection that would have been accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// The places that connections take, in all and by source.
pub(crate) struct Places {
    max: usize,
    per_source_max: usize,
    trusted_proxies: Vec<IpNet>,
    taken: Arc<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: AtomicUsize,
    by_source: Mutex<HashMap<Source, usize>>,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Full {
    InAll,
    OfSource,
}

impl Places {
    pub(crate) fn new(max: usize, per_source_max: usize, trusted_proxies: Vec<IpNet>) -> Self {
        Self { max, per_source_max, trusted_proxies, taken: Arc::default() }
    }

    /// A place, until it is dropped. Trusted proxies are not counted by source.
    pub(crate) fn take(&self, peer: IpAddr) -> Result<Place, Full> {
        let mut place = Place { source: None, taken: Arc::clone(&self.taken) };
        if self.taken.in_all.fetch_add(1, Ordering::Relaxed) >= self.max {
            return Err(Full::InAll);
        }
        if !is_trusted(peer, &self.trusted_proxies) {
            let source = Source::of(peer);
            let mut by_source = self.taken.by_source();
            if by_source.get(&source).is_some_and(|&count| count >= self.per_source_max) {
                return Err(Full::OfSource);
            }
            *by_source.entry(source).or_default() += 1;
            place.source = Some(source);
        }
        Ok(place)
    }
}

impl Taken {
    fn by_source(&self) -> std::sync::MutexGuard<'_, HashMap<Source, usize>> {
        self.by_source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that a connection takes.
pub(crate) struct Place {
    source: Option<Source>,
    taken: Arc<Taken>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.in_all.fetch_sub(1, Ordering::Relaxed);
        let Some(source) = self.source else { return };
        let mut by_source = self.taken.by_source();
        if let Some(count) = by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                by_source.remove(&source);
            }
        }
    }
}
