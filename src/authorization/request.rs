//! An authorization request (OAuth 2.1 §4.1.1), read in two steps: the client and its redirect URI, then everything
//! else.
//!
//! Errors of the second step can go to the client by a redirect; errors of the first cannot.

use url::form_urlencoded;

use super::error::{AuthorizationError, PageError};
use crate::{
    app::App,
    client::{Reach, RedirectUri, Scope},
    config::Config,
    grant::{CodeChallenge, ResourceIndicator},
    http::form::{Form, FormError},
    identified_client::{self, IdentifiedClient, NamedBy},
    operator::OperatorScope,
    operators,
    sign_in::{REQUEST_BYTES_MAX, can_wait},
    store::ResourceOwner,
};

/// The longest `state`, in bytes.
pub(super) const STATE_BYTES_MAX: usize = 4 << 10;

/// Every parameter that this server reads. It ignores all others (RFC 6749 §3.1).
const PARAMETERS: [&str; 13] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "redirect_uri",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
    // Read by `Reader`.
    "ui_locales",
];

/// The request without the ignored parameters.
pub(super) fn needed(text: &str) -> String {
    let is_read = |pair: &&str| {
        let name = form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name);
        name.is_some_and(|name| PARAMETERS.contains(&&*name))
    };
    text.split('&').filter(is_read).collect::<Vec<_>>().join("&")
}

/// A request with a verified client and redirect URI, so a response can be sent.
#[derive(Debug)]
pub(super) struct AuthorizationRequest {
    pub(super) client: IdentifiedClient,
    /// The destination of the response: a redirect URI of the client, with any port for a loopback address.
    pub(super) redirect_uri: RedirectUri,
    pub(super) reach: Reach,
    /// The client's `state`, returned unchanged; `None` if it was too long.
    pub(super) state: Option<String>,
    pub(super) asked: Result<Asked, AuthorizationError>,
}

/// The requested access, cut down to what could be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) challenge: CodeChallenge,
    pub(super) scope: Option<Scope>,
    /// The resources, as the settings spell them.
    pub(super) resources: Vec<ResourceIndicator>,
    /// Whether the resource is the operator API, which must be the only one.
    pub(super) is_for_api: bool,
    /// `prompt=none` (OpenID Connect Core §3.1.2.1): no page may be shown.
    pub(super) is_silent: bool,
}

impl AuthorizationRequest {
    /// Resolves the query of a GET or the body of a POST, which have the same form.
    pub(super) async fn resolve(
        app: &App,
        text: &str,
        named_by: NamedBy<'_>,
    ) -> Result<Self, PageError> {
        if !can_wait(text) {
            return Err(PageError::Request(REQUEST_BYTES_MAX));
        }
        let form = Form::parse(text.as_bytes())?;
        let client_id = form.one("client_id")?.ok_or(PageError::Missing("client_id"))?;
        let identifier = client_id.parse().map_err(|_| PageError::UnknownClient(None))?;
        let client = identified_client::identify(app, &identifier, named_by).await?;
        if let Some(error) = PageError::of_standing(client.state.standing, &identifier, text) {
            return Err(error);
        }
        Self::of(client, &form, &app.config)
    }

    /// Cuts the requested operator scopes down to the role of the person.
    pub(super) fn cut_down(&mut self, config: &Config, owner: &ResourceOwner) {
        let asked = self.asked.as_mut().ok().filter(|asked| asked.is_for_api && !asked.is_silent);
        let Some(Asked { scope: Some(scope), .. }) = asked else { return };
        match operators::within(scope, operators::role(config, owner)) {
            Some(held) => *scope = held,
            None => self.asked = Err(AuthorizationError::NoRole),
        }
    }

    /// The request of a known client.
    pub(super) fn of(
        client: IdentifiedClient,
        form: &Form<'_>,
        config: &Config,
    ) -> Result<Self, PageError> {
        let (redirect_uri, reach) = redirect_uri(&client, form, config)?;
        let state = form.one("state");
        Ok(Self {
            redirect_uri,
            reach,
            state: state
                .ok()
                .flatten()
                .filter(|state| state.len() <= STATE_BYTES_MAX)
                .map(str::to_owned),
            asked: asked(&client, form, config),
            client,
        })
    }
}

/// The redirect URI of the request, which must be one of the client's (OAuth 2.1 §2.3). Only a client with a single
/// redirect URI may omit it.
fn redirect_uri(
    client: &IdentifiedClient,
    form: &Form<'_>,
    config: &Config,
) -> Result<(RedirectUri, Reach), PageError> {
    let registered = client.metadata.redirect_uris.as_slice();
    let asked = match (form.one("redirect_uri")?, registered) {
        (Some(asked), _) => asked,
        (None, [only]) => only.as_str(),
        (None, _) => return Err(PageError::Missing("redirect_uri")),
    };
    if !registered.iter().any(|uri| uri.matches(asked)) {
        return Err(PageError::UnknownRedirectUri);
    }
    // Today's rules apply too: they may have become stricter since the client registered.
    let (uri, reach) = RedirectUri::parse(asked).map_err(|_| PageError::UnknownRedirectUri)?;
    if reach == Reach::Lan && !config.registration.allow_lan_redirects {
        return Err(PageError::UnknownRedirectUri);
    }
    Ok((uri, reach))
}

fn asked(
    client: &IdentifiedClient,
    form: &Form<'_>,
    config: &Config,
) -> Result<Asked, AuthorizationError> {
    for elsewhere in ["request", "request_uri"] {
        if one(form, elsewhere)?.is_some() {
            return Err(AuthorizationError::Elsewhere(elsewhere));
        }
    }
    if let Some(state) = one(form, "state")?
        && state.len() > STATE_BYTES_MAX
    {
        return Err(AuthorizationError::State(STATE_BYTES_MAX));
    }
    // Pages read the value. An unsupported language is not an error (OpenID Connect Core §3.1.2.1).
    one(form, "ui_locales")?;
    match one(form, "response_type")? {
        Some("code") => {}
        Some(_) => return Err(AuthorizationError::ResponseType),
        None => return Err(AuthorizationError::Missing("response_type")),
    }
    if one(form, "response_mode")?.is_some_and(|mode| mode != "query") {
        return Err(AuthorizationError::ResponseMode);
    }
    let challenge = one(form, "code_challenge")?.ok_or(AuthorizationError::NoChallenge)?;
    // An omitted method would mean `plain` (RFC 7636 §4.3).
    if one(form, "code_challenge_method")? != Some("S256") {
        return Err(AuthorizationError::ChallengeMethod);
    }
    let challenge = CodeChallenge::parse(challenge).map_err(|_| AuthorizationError::Challenge)?;
    let resources = resources(form, config)?;
    let is_for_api = resources.iter().any(|resource| config.is_api(resource.as_str()));
    let scope = one(form, "scope")?;
    Ok(Asked {
        challenge,
        scope: if is_for_api {
            operator_scope(client, scope)?
        } else {
            self::scope(client, scope, config)?
        },
        resources,
        is_for_api,
        is_silent: one(form, "prompt")?
            .is_some_and(|prompt| prompt.split(' ').any(|one| one == "none")),
    })
}

fn one<'form>(
    form: &'form Form<'_>,
    name: &'static str,
) -> Result<Option<&'form str>, AuthorizationError> {
    form.one(name).map_err(|error| match error {
        FormError::Repeated(name) => AuthorizationError::Repeated(name),
        // The parser of the form has reported these already.
        FormError::TooMany | FormError::NotUtf8 | FormError::MediaType => {
            AuthorizationError::Missing(name)
        }
    })
}

/// The requested scope, limited to the configured scopes and the client's ceiling; other scopes are dropped (RFC 6749
/// §3.3).
///
/// The scope in the client's registration is the default for a request without a scope, and not a limit: MCP clients
/// register with the scope of their first challenge and ask for more once a tool requires it.
fn scope(
    client: &IdentifiedClient,
    asked: Option<&str>,
    config: &Config,
) -> Result<Option<Scope>, AuthorizationError> {
    let catalogue = &config.registration.scopes;
    let is_known =
        |token: &str| catalogue.is_empty() || catalogue.iter().any(|known| known.scope == token);
    let asked = asked.map(Scope::parse).transpose().map_err(|_| AuthorizationError::Scope)?;
    match asked.flatten() {
        None => {
            let registered =
                client.metadata.scope.as_ref().and_then(|scope| scope.retain(is_known));
            Ok(registered.and_then(|scope| below_ceiling(client, &scope).ok()))
        }
        Some(asked) => {
            let known = asked.retain(is_known).ok_or(AuthorizationError::Scope)?;
            below_ceiling(client, &known).map(Some)
        }
    }
}

/// The part of a scope that the client's ceiling permits.
fn below_ceiling(client: &IdentifiedClient, scope: &Scope) -> Result<Scope, AuthorizationError> {
    let ceiling = client.state.ceiling.as_ref();
    let is_offered = |token: &str| ceiling.is_none_or(|ceiling| ceiling.allows(token));
    scope.retain(is_offered).ok_or(AuthorizationError::Restricted)
}

/// The requested operator scopes, within the client's ceiling. Without operator scopes, the client manages only what
/// the person has authorized.
fn operator_scope(
    client: &IdentifiedClient,
    asked: Option<&str>,
) -> Result<Option<Scope>, AuthorizationError> {
    let asked = asked.map(Scope::parse).transpose().map_err(|_| AuthorizationError::Scope)?;
    let asked = asked.flatten().or_else(|| client.metadata.scope.clone());
    let is_known = |token: &str| token.parse::<OperatorScope>().is_ok();
    let Some(asked) = asked.and_then(|scope| scope.retain(is_known)) else { return Ok(None) };
    below_ceiling(client, &asked).map(Some)
}

/// The named resources (RFC 8707 §2), each of which must be configured. If none is configured, only a development
/// server accepts any resource.
fn resources(
    form: &Form<'_>,
    config: &Config,
) -> Result<Vec<ResourceIndicator>, AuthorizationError> {
    let configured = &config.authorization.resources;
    let mut named: Vec<ResourceIndicator> = Vec::new();
    for text in form.all("resource") {
        let asked = ResourceIndicator::parse(text);
        let asked = asked.map_err(|_| AuthorizationError::UnknownResource)?;
        let known = match configured.iter().find(|known| known.uri.names_the_same(&asked)) {
            Some(known) => known.uri.clone(),
            None => match ResourceIndicator::parse(&config.api()) {
                Ok(api) if api.names_the_same(&asked) => api,
                _ if configured.is_empty() && config.sign_in.local => asked,
                _ => return Err(AuthorizationError::UnknownResource),
            },
        };
        if !named.contains(&known) {
            named.push(known);
        }
    }
    // Scopes of the operator API mean nothing at other resources, and theirs nothing at the API.
    if named.len() > 1 && named.iter().any(|one| config.is_api(one.as_str())) {
        return Err(AuthorizationError::ApiBesideOthers);
    }
    match (named.is_empty(), &configured[..]) {
        (false, _) | (true, []) => Ok(named),
        (true, [only]) => Ok(vec![only.uri.clone()]),
        (true, _) => Err(AuthorizationError::NoResource),
    }
}
