//! Tries a draft of an admission rule on clients that have registered.

use tokio::time::{Instant, sleep};

use crate::{
    admission::{Candidate, Door, Rule, Rules},
    client::{ClientId, ClientIdentifier, ClientMetadata, ClientName, DocumentUrl, ProfileName},
    clock::Timestamp,
    config::RegistrationConfig,
    look_alike::ProtectedNames,
    store::{
        ClientFilter, ClientRecord, DocumentClientRecord, GrantFilter, RuleRecord, Store,
        StoreError,
    },
};

/// How many clients of each kind are named; all of them are counted.
const NAMED_MAX: usize = 20;

/// How many clients one question reads.
const CLIENTS_AT_ONCE: usize = 500;

/// A draft, and where it is to stand.
pub(crate) struct Draft {
    pub(crate) rule: Rule,
    /// Its place among the rules in the store, from 0. Without one, a rule that exists keeps its place, and a new one is
    /// the last.
    pub(crate) place: Option<usize>,
}

impl Draft {
    /// All rules in their order with the draft among them, instead of one of the same id, and its place. A rule of the
    /// settings keeps its place there. The rule that ships is the last, unless another one has its id.
    pub(crate) fn among(
        &self,
        settings: &RegistrationConfig,
        of_store: Vec<Rule>,
    ) -> (Vec<Rule>, usize) {
        let (mut rules, place) = self.among_those_of_operators(settings.own_rules(), of_store);
        let shipped = settings.shipped_rule();
        rules.extend(shipped.filter(|it| rules.iter().all(|rule| rule.id != it.id)));
        (rules, place)
    }

    fn among_those_of_operators(
        &self,
        of_settings: Vec<Rule>,
        mut of_store: Vec<Rule>,
    ) -> (Vec<Rule>, usize) {
        let mut rules = of_settings;
        if let Some(place) = rules.iter().position(|rule| rule.id == self.rule.id) {
            rules[place] = self.rule.clone();
            rules.extend(of_store);
            return (rules, place);
        }
        let own = of_store.iter().position(|rule| rule.id == self.rule.id);
        if let Some(own) = own {
            of_store.remove(own);
        }
        let place = self.place.or(own).unwrap_or(of_store.len()).min(of_store.len());
        of_store.insert(place, self.rule.clone());
        let place = rules.len() + place;
        rules.extend(of_store);
        (rules, place)
    }
}

/// The rule of this id in its JSON form: of the settings, in the store, or the one that ships.
pub(crate) fn existing_rule(
    id: &str,
    settings: &RegistrationConfig,
    of_store: &[RuleRecord],
) -> Option<String> {
    let named = |rule: &Rule| rule.id.as_str() == id;
    let in_settings = settings.own_rules().into_iter().find(named).map(|rule| rule.to_json());
    let in_store = || of_store.iter().find(|rule| rule.rule_id == id).map(|rule| rule.rule.clone());
    let shipped = || settings.shipped_rule().filter(named).map(|rule| rule.to_json());
    in_settings.or_else(in_store).or_else(shipped)
}

/// The rules with a draft among them, which decides whatever its mode.
pub(crate) struct Trial {
    rules: Rules,
    /// The place of the draft.
    place: usize,
    protected_names: ProtectedNames,
}

/// On which clients a draft is tried.
#[derive(Clone, Copy)]
pub(crate) struct TrialSpan {
    /// Clients from before do not count.
    pub(crate) since: Timestamp,
    pub(crate) now: Timestamp,
    /// When the trial ends, however many clients are left.
    pub(crate) until: Option<Instant>,
}

/// What a draft would have decided.
#[derive(Default)]
pub(crate) struct Tried {
    pub(crate) evaluated: u64,
    pub(crate) decided: u64,
    /// Those of them that someone has allowed.
    pub(crate) in_use: u64,
    /// The latest of these.
    pub(crate) in_use_clients: Vec<TriedClient>,
    /// The latest of the others.
    pub(crate) other_clients: Vec<TriedClient>,
    /// Clients whose address is not stored.
    pub(crate) without_source: u64,
    /// Whether no client was left.
    pub(crate) is_complete: bool,
}

/// A client that the draft would have decided about.
pub(crate) struct TriedClient {
    pub(crate) client: ClientIdentifier,
    pub(crate) name: Option<String>,
    /// How many live grants it has.
    pub(crate) connections: usize,
}

impl Trial {
    /// Tries the rule at a place of these, in their order.
    pub(crate) fn new((rules, place): (Vec<Rule>, usize), settings: &RegistrationConfig) -> Self {
        Self {
            rules: Rules::enforcing(rules, place),
            place,
            protected_names: ProtectedNames::new(&settings.protected_names),
        }
    }

    /// Evaluates clients, the latest first, then those with a document. Calls `looked` for each.
    pub(crate) async fn run(
        &self,
        store: &Store,
        span: TrialSpan,
        looked: &(dyn Fn() + Sync),
    ) -> Result<Tried, StoreError> {
        let mut tried = Tried::default();
        tried.is_complete = self.try_registered(store, span, &mut tried, looked).await?
            && self.try_documents(store, span, &mut tried, looked).await?;
        Ok(tried)
    }

    async fn try_registered(
        &self,
        store: &Store,
        span: TrialSpan,
        tried: &mut Tried,
        looked: &(dyn Fn() + Sync),
    ) -> Result<bool, StoreError> {
        let first = ClientId::first_of(span.since);
        let mut before = None;
        loop {
            let began = Instant::now();
            let page = store.newest_clients(before, CLIENTS_AT_ONCE).await?;
            let Some(last) = page.last().map(|client| client.client_id) else { return Ok(true) };
            before = Some(last);
            for client in page.iter().filter(|client| client.issued_at >= span.since) {
                looked();
                tried.evaluated += 1;
                tried.without_source += u64::from(client.source.is_none());
                if self.decides(client) {
                    let identifier = client.client_id.into();
                    tried.add(store, span.now, identifier, &client.metadata).await?;
                }
            }
            // An imported client may have an identifier of another time: a trial without an end looks at all.
            if last < first && span.until.is_some() {
                return Ok(true);
            }
            if span.is_over() {
                return Ok(false);
            }
            // Requests have the store for at least half of the time.
            sleep(began.elapsed()).await;
        }
    }

    async fn try_documents(
        &self,
        store: &Store,
        span: TrialSpan,
        tried: &mut Tried,
        looked: &(dyn Fn() + Sync),
    ) -> Result<bool, StoreError> {
        let filter = ClientFilter { issued_from: Some(span.since), ..ClientFilter::default() };
        let mut after: Option<String> = None;
        loop {
            let page =
                store.document_clients_behind(&filter, after.as_deref(), CLIENTS_AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(true) };
            after = Some(last.url.clone());
            for client in &page {
                looked();
                let Ok(url) = client.url.parse::<DocumentUrl>() else { continue };
                tried.evaluated += 1;
                tried.without_source += 1;
                if self.decides_about_document(&url, client) {
                    tried.add(store, span.now, url.into(), &client.metadata).await?;
                }
            }
            if span.is_over() {
                return Ok(false);
            }
        }
    }

    /// Whether the draft would have decided about a client that registered: it matches, and no rule before it decides.
    fn decides(&self, client: &ClientRecord) -> bool {
        let Some(metadata) = read(&client.metadata) else { return false };
        self.decides_about(&Candidate {
            door: match client.profile {
                ProfileName::Datadog => Door::Datadog,
                ProfileName::Rfc7591 => Door::Rfc7591,
            },
            metadata: &metadata,
            document_host: None,
            source: client.source,
            initial_access_token: client.registration.policy(),
            is_imitation: self.protected_names.borrowed_by(&metadata).is_some(),
        })
    }

    /// The same of a client with a document. The addresses of people are not stored, so that no network matches.
    fn decides_about_document(&self, url: &DocumentUrl, client: &DocumentClientRecord) -> bool {
        let Some(metadata) = read(&client.metadata) else { return false };
        self.decides_about(&Candidate {
            door: Door::Document,
            metadata: &metadata,
            document_host: Some(url.host()),
            source: None,
            initial_access_token: None,
            is_imitation: self.protected_names.borrowed_at(url.host(), &metadata).is_some(),
        })
    }

    fn decides_about(&self, candidate: &Candidate<'_>) -> bool {
        self.rules.evaluate(candidate).decided_by == Some(self.place)
    }
}

impl TrialSpan {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

impl Tried {
    async fn add(
        &mut self,
        store: &Store,
        now: Timestamp,
        client: ClientIdentifier,
        metadata: &str,
    ) -> Result<(), StoreError> {
        self.decided += 1;
        let connections = connections(store, now, &client).await?;
        self.in_use += u64::from(connections > 0);
        let named =
            if connections > 0 { &mut self.in_use_clients } else { &mut self.other_clients };
        if named.len() < NAMED_MAX {
            let metadata = read(metadata);
            let name = metadata.and_then(|it| it.client_name);
            let name = name.as_ref().map(ClientName::as_str).map(str::to_owned);
            named.push(TriedClient { client, name, connections });
        }
        Ok(())
    }
}

/// How many live grants a client has.
async fn connections(
    store: &Store,
    now: Timestamp,
    client: &ClientIdentifier,
) -> Result<usize, StoreError> {
    let filter = GrantFilter { client: Some(client.clone()), subject: None };
    let (mut live, mut after) = (0, None);
    loop {
        let page = store.grants(&filter, after, CLIENTS_AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(live) };
        after = Some(last.grant_id);
        live += page.iter().filter(|grant| grant.expires_at > now).count();
    }
}

fn read(metadata: &str) -> Option<ClientMetadata> {
    serde_json::from_str(metadata).ok()
}
