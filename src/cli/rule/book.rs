//! The admission rules that a command works on: those of the settings and the store, or those of a server.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::{
    admission::{Rule, Word as _},
    cli::{
        author::author,
        backend::{BackendArguments, Choice},
        exit::Failure,
        remote::{Reply, Server, Version, below},
        settings::{OpenStore, waiting_runtime},
    },
    clock::Timestamp,
    config::RegistrationConfig,
    paths,
    store::{Access, RuleChange, RuleChanged, RuleRecord},
};

const TYPE: &str = "oauth2_admission_rules";

/// What the operator API says of a rule beside its members.
const ASIDE: [&str; 5] = ["matches", "origin", "position", "changed_at", "changed_by"];

/// The rules, as they are when a command begins.
pub(super) struct Book {
    pub(super) source: Source,
    /// The rules of the settings, in their order.
    pub(super) of_settings: Vec<Rule>,
    /// The rules in the store, in their order.
    pub(super) of_store: Vec<RuleRecord>,
    /// The rule that ships with Doorward, unless it is off or replaced.
    pub(super) shipped: Option<Rule>,
    /// What happens to clients that no rule decides about.
    pub(super) default: String,
}

/// Where the rules are.
pub(super) enum Source {
    /// In a store, and in the settings of its servers.
    Store(OpenStore, Box<RegistrationConfig>),
    Server(Server),
}

impl Book {
    pub(super) fn open(arguments: BackendArguments, access: Access) -> Result<Self, Failure> {
        match arguments.choose()? {
            Choice::Store(store) => {
                let config = store.load()?;
                let settings = config.registration.clone();
                let store = OpenStore::open(config, access, &Rc::new(waiting_runtime()?))?;
                let of_settings = settings.own_rules();
                let of_store = store.wait(store.handle.rules())?;
                let is_replaced = |rule: &Rule| {
                    of_settings.iter().any(|it| it.id == rule.id)
                        || of_store.iter().any(|it| it.rule_id == rule.id.as_str())
                };
                Ok(Self {
                    shipped: settings.shipped_rule().filter(|rule| !is_replaced(rule)),
                    of_settings,
                    of_store,
                    default: settings.default.text(),
                    source: Source::Store(store, Box::new(settings)),
                })
            }
            Choice::Server(server) => {
                let Rules { of_settings, of_store, shipped, default } = rules_at(&server)?;
                Ok(Self { source: Source::Server(server), of_settings, of_store, shipped, default })
            }
        }
    }

    /// Lets go of the store.
    pub(super) fn close(self) -> Result<(), Failure> {
        match self.source {
            Source::Store(store, _) => store.close(),
            Source::Server(_) => Ok(()),
        }
    }

    /// The rule in the store with this id.
    pub(super) fn stored(&self, id: &str) -> Option<&RuleRecord> {
        self.of_store.iter().find(|rule| rule.rule_id == id)
    }

    /// Makes a change.
    pub(super) fn change(&self, wanted: RuleChange) -> Result<RuleChanged, Failure> {
        match &self.source {
            Source::Store(store, _) => store.wait(store.handle.change_rules(wanted, author())),
            Source::Server(server) => change_at(server, wanted),
        }
    }

    /// The place of a rule among those in the store now, and how many these are.
    pub(super) fn place(&self, id: &str) -> Result<Option<(u64, usize)>, Failure> {
        let of_store = match &self.source {
            Source::Store(store, _) => store.wait(store.handle.rules())?,
            Source::Server(server) => rules_at(server)?.of_store,
        };
        let rule = of_store.iter().find(|rule| rule.rule_id == id);
        Ok(rule.map(|rule| (rule.position, of_store.len())))
    }
}

/// The rules of a server, as in a [`Book`].
#[derive(Default)]
struct Rules {
    of_settings: Vec<Rule>,
    of_store: Vec<RuleRecord>,
    shipped: Option<Rule>,
    default: String,
}

fn rules_at(server: &Server) -> Result<Rules, Failure> {
    let mut rules = Rules::default();
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("page[limit]", "100".to_owned())];
        query.extend(after.take().map(|after| ("page[cursor]", after)));
        let document = server.get(paths::RULES, &query)?.done()?;
        for resource in document["data"].as_array().into_iter().flatten() {
            match read(resource).map_err(|reason| server.unreadable(&reason))? {
                Read::OfSettings(rule) => rules.of_settings.push(*rule),
                Read::OfStore(record) => rules.of_store.push(record),
                Read::Shipped(rule) => rules.shipped = Some(*rule),
            }
        }
        let meta = &document["meta"];
        after = meta["page"]["after"].as_str().map(str::to_owned);
        if after.is_none() {
            meta["default"].as_str().unwrap_or_default().clone_into(&mut rules.default);
            return Ok(rules);
        }
    }
}

/// A rule of any origin.
enum Read {
    OfSettings(Box<Rule>),
    OfStore(RuleRecord),
    Shipped(Box<Rule>),
}

/// The rule of a resource of the operator API.
fn read(resource: &Value) -> Result<Read, String> {
    let attributes = &resource["attributes"];
    let id = resource["id"].as_str().ok_or("id is missing")?;
    let mut members = attributes.as_object().cloned().unwrap_or_default();
    members.retain(|name, _| !ASIDE.contains(&name.as_str()));
    members.insert("id".to_owned(), id.into());
    let rule = Value::Object(members).to_string();
    let parsed = || {
        let rule = Rule::from_json(rule.as_bytes()).map_err(|_| format!("rule {id} is unknown"));
        rule.map(Box::new)
    };
    match attributes["origin"].as_str() {
        Some("settings") => return parsed().map(Read::OfSettings),
        Some("built-in") => return parsed().map(Read::Shipped),
        _ => {}
    }
    let changed_at = attributes["changed_at"].as_str().and_then(Timestamp::from_rfc3339);
    let position = attributes["position"].as_u64().and_then(|position| position.checked_sub(1));
    Ok(Read::OfStore(RuleRecord {
        rule_id: id.to_owned(),
        position: position.ok_or("position is missing")?,
        rule,
        changed_at: changed_at.ok_or("changed_at is missing")?,
        changed_by: attributes["changed_by"].as_str().map(str::to_owned),
    }))
}

fn change_at(server: &Server, wanted: RuleChange) -> Result<RuleChanged, Failure> {
    let reply = match wanted {
        RuleChange::Add { id, rule, place } => {
            let attributes = with_place(members(&rule), place);
            server.post(paths::RULES, Some(&body(&id, &attributes)))?
        }
        RuleChange::Edit { id, rule, place } => {
            let (path, before) = (below(paths::RULES, &id), current(server, &id)?);
            let Some((before, etag)) = before else { return Ok(RuleChanged::NotThere) };
            let attributes = with_place(replacing(&before, members(&rule)), place);
            server.patch(&path, etag, &body(&id, &attributes))?
        }
        RuleChange::Move { id, place } => {
            let (path, before) = (below(paths::RULES, &id), current(server, &id)?);
            let Some((_, etag)) = before else { return Ok(RuleChanged::NotThere) };
            let attributes = with_place(Map::new(), Some(place));
            server.patch(&path, etag, &body(&id, &attributes))?
        }
        RuleChange::Remove { id } => {
            if current(server, &id)?.is_none() {
                return Ok(RuleChanged::NotThere);
            }
            server.remove(&below(paths::RULES, &id))?
        }
    };
    changed(reply)
}

fn changed(reply: Reply) -> Result<RuleChanged, Failure> {
    if reply.is_missing() {
        return Ok(RuleChanged::NotThere);
    }
    if reply.is_conflict() {
        return Ok(RuleChanged::Exists);
    }
    reply.done().map(|_| RuleChanged::Now)
}

/// The members of a rule in the store, and its version.
type Versioned = (Map<String, Value>, Version);

/// The rule in the store with this id.
fn current(server: &Server, id: &str) -> Result<Option<Versioned>, Failure> {
    let reply = server.get(&below(paths::RULES, id), &[])?;
    if reply.is_missing() {
        return Ok(None);
    }
    let etag = reply.etag.clone();
    match read(&reply.done()?["data"]).map_err(|reason| server.unreadable(&reason))? {
        Read::OfSettings(_) | Read::Shipped(_) => Ok(None),
        Read::OfStore(record) => Ok(Some((members(&record.rule), etag))),
    }
}

/// The members of a rule beside its id.
pub(super) fn members(rule: &str) -> Map<String, Value> {
    let mut members: Map<String, Value> = serde_json::from_str(rule).unwrap_or_default();
    members.remove("id");
    members
}

/// Members that replace others: `null` removes one that is gone.
pub(super) fn replacing(
    before: &Map<String, Value>,
    mut members: Map<String, Value>,
) -> Map<String, Value> {
    for name in before.keys() {
        members.entry(name.clone()).or_insert(Value::Null);
    }
    members
}

fn with_place(mut attributes: Map<String, Value>, place: Option<usize>) -> Map<String, Value> {
    if let Some(place) = place {
        attributes.insert("position".to_owned(), (place + 1).into());
    }
    attributes
}

fn body(id: &str, attributes: &Map<String, Value>) -> Value {
    json!({ "data": { "id": id, "type": TYPE, "attributes": attributes } })
}
