//! The server: its listeners, its background work, and how it stops.
//!
//! The routes are in `routes.rs`, what surrounds each request in `exchange.rs`, what a connection may
//! cost in `listener.rs` and `activity.rs`. Everything that runs beside a request is a task of this
//! server and ends with it.

mod activity;
mod cors;
mod description;
mod descriptors;
mod exchange;
mod expiry;
mod framing;
mod listener;
mod management;
mod metrics;
mod outgoing;
mod places;
mod routes;
mod signals;
mod span_export;
mod tls;
mod upkeep;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    activity::TimeLimits,
    exchange::Exchange,
    listener::Listener,
    management::Management,
    places::{Limits, Places},
    routes::Side,
    span_export::SpanExport,
};
pub use self::{
    description::description,
    routes::{OperatorOperation, PublicRoute, operator_operations, public_routes},
    signals::{Signal, Signals},
    tls::TlsError,
};
pub(crate) use self::{
    descriptors::Descriptors, listener::Answer, metrics::ServerMetrics, span_export::Collector,
    tls::Certificate,
};
use crate::{
    app::App, audit::Actor, config::Config, guard::Guards, http::request_event::chain,
    keys::KeysError, live_rules::RulesError, metrics::ConnectionMetrics, store::StoreError,
};

/// What the system buffers of one connection in each direction at most, in bytes: more than any answer and any
/// body, and little enough for as many connections as there may be.
const SOCKET_BUFFER: u32 = 128 << 10;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// How much longer than its deadline the server waits for its tasks to notice.
const GRACE: Duration = Duration::from_secs(1);

/// Where the server listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Where clients register.
    pub public: SocketAddr,
    /// Where the operator looks.
    pub management: SocketAddr,
    /// Where the operator API answers, if it has a listener of its own.
    pub operator: Option<SocketAddr>,
    /// Where proxies ask the guard, if it has a listener of its own.
    pub guard: Option<SocketAddr>,
}

/// How the server came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// What was in flight was finished.
    Drained,
    /// Some requests were not finished within `server.shutdown_deadline_seconds`.
    Late,
    /// Told twice, it stopped where it was.
    AtOnce,
}

/// Why the server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({setting}, or {flag})")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// The setting it comes from.
        setting: &'static str,
        /// The flag that can change it.
        flag: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// Nothing can be signed.
    #[error("nothing can be signed")]
    Keys(#[from] KeysError),
    /// The admission rules cannot be read, so that no one knows which clients to admit.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// Spans cannot be sent.
    #[error("spans cannot be sent to traces.endpoint")]
    Traces(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The store did not close.
    #[error("the store could not be closed")]
    Close(#[source] StoreError),
}

/// Serves until it is told to stop, then finishes what is in flight and closes the store.
///
/// Both addresses are bound before `ready` is called; whoever connects from then on is served.
pub async fn serve(
    app: Arc<App>,
    mut signals: Signals,
    ready: impl FnOnce(Addresses),
) -> Result<Ended, ServeError> {
    let settings = &app.config.server;
    let certificate = app.config.tls.as_ref().map(Certificate::open).transpose()?;
    let descriptors = descriptors(&app.config);
    let public = bind(settings.listen, "server.listen", "--listen")?;
    let management = bind(settings.management, "server.management", "--management")?;
    let own = |listen: Option<SocketAddr>, setting, variable| {
        listen.map(|at| bind(at, setting, variable)).transpose()
    };
    let operator = own(app.config.operator.listen, "operator.listen", "DOORWARD_OPERATOR__LISTEN")?;
    let guard = own(app.config.guard.listen, "guard.listen", "DOORWARD_GUARD__LISTEN")?;
    let bound = BoundListeners { public, management, operator, guard };
    if app.config.authorizes() {
        app.keys.upkeep(&app.store, &app.system(Actor::System)).await?;
    }
    // Without them, clients could get in that operators keep out.
    app.rules.refresh(&app.store, app.clock.now()).await?;
    upkeep::begin_webhooks(&app).await;
    let metrics = ServerMetrics::new(
        Arc::clone(app.rate_limit.metrics()),
        Arc::clone(app.client_documents.metrics()),
        Arc::clone(&app.metrics),
        Arc::clone(&app.rules),
        Arc::clone(&app.webhooks),
    );
    let metrics = Arc::new(metrics.with_attempts(Arc::clone(&app.attempts)));
    let traces = SpanExport::start(&app.config, &app.internet, &app.entropy, &metrics.traces)?;
    let beside = Beside { certificate, traces: traces.map(Arc::new), descriptors };
    let running = Running::start(&app, &metrics, &beside, bound);
    ready(running.addresses);

    loop {
        match signals.next().await {
            Signal::Stop => break,
            Signal::Reload => reload(beside.certificate.as_deref(), &metrics),
        }
    }
    tokio::select! {
        biased;
        ended = running.stop(&app) => ended,
        () = stopped_again(&mut signals) => Ok(Ended::AtOnce),
    }
}

/// What the listeners need beside the application.
struct Beside {
    certificate: Option<Arc<Certificate>>,
    traces: Option<Arc<SpanExport>>,
    descriptors: Descriptors,
}

/// Both listeners at work.
struct Running {
    addresses: Addresses,
    guards: Arc<Guards>,
    /// Where the spans of requests go, if requests are traced.
    traces: Option<Arc<SpanExport>>,
    /// Shakes hands at the public listener, at the operators' own, and at the guard's own beyond loopback.
    tls: Option<TlsAcceptor>,
    public_draining: CancellationToken,
    public_tasks: TaskTracker,
    management_draining: CancellationToken,
    management_tasks: TaskTracker,
}

impl Running {
    fn start(
        app: &Arc<App>,
        metrics: &Arc<ServerMetrics>,
        Beside { certificate, traces, descriptors }: &Beside,
        bound: BoundListeners,
    ) -> Self {
        let BoundListeners { public, management, operator, guard } = bound;
        let running = Self {
            addresses: Addresses {
                public: public.address,
                management: management.address,
                operator: operator.as_ref().map(|bound| bound.address),
                guard: guard.as_ref().map(|bound| bound.address),
            },
            guards: Arc::new(Guards::new(&app.config, &app.internet)),
            traces: traces.clone(),
            tls: certificate.as_ref().map(Certificate::acceptor),
            public_draining: CancellationToken::new(),
            public_tasks: TaskTracker::new(),
            management_draining: CancellationToken::new(),
            management_tasks: TaskTracker::new(),
        };
        // Set once: a server starts once.
        let _again = metrics.guards.set(running.guards.metrics());
        let caps = &app.config.connections;
        let time = TimeLimits::of(caps);
        let limits = Limits {
            connections: descriptors.connections,
            connections_per_source: descriptors.connections_per_source,
            bytes: caps.answer_bytes_max,
        };
        let counted = Arc::clone(&metrics.connections);
        running.answer(app, metrics, (Side::Public, public), (limits, counted));
        if let Some(guard) = guard {
            let limits = Limits {
                connections: descriptors.guard,
                connections_per_source: descriptors.guard.div_ceil(8),
                ..limits
            };
            let counted = Arc::new(ConnectionMetrics::default());
            running.answer(app, metrics, (Side::Guard, guard), (limits, counted));
        }

        let limits = Limits {
            connections: descriptors.management,
            connections_per_source: descriptors.management,
            ..limits
        };
        if let Some(operator) = operator {
            let counted = Arc::new(ConnectionMetrics::default());
            running.answer(app, metrics, (Side::Operator, operator), (limits, counted));
        }
        let counted = Arc::new(ConnectionMetrics::default());
        let draining = running.public_draining.clone();
        let listener = Arc::new(Listener {
            answer: Management::new(Arc::clone(app), Arc::clone(metrics), draining),
            tls: None,
            has_plain_http2: false,
            places: Places::new(limits, Vec::new(), Arc::clone(&counted)),
            time,
            streams_max: caps.http2_streams_max,
            metrics: counted,
            draining: running.management_draining.clone(),
            drain: GRACE,
            tasks: running.management_tasks.clone(),
        });
        running.management_tasks.spawn(listener.run(management.socket));

        // As long as requests are answered, which is until the management listener ends.
        let (app, guards) = (Arc::clone(app), Arc::clone(&running.guards));
        let draining = running.management_draining.clone();
        running.management_tasks.spawn(async move {
            tokio::select! {
                () = draining.cancelled() => {}
                () = upkeep::run(&app, &guards) => {}
            }
        });
        running
    }

    /// Answers requests at a listener until it drains.
    fn answer(
        &self,
        app: &Arc<App>,
        metrics: &Arc<ServerMetrics>,
        (side, bound): (Side, Bound),
        (limits, counted): (Limits, Arc<ConnectionMetrics>),
    ) {
        let (app, metrics, guards) =
            (Arc::clone(app), Arc::clone(metrics), Arc::clone(&self.guards));
        let (server, caps) = (&app.config.server, &app.config.connections);
        // Proxies on this machine need no certificate for its name.
        let is_plain = side == Side::Guard && bound.address.ip().is_loopback();
        let proxies = match side {
            Side::Guard => &app.config.guard.proxies,
            Side::Public | Side::Operator => &server.trusted_proxies,
        };
        let listener = Arc::new(Listener {
            tls: self.tls.clone().filter(|_| !is_plain),
            // Envoy asks so over gRPC.
            has_plain_http2: side == Side::Guard,
            places: Places::new(limits, proxies.clone(), Arc::clone(&counted)),
            time: TimeLimits::of(caps),
            streams_max: caps.http2_streams_max,
            metrics: counted,
            draining: self.public_draining.clone(),
            drain: Duration::from_secs(server.shutdown_deadline_seconds),
            tasks: self.public_tasks.clone(),
            answer: Exchange::new(Arc::clone(&app), guards, metrics, side, self.traces.clone()),
        });
        self.public_tasks.spawn(listener.run(bound.socket));
    }

    /// Readiness off, nothing accepted any more, what is in flight finished; the operator can look on
    /// until then. Then the store is closed.
    async fn stop(&self, app: &App) -> Result<Ended, ServeError> {
        let deadline = Duration::from_secs(app.config.server.shutdown_deadline_seconds);
        tracing::info!(deadline_seconds = deadline.as_secs(), "stopping");
        self.public_draining.cancel();
        self.guards.proxies.drain();
        self.public_tasks.close();
        let is_drained = timeout(deadline, self.public_tasks.wait()).await.is_ok();
        if !is_drained {
            tracing::warn!("not all requests were finished in time");
            let _ = timeout(GRACE, self.public_tasks.wait()).await;
        }
        if let Some(traces) = &self.traces {
            traces.stop().await;
        }
        self.management_draining.cancel();
        self.management_tasks.close();
        let _ = timeout(GRACE, self.management_tasks.wait()).await;
        let _ = timeout(GRACE, upkeep::store_last_uses(app)).await;
        let _ = timeout(GRACE, upkeep::store_attempts(app)).await;
        let _ = timeout(GRACE, upkeep::store_calls(app, &self.guards, true)).await;
        drop(timeout(GRACE, app.webhooks.release(&app.store)).await);
        app.store.close().await.map_err(ServeError::Close)?;
        Ok(if is_drained { Ended::Drained } else { Ended::Late })
    }
}

/// An address that is ours.
struct Bound {
    address: SocketAddr,
    socket: TcpListener,
}

/// The addresses of all listeners.
struct BoundListeners {
    public: Bound,
    management: Bound,
    operator: Option<Bound>,
    guard: Option<Bound>,
}

fn bind(
    address: SocketAddr,
    setting: &'static str,
    flag: &'static str,
) -> Result<Bound, ServeError> {
    let failed = |source| ServeError::Bind { address, setting, flag, source };
    let socket = listening(address).map_err(failed)?;
    Ok(Bound { address: socket.local_addr().map_err(failed)?, socket })
}

/// Connections inherit the sizes of the buffers.
fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that starts again must not wait for connections of the last one.
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many connections the limit of open files allows, said in the log when they are fewer than configured.
fn descriptors(config: &Config) -> Descriptors {
    let found = Descriptors::raised(config);
    if found.is_clamped(config) {
        tracing::warn!(
            limit = found.limit,
            wanted = found.wanted,
            connections = found.connections,
            "the limit of open files allows fewer connections than connections.max"
        );
    }
    found
}

fn reload(certificate: Option<&Certificate>, metrics: &ServerMetrics) {
    match certificate.map(Certificate::reload) {
        None => tracing::info!("there is nothing to read again: TLS is off"),
        Some(Ok(())) => {
            metrics.certificate_reloads.add_one();
            tracing::info!("the certificate was read again");
        }
        Some(Err(error)) => {
            metrics.certificate_reload_failures.add_one();
            tracing::error!(error = chain(&error), "the certificate stays as it was");
        }
    }
}

async fn stopped_again(signals: &mut Signals) {
    while signals.next().await != Signal::Stop {}
}
