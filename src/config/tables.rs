//! The entries of lists that are tables of their own: borrowed names, scopes, resources, providers. A member is one
//! row.

use std::{marker::PhantomData, path::PathBuf};

use ipnet::IpNet;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use url::Url;

use super::{
    LookAlikes, RegistrationConfig,
    fault::{Faults, nearest},
    guard::Guard,
    kind::{Boolean, Given, Integer, Kind, List, OneOrMore, unknown},
    setting::{Setting, table},
    source::Origin,
    text::{
        ACTIONS, CLAIM, EMAIL, HOST, NAME, PROVIDER_ID, PROVIDER_ISSUER, RESOURCE, ROLE, SCHEME,
        SCOPE, SECRET_FILE, SHA256, SUBJECT, WEBHOOK_URL, word,
    },
};
use crate::{
    admission::{
        Conditions, DestinationPattern, Door, EXPIRES_DAYS_MAX, Effect, EffectName, FamilyPattern,
        HostPattern, Label, Mode, NamePart, NamePattern, Note, Reason, Rule, RuleId, Rules,
        ScopeToken, SoftwareId, Terms, TokenPolicy,
    },
    audit::ActionPattern,
    grant::ResourceIndicator,
    operator::Role,
};

// The words after a member: `unset`, it must be given; `none`, it may be absent; else its default.
table! {
    /// A name that strangers like to borrow.
    entry ProtectedName {
        /// The name, as people read it.
        name: String = unset example "Acme", NAME;
        /// Hosts (and their subdomains) whose redirect URIs may go by that name; in lower case.
        hosts: Vec<String> = [] example ["acme.example"], List(HOST);
        /// Private-use schemes whose redirect URIs may go by that name; in lower case, without `:`.
        schemes: Vec<String> = [] example ["acme"], List(SCHEME);
        /// Whether the name is an ordinary word, as `Cursor` is. Such a name is compared with whole names, words such
        /// as `app` or `connector` aside, and others with each word of a name.
        ordinary_word: bool = false, Boolean;
    }
}

table! {
    /// A scope of the catalogue.
    entry CatalogueScope, alone "scope" {
        /// The scope token (RFC 6749 §3.3).
        scope: String = unset example "read", SCOPE;
        /// What it allows, as people read it on the consent page; without one, they read the scope.
        description: Option<String> = none example "Read", NAME;
        /// Whether the consent page sets it apart.
        sensitive: bool = false, Boolean;
    }
}

impl CatalogueScope {
    /// A scope without a description.
    pub const fn named(scope: String) -> Self {
        Self { scope, description: None, sensitive: false }
    }
}

table! {
    /// A protected resource (RFC 8707).
    entry Resource, check fault {
        /// How clients name it; the audience of its access tokens.
        uri: ResourceIndicator = unset example "https://mcp.example.com/mcp", RESOURCE;
        /// As people read it.
        name: Option<String> = none example "Tools", NAME;
        /// The name it goes by where it asks about tokens (RFC 7662 §2.1); with `secret_sha256`.
        id: Option<String> = none, PROVIDER_ID;
        /// The SHA-256 of the secret by which it may ask about tokens, in hexadecimal.
        secret_sha256: Option<[u8; 32]> = none, SHA256;
        /// How the guard protects it, if it does not read tokens itself.
        guard: Option<Guard> = none, entry::<Guard>();
    }
}

table! {
    /// An OpenID Provider at which resource owners sign in.
    entry Provider {
        /// Part of the redirect URI to register there, `<issuer>/oauth2/sign-in/<id>`, and of the subjects of its
        /// people; `https` and `local` are reserved.
        id: String = unset example "acme", PROVIDER_ID;
        /// As people read it.
        name: String = unset example "Acme", NAME;
        /// Its issuer identifier (OpenID Connect Discovery §3), with the slash at its end if it has one.
        issuer: String = unset example "https://login.acme.example", PROVIDER_ISSUER;
        /// What it calls this server.
        client_id: String = unset example "doorward", NAME;
        /// The file that holds the secret of a confidential client.
        client_secret_file: Option<PathBuf> = none, SECRET_FILE;
        /// The scopes to request; `openid` always is.
        scopes: Vec<String> = ["profile", "email"], List(SCOPE);
        /// The claim that identifies a person for ever.
        subject_claim: String = "sub", CLAIM;
        /// The claim of their name.
        name_claim: String = "name", CLAIM;
        /// The claim of their email address.
        email_claim: String = "email", CLAIM;
        /// The claim of their groups.
        groups_claim: String = "groups", CLAIM;
        /// The domains of verified email addresses that may sign in; all when empty.
        allowed_domains: Vec<String> = [], List(HOST);
        /// Only members of one of these groups may sign in; everyone when empty.
        allowed_groups: Vec<String> = [], List(NAME);
    }
}

table! {
    /// An admission rule.
    entry AdmissionRule, check fault {
        /// Names the rule in metrics.
        id: RuleId = unset example "no-tunnels", word::<RuleId>();
        /// Why the rule exists.
        note: Option<Note> = none, word::<Note>();
        /// The client came this way: by a registration endpoint, or by the URL of its metadata document.
        door: Option<Vec<Door>> = none, OneOrMore(word::<Door>());
        /// At least one redirect URI leads to one of these places.
        any_destination: Option<Vec<DestinationPattern>> = none example ["*.tunnel.example"], OneOrMore(word::<DestinationPattern>());
        /// Every redirect URI leads to one of these places.
        all_destinations: Option<Vec<DestinationPattern>> = none, OneOrMore(word::<DestinationPattern>());
        /// A name of the client looks like one of these, without its version and parenthesized suffix.
        name: Option<Vec<NamePattern>> = none, OneOrMore(word::<NamePattern>());
        /// Part of a name of the client looks like one of these.
        name_contains: Option<Vec<NamePart>> = none, OneOrMore(word::<NamePart>());
        /// The client belongs to one of these families: a name, without version and suffix, and all destinations.
        family: Option<Vec<FamilyPattern>> = none, OneOrMore(word::<FamilyPattern>());
        /// The client has one of these in `software_id`.
        software_id: Option<Vec<SoftwareId>> = none, OneOrMore(word::<SoftwareId>());
        /// The client publishes its metadata document at one of these hosts.
        document_host: Option<Vec<HostPattern>> = none, OneOrMore(word::<HostPattern>());
        /// The client registers with an initial access token of one of these policies; `none`: without a token.
        initial_access_token: Option<Vec<TokenPolicy>> = none, OneOrMore(word::<TokenPolicy>());
        /// The request comes from one of these networks.
        source: Option<Vec<IpNet>> = none, OneOrMore(word::<IpNet>());
        /// Whether the client goes by one of `registration.protected_names` that is not its own.
        imitation: Option<bool> = none, Boolean;
        /// The decision about a client that meets all conditions.
        effect: EffectName = unset example "reject", word::<EffectName>();
        /// The text for the developer of a rejected client; only with `reject`.
        reason: Option<Reason> = none example "no tunnels", word::<Reason>();
        /// The scopes that a client which the rule lets in may hold at most; scopes that the catalogue gains later are not
        /// among them.
        ceiling: Option<Vec<ScopeToken>> = none example ["read"], OneOrMore(word::<ScopeToken>());
        /// A label for the clients that the rule lets in, to find them by.
        label: Option<Label> = none example "partners", word::<Label>();
        /// After how many days a client that the rule lets in is removed, whatever its use.
        expires_days: Option<u32> = none example 90, Integer(1..=EXPIRES_DAYS_MAX);
        /// Whether the rule decides, or only counts the clients that it matches.
        mode: Mode = "enforce", word::<Mode>();
    }
}

table! {
    /// A receiver of audit events and registrations.
    entry Webhook, check fault {
        /// Names the webhook in the store, metrics, and logs: another name is another webhook, which begins anew.
        name: String = unset example "audit", PROVIDER_ID;
        /// Where events are posted: `https`, or `http` into private networks.
        url: Url = unset example "https://hooks.example.com/doorward", WEBHOOK_URL;
        /// The file with the secret that signs: `whsec_` and 24 to 64 bytes in Base64. Every line of it is a secret, and
        /// signs; it is read again while the server runs.
        secret_file: PathBuf = unset example "/etc/doorward/webhook.secret", SECRET_FILE;
        /// The actions that are sent, such as `grant.revoked` or `client.*`; all when empty.
        actions: Vec<ActionPattern> = [] example ["client.*"], List(ACTIONS);
        /// Whether the receiver may be in a private network or on this machine.
        allow_private_networks: bool = false, Boolean;
    }
}

table! {
    /// The role of some people.
    entry Operators, check fault {
        /// What they may do at the operator API: `viewer` reads; `operator` also approves, suspends, revokes, and restricts;
        /// `admin` also removes clients, and manages tokens and keys. Of several roles, a person has the highest.
        role: Role = unset example "operator", ROLE;
        /// Only people who sign in at the provider with this `id`. With several providers, `groups` and `emails` require it:
        /// a group or an address means something at one of them.
        provider: Option<String> = none example "acme", PROVIDER_ID;
        /// Their subjects, as access tokens and `doorward session list` name them.
        subjects: Vec<String> = [] example ["acme:248289761001"], List(SUBJECT);
        /// Their email addresses, in upper or lower case; only an address that the provider says it verified counts.
        emails: Vec<String> = [], List(EMAIL);
        /// Their groups, as the claim of the provider's `groups_claim` names them.
        groups: Vec<String> = [], List(NAME);
    }
}

impl Operators {
    fn fault(&self) -> Option<&'static str> {
        (self.subjects.is_empty() && self.emails.is_empty() && self.groups.is_empty())
            .then_some("names nobody: add subjects, emails, or groups")
    }
}

impl Webhook {
    fn fault(&self) -> Option<&'static str> {
        (self.url.scheme() == "http" && !self.allow_private_networks).then_some(
            "url is http: use https, or set allow_private_networks for a receiver nearby",
        )
    }
}

impl AdmissionRule {
    fn fault(&self) -> Option<&'static str> {
        self.rule().map_or_else(Some, |rule| rule.fault())
    }

    /// The rule, ready to be evaluated.
    fn rule(&self) -> Result<Rule, &'static str> {
        Ok(Rule {
            id: self.id.clone(),
            note: self.note.clone(),
            conditions: Conditions {
                door: self.door.clone().unwrap_or_default(),
                any_destination: self.any_destination.clone().unwrap_or_default(),
                all_destinations: self.all_destinations.clone().unwrap_or_default(),
                name: self.name.clone().unwrap_or_default(),
                name_contains: self.name_contains.clone().unwrap_or_default(),
                family: self.family.clone().unwrap_or_default(),
                software_id: self.software_id.clone().unwrap_or_default(),
                document_host: self.document_host.clone().unwrap_or_default(),
                initial_access_token: self.initial_access_token.clone().unwrap_or_default(),
                source: self.source.clone().unwrap_or_default(),
                imitation: self.imitation,
            },
            effect: Effect::of(self.effect, self.reason.clone())?,
            terms: Terms {
                ceiling: self.ceiling.clone(),
                label: self.label.clone(),
                expires_days: self.expires_days,
            },
            mode: self.mode,
        })
    }
}

impl RegistrationConfig {
    /// The admission rules of the settings, ready to be evaluated, with the one that ships.
    pub fn admission_rules(&self) -> Rules {
        Rules::shipping(self.shipped_rule(), self.own_rules(), Effect::by_default(self.default))
    }

    /// The admission rules of the settings, in their order.
    pub(crate) fn own_rules(&self) -> Vec<Rule> {
        self.rules.iter().filter_map(|rule| rule.rule().ok()).collect()
    }

    /// The rule that ships with Doorward, unless it is off.
    pub(crate) fn shipped_rule(&self) -> Option<Rule> {
        self.look_alikes.effect().map(Rule::look_alikes)
    }

    /// Whether look-alikes are flagged, and people warned of them.
    pub(crate) fn marks_look_alikes(&self) -> bool {
        self.look_alikes != LookAlikes::Off
    }
}

impl Resource {
    fn fault(&self) -> Option<&'static str> {
        (self.id.is_some() != self.secret_sha256.is_some())
            .then_some("id and secret_sha256 come together")
    }

    /// The name and the SHA-256 of the secret by which it may ask about tokens; `None` when it may not.
    pub fn introspection(&self) -> Option<(&str, &[u8; 32])> {
        self.id.as_deref().zip(self.secret_sha256.as_ref())
    }
}

/// A table in a list of settings; its members are rows of [`table!`](super::setting::table).
pub(super) trait Entry: Sized + 'static {
    const MEMBERS: &[Setting];
    /// The member that a text without a table is for.
    const ALONE: Option<&str> = None;

    /// Reads all members, so that every fault is found.
    fn read(members: &mut Members<'_, '_>) -> Option<Self>;

    /// Name and TOML of the members that say more than their defaults.
    fn write(&self) -> Vec<(&'static str, String)>;
}

/// The list of entries of one kind.
pub(super) const fn entries<E: Entry>() -> List<Table<E>> {
    List(Table(PhantomData))
}

/// An entry that stands alone.
pub(super) const fn entry<E: Entry>() -> Table<E> {
    Table(PhantomData)
}

/// A table whose members are those of an entry.
pub(super) struct Table<E>(PhantomData<fn() -> E>);

impl<E: Entry> Kind for Table<E> {
    type Value = E;

    fn expected(&self) -> String {
        let examples = E::MEMBERS.iter().filter_map(|row| Some((row.key, row.example?)));
        let example = inline(examples.map(|(name, toml)| (name, toml.to_owned())));
        match E::ALONE.and_then(|alone| E::MEMBERS.iter().find(|row| row.key == alone)) {
            Some(alone) => format!("{}, alone or in a table such as {example}", (alone.expected)()),
            None => format!("a table such as {example}"),
        }
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<E> {
        match (given.value.get_ref(), E::ALONE) {
            (DeValue::Table(table), _) => Members::of::<E>(given, Some(table), faults).read(),
            (DeValue::String(_), Some(_)) => Members::of::<E>(given, None, faults).read(),
            _ => {
                given.refuse_kind(faults, self);
                None
            }
        }
    }

    fn write(&self, value: &E) -> String {
        match (value.write().as_slice(), E::ALONE) {
            ([(name, toml)], Some(alone)) if *name == alone => toml.clone(),
            (members, _) => inline(members.iter().cloned()),
        }
    }

    fn is_secret(&self) -> bool {
        E::MEMBERS.iter().any(|row| (row.is_secret)())
    }

    fn members(&self) -> &'static [Setting] {
        E::MEMBERS
    }
}

/// A table in one line: `{ name = "Acme", hosts = ["acme.example"] }`.
fn inline(members: impl Iterator<Item = (&'static str, String)>) -> String {
    let members: Vec<String> = members.map(|(name, toml)| format!("{name} = {toml}")).collect();
    format!("{{ {} }}", members.join(", "))
}

/// A table as it was given, whose members are read one by one.
pub(super) struct Members<'given, 'faults> {
    given: &'given Given<'given>,
    /// `None` when the member `alone` was given instead of a table.
    table: Option<&'given DeTable<'given>>,
    alone: Option<&'static str>,
    faults: &'faults mut Faults,
    is_refused: bool,
}

impl<'given, 'faults> Members<'given, 'faults> {
    /// The members that were given, of which the unknown ones are refused.
    fn of<E: Entry>(
        given: &'given Given<'given>,
        table: Option<&'given DeTable<'given>>,
        faults: &'faults mut Faults,
    ) -> Self {
        let row = |name: &str| E::MEMBERS.iter().find(|row| row.key == name);
        let mut is_refused = false;
        let names = table.into_iter().flat_map(|table| table.keys());
        for name in names.filter(|name| row(name.get_ref()).is_none()) {
            is_refused = true;
            let meant = nearest(name.get_ref(), E::MEMBERS.iter().map(|row| row.key));
            let meant = meant.and_then(row).map(|row| (row.key, (row.is_secret)()));
            let what = unknown(&given.path, name.get_ref(), "member", meant);
            faults.add(given.origin, name.span().start, what);
        }
        Self { given, table, alone: E::ALONE, faults, is_refused }
    }

    /// What was read, unless anything was refused.
    fn read<E: Entry>(mut self) -> Option<E> {
        let entry = E::read(&mut self);
        entry.filter(|_| !self.is_refused)
    }

    /// The member `name`; the inner `None` when it is absent.
    #[expect(clippy::option_option, reason = "refused is not absent")]
    pub(super) fn optional<K: Kind>(&mut self, name: &str, kind: &K) -> Option<Option<K::Value>> {
        let read = match self.table {
            None if self.alone == Some(name) => kind.read(self.given, self.faults),
            None => return Some(None),
            Some(table) => match table.get(name) {
                None => return Some(None),
                Some(value) => kind.read(&self.given.member(name, value), self.faults),
            },
        };
        self.is_refused |= read.is_none();
        read.map(Some)
    }

    /// The member `name`, which must be there.
    pub(super) fn required<K: Kind>(&mut self, name: &str, kind: &K) -> Option<K::Value> {
        let read = self.optional(name, kind)?;
        if read.is_none() {
            self.is_refused = true;
            self.given.refuse(self.faults, format_args!("{name} is missing"));
        }
        read
    }

    /// The member `name`, or what stands for it in the table of settings.
    pub(super) fn or_default<K: Kind>(
        &mut self,
        name: &str,
        kind: &K,
        default: &'static str,
    ) -> Option<K::Value> {
        let read = self.optional(name, kind)?;
        read.or_else(|| {
            let value: Spanned<DeValue<'_>> =
                DeValue::parse(default).expect("what stands in the table is TOML");
            let given = Given { path: String::new(), origin: Origin::Default, value: &value };
            kind.read(&given, &mut Faults::default())
        })
    }

    /// Refuses the entry for a fault between its members.
    pub(super) fn refuse<T>(&mut self, fault: &str) -> Option<T> {
        self.is_refused = true;
        self.given.refuse(self.faults, fault);
        None
    }
}
