//! Webhooks: what receivers get, on real sockets, and what becomes of events that they do not accept.

use std::{
    collections::VecDeque,
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use doorward::{
    audit::ActionPattern,
    config::{Config, Webhook},
    store::{self, Access, Store, WebhookCursor},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    granted::config_on,
    harness::{TestServer, config},
    postgres,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATIENCE: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_hours(1);

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug)]
enum Then {
    Answer(u16),
    /// To another path of the same receiver.
    Redirect,
    /// Closes the connection without an answer.
    Close,
    /// Accepts, and sends an answer without end.
    AcceptAtLength,
    /// Accepts after a while.
    AcceptLate,
}

/// A request that a receiver got.
#[derive(Clone, Debug)]
struct Got {
    path: String,
    headers: Vec<(String, String)>,
    body: Value,
    is_accepted: bool,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map_or_else(|| panic!("no {name} in {self:?}"), |(_, value)| value)
    }

    fn action(&self) -> &str {
        self.body["action"].as_str().unwrap()
    }
}

/// A receiver. It accepts what it has no other answer for.
struct Receiver {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<VecDeque<Then>>>,
    _running: JoinSet<()>,
}

impl Receiver {
    async fn start() -> Self {
        Self::at(([127, 0, 0, 1], 0).into()).await
    }

    async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (got, answers) = (Arc::default(), Arc::default());
        let mut running = JoinSet::new();
        let (all, script) = (Arc::clone(&got), Arc::clone(&answers));
        running.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                connections.spawn(receive(connection, Arc::clone(&all), Arc::clone(&script)));
            }
        });
        Self { address, got, answers, _running: running }
    }

    fn then(&self, answers: &[Then]) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    fn accepted(&self) -> Vec<Got> {
        self.got().into_iter().filter(|got| got.is_accepted).collect()
    }

    async fn wait_for(&self, accepted: usize) -> Vec<Got> {
        until(async || Some(self.accepted()).filter(|all| all.len() >= accepted)).await
    }
}

async fn receive(
    mut connection: TcpStream,
    all: Arc<Mutex<Vec<Got>>>,
    script: Arc<Mutex<VecDeque<Then>>>,
) {
    let mut buffer = Vec::new();
    while let Some((path, headers, body)) = request(&mut connection, &mut buffer).await {
        let then = script.lock().unwrap().pop_front().unwrap_or(Then::Answer(204));
        if matches!(then, Then::AcceptLate) {
            sleep(Duration::from_millis(300)).await;
        }
        let is_accepted =
            !matches!(then, Then::Redirect | Then::Close | Then::Answer(0..=199 | 300..));
        all.lock().unwrap().push(Got { path, headers, body, is_accepted });
        let answer = match then {
            Then::Close => return,
            Then::Answer(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"),
            Then::AcceptLate => "HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Then::Redirect => {
                "HTTP/1.1 307 X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            Then::AcceptAtLength => "HTTP/1.1 200 X\r\n\r\n".to_owned(),
        };
        if connection.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        if matches!(then, Then::AcceptAtLength) {
            while connection.write_all(&[b'x'; 4096]).await.is_ok() {}
            return;
        }
    }
}

/// The next request of a connection; `None` at its end.
async fn request(
    connection: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> Option<(String, Vec<(String, String)>, Value)> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if connection.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = buffer.split_off(end);
    let head = String::from_utf8(std::mem::take(buffer)).unwrap();
    let mut lines = head.lines();
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.unwrap().1.parse().unwrap();
    while body.len() < length {
        connection.read_buf(&mut body).await.ok()?;
    }
    *buffer = body.split_off(length);
    Some((path, headers, serde_json::from_slice(&body).unwrap()))
}

async fn until<T>(ask: impl AsyncFn() -> Option<T>) -> T {
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

/// A server with one webhook.
struct Sender {
    server: TestServer,
    folder: TempDir,
}

impl Sender {
    async fn to(address: SocketAddr, change: impl FnOnce(&mut Webhook)) -> Self {
        let folder = TempDir::new().unwrap();
        let server = TestServer::with(with_webhook(&folder, address, change)).await;
        Self { server, folder }
    }

    async fn register(&self) -> String {
        let body = r#"{"client_name":"An app","redirect_uris":["https://example.com/callback"]}"#;
        self.server.post("/oauth2/register", body).await.client_id().to_string()
    }

    async fn cursor(&self) -> WebhookCursor {
        cursor(&self.server.kept).await
    }

    /// Waits until so many attempts at the next event have failed.
    async fn failed(&self, attempts: u64) -> WebhookCursor {
        until(async || Some(self.cursor().await).filter(|cursor| cursor.failures == attempts)).await
    }
}

async fn cursor(store: &Store) -> WebhookCursor {
    store.webhook_cursors().await.unwrap().remove(0)
}

fn with_webhook(
    folder: &TempDir,
    address: SocketAddr,
    change: impl FnOnce(&mut Webhook),
) -> Config {
    let secret_file = folder.path().join("webhook.secret");
    fs::write(&secret_file, SECRET).unwrap();
    let mut webhook = Webhook {
        name: "audit".to_owned(),
        url: format!("http://{address}/a/secret-path?key=secret-query").parse().unwrap(),
        secret_file,
        actions: Vec::new(),
        allow_private_networks: true,
    };
    change(&mut webhook);
    Config { webhooks: vec![webhook], ..config() }
}

fn clients(got: &[Got]) -> Vec<&str> {
    got.iter().map(|got| got.body["client_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_receiver_gets_registrations_and_events_in_order_as_the_audit_shows_them() {
    let receiver = Receiver::start().await;
    let sender = Sender::to(receiver.address, |_| {}).await;
    let mut registered = Vec::new();
    for _ in 0..3 {
        registered.push(sender.register().await);
    }
    receiver.wait_for(3).await;
    sender.server.forget(&registered[1]).await;

    let got = receiver.wait_for(4).await;

    let actions: Vec<&str> = got.iter().map(Got::action).collect();
    let registration = "client.registered";
    assert_eq!(actions, [registration, registration, registration, "client.removed"]);
    registered.push(registered[1].clone());
    assert_eq!(clients(&got), registered);
    for one in &got {
        assert_eq!(one.path, "/a/secret-path?key=secret-query");
        assert_eq!(one.header("content-type"), "application/json");
        assert_eq!(one.header("webhook-id"), one.body["id"]);
        assert_eq!(one.header("webhook-timestamp"), "1800000000");
        let signature = one.header("webhook-signature");
        assert!(signature.starts_with("v1,") && signature.len() == 47, "{signature}");
    }
    assert_eq!(got[0].body["id"], registered[0]);
    assert_eq!(got[0].body["detail"]["name"], "An app");
    assert_eq!(got[3].body["detail"]["reason"], "by_operator");
    let metric = r#"doorward_webhook_deliveries_total{webhook="audit",outcome="accepted"}"#;
    sender.server.wait_for_metric(metric, 4.0).await;
    let last = registered[2].clone();
    until(async || {
        let position = sender.cursor().await.position;
        (position.client_id.to_string() == last).then_some(())
    })
    .await;
}

#[tokio::test]
async fn whatever_is_not_accepted_is_sent_again_in_order_and_no_redirect_is_followed() {
    let receiver = Receiver::start().await;
    let sender = Sender::to(receiver.address, |_| {}).await;
    let failures = [
        (Then::Answer(500), "status 500"),
        (Then::Redirect, "status 307"),
        (Then::Answer(404), "status 404"),
        (Then::Close, "cannot be reached"),
        (Then::Answer(410), "status 410"),
    ];
    receiver.then(&failures.map(|(then, _)| then));
    let mut registered = vec![sender.register().await];
    for (attempts, (then, why)) in (1..).zip(failures) {
        registered.push(sender.register().await);
        let cursor = sender.failed(attempts).await;
        let failure = cursor.failure.unwrap();
        assert!(failure.contains(why), "{then:?}: {failure}");
        assert!(!failure.contains("secret") && !failure.contains(SECRET), "{failure}");
        sender.server.clock.advance(HOUR);
    }

    let got = receiver.wait_for(registered.len()).await;

    assert_eq!(clients(&got), registered);
    let all = receiver.got();
    let first = registered[0].as_str();
    assert!(clients(&all[..6]).iter().all(|client| *client == first), "the first one blocks");
    assert!(all.iter().all(|got| got.path.starts_with("/a/")), "nothing is followed");
    let lag = r#"doorward_webhook_lag_seconds{webhook="audit"}"#;
    sender.server.wait_for_metric_at_most(lag, 0.0).await;
    let failed = r#"doorward_webhook_deliveries_total{webhook="audit",outcome="failed"}"#;
    assert!((sender.server.metric(failed).await - 5.0).abs() < 0.1);
    let page = sender.server.look("/metrics").await.body;
    assert!(!page.contains("secret"), "{page}");
    until(async || (sender.cursor().await.failures == 0).then_some(())).await;
}

#[tokio::test]
async fn a_receiver_that_is_back_after_an_hour_gets_all_that_it_has_missed() {
    let nobody = Receiver::start().await;
    let address = nobody.address;
    drop(nobody);
    let sender = Sender::to(address, |_| {}).await;
    let mut registered = Vec::new();
    for _ in 0..20 {
        registered.push(sender.register().await);
    }
    for attempts in 1..=3 {
        sender.failed(attempts).await;
        sender.server.clock.advance(Duration::from_mins(20));
    }
    let lag = r#"doorward_webhook_lag_seconds{webhook="audit"}"#;
    sender.server.wait_for_metric(lag, 3_000.0).await;
    let failing = r#"doorward_webhook_failing_attempts{webhook="audit"}"#;
    sender.server.wait_for_metric(failing, 3.0).await;

    let back = Receiver::at(address).await;
    sender.server.clock.advance(HOUR);

    assert_eq!(clients(&back.wait_for(20).await), registered);
    sender.server.wait_for_metric_at_most(lag, 0.0).await;
    assert_eq!(back.got()[0].header("webhook-timestamp").len(), 10);
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left_after_a_while_and_holds_up_no_other() {
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = Receiver::start().await;
    let folder = TempDir::new().unwrap();
    let mut config = with_webhook(&folder, receiver.address, |_| {});
    let mut other = config.webhooks[0].clone();
    other.name = "hanging".to_owned();
    other.url = format!("http://{}/", hanging.local_addr().unwrap()).parse().unwrap();
    config.webhooks.push(other);
    let sender = Sender { server: TestServer::with(config).await, folder };
    sender.register().await;

    receiver.wait_for(1).await;

    let failed = r#"doorward_webhook_deliveries_total{webhook="hanging",outcome="failed"}"#;
    sender.server.wait_for_metric(failed, 1.0).await;
    let why = until(async || {
        let cursors = sender.server.kept.webhook_cursors().await.unwrap();
        cursors[1].failure.clone()
    })
    .await;
    assert!(why.contains("within 10 seconds"), "{why}");
}

#[tokio::test]
async fn answers_that_are_slow_or_endless_lose_nothing() {
    let receiver = Receiver::start().await;
    let sender = Sender::to(receiver.address, |_| {}).await;
    receiver.then(&[Then::AcceptLate, Then::AcceptAtLength, Then::AcceptLate, Then::Answer(201)]);
    let mut registered = Vec::new();
    for _ in 0..5 {
        registered.push(sender.register().await);
    }
    assert_eq!(clients(&receiver.wait_for(5).await), registered);
}

#[tokio::test]
async fn only_the_actions_of_the_settings_are_sent_and_the_others_passed_over() {
    let receiver = Receiver::start().await;
    let actions = ["client.rem*", "client.removed"];
    assert!(actions[0].parse::<ActionPattern>().is_err());
    let sender = Sender::to(receiver.address, |webhook| {
        webhook.actions = vec![actions[1].parse().unwrap()];
    })
    .await;
    let first = sender.register().await;
    let second = sender.register().await;
    sender.server.forget(&second).await;
    let third = sender.register().await;
    sender.server.forget(&first).await;

    let got = receiver.wait_for(2).await;

    assert_eq!(clients(&got), [&*second, &first]);
    until(async || {
        let position = sender.cursor().await.position;
        (position.client_id.to_string() == third).then_some(())
    })
    .await;
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn a_receiver_in_a_private_network_is_asked_only_if_the_settings_allow_it() {
    let receiver = Receiver::start().await;
    let sender = Sender::to(receiver.address, |webhook| {
        webhook.url.set_scheme("https").unwrap();
        webhook.allow_private_networks = false;
    })
    .await;
    sender.register().await;

    let failure = sender.failed(1).await.failure.unwrap();

    assert!(failure.contains("public address"), "{failure}");
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_holds_events_back_until_it_can() {
    let receiver = Receiver::start().await;
    let sender = Sender::to(receiver.address, |webhook| {
        fs::write(&webhook.secret_file, "no secret").unwrap();
    })
    .await;
    let registered = sender.register().await;
    let failure = sender.failed(1).await.failure.unwrap();
    assert!(failure.contains("whsec_") && !failure.contains("no secret"), "{failure}");
    let file = sender.folder.path().join("webhook.secret");
    // The one before, and the one after it.
    fs::write(file, format!("{SECRET}\nwhsec_{}\n", "A".repeat(32))).unwrap();

    sender.server.clock.advance(HOUR);

    let got = receiver.wait_for(1).await;
    assert_eq!(clients(&got), [&*registered]);
    assert_eq!(got[0].header("webhook-signature").split(' ').count(), 2);
}

#[tokio::test]
async fn a_webhook_goes_on_where_it_was_and_one_that_was_dropped_begins_anew() {
    let receiver = Receiver::start().await;
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("data");
    fs::create_dir(&place).unwrap();
    let place = place.to_str().unwrap().to_owned();
    let mut config = with_webhook(&folder, receiver.address, |_| {});
    let database = postgres::new_database();
    let is_embedded = database.is_none();
    config.store = config_on(&database.unwrap_or(place)).store;
    let start = async |config: &Config| {
        let kept = store::open(config, Access::Serve).await.unwrap();
        Sender {
            server: TestServer::kept_by(kept, config.clone()).await,
            folder: TempDir::new().unwrap(),
        }
    };
    let sender = start(&config).await;
    let mut expected = vec![sender.register().await];
    receiver.wait_for(1).await;
    receiver.then(&[Then::Answer(500)]);
    expected.push(sender.register().await);
    sender.failed(1).await;
    sender.server.stop().await;

    let sender = start(&config).await;
    expected.push(sender.register().await);
    let got = receiver.wait_for(3).await;
    let mut clients_got = clients(&got);
    clients_got.dedup();
    assert_eq!(clients_got, expected);
    sender.server.stop().await;

    let without = Config { webhooks: Vec::new(), ..config.clone() };
    let sender = start(&without).await;
    let unsent = sender.register().await;
    sender.server.stop().await;
    let sender = start(&config).await;
    let last = sender.register().await;
    let got =
        until(async || Some(receiver.accepted()).filter(|all| clients(all).contains(&&*last)))
            .await;
    // In PostgreSQL, transactions of other tests may have been under way.
    assert!(!is_embedded || !clients(&got).contains(&&*unsent), "what happened meanwhile is sent");
    let mut clients_got = clients(&got);
    clients_got.retain(|client| *client != unsent);
    clients_got.dedup();
    expected.push(last);
    assert_eq!(clients_got, expected);
}
