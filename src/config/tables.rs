//! The entries of lists that are tables of their own: borrowed names, scopes, resources, providers.

use toml::de::{DeTable, DeValue};

use super::{
    CatalogueScope, ProtectedName, Provider, Resource, ResourceSecret,
    fault::{Faults, did_you_mean, nearest},
    kind::{Boolean, Given, Kind, List, Text, shown_key},
    text::{
        CLAIM, FILE, HOST, NAME, PROVIDER_ID, PROVIDER_ISSUER, RESOURCE, SCHEME, SCOPE, SHA256,
    },
};

/// A table as it was given, whose members are read one by one.
struct Members<'given, 'faults> {
    given: &'given Given<'given>,
    table: &'given DeTable<'given>,
    faults: &'faults mut Faults,
    is_refused: bool,
}

impl<'given, 'faults> Members<'given, 'faults> {
    /// The table, in which every member must have one of these names; `None` when it is none.
    fn of(
        given: &'given Given<'given>,
        names: &[&'static str],
        expected: &str,
        faults: &'faults mut Faults,
    ) -> Option<Self> {
        let DeValue::Table(table) = given.value.get_ref() else {
            given.refuse_kind(faults, expected);
            return None;
        };
        let mut is_refused = false;
        for name in table.keys() {
            let text = name.get_ref();
            if names.contains(&text.as_ref()) {
                continue;
            }
            is_refused = true;
            let meant = did_you_mean(nearest(text, names.iter().copied()));
            let what = format!("{}.{}: unknown member{meant}", given.path, shown_key(text));
            faults.add(given.origin, name.span().start, what);
        }
        Some(Self { given, table, faults, is_refused })
    }

    /// The member `name`; the inner `None` when it is not there.
    #[expect(clippy::option_option, reason = "refused is not absent")]
    fn optional<K: Kind>(&mut self, name: &str, kind: &K) -> Option<Option<K::Value>> {
        let Some(value) = self.table.get(name) else { return Some(None) };
        let read = kind.read(&self.given.member(name, value), self.faults);
        self.is_refused |= read.is_none();
        read.map(Some)
    }

    /// The member `name`, which must be there.
    fn required<K: Kind>(&mut self, name: &str, kind: &K) -> Option<K::Value> {
        let read = self.optional(name, kind)?;
        if read.is_none() {
            self.is_refused = true;
            self.given.refuse(self.faults, format_args!("{name} is missing"));
        }
        read
    }

    /// The list `name`, empty when it is not there.
    fn list(&mut self, name: &str, kind: Text<String>) -> Option<Vec<String>> {
        self.optional(name, &List(kind)).map(Option::unwrap_or_default)
    }

    /// What was read, unless anything was refused.
    fn read<T>(self, value: Option<T>) -> Option<T> {
        value.filter(|_| !self.is_refused)
    }
}

/// A table in one line: `{ name = "Acme", hosts = ["acme.example"] }`.
fn table(members: Vec<Option<String>>) -> String {
    let members: Vec<String> = members.into_iter().flatten().collect();
    format!("{{ {} }}", members.join(", "))
}

#[expect(clippy::unnecessary_wraps, reason = "beside members that may be left out")]
fn member<T>(name: &str, kind: &Text<T>, value: &T) -> Option<String> {
    Some(format!("{name} = {}", kind.write(value)))
}

/// A member that is left out when it says no more than its default.
fn unless_default(
    name: &str,
    kind: &Text<String>,
    value: &String,
    default: &str,
) -> Option<String> {
    if value == default { None } else { member(name, kind, value) }
}

fn list(name: &str, kind: &Text<String>, values: &[String]) -> Option<String> {
    let texts: Vec<String> = values.iter().map(|value| kind.write(value)).collect();
    (!texts.is_empty()).then(|| format!("{name} = [{}]", texts.join(", ")))
}

/// One entry of `registration.protected_names`.
pub(super) struct Protected;

impl Kind for Protected {
    type Value = ProtectedName;

    fn expected(&self) -> String {
        "a table of a name, hosts and schemes, such as \
         { name = \"Acme\", hosts = [\"acme.example\"], schemes = [\"acme\"] }"
            .into()
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<ProtectedName> {
        let mut members =
            Members::of(given, &["name", "hosts", "schemes"], &self.expected(), faults)?;
        let name = members.required("name", &NAME);
        let (hosts, schemes) = (members.list("hosts", HOST), members.list("schemes", SCHEME));
        members.read((|| Some(ProtectedName { name: name?, hosts: hosts?, schemes: schemes? }))())
    }

    fn write(&self, value: &ProtectedName) -> String {
        table(vec![
            member("name", &NAME, &value.name),
            list("hosts", &HOST, &value.hosts),
            list("schemes", &SCHEME, &value.schemes),
        ])
    }
}

/// One entry of `registration.scopes`: a scope alone, or with its description.
pub(super) struct Catalogue;

impl Kind for Catalogue {
    type Value = CatalogueScope;

    fn expected(&self) -> String {
        format!("{}, alone or as {{ scope = \"read\", description = \"Read\" }}", SCOPE.expected)
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<CatalogueScope> {
        if let DeValue::String(_) = given.value.get_ref() {
            return Some(CatalogueScope::named(SCOPE.read(given, faults)?));
        }
        let names = ["scope", "description", "sensitive"];
        let mut members = Members::of(given, &names, &self.expected(), faults)?;
        let scope = members.required("scope", &SCOPE);
        let description = members.optional("description", &NAME);
        let sensitive = members.optional("sensitive", &Boolean);
        members.read((|| {
            let (description, sensitive) = (description?, sensitive?.unwrap_or_default());
            Some(CatalogueScope { scope: scope?, description, sensitive })
        })())
    }

    fn write(&self, value: &CatalogueScope) -> String {
        match &value.description {
            None if !value.sensitive => SCOPE.write(&value.scope),
            description => table(vec![
                member("scope", &SCOPE, &value.scope),
                description.as_ref().and_then(|text| member("description", &NAME, text)),
                value.sensitive.then(|| "sensitive = true".to_owned()),
            ]),
        }
    }
}

/// One entry of `authorization.resources`.
pub(super) struct ResourceTable;

impl Kind for ResourceTable {
    type Value = Resource;

    fn expected(&self) -> String {
        "a table of a uri, a name, an id and a secret_sha256, such as \
         { uri = \"https://mcp.example.com/mcp\", name = \"Tools\" }"
            .into()
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<Resource> {
        let names = ["uri", "name", "id", "secret_sha256"];
        let mut members = Members::of(given, &names, &self.expected(), faults)?;
        let uri = members.required("uri", &RESOURCE);
        let name = members.optional("name", &NAME);
        let id = members.optional("id", &PROVIDER_ID)?;
        let sha256 = members.optional("secret_sha256", &SHA256)?;
        let introspection = match (id, sha256) {
            (Some(id), Some(sha256)) => Some(ResourceSecret { id, sha256 }),
            (None, None) => None,
            _ => {
                members.is_refused = true;
                given.refuse(members.faults, "id and secret_sha256 come together");
                None
            }
        };
        members.read((|| Some(Resource { uri: uri?, name: name?, introspection }))())
    }

    fn write(&self, value: &Resource) -> String {
        let secret = value.introspection.as_ref();
        table(vec![
            member("uri", &RESOURCE, &value.uri),
            value.name.as_ref().and_then(|name| member("name", &NAME, name)),
            secret.and_then(|secret| member("id", &PROVIDER_ID, &secret.id)),
            secret.and_then(|secret| member("secret_sha256", &SHA256, &secret.sha256)),
        ])
    }
}

/// One entry of `sign_in.providers`.
pub(super) struct ProviderTable;

impl ProviderTable {
    const MEMBERS: [&'static str; 12] = [
        "id",
        "name",
        "issuer",
        "client_id",
        "client_secret_file",
        "scopes",
        "subject_claim",
        "name_claim",
        "email_claim",
        "groups_claim",
        "allowed_domains",
        "allowed_groups",
    ];
    const SCOPES: [&'static str; 2] = ["profile", "email"];
    const SUBJECT: &'static str = "sub";
    const NAME: &'static str = "name";
    const EMAIL: &'static str = "email";
    const GROUPS: &'static str = "groups";
}

impl Kind for ProviderTable {
    type Value = Provider;

    fn expected(&self) -> String {
        "a table of a provider, such as { id = \"acme\", name = \"Acme\", \
         issuer = \"https://login.acme.example\", client_id = \"doorward\" }"
            .into()
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<Provider> {
        let mut members = Members::of(given, &Self::MEMBERS, &self.expected(), faults)?;
        let id = members.required("id", &PROVIDER_ID);
        let name = members.required("name", &NAME);
        let issuer = members.required("issuer", &PROVIDER_ISSUER);
        let client_id = members.required("client_id", &NAME);
        let client_secret_file = members.optional("client_secret_file", &FILE);
        let scopes = members.optional("scopes", &List(SCOPE));
        let mut claim = |name: &str, default: &str| {
            let read = members.optional(name, &CLAIM)?;
            Some(read.unwrap_or_else(|| default.to_owned()))
        };
        let subject_claim = claim("subject_claim", Self::SUBJECT);
        let name_claim = claim("name_claim", Self::NAME);
        let email_claim = claim("email_claim", Self::EMAIL);
        let groups_claim = claim("groups_claim", Self::GROUPS);
        let allowed_domains = members.list("allowed_domains", HOST);
        let allowed_groups = members.list("allowed_groups", NAME);
        members.read((|| {
            Some(Provider {
                id: id?,
                name: name?,
                issuer: issuer?,
                client_id: client_id?,
                client_secret_file: client_secret_file?,
                scopes: scopes?.unwrap_or_else(|| Self::SCOPES.map(str::to_owned).to_vec()),
                subject_claim: subject_claim?,
                name_claim: name_claim?,
                email_claim: email_claim?,
                groups_claim: groups_claim?,
                allowed_domains: allowed_domains?,
                allowed_groups: allowed_groups?,
            })
        })())
    }

    fn write(&self, value: &Provider) -> String {
        table(vec![
            member("id", &PROVIDER_ID, &value.id),
            member("name", &NAME, &value.name),
            member("issuer", &PROVIDER_ISSUER, &value.issuer),
            member("client_id", &NAME, &value.client_id),
            value
                .client_secret_file
                .as_ref()
                .and_then(|file| member("client_secret_file", &FILE, file)),
            (value.scopes != Self::SCOPES)
                .then(|| format!("scopes = {}", List(SCOPE).write(&value.scopes))),
            unless_default("subject_claim", &CLAIM, &value.subject_claim, Self::SUBJECT),
            unless_default("name_claim", &CLAIM, &value.name_claim, Self::NAME),
            unless_default("email_claim", &CLAIM, &value.email_claim, Self::EMAIL),
            unless_default("groups_claim", &CLAIM, &value.groups_claim, Self::GROUPS),
            list("allowed_domains", &HOST, &value.allowed_domains),
            list("allowed_groups", &NAME, &value.allowed_groups),
        ])
    }
}
