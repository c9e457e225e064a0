//! No sequence of decisions by operators, expiries, and requests of clients strands a person: the next authorization works,
//! or shows a page that says what to do. And no token outlives what ended it. Random walks, against a model.

use std::{collections::BTreeSet, time::Duration};

use doorward::{
    audit::{Action, Actor, Author},
    ceiling::Ceiling,
    client::{ClientId, ClientMetadata},
    clock::Timestamp,
    entropy::Entropy,
    family::{FamilyId, FamilyKey},
    store::{Standing, StandingChanged, Transition},
};
use serde_json::json;

use crate::{
    flow::{self, Browser, Client, REDIRECT_URI, Request},
    harness::{TestServer, until},
    registration_management::Registered,
};

const STEPS: usize = 60;
const CLIENTS_MAX: usize = 6;
const NAMES: [&str; 3] = ["Alpha", "Beta", "Gamma"];
const SUSPENDED: &str = "An administrator blocked this app";
const PENDING: &str = "This app is waiting for approval";

/// What a person who allowed a client has: its refresh token, and the scope.
struct Given {
    refresh_token: String,
    scope: String,
}

/// A client, as the model knows it.
struct App {
    registered: Registered,
    name: usize,
    /// `None` once it is removed.
    standing: Option<Standing>,
    is_read_only: bool,
    given: Vec<Given>,
    /// What ended before.
    ended: Vec<String>,
}

impl App {
    fn client(&self) -> Client {
        Client { id: self.registered.id.to_string() }
    }

    /// Ends what was given, unless `stays`.
    fn end(&mut self, stays: impl Fn(&Given) -> bool) {
        let (given, ended): (Vec<_>, Vec<_>) = self.given.drain(..).partition(|given| stays(given));
        self.given = given;
        self.ended.extend(ended.into_iter().map(|ended| ended.refresh_token));
    }

    fn remove(&mut self) {
        self.standing = None;
        self.end(|_| false);
    }
}

struct Walk {
    server: TestServer,
    chance: Entropy,
    apps: Vec<App>,
    suspended: BTreeSet<usize>,
}

fn metadata(name: usize) -> serde_json::Value {
    json!({ "client_name": NAMES[name], "redirect_uris": [REDIRECT_URI] })
}

fn family(name: usize) -> FamilyId {
    let metadata: ClientMetadata = serde_json::from_value(metadata(name)).unwrap();
    FamilyKey::of(&metadata).id()
}

impl Walk {
    async fn begin(seed: u64) -> Self {
        let mut config = flow::config();
        config.token.per_client = 0;
        let server = TestServer::with(config).await;
        Self { server, chance: Entropy::seeded(seed), apps: Vec::new(), suspended: BTreeSet::new() }
    }

    fn below(&self, end: usize) -> usize {
        usize::from(u16::from_be_bytes(self.chance.bytes())) % end
    }

    fn by(&self) -> Author {
        Author::new(Actor::Operator("ada".to_owned()), self.now(), Entropy::System)
    }

    fn now(&self) -> Timestamp {
        self.server.clock.now()
    }

    async fn go(mut self) {
        self.register().await;
        for _ in 0..STEPS {
            self.server.clock.advance(Duration::from_secs(30));
            let nth = self.below(self.apps.len());
            match self.below(13) {
                0 | 1 if self.apps.len() < CLIENTS_MAX => self.register().await,
                2 => self.change(nth, &Transition::SUSPEND).await,
                3 | 4 => self.change(nth, &Transition::RESUME).await,
                5 => self.change(nth, &Transition::APPROVE).await,
                6 if self.apps[nth].given.is_empty() => self.change(nth, &Transition::SLEEP).await,
                7 => self.rename(nth).await,
                8 => self.restrict(nth).await,
                9 => self.decide_about_family(nth).await,
                10 if self.below(3) == 0 => self.remove(nth).await,
                _ => {}
            }
            self.verify_tokens().await;
            let nth = self.below(self.apps.len());
            self.authorize(nth).await;
        }
    }

    async fn register(&mut self) {
        let name = self.below(NAMES.len());
        let registered = Registered::new(&self.server, &metadata(name)).await;
        let mut standing = Standing::Active;
        if self.below(3) == 0 {
            // As if a rule had held it.
            let mut record = self.server.record(&registered.id.to_string()).await;
            self.server.forget(&record.client_id.to_string()).await;
            standing = Standing::Pending;
            record.state.standing = standing;
            self.server.keep(record).await;
        }
        let (given, ended) = (Vec::new(), Vec::new());
        let standing = Some(standing);
        self.apps.push(App { registered, name, standing, is_read_only: false, given, ended });
    }

    async fn change(&mut self, nth: usize, transition: &'static Transition) {
        let (by, app) = (self.by(), &mut self.apps[nth]);
        let ended = app.given.len();
        let changed = self
            .server
            .kept
            .change_standing(&app.registered.id.into(), transition, None, by)
            .await
            .unwrap();
        let expected = match app.standing {
            None => StandingChanged::NotThere,
            Some(standing) if !transition.from.contains(&standing) => StandingChanged::Is(standing),
            Some(_) if transition.to == Standing::Suspended => StandingChanged::Now { ended },
            Some(_) => StandingChanged::Now { ended: 0 },
        };
        assert_eq!(changed, expected);
        if let StandingChanged::Now { .. } = changed {
            app.standing = Some(transition.to);
            app.end(|_| transition.to != Standing::Suspended);
        }
    }

    /// A client renames itself, into another family.
    async fn rename(&mut self, nth: usize) {
        let name = self.below(NAMES.len());
        let app = &mut self.apps[nth];
        let mut body = metadata(name);
        body["client_id"] = app.registered.id.to_string().into();
        let answer = app.registered.put(&self.server, &body.to_string()).await;
        let is_usable = app.standing.is_some_and(Standing::is_usable);
        let expected = match app.standing {
            None => 401,
            Some(_) if is_usable && !self.suspended.contains(&app.name) => 200,
            Some(_) => 403,
        };
        assert_eq!(answer.status, expected, "{answer:?}");
        if expected == 200 {
            answer.json()["registration_access_token"]
                .as_str()
                .unwrap()
                .clone_into(&mut app.registered.token);
            app.name = name;
            let is_suspended = self.suspended.contains(&name);
            app.end(|_| !is_suspended);
        }
    }

    async fn restrict(&mut self, nth: usize) {
        let (by, app) = (self.by(), &mut self.apps[nth]);
        let ceiling = (!app.is_read_only).then(|| Ceiling::Only(vec!["read".to_owned()]));
        let id = app.registered.id.into();
        let restricted = self.server.kept.restrict_client(&id, ceiling, by).await.unwrap();
        assert_eq!(restricted.is_some(), app.standing.is_some());
        if app.standing.is_some() {
            app.is_read_only = !app.is_read_only;
            let is_read_only = app.is_read_only;
            app.end(|given| !is_read_only || given.scope == "read");
        }
    }

    /// An operator suspends the family of a client that people use, or resumes it.
    async fn decide_about_family(&mut self, nth: usize) {
        let (name, by) = (self.apps[nth].name, self.by());
        let usable = self
            .apps
            .iter()
            .position(|app| app.name == name && app.standing.is_some_and(Standing::is_usable));
        let Some(usable) = usable else { return };
        let (store, family) = (&self.server.kept, family(name));
        let title = if self.suspended.contains(&name) {
            let resumed = store.resume_family(family, None, by).await.unwrap();
            assert_eq!(resumed, StandingChanged::Now { ended: 0 });
            self.suspended.remove(&name);
            None
        } else {
            let members = self.apps.iter_mut().filter(|app| app.name == name);
            let ended: usize = members.map(|app| app.given.len()).sum();
            let suspended = store.suspend_family(family, None, by, &|_, _| {}).await.unwrap();
            if suspended == StandingChanged::NotThere {
                // Its first client is not counted yet.
                assert_eq!(ended, 0);
                return;
            }
            assert_eq!(suspended, StandingChanged::Now { ended });
            self.suspended.insert(name);
            self.apps.iter_mut().filter(|app| app.name == name).for_each(|app| app.end(|_| false));
            Some(SUSPENDED)
        };
        // Every node follows within seconds.
        let path = self.apps[usable].client().request().path();
        until(async || {
            let text = Browser::new(&self.server).get(&path).await.text();
            (text.starts_with(SUSPENDED) == title.is_some()).then_some(())
        })
        .await;
    }

    /// The client, an operator, or time removes a client.
    async fn remove(&mut self, nth: usize) {
        let operator = self.by();
        let app = &mut self.apps[nth];
        let id: ClientId = app.registered.id;
        let (reason, actor) = match self.chance.bytes::<1>()[0] % 2 {
            0 => ("by_operator", operator.actor.clone()),
            _ => ("unused", Actor::System),
        };
        let by = Author { actor, ..operator };
        self.server.kept.remove_client(id, Action::ClientRemoved, reason, by).await.unwrap();
        app.remove();
    }

    /// Tokens that were given work, and those that ended do not, whatever happened since.
    async fn verify_tokens(&mut self) {
        for app in &mut self.apps {
            let client = app.client();
            for given in &mut app.given {
                let answer = client.refresh(&self.server, &given.refresh_token).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                let tokens = answer.json();
                assert_eq!(tokens["scope"], *given.scope);
                tokens["refresh_token"].as_str().unwrap().clone_into(&mut given.refresh_token);
            }
            for ended in &app.ended {
                let answer = client.refresh(&self.server, ended).await;
                let status = if app.standing.is_some() { 400 } else { 401 };
                assert_eq!(answer.status, status, "{answer:?}");
            }
        }
    }

    /// A person comes with a client.
    async fn authorize(&mut self, nth: usize) {
        let scope = ["read", "read write"][self.below(2)];
        let app = &mut self.apps[nth];
        let client = app.client();
        let request: Request = client.request().and("scope", scope);
        let mut browser = Browser::new(&self.server);
        let page = browser.get(&request.path()).await;
        let is_suspended = self.suspended.contains(&app.name);
        let expected = match app.standing {
            None => Some((400, "This app was removed", "add it again")),
            Some(Standing::Suspended) => Some((403, SUSPENDED, "Nothing was sent to the app")),
            Some(_) if is_suspended => Some((403, SUSPENDED, "Nothing was sent to the app")),
            Some(Standing::Pending) => Some((403, PENDING, "An administrator has to approve")),
            Some(Standing::Active | Standing::Dormant) => None,
        };
        if let Some((status, title, next)) = expected {
            let text = page.text();
            assert_eq!(page.answer.status, status, "{text}");
            assert!(text.starts_with(title) && text.contains(next), "{text}");
            assert_eq!(page.answer.header("refresh").is_some(), title == PENDING);
            return;
        }
        assert_eq!(page.answer.status, 200, "{page:?}");
        let asked = browser.sign_in(&page).await;
        let allowed = browser.submit(&asked, "decision", "allow").await;
        let answer = client.redeem(&self.server, &allowed.code()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let tokens = answer.json();
        let scope = if app.is_read_only { "read" } else { scope };
        assert_eq!(tokens["scope"], scope);
        let refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
        app.given.push(Given { refresh_token, scope: scope.to_owned() });
        app.standing = Some(Standing::Active);
    }
}

#[tokio::test]
async fn no_sequence_of_decisions_strands_a_person_or_leaves_a_token() {
    let walk = async |seed| Walk::begin(seed).await.go().await;
    tokio::join!(walk(0), walk(1), walk(2));
}
