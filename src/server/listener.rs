//! Accepts connections and speaks HTTP on them, within limits.

use std::{
    convert::Infallible,
    future::Future,
    io::{self, Cursor},
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
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
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, join},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    activity::{self, Activity, Overdue, TimeLimits, Watched},
    framing::Headed,
    outgoing::{outgoing, request_bytes},
    places::{Full, Places},
};
use crate::{http::answer::Response, metrics::ConnectionMetrics};

/// The largest head of a request, and the largest read, in bytes.
const BUFFER_MAX: usize = 32 << 10;
/// The largest head of an HTTP/2 request, in bytes.
const HEAD_MAX_HTTP2: u32 = 32 << 10;
/// Streams that an HTTP/2 caller may have opened and given up at a time.
const RESET_STREAMS_MAX: usize = 64;
/// What an HTTP/2 caller may send ahead on one stream, and on one connection, in bytes.
const STREAM_WINDOW: u32 = 16 << 10;
const CONNECTION_WINDOW: u32 = 64 << 10;
/// What TLS buffers of what was written to a connection that takes no more, in bytes.
const TLS_BUFFER: usize = 16 << 10;
/// How long an HTTP/2 connection may be silent before the server sends a ping.
const PING_AFTER: Duration = Duration::from_secs(20);
/// The pause after the system could not accept a connection.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

/// The start of HTTP/2 (RFC 9113 §3.4), enough to tell it from HTTP/1.
const PREFACE: &[u8; 6] = b"PRI * ";

/// The code that responds to the requests of a listener.
pub(crate) trait Answer: Send + Sync + 'static {
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        exchange: &activity::Exchange,
    ) -> impl Future<Output = Response> + Send;
}

/// Everything about a listener but its socket.
pub(crate) struct Listener<A> {
    pub(crate) answer: A,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Whether callers may speak HTTP/2 without TLS, if they know that they can (RFC 9113 §3.3): Envoy asks by gRPC so.
    pub(crate) has_plain_http2: bool,
    pub(crate) places: Arc<Places>,
    pub(crate) time: TimeLimits,
    /// Requests that one HTTP/2 connection may have in flight, those with untaken answers among them.
    pub(crate) streams_max: u32,
    pub(crate) metrics: Arc<ConnectionMetrics>,
    /// When this is cancelled, the listener accepts no more connections, and finishes current requests within
    /// `drain`.
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
                // No file descriptors or no memory: an immediate retry would only waste processor time.
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
                    let activity = Arc::clone(&place.activity);
                    tokio::select! {
                        biased;
                        () = place.activity.ended() => {}
                        () = listener.connection(stream, peer, activity) => {}
                    }
                });
            }
            Err(Full::InAll) => self.metrics.refused_total.add_one(),
            Err(Full::OfSource) => self.metrics.refused_source.add_one(),
        }
    }

    async fn connection(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        activity: Arc<Activity>,
    ) {
        // A response is one write, which must not wait for the acknowledgement of the last one.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection was gone before it was served");
            return;
        }
        let Some(tls) = &self.tls else {
            return self.plain(stream, peer, activity).await;
        };
        let stream = Watched::new(stream, Arc::clone(&activity));
        // In a box, or every plain connection would carry the room that TLS and HTTP/2 need.
        Box::pin(self.encrypted(tls, stream, peer, activity)).await;
    }

    async fn plain(self: &Arc<Self>, stream: TcpStream, peer: IpAddr, activity: Arc<Activity>) {
        if self.has_plain_http2 {
            // In a box, or every connection would carry the room that HTTP/2 needs.
            return Box::pin(self.plain_of_either(stream, peer, activity)).await;
        }
        let stream = Watched::new(stream, Arc::clone(&activity));
        self.http1(stream, peer, activity).await;
    }

    async fn plain_of_either(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        activity: Arc<Activity>,
    ) {
        let (mut reader, writer) = stream.into_split();
        let begins = tokio::select! {
            () = self.draining.cancelled() => return,
            begins = timeout(self.time.head, beginning(&mut reader)) => begins,
        };
        let first = match begins {
            Ok(Ok(first)) => first,
            Ok(Err(error)) => {
                return tracing::debug!(error = %error, "a connection ended before its first request");
            }
            Err(_) => return self.metrics.slow.add_one(),
        };
        let is_http2 = first == PREFACE;
        let stream = join(Cursor::new(first).chain(reader), writer);
        let stream = Watched::new(stream, Arc::clone(&activity));
        if is_http2 {
            self.http2(stream, peer, activity).await;
        } else {
            self.http1(stream, peer, activity).await;
        }
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
            Ok(Ok(mut stream)) => {
                let tls = stream.get_mut().1;
                tls.set_buffer_limit(Some(TLS_BUFFER));
                if tls.alpn_protocol() == Some(b"h2") {
                    self.http2(stream, peer, activity).await;
                } else {
                    self.http1(stream, peer, activity).await;
                }
            }
            Ok(Err(error)) => tracing::debug!(error = %error, "a TLS handshake failed"),
            Err(_) => self.metrics.slow.add_one(),
        }
    }

    async fn http1<S>(&self, stream: S, peer: IpAddr, activity: Arc<Activity>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let has_length = Arc::new(AtomicBool::new(false));
        let stream = Headed::new(stream, Arc::clone(&activity), Arc::clone(&has_length));
        let service = service_fn(|request| {
            let mut exchange = activity.request(request_bytes(&request));
            exchange.has_length = has_length.swap(false, Relaxed);
            async {
                let response = self.answer.answer(request, peer, &exchange).await;
                Ok::<_, Infallible>(outgoing(response, exchange))
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
            let exchange = counted.request(request_bytes(&request));
            let listener = Arc::clone(&listener);
            async move {
                // In a box, or an answer that waits would hold the room that making it needed.
                let response = Box::pin(listener.answer.answer(request, peer, &exchange)).await;
                Ok::<_, Infallible>(outgoing(response, exchange))
            }
        });
        let connection = http2::Builder::new(Tracked(self.tasks.clone()))
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.streams_max)
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

    /// Drives a connection, checks its time limits periodically, and ends it when the server stops.
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
                        Some(Overdue::Unanswered) => {
                            tracing::warn!("a request was not answered in time");
                            return self.metrics.unanswered.add_one();
                        }
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

/// Reads the first bytes of a connection, until they are [`PREFACE`] or cannot become it: no method of HTTP/1 begins so.
async fn beginning(reader: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(PREFACE.len());
    while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
        let rest = (PREFACE.len() - first.len()) as u64;
        if (&mut *reader).take(rest).read_buf(&mut first).await? == 0 {
            break;
        }
    }
    Ok(first)
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
