//! Limits that several nodes share in Redis: exact together, told alike, and never a reason to fail when
//! Redis does.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use doorward::config::{self, Config, Sources};
use rustix::process::Signal;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    harness::{Answer, TestServer},
    redis::{Redis, free_port},
};

const GOOD: &str = r#"{"client_name":"A","redirect_uris":["https://a.example/cb"]}"#;
const CONNECTED: &str = "doorward_rate_limit_redis_connected";
const COUNTED: &str = "doorward_rate_limit_redis_requests_total{outcome=\"counted\"}";
const FAILED: &str = "doorward_rate_limit_redis_requests_total{outcome=\"failed\"}";
const NOT_ASKED: &str = "doorward_rate_limit_redis_requests_total{outcome=\"not_asked\"}";
const DAY: u32 = 86_400;

/// The length of a window that no test sees the end of, in seconds. Redis has the clock of this machine, which no test can
/// hold still: of two lengths whose windows end at different times, this is the one whose window has more time left.
fn window() -> u32 {
    static WINDOW: LazyLock<u32> =
        LazyLock::new(|| [DAY, 60_000].into_iter().max_by_key(|window| left_of(*window)).unwrap());
    *WINDOW
}

/// The settings of a node that counts at `redis`.
fn config(redis: &str, more: &[(&'static str, &str)]) -> Config {
    let given = [
        ("server.listen", "127.0.0.1:0"),
        ("server.management", "127.0.0.1:0"),
        ("server.trusted_proxies", "127.0.0.1"),
        ("rate_limit.redis", redis),
        ("rate_limit.redis_timeout_milliseconds", "10000"),
    ];
    let window = window().to_string();
    let period = ("rate_limit.period_seconds", &*window);
    let flags =
        given.iter().chain([&period]).chain(more).map(|(key, value)| (*key, (*value).to_owned()));
    config::load(Sources { dev: true, flags: flags.collect(), ..Sources::default() }).unwrap()
}

/// A node that is connected to `redis`.
async fn node(redis: &Redis, more: &[(&'static str, &str)]) -> TestServer {
    let server = TestServer::with(config(&redis.url(), more)).await;
    server.wait_for_metric(CONNECTED, 1.0).await;
    server
}

/// Three nodes whose clocks are minutes and hours apart.
async fn nodes(redis: &Redis, more: &[(&'static str, &str)]) -> Vec<TestServer> {
    let mut nodes = Vec::new();
    for minutes in [0, 7, 190] {
        let server = node(redis, more).await;
        server.clock.advance(Duration::from_mins(minutes));
        nodes.push(server);
    }
    nodes
}

/// Seconds until a window of this length ends in Redis.
fn left_of(window: u32) -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    window - u32::try_from(now % u64::from(window)).unwrap()
}

fn request(forwarded_for: &str, path: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {forwarded_for}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{GOOD}",
        GOOD.len()
    )
}

fn number(answer: &Answer, name: &str) -> u32 {
    answer.header(name).unwrap_or_else(|| panic!("no {name} in {answer:?}")).parse().unwrap()
}

/// As many answers of each node at the same time.
async fn at_once(nodes: Vec<TestServer>, each: usize) -> Vec<Answer> {
    let mut asked = JoinSet::new();
    for node in nodes {
        asked.spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..each {
                answers.push(node.exchange(&request("192.0.2.1", "/register")).await);
            }
            answers
        });
    }
    asked.join_all().await.into_iter().flatten().collect()
}

#[tokio::test]
async fn nodes_admit_together_exactly_what_one_source_may_ask_and_tell_it_alike() {
    let Some(redis) = Redis::start() else { return };
    let nodes = nodes(&redis, &[("rate_limit.per_source", "40"), ("rate_limit.total", "99")]).await;

    let left_before = left_of(window());
    let answers = at_once(nodes, 30).await;

    let (admitted, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((admitted.len(), refused.len()), (40, 50));
    let told: BTreeSet<u32> = admitted.iter().map(|it| number(it, "ratelimit-remaining")).collect();
    assert_eq!(told, (0..40).collect());
    let possible = left_of(window())..=left_before;
    for answer in admitted.iter().chain(&refused) {
        let reset = number(answer, "ratelimit-reset");
        assert!(possible.contains(&reset), "{reset} is not in {possible:?}");
    }
    for answer in &refused {
        assert_eq!((answer.status, number(answer, "ratelimit-limit")), (429, 40));
        assert_eq!(number(answer, "ratelimit-remaining"), 0);
        assert_eq!(answer.header("retry-after"), answer.header("ratelimit-reset"));
    }
}

#[tokio::test]
async fn nodes_admit_together_exactly_what_all_may_ask_and_one_source_cannot_use_it_up() {
    let Some(redis) = Redis::start() else { return };
    let nodes = nodes(&redis, &[("rate_limit.per_source", "2"), ("rate_limit.total", "12")]).await;

    for turn in 0..30 {
        nodes[turn % 3].exchange(&request("192.0.2.1", "/register")).await;
    }
    let mut admitted = 0;
    for source in 10..40 {
        let from = format!("192.0.2.{source}");
        let answer = nodes[source % 3].exchange(&request(&from, "/api/v2/oauth2/register")).await;
        admitted += usize::from(answer.status == 201);
        let told = ["limit", "period"].map(|it| number(&answer, &format!("x-ratelimit-{it}")));
        assert!([[2, window()], [12, window()]].contains(&told), "{answer:?}");
    }

    assert_eq!(admitted, 10, "two of twelve were the first source's");
}

#[tokio::test]
async fn nodes_tell_a_source_together_no_more_failures_than_one_would() {
    let Some(redis) = Redis::start() else { return };
    let more = [("rate_limit.failures_per_source", "20"), ("rate_limit.per_source", "0")];
    let nodes = nodes(&redis, &more).await;
    let fail = "POST /oauth2/revoke HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 17\r\n\r\nclient_id=unknown";

    let mut statuses = Vec::new();
    for turn in 0..60 {
        statuses.push(nodes[turn % 3].exchange(fail).await.status);
    }
    assert_eq!(statuses, [vec![401; 20], vec![429; 40]].concat());
    // They were told, and do not ask again.
    let mut counted = 0.0;
    for node in &nodes {
        counted += node.metric(COUNTED).await;
    }
    assert!((counted - 22.0).abs() < 0.5, "{counted}");
    let introspected = nodes[1].exchange(&fail.replace("revoke", "introspect")).await;
    assert_ne!(introspected.status, 429, "another family counts apart");
    let page = fail.replace("host: x", "host: x\r\nsec-fetch-site: cross-site");
    assert_eq!(nodes[2].exchange(&page).await.status, 401, "pages of other sites count apart");
    let other = nodes[0].exchange(&fail.replace("192.0.2.1", "192.0.2.2")).await;
    assert_eq!(other.status, 401);
    let registered = nodes[0].exchange(&request("192.0.2.1", "/register")).await;
    assert_eq!(registered.status, 201, "a failure is no registration");
}

#[tokio::test]
async fn nodes_admit_together_exactly_the_bytes_of_one_source_and_of_all() {
    let Some(redis) = Redis::start() else { return };
    let size = u32::try_from(GOOD.len()).unwrap();
    let (per_source, total) = ((size * 10).to_string(), (size * 16 + 1).to_string());
    let more = [
        ("rate_limit.bytes_per_source", &*per_source),
        ("rate_limit.bytes_total", &*total),
        ("rate_limit.per_source", "0"),
        ("rate_limit.total", "0"),
    ];
    let nodes = nodes(&redis, &more).await;

    let mut statuses = Vec::new();
    for turn in 0..15 {
        statuses.push(nodes[turn % 3].exchange(&request("192.0.2.1", "/register")).await.status);
    }
    assert_eq!(statuses, [vec![201; 10], vec![429; 5]].concat());
    statuses.clear();
    for turn in 0..8 {
        statuses.push(nodes[turn % 3].exchange(&request("192.0.2.2", "/register")).await.status);
    }
    assert_eq!(statuses, [vec![201; 6], vec![429; 2]].concat());
}

#[tokio::test]
async fn busy_sources_leave_room_for_others_on_all_nodes() {
    let Some(redis) = Redis::start() else { return };
    let nodes = nodes(&redis, &[("rate_limit.per_source", "20"), ("rate_limit.total", "40")]).await;
    let mut admitted = [0; 2];
    for (nth, sources) in [(0, 1..5), (1, 11..20)] {
        for source in sources {
            for turn in 0..if nth == 0 { 20 } else { 1 } {
                let from = format!("192.0.2.{source}");
                let answer = nodes[turn % 3].exchange(&request(&from, "/register")).await;
                admitted[nth] += u32::from(answer.status == 201);
            }
        }
    }
    // Two busy sources use up three quarters and two more have their first three requests; then all is used up.
    assert_eq!(admitted, [36, 4]);
}

#[tokio::test]
async fn an_ipv6_network_is_one_source_for_all_nodes() {
    let Some(redis) = Redis::start() else { return };
    let nodes = nodes(&redis, &[("rate_limit.per_source", "1")]).await;
    let ask =
        async |node: usize, from: &str| nodes[node].exchange(&request(from, "/register")).await;

    assert_eq!(ask(0, "2001:db8:1:2::1").await.status, 201);
    assert_eq!(ask(1, "2001:db8:1:2:ffff::1").await.status, 429);
    assert_eq!(ask(2, "2001:db8:1:3::1").await.status, 201);
}

#[tokio::test]
async fn issuers_that_share_one_redis_do_not_share_limits() {
    let Some(redis) = Redis::start() else { return };
    let here = node(&redis, &[("rate_limit.per_source", "1")]).await;
    let there =
        node(&redis, &[("rate_limit.per_source", "1"), ("server.issuer", "http://localhost:1")])
            .await;

    assert_eq!(here.post("/register", GOOD).await.status, 201);
    assert_eq!(there.post("/register", GOOD).await.status, 201);
}

#[tokio::test]
async fn a_window_ends_when_the_clock_of_redis_says_so_and_leaves_nothing_there() {
    let Some(redis) = Redis::start() else { return };
    let server =
        node(&redis, &[("rate_limit.per_source", "1"), ("rate_limit.period_seconds", "1")]).await;

    for status in [429, 201, 429] {
        let began = Instant::now();
        while server.post("/register", GOOD).await.status != status {
            assert!(began.elapsed() < Duration::from_secs(20), "never {status}");
        }
    }
    let began = Instant::now();
    while redis.ask("DBSIZE") != ":0" {
        assert!(began.elapsed() < Duration::from_secs(20), "counters stay");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn counters_of_before_the_clock_of_redis_was_set_back_begin_anew() {
    let Some(redis) = Redis::start() else { return };
    let server = node(&redis, &[("rate_limit.per_source", "1")]).await;
    server.post("/register", GOOD).await;
    assert_eq!(server.post("/register", GOOD).await.status, 429);

    // As if the window, and with it the counter, were to end later than any that begins now.
    let key = format!("doorward:{{http://127.0.0.1}}:{}:127.0.0.1", window());
    assert_eq!(redis.ask(&format!("EXPIRE {key} 90000")), ":1");

    assert_eq!(server.post("/register", GOOD).await.status, 201);
    assert_eq!(server.post("/register", GOOD).await.status, 429);
}

#[tokio::test]
async fn a_redis_that_is_killed_and_restarted_under_load_fails_nobody_and_is_used_again() {
    let Some(mut redis) = Redis::start() else { return };
    let nodes: Vec<_> = {
        let more = [("rate_limit.per_source", "1000000"), ("rate_limit.total", "1000000")];
        nodes(&redis, &more).await.into_iter().map(Arc::new).collect()
    };
    let is_over = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for turn in 0..6 {
        let (node, is_over) = (Arc::clone(&nodes[turn % 3]), Arc::clone(&is_over));
        load.spawn(async move {
            let mut answered = 0;
            while !is_over.load(Ordering::Relaxed) && answered < 100_000 {
                assert_eq!(node.post("/register", GOOD).await.status, 201);
                answered += 1;
            }
            answered
        });
    }

    for _ in 0..2 {
        for node in &nodes {
            node.wait_for_metric(COUNTED, node.metric(COUNTED).await + 5.0).await;
        }
        redis.kill();
        for node in &nodes {
            node.wait_for_metric_at_most(CONNECTED, 0.0).await;
            node.wait_for_metric(NOT_ASKED, node.metric(NOT_ASKED).await + 5.0).await;
        }
        assert!(redis.restart());
        for node in &nodes {
            node.wait_for_metric(CONNECTED, 1.0).await;
        }
    }
    for node in &nodes {
        node.wait_for_metric(COUNTED, node.metric(COUNTED).await + 5.0).await;
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(load.join_all().await.into_iter().all(|answered| answered > 0));
}

#[tokio::test]
async fn without_redis_each_node_holds_its_own_limits() {
    let nowhere = format!("redis://127.0.0.1:{}", free_port());
    let server = TestServer::with(config(&nowhere, &[("rate_limit.per_source", "2")])).await;

    for remaining in ["1", "0"] {
        let answer = server.post("/register", GOOD).await;
        assert_eq!((answer.status, answer.header("ratelimit-remaining")), (201, Some(remaining)));
    }
    assert_eq!(server.post("/register", GOOD).await.status, 429);
    server.clock.advance(Duration::from_secs(window().into()));
    assert_eq!(server.post("/register", GOOD).await.status, 201);
    assert_eq!(server.look("/readyz").await.status, 200);
}

#[tokio::test]
async fn an_operator_may_admit_everybody_while_redis_is_away() {
    let nowhere = format!("redis://127.0.0.1:{}", free_port());
    let open = [("rate_limit.per_source", "1"), ("rate_limit.when_unreachable", "open")];
    let server = TestServer::with(config(&nowhere, &open)).await;

    for _ in 0..4 {
        let answer = server.post("/api/v2/oauth2/register", GOOD).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (201, Some("1")));
    }
}

#[tokio::test]
async fn an_operator_may_admit_nobody_while_redis_is_away() {
    let Some(mut redis) = Redis::start() else { return };
    let closed = [("rate_limit.per_source", "9"), ("rate_limit.when_unreachable", "closed")];
    let server = node(&redis, &closed).await;
    assert_eq!(server.post("/register", GOOD).await.status, 201);

    redis.kill();
    server.wait_for_metric_at_most(CONNECTED, 0.0).await;
    let answer = server.post("/register", GOOD).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    assert_eq!(answer.header("ratelimit-limit"), Some("9"));
    let answer = server.post("/api/v2/oauth2/register", GOOD).await;
    assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (503, Some("9")));
    assert_eq!(answer.body, r#"{"errors":["the rate limit cannot be asked"]}"#);
    let checks = server.look_until("/readyz?verbose", 503).await.json()["checks"].clone();
    assert_eq!(checks["rate_limit"], "Redis cannot be reached");

    assert!(redis.restart());
    server.look_until("/readyz", 200).await;
    assert_eq!(server.post("/register", GOOD).await.status, 201);
}

#[tokio::test]
async fn a_redis_that_stands_still_costs_one_timeout_and_then_nothing() {
    let Some(redis) = Redis::start() else { return };
    let timeout = Duration::from_secs(1);
    let more =
        [("rate_limit.per_source", "100"), ("rate_limit.redis_timeout_milliseconds", "1000")];
    let server = node(&redis, &more).await;

    redis.signal(Signal::STOP);
    let began = Instant::now();
    assert_eq!(server.post("/register", GOOD).await.status, 201);
    assert!(began.elapsed() >= timeout);
    server.wait_for_metric_at_most(CONNECTED, 0.0).await;
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(server.post("/register", GOOD).await.status, 201);
    }
    assert!(began.elapsed() < timeout, "{:?}", began.elapsed());
    assert!((server.metric(FAILED).await - 1.0).abs() < 0.5);

    redis.signal(Signal::CONT);
    server.wait_for_metric(CONNECTED, 1.0).await;
}

#[tokio::test]
async fn a_redis_that_forgets_the_script_is_told_it_again() {
    let Some(redis) = Redis::start() else { return };
    let server = node(&redis, &[("rate_limit.per_source", "2")]).await;

    for status in [201, 201, 429] {
        assert_eq!(redis.ask("SCRIPT FLUSH"), "+OK");
        assert_eq!(server.post("/register", GOOD).await.status, status);
    }
    assert!(server.metric(FAILED).await < 0.5);
}

#[tokio::test]
async fn a_redis_without_memory_is_as_good_as_away() {
    let Some(redis) = Redis::start() else { return };
    let server = node(&redis, &[("rate_limit.per_source", "9")]).await;

    assert_eq!(redis.ask("CONFIG SET maxmemory 1"), "+OK");
    assert_eq!(server.post("/register", GOOD).await.status, 201);
    server.wait_for_metric_at_most(CONNECTED, 0.0).await;
    assert_eq!(server.post("/register", GOOD).await.status, 201);

    assert_eq!(redis.ask("CONFIG SET maxmemory 0"), "+OK");
    server.wait_for_metric(CONNECTED, 1.0).await;
}

#[tokio::test]
async fn a_server_that_counts_in_redis_stops_in_good_order() {
    let Some(redis) = Redis::start() else { return };
    let server = node(&redis, &[("rate_limit.per_source", "9")]).await;
    assert_eq!(redis.connections(), 1);
    server.stop().await;

    let began = Instant::now();
    while redis.connections() > 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "the connection stays");
        sleep(Duration::from_millis(10)).await;
    }
}
