//! Connections to one upstream, and requests over them.
//!
//! A connection has no task: whoever sends a request over it or reads the answer drives it. So it ends at the moment
//! its caller goes away, which is how cancellation reaches the upstream, and nothing outlives the server.
//! A request is sent once. Only one that was never begun, since its connection had closed, takes another connection.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body::{Body as _, Frame};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{
    net::TcpStream,
    sync::{OnceCell, Semaphore},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;
use url::{Host, Url};

use super::request_body::{BodyTooLarge, RequestBody};
use crate::{http::body::BodyError, internet::Internet, traces::StepSpan};

/// The largest head of an answer, and the largest read, in bytes.
const BUFFER_MAX: usize = 64 << 10;
/// How long a connection is kept for the next request: shorter than Node keeps it, which is 5 seconds.
const IDLE: Duration = Duration::from_secs(4);
/// How many connections are kept for next requests.
const IDLE_MAX: usize = 64;
/// How many lookups of the upstream's name may be under way, those included that nobody waits for any longer.
const LOOKUPS_MAX: usize = 8;

/// One upstream.
pub(crate) struct Upstream {
    host: Host<String>,
    port: u16,
    is_encrypted: bool,
    /// The value of `Host`.
    authority: HeaderValue,
    /// The path that stands for the path of the resource, without a slash at its end.
    path: String,
    limits: TimeLimits,
    internet: Internet,
    lookups: Arc<Semaphore>,
    tls: OnceCell<TlsConnector>,
    idle: Mutex<Vec<(Instant, Box<Link>)>>,
}

/// How long an upstream may take for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    pub(crate) connect: Duration,
    /// For the head of the answer, once the request is there whole.
    pub(crate) first_byte: Duration,
    /// For the body of a request to arrive from the client.
    pub(crate) body: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the upstream's host cannot be resolved")]
    Unresolved(#[source] io::Error),
    #[error("too many lookups of the upstream's host are under way")]
    Lookups,
    #[error("the upstream accepts no connection")]
    Connect(#[source] io::Error),
    #[error("the upstream accepted no connection within {0} seconds")]
    ConnectLate(u64),
    #[error("the upstream did not begin its answer within {0} seconds")]
    AnswerLate(u64),
    #[error("the upstream closed the connection or sent no HTTP")]
    Broken(#[source] hyper::Error),
    #[error("the upstream closed the connection before the request was sent")]
    Closed,
    #[error("the upstream switched protocols, which nobody asked for")]
    Switched,
    #[error("the upstream compressed an answer that the guard filters, which nobody asked for")]
    Encoded,
    #[error("the upstream's answer could not be read whole")]
    Unread(#[source] BodyError),
    /// It is the client's fault.
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(usize),
}

impl Failure {
    /// The reason in a word, for traces.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Unresolved(_) => "unresolved",
            Self::Lookups => "lookups",
            Self::Connect(_) => "unreachable",
            Self::ConnectLate(_) | Self::AnswerLate(_) => "timeout",
            Self::Broken(_) | Self::Closed | Self::Unread(_) => "broken",
            Self::Switched => "switched_protocols",
            Self::Encoded => "encoded",
            Self::BodyTooLarge(_) => "too_large",
        }
    }
}

type Stream = TokioIo<Either<TcpStream, Box<TlsStream<TcpStream>>>>;

/// A connection, and what sends requests over it.
struct Link {
    sender: SendRequest<RequestBody>,
    connection: Connection<Stream, RequestBody>,
    is_done: bool,
}

impl Upstream {
    /// `url` is an http or https URL with a host.
    pub(crate) fn new(url: &Url, limits: TimeLimits, internet: Internet) -> Option<Self> {
        let authority = url.as_str().split('/').nth(2)?;
        Some(Self {
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
            is_encrypted: url.scheme() == "https",
            authority: HeaderValue::from_str(authority).ok()?,
            path: url.path().trim_end_matches('/').to_owned(),
            limits,
            internet,
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            tls: OnceCell::new(),
            idle: Mutex::default(),
        })
    }

    pub(crate) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The span of a request to it.
    pub(crate) fn span(&self, method: &Method) -> Option<StepSpan> {
        let address = (|| self.host.to_string(), || self.port);
        StepSpan::request_to(method, address, self.is_encrypted)
    }

    /// Sends a request, and gives the answer as soon as its head is there.
    pub(crate) async fn send(
        self: &Arc<Self>,
        request: Request<RequestBody>,
    ) -> Result<Response<UpstreamBody>, Failure> {
        let mut request = request;
        let body = if request.body().is_end_stream() { Duration::ZERO } else { self.limits.body };
        let limit = self.limits.first_byte + body;
        while let Some(link) = self.take_idle() {
            match self.send_over(link, request, limit).await? {
                Sent::Answer(answer) => return Ok(answer),
                Sent::NotBegun(back) => request = back,
            }
        }
        let link = timeout(self.limits.connect, self.connect())
            .await
            .unwrap_or(Err(Failure::ConnectLate(self.limits.connect.as_secs())))?;
        match self.send_over(link, request, limit).await? {
            Sent::Answer(answer) => Ok(answer),
            Sent::NotBegun(_) => Err(Failure::Closed),
        }
    }

    async fn send_over(
        self: &Arc<Self>,
        mut link: Box<Link>,
        request: Request<RequestBody>,
        limit: Duration,
    ) -> Result<Sent, Failure> {
        let sent = timeout(limit, link.send(request)).await;
        let answer = match sent.map_err(|_| Failure::AnswerLate(limit.as_secs()))? {
            Ok(answer) => answer,
            Err(mut error) => {
                return match error.take_message() {
                    Some(request) => Ok(Sent::NotBegun(request)),
                    None => Err(Failure::of(error.into_error())),
                };
            }
        };
        if answer.status() == http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failure::Switched);
        }
        let answer = answer.map(|incoming| {
            let mut body = UpstreamBody { incoming, link: Some(link), upstream: Arc::clone(self) };
            if body.incoming.is_end_stream() {
                body.release();
            }
            body
        });
        Ok(Sent::Answer(answer))
    }

    async fn connect(&self) -> Result<Box<Link>, Failure> {
        let stream = self.connected().await?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER_MAX);
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(Failure::Broken)?;
        Ok(Box::new(Link { sender, connection, is_done: false }))
    }

    async fn connected(&self) -> Result<Either<TcpStream, Box<TlsStream<TcpStream>>>, Failure> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.addresses().await? {
            match TcpStream::connect(SocketAddr::new(address, self.port)).await {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(Failure::Connect)?;
                    return self.encrypted(stream).await;
                }
                Err(error) => last = error,
            }
        }
        Err(Failure::Connect(last))
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, Failure> {
        match &self.host {
            Host::Ipv4(address) => Ok(vec![(*address).into()]),
            Host::Ipv6(address) => Ok(vec![(*address).into()]),
            Host::Domain(name) => {
                let lookups = Arc::clone(&self.lookups);
                let place = lookups.try_acquire_owned().map_err(|_| Failure::Lookups)?;
                let found = self.internet.addresses(name, Arc::new(place)).await;
                found.map_err(Failure::Unresolved)
            }
        }
    }

    async fn encrypted(
        &self,
        stream: TcpStream,
    ) -> Result<Either<TcpStream, Box<TlsStream<TcpStream>>>, Failure> {
        if !self.is_encrypted {
            return Ok(Either::Left(stream));
        }
        let tls = self.tls.get_or_try_init(|| async {
            let config = self.internet.tls_config().await?;
            Ok::<_, io::Error>(TlsConnector::from(Arc::new(config)))
        });
        let tls = tls.await.map_err(Failure::Connect)?;
        let name = match &self.host {
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(io::Error::other),
            Host::Ipv4(address) => Ok(ServerName::from(IpAddr::from(*address))),
            Host::Ipv6(address) => Ok(ServerName::from(IpAddr::from(*address))),
        };
        let stream = tls.connect(name.map_err(Failure::Connect)?, stream).await;
        Ok(Either::Right(Box::new(stream.map_err(Failure::Connect)?)))
    }

    /// A connection that is open and free, as far as can be told.
    fn take_idle(&self) -> Option<Box<Link>> {
        loop {
            let (since, mut link) = self.idle().pop()?;
            if since.elapsed() < IDLE && link.is_free() {
                return Some(link);
            }
        }
    }

    fn keep(&self, link: Box<Link>) {
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push((Instant::now(), link));
        }
    }

    /// Closes the connections that were kept for too long.
    pub(crate) fn close_idle(&self) {
        self.idle().retain(|(since, _)| since.elapsed() < IDLE);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, Box<Link>)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a request.
enum Sent {
    Answer(Response<UpstreamBody>),
    /// The connection had closed before. Nothing of the request was written.
    NotBegun(Request<RequestBody>),
}

impl Failure {
    fn of(error: hyper::Error) -> Self {
        let cause = std::error::Error::source(&error);
        match cause.and_then(|cause| cause.downcast_ref::<BodyTooLarge>()) {
            Some(BodyTooLarge(max)) => Self::BodyTooLarge(*max),
            None => Self::Broken(error),
        }
    }
}

impl Link {
    async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, hyper::client::conn::TrySendError<Request<RequestBody>>> {
        let Self { sender, connection, is_done } = self;
        let mut answer = pin!(sender.try_send_request(request));
        poll_fn(|cx| {
            drive(connection, is_done, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// Whether a request can be sent. Nobody is woken by the connection from now on.
    fn is_free(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        drive(&mut self.connection, &mut self.is_done, &mut cx);
        !self.is_done && matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Ok(())))
    }
}

/// Lets a connection read and write. Its error, if any, reaches whoever waits for the answer.
fn drive(
    connection: &mut Connection<Stream, RequestBody>,
    is_done: &mut bool,
    cx: &mut Context<'_>,
) {
    if !*is_done {
        *is_done = Pin::new(connection).poll(cx).is_ready();
    }
}

/// The body of an answer, with the connection that it comes over.
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    /// `None` once the body is complete.
    link: Option<Box<Link>>,
    upstream: Arc<Upstream>,
}

impl UpstreamBody {
    /// Keeps the connection for the next request, if it can take one.
    fn release(&mut self) {
        if let Some(mut link) = self.link.take()
            && link.is_free()
        {
            self.upstream.keep(link);
        }
    }
}

impl http_body::Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    /// Trailers are dropped.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            if let Some(link) = &mut self.link {
                drive(&mut link.connection, &mut link.is_done, cx);
            }
            let polled = std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx));
            let is_last = polled.is_none() || self.incoming.is_end_stream();
            if is_last {
                self.release();
            }
            match polled {
                Some(Ok(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(_)) => {}
                other => return Poll::Ready(other),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.incoming.size_hint()
    }
}
