//! The content of the consent page, and the grant that a decision makes.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use url::Url;

use super::request::{Asked, AuthorizationRequest};
use crate::{
    app::App,
    audit::Author,
    client::{
        ClientIdentifier, ClientMetadata, ClientName, Reach, RedirectUri, Scope, WebUri, shown_name,
    },
    clock::Timestamp,
    grant::{AuthorizationCode, GrantId, ResourceIndicator},
    identified_client::IdentifiedClient,
    messages::Message,
    operator::OperatorScope,
    pages::{ClientBox, Description, Destination, Imitation, Link, Reader, Wanted, WantedResource},
    secret::SecretHash,
    sign_in::Session,
    store::{
        ClientState, CodeRecord, ConsentRecord, DocumentClientId, DocumentClientRecord, GrantRecord,
    },
    stored_identity::StoredIdentity,
};

/// The most characters of a redirect URI on the device that a page shows: enough to recognize it, and too few to push
/// the decision off the screen.
const REDIRECT_URI_CHARS_MAX: usize = 120;

/// The question to a resource owner: the request, the client, and the session.
pub(super) struct Question<'asked> {
    pub(super) request: &'asked AuthorizationRequest,
    pub(super) asked: &'asked Asked,
    pub(super) session: &'asked Session,
    /// The authorization request as it came, which the form of the page repeats.
    pub(super) text: &'asked str,
}

/// The client, as pages show it.
pub(super) fn client_box(app: &App, request: &AuthorizationRequest, reader: &Reader) -> ClientBox {
    let client = &request.client;
    let (_, host) = request.redirect_uri.scheme_and_host();
    let links =
        if is_local(request.reach) { Vec::new() } else { links(&client.metadata, host, reader) };
    ClientBox {
        name: name(&client.metadata, reader),
        destination: destination(&request.redirect_uri, request.reach),
        document_host: document_host(&client.identifier),
        imitation: imitation(app, request),
        registered: client.registered_at.map(|at| ago(at, app.clock.now())),
        links,
    }
}

/// The protected name that the client imitates, if its record is flagged for one.
fn imitation(app: &App, request: &AuthorizationRequest) -> Option<Imitation> {
    if !app.config.registration.marks_look_alikes() {
        return None;
    }
    let client = &request.client;
    let names = &app.protected_names;
    let protected = match &client.identifier {
        ClientIdentifier::Document(url) => names.borrowed_at(url.host(), &client.metadata),
        ClientIdentifier::Registered(_) => names.borrowed_by(&client.metadata),
    }?;
    Some(Imitation { name: protected.name.clone(), home: protected.hosts.first().cloned() })
}

/// The destination of responses, in words that people know.
pub(super) fn destination(redirect_uri: &RedirectUri, reach: Reach) -> Destination {
    if is_local(reach) {
        Destination::Device(shortened(redirect_uri.as_str(), REDIRECT_URI_CHARS_MAX))
    } else {
        Destination::Website(redirect_uri.scheme_and_host().1.to_owned())
    }
}

fn is_local(reach: Reach) -> bool {
    matches!(reach, Reach::Loopback | Reach::PrivateUse)
}

/// The host of the client's metadata document, if it has one.
pub(super) fn document_host(client: &ClientIdentifier) -> Option<String> {
    match client {
        ClientIdentifier::Document(url) => Some(url.host().to_owned()),
        ClientIdentifier::Registered(_) => None,
    }
}

/// The name that the client gives itself.
pub(super) fn name(metadata: &ClientMetadata, reader: &Reader) -> Option<String> {
    let plain = metadata.client_name.as_ref().map(ClientName::as_str);
    localized(metadata, ("client_name", plain), reader).map(|name| shown_name(name).into_owned())
}

/// A member in the language that the person reads best (RFC 7591 §2.2), or else the member without a language.
fn localized<'client>(
    metadata: &'client ClientMetadata,
    (member, plain): (&str, Option<&'client str>),
    reader: &Reader,
) -> Option<&'client str> {
    let named = |tag: &str| {
        metadata.localized.iter().find_map(|(name, text)| {
            let other = name.strip_prefix(member)?.strip_prefix('#')?;
            let is_meant = other.eq_ignore_ascii_case(tag)
                || other.split('-').next().is_some_and(|base| base.eq_ignore_ascii_case(tag));
            is_meant.then_some(text.as_str())
        })
    };
    let in_language = reader.tags.iter().find_map(|tag| {
        let base = tag.split('-').next().unwrap_or_default();
        named(tag).or_else(|| named(base))
    });
    in_language.or(plain)
}

/// A text, shortened so that the decision stays on the screen.
fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", text.split_at(end).0.trim_end()),
        None => text.to_owned(),
    }
}

/// The client's pages on the host that receives the response. A link to another host could name anybody as the owner
/// of the client.
fn links(metadata: &ClientMetadata, host: &str, reader: &Reader) -> Vec<Link> {
    let pages = [
        ("link-about", "client_uri", &metadata.client_uri),
        ("link-privacy", "policy_uri", &metadata.policy_uri),
        ("link-terms", "tos_uri", &metadata.tos_uri),
    ];
    pages
        .into_iter()
        .filter_map(|(text, member, uri)| {
            let plain = uri.as_ref().map(WebUri::as_str);
            let url = localized(metadata, (member, plain), reader)?;
            Some(Link { text, url: url.to_owned() })
        })
        .filter(|link| !host.is_empty() && host_of(&link.url).as_deref() == Some(host))
        .collect()
}

/// The host of a URL, in ASCII.
fn host_of(url: &str) -> Option<String> {
    Some(Url::parse(url).ok()?.host_str()?.to_owned())
}

/// The time since `at`, in words.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Message {
    let seconds = now.as_seconds().saturating_sub(at.as_seconds());
    let (id, count) = match seconds {
        0..60 => return Message::new("ago-moment"),
        60..3_600 => ("ago-minutes", seconds / 60),
        3_600..86_400 => ("ago-hours", seconds / 3_600),
        _ => ("ago-days", seconds / 86_400),
    };
    Message::new(id).with("count", count)
}

/// The description of an operator scope for the person who decides.
const fn described(scope: OperatorScope) -> Message {
    Message::new(match scope {
        OperatorScope::AuthorizedAppsRead => "scope-apps-read",
        OperatorScope::AuthorizedAppsWrite => "scope-apps-write",
        OperatorScope::AuditRead => "scope-audit-read",
        OperatorScope::ClientsRead => "scope-clients-read",
        OperatorScope::ClientsWrite => "scope-clients-write",
        OperatorScope::Admin => "scope-admin",
    })
}

/// The requested scopes, each marked as new or as allowed before.
pub(super) fn wanted(
    app: &App,
    (scope, is_for_api): (Option<&Scope>, bool),
    before: Option<&ConsentRecord>,
) -> Vec<Wanted> {
    let tokens = scope.into_iter().flat_map(Scope::tokens);
    let of_api = |token: &str| token.parse::<OperatorScope>().ok().filter(|_| is_for_api);
    tokens
        .map(|token| {
            let known = app.config.registration.scopes.iter().find(|known| known.scope == token);
            let of_api = of_api(token);
            let by_operator = || known.and_then(|known| known.description.clone());
            let was_allowed = |consent: &ConsentRecord| {
                consent.scope.iter().flat_map(Scope::tokens).any(|other| other == token)
            };
            Wanted {
                scope: token.to_owned(),
                description: of_api.map_or_else(
                    || by_operator().map(Description::Operators),
                    |scope| Some(Description::Ours(described(scope))),
                ),
                is_sensitive: of_api.map_or_else(
                    || known.is_some_and(|known| known.sensitive),
                    OperatorScope::changes,
                ),
                is_added: before.is_some_and(|consent| !was_allowed(consent)),
            }
        })
        .collect()
}

/// Resources, with their names for people.
pub(super) fn wanted_resources(app: &App, resources: &[ResourceIndicator]) -> Vec<WantedResource> {
    let configured = &app.config.authorization.resources;
    let shown = |uri: &ResourceIndicator| WantedResource {
        uri: uri.to_string(),
        name: if app.config.is_api(uri.as_str()) {
            Some(Description::Ours(Message::new("this-server")))
        } else {
            let known = configured.iter().find(|known| known.uri == *uri);
            known.and_then(|known| known.name.clone()).map(Description::Operators)
        },
    };
    resources.iter().map(shown).collect()
}

/// Whether an earlier consent still holds for the client at this redirect URI. A consent from before a change of its
/// standing, name, or redirect URIs does not: after a suspension everyone authorizes again.
pub(super) fn counts(
    consent: &ConsentRecord,
    request: &AuthorizationRequest,
    now: Timestamp,
) -> bool {
    consent.expires_at > now
        && request.client.is_as_it_was(consent.allowed_at)
        && consent.redirect_uri == request.redirect_uri.as_str()
}

/// The earlier consent, if it holds for the client as it is now, at this redirect URI and for these resources.
pub(super) fn still_meant(
    consent: Option<ConsentRecord>,
    question: &Question<'_>,
    now: Timestamp,
) -> Option<ConsentRecord> {
    consent.filter(|consent| {
        counts(consent, question.request, now) && consent.metadata_hash == metadata_hash(question)
    })
}

/// A hash of the client's metadata, the redirect URI, and the resources. If it changes, the person decides again.
fn metadata_hash(question: &Question<'_>) -> [u8; 32] {
    let mut shown = question.request.client.metadata.document();
    let mut resources: Vec<&str> =
        question.asked.resources.iter().map(ResourceIndicator::as_str).collect();
    resources.sort_unstable();
    // Neither a URI nor JSON on one line contains a line break.
    for resource in resources {
        shown.extend(["\n", resource]);
    }
    *SecretHash::of(shown.as_bytes()).as_bytes()
}

/// A hash of everything that the page shows of the request. The client's document may change while the person reads the
/// page, and with it the values that the request leaves to the document.
pub(super) fn shown(question: &Question<'_>) -> String {
    let scope = question.asked.scope.as_ref().map(Scope::as_str).unwrap_or_default();
    let shown = SecretHash::of(&[&metadata_hash(question), scope.as_bytes()].concat());
    BASE64_URL_SAFE_NO_PAD.encode(shown.as_bytes())
}

/// The content that a form token is bound to: the hash of what was [`shown`], and the request as it came.
pub(super) fn about(shown: &str, text: &str) -> Vec<u8> {
    // Base64 contains no line break.
    format!("{shown}\n{text}").into_bytes()
}

/// The new consent: what is allowed now, and what was allowed before.
pub(super) fn consent_record(
    app: &App,
    question: &Question<'_>,
    before: Option<&ConsentRecord>,
    now: Timestamp,
) -> ConsentRecord {
    let Question { request, asked, session, .. } = question;
    let tokens: Vec<&str> = [before.and_then(|before| before.scope.as_ref()), asked.scope.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(Scope::tokens)
        .collect();
    ConsentRecord {
        subject: session.owner.subject.clone(),
        client: request.client.identifier.clone(),
        scope: Scope::parse(&tokens.join(" ")).ok().flatten(),
        redirect_uri: request.redirect_uri.as_str().to_owned(),
        metadata_hash: metadata_hash(question),
        allowed_at: now,
        expires_at: now.after_days(app.config.authorization.consent_lifetime_days),
    }
}

/// The record of a client with a metadata document.
pub(super) fn document_record(
    client: &IdentifiedClient,
    by: &Author,
) -> Option<DocumentClientRecord> {
    let ClientIdentifier::Document(url) = &client.identifier else { return None };
    Some(DocumentClientRecord {
        url: url.to_string(),
        document_client_id: DocumentClientId::generate(by.at, &by.entropy),
        first_allowed_at: by.at,
        allowed_at: by.at,
        metadata: client.metadata.document(),
        state: ClientState { terms: client.state.terms.clone(), ..ClientState::default() },
    })
}

/// The grant, and the authorization code for it.
pub(super) fn grant(
    app: &App,
    question: &Question<'_>,
    now: Timestamp,
) -> (GrantRecord, AuthorizationCode) {
    let Question { request, asked, session, .. } = question;
    let id = GrantId::generate(now, &app.entropy);
    let code = AuthorizationCode::generate(id, &app.entropy);
    let expires_at = now.after_seconds(app.config.authorization.code_lifetime_seconds);
    let record = GrantRecord {
        grant_id: id,
        client: request.client.identifier.clone(),
        subject: session.owner.subject.clone(),
        scope: asked.scope.clone(),
        resources: asked.resources.clone(),
        issued_at: now,
        // The code has not been redeemed yet.
        expires_at,
        code: CodeRecord {
            hash: code.secret.hash(),
            redirect_uri: request.redirect_uri.as_str().to_owned(),
            challenge: asked.challenge,
            expires_at,
            redeemed_at: None,
        },
        refreshes: 0,
        graced: 0,
        refresh: None,
        identity: app.config.guards().then(|| identity(question)).flatten(),
    };
    (record, code)
}

/// The claims of the person and the client for servers behind the guard.
fn identity(question: &Question<'_>) -> Option<String> {
    let Question { request, session, .. } = question;
    let identity = StoredIdentity::read(session.owner.identity.as_deref());
    let client_name =
        request.client.metadata.client_name.as_ref().map(|name| name.as_str().to_owned());
    StoredIdentity { client_name, operator_groups: Vec::new(), ..identity }.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_registration_is_told_in_words() {
        let at = Timestamp::from_millis(0);
        for (seconds, expected) in [
            (59, "less than a minute ago"),
            (60, "one minute ago"),
            (7_199, "one hour ago"),
            (86_400 * 3, "3 days ago"),
        ] {
            let ago = ago(at, Timestamp::from_millis(seconds * 1_000));
            assert_eq!(ago.to_string(), expected);
        }
    }
}
