//! The whole server in this process, on ports of its own, with a held clock and seeded chance.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use doorward::{
    app::App,
    audit::{Action, Actor, Author},
    client::ClientId,
    clock::{Clock, Timestamp},
    config::{Config, StoreLocation},
    entropy::Entropy,
    internet::Internet,
    server::{self, Ended, ServeError, Signal, Signals},
    store::{self, Access, ClientFilter, ClientRecord, Failing, Failure, Store},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{description, postgres};

/// Longer than anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where the clock stands at first: the beginning of a minute in January 2027.
const START: u64 = 1_800_000_000_000;

/// A server that runs until it is dropped or stopped.
pub(crate) struct TestServer {
    pub(crate) public: SocketAddr,
    pub(crate) management: SocketAddr,
    /// The operators' own listener, if there is one.
    pub(crate) operator: Option<SocketAddr>,
    pub(crate) guard: Option<SocketAddr>,
    pub(crate) clock: Clock,
    /// What signs somebody in, where that is possible.
    pub(crate) password: Option<String>,
    /// The store of the server.
    pub(crate) kept: Arc<Store>,
    /// Makes calls of the store fail.
    failing: Arc<Failing>,
    /// The folder of the store, where the harness made one.
    _folder: Option<TempDir>,
    /// Where the secrets come from that tests put into the store.
    pub(crate) chance: Entropy,
    /// How its interface is described.
    described: Value,
    signals: mpsc::Sender<Signal>,
    running: JoinHandle<Result<Ended, ServeError>>,
}

/// The settings of tests: the defaults, ports that the system chooses, and no rate limits.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.management = ([127, 0, 0, 1], 0).into();
    config.rate_limit.per_source = 0;
    config.rate_limit.total = 0;
    config.rate_limit.bytes_per_source = 0;
    config.rate_limit.bytes_total = 0;
    config.rate_limit.failures_per_source = 0;
    // Only the tests of expiry have clients that expire.
    (config.clients.unused_days, config.clients.idle_days, config.audit.keep_days) = (0, 0, 0);
    config
}

fn described(config: &Config) -> Value {
    serde_json::from_str(&server::description(config)).unwrap()
}

/// The author of what a test changes in a store.
pub(crate) fn by() -> Author {
    Author::new(Actor::System, Timestamp::from_millis(START), Entropy::System)
}

/// An empty store: in the database that this run uses, or in a folder.
async fn new_store(config: &Config) -> (Store, Option<TempDir>) {
    let (location, folder) = if let Some(url) = postgres::new_database() {
        (StoreLocation::Postgres(url.parse().unwrap()), None)
    } else {
        let folder = TempDir::new().unwrap();
        (StoreLocation::Folder(folder.path().to_owned()), Some(folder))
    };
    let config = Config { store: location, ..config.clone() };
    let opened = store::open(&config, Access::Serve).await.unwrap();
    (Arc::into_inner(opened).expect("the store has one owner"), folder)
}

/// What comes of serving with settings that should not work.
pub(crate) async fn try_serve(config: Config) -> Result<Ended, ServeError> {
    let (store, _folder) = new_store(&config).await;
    let app = App::new(
        config,
        Arc::new(store),
        Clock::held_at(Timestamp::from_millis(START)),
        Entropy::seeded(7),
    );
    let (_sender, signals) = Signals::handed();
    timeout(PATIENCE, server::serve(app, signals, |_| {})).await.expect("the server does not start")
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::on(Internet::System, config).await
    }

    /// A server on an internet that the test has staged.
    pub(crate) async fn on(internet: Internet, config: Config) -> Self {
        let described = described(&config);
        let clock = Clock::held_at(Timestamp::from_millis(START));
        let (store, folder) = new_store(&config).await;
        let failing = Arc::new(Failing::default());
        let kept = Arc::new(store.with(Arc::clone(&failing)));
        let app = App::on(internet, config, Arc::clone(&kept), clock.clone(), Entropy::seeded(7));
        Self { failing, _folder: folder, ..Self::of(app, described, kept, clock).await }
    }

    /// A server on a store that is there, at the time of now and with chance that is nobody else's.
    pub(crate) async fn kept_by(kept: Arc<Store>, config: Config) -> Self {
        Self::kept_by_at(kept, config, Clock::System.now()).await
    }

    /// The same at another time.
    pub(crate) async fn kept_by_at(kept: Arc<Store>, config: Config, now: Timestamp) -> Self {
        Self::kept_by_on(kept, Internet::System, config, now).await
    }

    /// The same on an internet that the test has staged.
    pub(crate) async fn kept_by_on(
        kept: Arc<Store>,
        internet: Internet,
        config: Config,
        now: Timestamp,
    ) -> Self {
        let clock = Clock::held_at(now);
        let described = described(&config);
        let app = App::on(internet, config, Arc::clone(&kept), clock.clone(), Entropy::System);
        Self::of(app, described, kept, clock).await
    }

    async fn of(app: Arc<App>, described: Value, kept: Arc<Store>, clock: Clock) -> Self {
        let password = app.take_local_password();
        let (signals, received) = Signals::handed();
        let (told, ready) = oneshot::channel();
        let running = tokio::spawn(server::serve(app, received, |addresses| {
            told.send(addresses).expect("the test waits for it");
        }));
        let addresses = timeout(PATIENCE, ready).await.unwrap().expect("the server starts");
        let (public, management) = (addresses.public, addresses.management);
        Self {
            public,
            management,
            operator: addresses.operator,
            guard: addresses.guard,
            clock,
            password,
            kept,
            failing: Arc::default(),
            _folder: None,
            chance: Entropy::seeded(8),
            described,
            signals,
            running,
        }
    }

    /// Every call of the store fails like this from now on.
    pub(crate) fn fail(&self, failure: Failure) {
        self.fail_after(0, failure);
    }

    /// As [`Self::fail`], except for the next `calls`.
    pub(crate) fn fail_after(&self, calls: usize, failure: Failure) {
        self.failing.fail_after(calls, failure);
    }

    /// The clients in the store.
    pub(crate) async fn clients(&self) -> Vec<ClientRecord> {
        self.kept.clients(&ClientFilter::default(), None, 1_000).await.unwrap()
    }

    pub(crate) async fn signal(&self, signal: Signal) {
        self.signals.send(signal).await.expect("the server listens");
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        self.signal(Signal::Stop).await;
        assert_eq!(self.ended().await.unwrap(), Ended::Drained);
    }

    /// How the server ended.
    pub(crate) async fn ended(self) -> Result<Ended, ServeError> {
        timeout(PATIENCE, self.running).await.expect("the server ends").unwrap()
    }

    /// A request on the public listener, on a connection of its own. The answer is one that the server describes.
    pub(crate) async fn exchange(&self, request: &str) -> Answer {
        let answer = exchange(self.public, request).await;
        description::check(&self.described, request, &answer);
        answer
    }

    /// `POST` of a JSON body to a path of the public listener.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let length = body.len();
        self.exchange(&format!(
            "POST {path} HTTP/1.1\r\nhost: door.example\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    /// The record of this client.
    pub(crate) async fn record(&self, client_id: &str) -> ClientRecord {
        let id = client_id.parse().unwrap();
        self.kept.client(id).await.unwrap().expect("a client that was answered 201 is kept")
    }

    /// Keeps a client that registered elsewhere.
    pub(crate) async fn keep(&self, client: ClientRecord) {
        self.kept.register_client(Arc::new(client), None).await.unwrap();
    }

    /// Deletes a client.
    pub(crate) async fn forget(&self, client_id: &str) {
        self.kept
            .remove_client(client_id.parse().unwrap(), Action::ClientRemoved, "by_operator", by())
            .await
            .unwrap();
    }

    /// A request on the operators' own listener.
    pub(crate) async fn exchange_as_operator(&self, request: &str) -> Answer {
        let answer = exchange(self.operator.expect("there is one"), request).await;
        description::check(&self.described, request, &answer);
        answer
    }

    /// A request on the public listener, of which the description says nothing there.
    pub(crate) async fn exchange_undescribed(&self, request: &str) -> Answer {
        exchange(self.public, request).await
    }

    /// `GET` of a path of the management listener.
    pub(crate) async fn look(&self, path: &str) -> Answer {
        self.manage("GET", path).await
    }

    pub(crate) async fn manage(&self, method: &str, path: &str) -> Answer {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        exchange(self.management, &request).await
    }

    /// Looks until the answer has this status.
    pub(crate) async fn look_until(&self, path: &str, status: u16) -> Answer {
        until(async || Some(self.look(path).await).filter(|answer| answer.status == status)).await
    }

    /// The value of a metric, which is named with its labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let page = self.look("/metrics").await.body;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in\n{page}")).parse().unwrap()
    }

    /// Waits until a metric is at least `value`.
    pub(crate) async fn wait_for_metric(&self, name: &str, value: f64) {
        until(async || (self.metric(name).await >= value).then_some(())).await;
    }

    /// Waits until a metric is at most `value`.
    pub(crate) async fn wait_for_metric_at_most(&self, name: &str, value: f64) {
        until(async || (self.metric(name).await <= value).then_some(())).await;
    }

    /// Waits until nobody listens on the public address any more.
    pub(crate) async fn wait_until_refused(&self) {
        until(async || TcpStream::connect(self.public).await.err()).await;
    }
}

/// An answer over HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The only header of this name; names are in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let first = found.next();
        assert_eq!(found.next(), None, "{name} is there twice");
        first
    }

    /// Every header of this name.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// The identifier of the client that was registered.
    pub(crate) fn client_id(&self) -> ClientId {
        self.json()["client_id"].as_str().and_then(|id| id.parse().ok()).expect("there is one")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, asked).await.expect("it comes about")
}

/// Reads to the end of the connection and returns what came before it. A reset is an end too.
pub(crate) async fn read_end(connection: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    drop(timeout(PATIENCE, connection.read_to_end(&mut bytes)).await.expect("there is an end"));
    String::from_utf8(bytes).unwrap()
}

pub(crate) async fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let is_head = request.starts_with("HEAD ");
    timeout(PATIENCE, read_answer(&mut connection, is_head)).await.expect("there is an answer")
}

/// Reads one answer; the connection may be used on.
pub(crate) async fn read_answer(
    connection: &mut (impl AsyncRead + Unpin),
    is_head: bool,
) -> Answer {
    let mut bytes = Vec::new();
    let head_length = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let read = connection.read_buf(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "the connection ends in {:?}", String::from_utf8_lossy(&bytes));
    };
    let body = bytes.split_off(head_length);
    let head = String::from_utf8(bytes).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: String::new() };
    let length = match answer.header("content-length") {
        Some(length) if !is_head => length.parse().unwrap(),
        _ => 0,
    };
    let mut body = body;
    while body.len() < length {
        assert_ne!(connection.read_buf(&mut body).await.unwrap(), 0, "{answer:?}");
    }
    answer.body = String::from_utf8(body).unwrap();
    answer
}
