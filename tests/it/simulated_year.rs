//! A simulated year: the clients of the corpus register, people allow them, rules and operators decide, and sweeps pass
//! over all of it. On every tenth day exactly those clients are there that a model of the contract expects, each with the
//! standing that it expects; both databases export the same audit.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    process::Command,
};

use doorward::{
    audit::{Action, Author},
    client::{ClientIdentifier, ClientMetadata},
    clock::Timestamp,
    config::Config,
    family::{FamilyId, FamilyKey},
    store::{self, Access, Deleted, RuleChange, RuleChanged, Standing, Transition},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    admission, flow,
    flow::{Browser, Client, Request},
    granted,
    harness::{TestServer, by, until},
    left_out::left_out,
    postgres,
};

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

const DAYS: u64 = 370;
/// Something happens every so many days.
const STEP: usize = 10;

// The settings, and what the contract says beside them.
const UNUSED_DAYS: u64 = 30;
const IDLE_DAYS: u64 = 60;
const DORMANT_DAYS: u64 = 90;
const GRANT_DAYS: u64 = 30;
const TRIAL_DAYS: u64 = 20;

const RULES: &str = "[[registration.rules]]
    id = 'no-lobby'
    any_destination = 'lobehub.com'
    effect = 'reject'
    reason = 'not here'
    [[registration.rules]]
    id = 'watch'
    mode = 'observe'
    door = 'rfc7591'
    effect = 'reject'
    reason = 'not now'
    [[registration.rules]]
    id = 'editors'
    any_destination = 'scheme:cursor'
    effect = 'hold'
    [[registration.rules]]
    id = 'trials'
    name_contains = 'kiro'
    effect = 'allow'
    label = 'trial'
    expires_days = 20";

/// On this day, an operator adds a rule that rejects clients named Zed.
const RULE_DAY: u64 = 60;
const RULE: &str = r#"{"id":"no-zed","name":["Zed"],"effect":"reject","reason":"not here"}"#;

/// From when to when the family of the probes is suspended.
const SUSPENDED: std::ops::Range<u64> = 120..150;
const PROBE: &str = "https://probe.example/cb";

/// What people and operators do with a client, in days after its registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing.
    Never,
    /// Someone allows it once.
    Once,
    /// Someone allows it every fifty days.
    Steady,
    /// Someone comes back to it when it is dormant.
    Back,
    /// An operator suspends it while someone uses it.
    Suspended,
    /// The same, and resumes it later.
    Resumed,
    /// An operator removes it while someone uses it.
    Removed,
}

const PLANS: [Plan; 7] = [
    Plan::Never,
    Plan::Once,
    Plan::Steady,
    Plan::Back,
    Plan::Suspended,
    Plan::Resumed,
    Plan::Removed,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Allow,
    Suspend,
    Resume,
    Remove,
}

impl Plan {
    fn steps(self, age: u64) -> Vec<Step> {
        use Step::{Allow, Remove, Resume, Suspend};
        match (self, age) {
            (Self::Once | Self::Back | Self::Suspended | Self::Resumed | Self::Removed, 10)
            | (Self::Back, 100) => vec![Allow],
            (Self::Steady, age) if age % 50 == 10 => vec![Allow],
            (Self::Suspended | Self::Resumed, 20) => vec![Suspend],
            (Self::Resumed, 60) => vec![Resume, Allow],
            (Self::Removed, 20) => vec![Remove],
            _ => Vec::new(),
        }
    }
}

/// A client of the corpus, and what the contract says of it so far.
struct Member {
    name: String,
    body: Value,
    registered_on: u64,
    plan: Plan,
    /// Approved or rejected ten days after its registration, if a rule holds it.
    is_approved: bool,
    client: Option<Client>,
    standing: Standing,
    standing_on: u64,
    used_on: Option<u64>,
    /// When its grant ends, if that lives.
    granted_until: Option<u64>,
}

impl Member {
    fn new(name: String, body: Value, registered_on: u64, plan: Plan) -> Self {
        let is_approved = registered_on.is_multiple_of(20);
        Self {
            name,
            body,
            registered_on,
            plan,
            is_approved,
            client: None,
            standing: Standing::Active,
            standing_on: registered_on,
            used_on: None,
            granted_until: None,
        }
    }

    fn uris(&self) -> Vec<&str> {
        let uris = self.body["redirect_uris"].as_array().into_iter().flatten();
        uris.filter_map(Value::as_str).collect()
    }

    fn says(&self, part: &str) -> bool {
        self.body["client_name"].as_str().unwrap_or_default().to_lowercase().contains(part)
    }

    /// What the rules say, read from the corpus without the code that decides.
    fn is_rejected(&self) -> bool {
        self.uris().iter().any(|uri| uri.starts_with("https://lobehub.com/"))
            || self.body["client_name"] == "Zed" && self.registered_on >= RULE_DAY
    }

    fn is_held(&self) -> bool {
        self.uris().iter().any(|uri| uri.starts_with("cursor:"))
    }

    fn is_trial(&self) -> bool {
        self.says("kiro")
    }

    fn is_probe(&self) -> bool {
        self.uris() == [PROBE]
    }

    /// Whether the client is removed or becomes dormant on this day, by the table of standings.
    fn due(&self, day: u64) -> Option<Action> {
        let used_on = self.used_on.unwrap_or(self.registered_on);
        let idle = day - used_on.max(self.standing_on);
        if self.is_trial() && day >= self.registered_on + TRIAL_DAYS {
            return Some(Action::ClientRemoved);
        }
        if self.granted_until.is_some() {
            return None;
        }
        match self.standing {
            Standing::Active if self.used_on.is_none() => {
                (idle >= UNUSED_DAYS).then_some(Action::ClientRemoved)
            }
            Standing::Active => (idle >= IDLE_DAYS).then_some(Action::ClientDormant),
            Standing::Dormant => (idle >= DORMANT_DAYS).then_some(Action::ClientRemoved),
            Standing::Pending | Standing::Suspended => None,
        }
    }
}

/// The clients that ask for refresh tokens, as their grants live long enough for the plans; registered on twelve days.
fn members() -> Vec<Member> {
    let corpus = include_str!("../corpus/registrations.jsonl").lines();
    let lines = corpus.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let is_meant = |line: &Value| {
        let grant_types = line["body"]["grant_types"].as_array();
        line["kind"] == "client"
            && line["name"] != "chatgpt-cimd-like"
            && grant_types.is_some_and(|all| all.contains(&json!("refresh_token")))
    };
    let mut all: Vec<Member> = Vec::new();
    for (number, line) in lines.filter(is_meant).enumerate() {
        let name = format!("{number:02} {}", line["name"].as_str().unwrap());
        let registered_on = (number as u64 * 5 % 12) * STEP as u64;
        let plan = PLANS[number % PLANS.len()];
        all.push(Member::new(name, line["body"].clone(), registered_on, plan));
    }
    for name in ["Probe 1.0", "Probe (two)"] {
        let body = json!({ "client_name": name, "redirect_uris": [PROBE] });
        all.push(Member::new(name.to_owned(), body, 0, Plan::Steady));
    }
    all
}

/// Day, action, and client.
type Told = (u64, &'static str, String);

/// One year on one store.
struct Year {
    config: Config,
    /// Where the store is, for a command.
    place: String,
    folder: TempDir,
    members: Vec<Member>,
    /// What the contract has happen, and how often.
    expected: BTreeMap<Told, usize>,
    /// Every client that registered, by identifier.
    names: HashMap<String, String>,
}

impl Year {
    fn new(database: Option<String>) -> Self {
        let folder = TempDir::new().unwrap();
        let place = database.unwrap_or_else(|| folder.path().to_str().unwrap().to_owned());
        let store = granted::config_on(&place);
        let mut config = Config { store: store.store, token: store.token, ..flow::config() };
        config.registration = admission::load(RULES).unwrap();
        (config.clients.unused_days, config.clients.idle_days) = (UNUSED_DAYS, IDLE_DAYS);
        let (expected, names) = (BTreeMap::new(), HashMap::new());
        Self { config, place, folder, members: members(), expected, names }
    }

    /// The normalized audit export at the end.
    async fn pass(&mut self) -> BTreeSet<String> {
        for day in (0..=DAYS).step_by(STEP) {
            let server = self.day(day).await;
            self.sweep(day);
            self.operate(&server, day).await;
            for place in 0..self.members.len() {
                self.live(&server, day, place).await;
            }
            self.check(&server, day).await;
            server.stop().await;
        }
        for member in self.members.iter().filter(|member| member.client.is_some()) {
            let key =
                (member.registered_on, Action::ClientRegistered.as_str(), member.name.clone());
            *self.expected.entry(key).or_default() += 1;
        }
        let export = self.export();
        let told = self.told(&export);
        let differs = |key: &&Told| told.get(key) != self.expected.get(key);
        let different: BTreeSet<_> =
            told.keys().chain(self.expected.keys()).filter(differs).collect();
        let shown = |key| (key, told.get(key), self.expected.get(key));
        let different: Vec<_> = different.into_iter().map(shown).collect();
        assert!(different.is_empty(), "told and expected: {different:#?}");
        self.normalized(&export)
    }

    /// A server on this day, after it has swept.
    async fn day(&self, day: u64) -> TestServer {
        let now = START.after_days(day);
        let kept = store::open(&self.config, Access::Serve).await.unwrap();
        let server = TestServer::kept_by_at(kept, self.config.clone(), now).await;
        let ended = "doorward_sweep_ended_timestamp_seconds{kind=\"clients\"}";
        let at = u32::try_from(now.as_seconds()).unwrap();
        server.wait_for_metric(ended, f64::from(at)).await;
        server
    }

    fn expect(&mut self, day: u64, action: Action, place: usize) {
        let key = (day, action.as_str(), self.members[place].name.clone());
        *self.expected.entry(key).or_default() += 1;
    }

    /// What time does by this day.
    fn sweep(&mut self, day: u64) {
        for place in 0..self.members.len() {
            let member = &mut self.members[place];
            if member.client.is_none() {
                continue;
            }
            if member.granted_until.is_some_and(|until| until <= day) {
                member.granted_until = None;
                self.expect(day, Action::GrantExpired, place);
            }
            let member = &mut self.members[place];
            let Some(action) = member.due(day) else { continue };
            self.expect(day, action, place);
            if action == Action::ClientDormant {
                let member = &mut self.members[place];
                (member.standing, member.standing_on) = (Standing::Dormant, day);
            } else {
                self.members[place].client = None;
                // What time ends has expired.
                self.ended(day, place, Action::GrantExpired);
            }
        }
    }

    /// An operator has removed a client, and its grant with it.
    fn removed(&mut self, day: u64, place: usize) {
        self.members[place].client = None;
        self.revoked(day, place);
    }

    fn revoked(&mut self, day: u64, place: usize) {
        self.ended(day, place, Action::GrantRevoked);
    }

    fn ended(&mut self, day: u64, place: usize, action: Action) {
        if self.members[place].granted_until.take().is_some() {
            self.expect(day, action, place);
        }
    }

    /// What operators decide about rules and the family.
    async fn operate(&mut self, server: &TestServer, day: u64) {
        let (store, by) = (&server.kept, Author { at: server.clock.now(), ..by() });
        if day == RULE_DAY {
            let (id, rule) = ("no-zed".to_owned(), RULE.to_owned());
            let add = RuleChange::Add { id, rule, place: None };
            assert_eq!(store.change_rules(add, by).await.unwrap(), RuleChanged::Now);
            // The server follows within seconds.
            let rule = "doorward_admission_rule_hits_total{rule=\"no-zed\"";
            until(async || server.look("/metrics").await.body.contains(rule).then_some(())).await;
        } else if day == SUSPENDED.start {
            let family = family(server, self.probe()).await;
            until(async || {
                let counted = store.family(family).await.unwrap();
                counted.filter(|counted| counted.clients == 2).map(drop)
            })
            .await;
            store.suspend_family(family, Some("Ticket 4711"), by, &|_, _| {}).await.unwrap();
            for place in 0..self.members.len() {
                if self.members[place].is_probe() {
                    self.revoked(day, place);
                }
            }
        } else if day == SUSPENDED.end {
            let family = family(server, self.probe()).await;
            store.resume_family(family, None, by).await.unwrap();
        }
    }

    fn probe(&self) -> &Client {
        let mut probes = self.members.iter().filter(|member| member.is_probe());
        probes.find_map(|member| member.client.as_ref()).expect("the probes stay")
    }

    /// What a client, its people, and its operators do on this day.
    async fn live(&mut self, server: &TestServer, day: u64, place: usize) {
        let member = &self.members[place];
        if day == member.registered_on {
            self.register(server, place).await;
            return;
        }
        if member.client.is_none() {
            return;
        }
        let age = day - member.registered_on;
        if age == 10 && member.standing == Standing::Pending {
            self.decide_about_pending(server, day, place).await;
        }
        for step in self.members[place].plan.steps(age) {
            if self.members[place].client.is_some() {
                self.take(server, day, place, step).await;
            }
        }
    }

    async fn register(&mut self, server: &TestServer, place: usize) {
        let member = &mut self.members[place];
        let answer = server.post("/oauth2/register", &member.body.to_string()).await;
        let status = if member.is_rejected() { 400 } else { 201 };
        assert_eq!(answer.status, status, "{}: {answer:?}", member.name);
        if status == 400 {
            return;
        }
        let id = answer.client_id().to_string();
        self.names.insert(id.clone(), member.name.clone());
        member.client = Some(Client { id });
        if member.is_held() {
            member.standing = Standing::Pending;
        }
    }

    async fn decide_about_pending(&mut self, server: &TestServer, day: u64, place: usize) {
        let (store, by) = (&server.kept, Author { at: server.clock.now(), ..by() });
        let member = &mut self.members[place];
        let id = identifier(member);
        if member.is_approved {
            store.change_standing(&id, &Transition::APPROVE, None, by).await.unwrap();
            (member.standing, member.standing_on) = (Standing::Active, day);
            self.expect(day, Action::ClientApproved, place);
        } else {
            store.reject_client(&id, "by_operator", by).await.unwrap();
            self.expect(day, Action::ClientRejected, place);
            self.removed(day, place);
        }
    }

    async fn take(&mut self, server: &TestServer, day: u64, place: usize, step: Step) {
        let (store, by) = (&server.kept, Author { at: server.clock.now(), ..by() });
        let member = &mut self.members[place];
        let id = identifier(member);
        match step {
            Step::Allow => self.allow(server, day, place).await,
            Step::Suspend => {
                store.change_standing(&id, &Transition::SUSPEND, None, by).await.unwrap();
                (member.standing, member.standing_on) = (Standing::Suspended, day);
                self.expect(day, Action::ClientSuspended, place);
                self.revoked(day, place);
            }
            Step::Resume => {
                store.change_standing(&id, &Transition::RESUME, None, by).await.unwrap();
                (member.standing, member.standing_on) = (Standing::Active, day);
                self.expect(day, Action::ClientResumed, place);
            }
            Step::Remove => {
                let ClientIdentifier::Registered(id) = id else { panic!("it registered") };
                let removed = store.remove_client(id, Action::ClientRemoved, "by_operator", by);
                assert_eq!(removed.await.unwrap(), Deleted::Forgotten);
                self.expect(day, Action::ClientRemoved, place);
                self.removed(day, place);
            }
        }
    }

    async fn allow(&mut self, server: &TestServer, day: u64, place: usize) {
        let member = &mut self.members[place];
        let request = request(member);
        let client = member.client.clone().expect("it is there");
        let is_blocked = member.is_probe() && SUSPENDED.contains(&day)
            || matches!(member.standing, Standing::Pending | Standing::Suspended);
        if is_blocked {
            let page = Browser::new(server).get(&request.path()).await.answer;
            assert_eq!((page.status, page.header("location")), (403, None), "{page:?}");
            return;
        }
        let mut browser = Browser::signed_in(server).await;
        let mut page = browser.get(&request.path()).await;
        // Who has allowed the client before is not asked again.
        if page.answer.status == 200 {
            page = browser.submit(&page, "decision", "allow").await;
        }
        let answer = client.redeem(server, &page.code()).await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", member.name);
        let was_dormant = member.standing == Standing::Dormant;
        if was_dormant {
            (member.standing, member.standing_on) = (Standing::Active, day);
        }
        (member.used_on, member.granted_until) = (Some(day), Some(day + GRANT_DAYS));
        self.expect(day, Action::GrantIssued, place);
        if was_dormant {
            self.expect(day, Action::ClientReactivated, place);
        }
    }

    /// Checks that exactly the expected clients are there, each with its standing.
    async fn check(&self, server: &TestServer, day: u64) {
        let stored = server.clients().await.into_iter().map(|client| {
            (self.names[&client.client_id.to_string()].clone(), client.state.standing)
        });
        let expected = self.members.iter().filter(|member| member.client.is_some());
        let expected = expected.map(|member| (member.name.clone(), member.standing));
        assert_eq!(
            stored.collect::<BTreeMap<_, _>>(),
            expected.collect::<BTreeMap<_, _>>(),
            "on day {day}"
        );
    }

    /// Every line that `doorward audit export` writes.
    fn export(&self) -> Vec<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .args(["--quiet", "audit", "export"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("DOORWARD_STORE", &self.place)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Day, action, and client of the lines that are about clients and grants.
    fn told(&self, export: &[Value]) -> BTreeMap<Told, usize> {
        let actions = [
            Action::ClientRegistered,
            Action::ClientApproved,
            Action::ClientRejected,
            Action::ClientSuspended,
            Action::ClientResumed,
            Action::ClientDormant,
            Action::ClientReactivated,
            Action::ClientRemoved,
            Action::GrantIssued,
            Action::GrantExpired,
            Action::GrantRevoked,
        ]
        .map(Action::as_str);
        let mut told = BTreeMap::new();
        for line in export {
            let Some(action) = actions.iter().find(|action| line["action"] == **action) else {
                continue;
            };
            let at = Timestamp::from_rfc3339(line["time"].as_str().unwrap()).unwrap();
            let day = (at.as_seconds() - START.as_seconds()) / (24 * 60 * 60);
            let client = &self.names[line["client_id"].as_str().unwrap()];
            *told.entry((day, *action, client.clone())).or_default() += 1;
        }
        told
    }

    /// The lines with names instead of identifiers, in an order of their own: events of one moment have none.
    fn normalized(&self, export: &[Value]) -> BTreeSet<String> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for line in export {
            *counts.entry(self.named(line).to_string()).or_default() += 1;
        }
        counts.into_iter().map(|(line, count)| format!("{count} × {line}")).collect()
    }

    fn named(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match self.names.get(text) {
                Some(name) => name.as_str().into(),
                None if is_identifier(text) => "an identifier".into(),
                None => value.clone(),
            },
            Value::Array(all) => all.iter().map(|one| self.named(one)).collect(),
            Value::Object(members) => {
                let named = members.iter().map(|(name, value)| (name.clone(), self.named(value)));
                Value::Object(named.collect())
            }
            other => other.clone(),
        }
    }
}

/// Identifiers that differ between two stores: of events, grants, requests, and keys. Those of families do not.
fn is_identifier(text: &str) -> bool {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    // The thumbprint of a key.
    if text.len() == 43 && text.bytes().all(is_base64url) {
        return true;
    }
    let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let is_family = text.len() == 36 && text.as_bytes()[14] == b'8';
    is_hexadecimal && matches!(text.len(), 16 | 32 | 36) && !is_family
}

fn identifier(member: &Member) -> ClientIdentifier {
    member.client.as_ref().expect("it is there").id.parse().unwrap()
}

fn request(member: &Member) -> Request {
    let client = member.client.as_ref().expect("it is there");
    client.request().with("redirect_uri", member.body["redirect_uris"][0].as_str().unwrap())
}

async fn family(server: &TestServer, client: &Client) -> FamilyId {
    let record = server.record(&client.id).await;
    let metadata: ClientMetadata = serde_json::from_str(&record.metadata).unwrap();
    FamilyKey::of(&metadata).id()
}

#[tokio::test]
async fn a_year_ends_with_the_clients_and_the_audit_that_the_contract_says_on_both_stores() {
    let mut embedded = Year::new(None);
    let audit = Box::pin(embedded.pass()).await;
    let standings: BTreeSet<&str> = embedded
        .members
        .iter()
        .filter(|it| it.client.is_some())
        .map(|it| it.standing.as_str())
        .collect();
    assert!(standings.len() >= 2 && audit.len() > 200, "{standings:?}, {}", audit.len());
    let Some(database) = postgres::database() else {
        return left_out("the year in PostgreSQL (DOORWARD_TEST_POSTGRES names no server)");
    };
    let mut in_postgres = Year::new(Some(database));
    let other = Box::pin(in_postgres.pass()).await;
    let difference: Vec<_> = audit.symmetric_difference(&other).collect();
    assert!(difference.is_empty(), "{difference:#?}");
}
