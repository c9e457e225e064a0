//! The decision about one request to a guarded resource. Pure: settings, token, grant, and request come in; the built-in
//! proxy, each dialect of forward-auth, and `doorward guard explain` carry it out.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{
    documents,
    target::{Target, TargetFault},
};
use crate::{
    client::ClientIdentifier,
    clock::Timestamp,
    config::{
        Ask, Config, Guard, GuardRule, Resource, Strictness, ToolMatch, path_matches, tool_matches,
    },
    grant::GrantId,
    metrics::{GuardMetrics, GuardOutcome},
    paths,
    stored_identity::StoredIdentity,
};

/// A guarded resource, with what follows from its settings.
#[derive(Clone, Debug)]
pub(crate) struct Guarded {
    pub(crate) settings: Guard,
    /// The resource indicator, as the operator spells it: the audience of its tokens.
    pub(crate) uri: String,
    /// As people read it.
    pub(crate) name: Option<String>,
    /// The metadata document (RFC 9728).
    pub(crate) metadata: Bytes,
    /// Where clients read it.
    pub(crate) metadata_url: String,
    pub(crate) metrics: Arc<GuardMetrics>,
    /// Scheme, host, and port, as browsers write an origin.
    pub(crate) origin: String,
    /// Host and port of the origin.
    host: Option<(Host, u16)>,
    /// The path of the resource, without a slash at its end; empty for all of the host.
    pub(crate) path: String,
    /// The path of the upstream without percent-encoding and without a slash at its end, if it is another.
    upstream_path: Option<String>,
    /// Whether pages of any origin on this machine may send requests.
    admits_loopback: bool,
}

/// What is known of a request. The resource comes from the settings, never from the request.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// Scheme, host, and port that the client addressed.
    pub(crate) address: &'a str,
    /// Path and query, byte for byte.
    pub(crate) target: &'a [u8],
    pub(crate) origin: Option<&'a [u8]>,
    /// Whether a browser asks what a script may send (Fetch, CORS-preflight request).
    pub(crate) is_preflight: bool,
    pub(crate) tool: Tool<'a>,
    /// Why two servers could read two requests from the head.
    pub(crate) ambiguity: Option<&'static str>,
}

/// The tool that a request calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool<'a> {
    /// It calls none.
    None,
    Called(&'a str),
    /// It may call one that the guard cannot see, and why.
    Hidden(&'static str),
}

/// The token that came with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Presented<'a> {
    Nothing,
    /// It gives no access here, and why.
    Invalid(&'static str),
    Valid(&'a Authorized),
    /// The store did not answer.
    Unknown,
}

/// What a valid token says, and the grant behind it at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorized {
    pub(crate) subject: String,
    pub(crate) client_id: String,
    pub(crate) grant: GrantId,
    /// The scopes of the token that the grant still has, separated by spaces.
    pub(crate) scope: String,
    /// The scopes of the grant, separated by spaces.
    pub(crate) granted: String,
    /// When the token expires.
    pub(crate) expires_at: Timestamp,
    /// What else is known of the person and the client.
    pub(crate) identity: Arc<StoredIdentity>,
}

impl Authorized {
    /// The client of the token.
    pub(super) fn client(&self) -> Option<ClientIdentifier> {
        self.client_id.parse().ok()
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision<'a> {
    /// Passes the request on without checking a token.
    Public,
    Allow(&'a Authorized),
    /// It is a question of a browser about an origin that may send requests.
    Preflight,
    /// 401: the client needs a token. `fault` says what is wrong with the one that came.
    SignIn {
        scope: String,
        fault: Option<&'static str>,
    },
    /// 403: the client needs a token with all of these scopes.
    StepUp {
        scope: String,
    },
    /// A rule refuses it, and no token changes that.
    Denied,
    Rejected(Rejection),
}

/// Why a request is refused, whatever token it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("{0}")]
    Ambiguous(&'static str),
    #[error("{0}")]
    Target(TargetFault),
    #[error("the request may call a tool that the guard cannot see: {0}")]
    HiddenTool(&'static str),
    #[error("the name of the tool differs in letter case from the names in a rule")]
    ToolCase,
    #[error("the request is for another host than the resource")]
    OtherHost,
    #[error("the path does not belong to the resource")]
    OtherPath,
    #[error("pages of this origin may not send requests")]
    Origin,
    #[error("the store does not answer")]
    Unavailable,
}

impl Rejection {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Ambiguous(_) | Self::Target(_) | Self::HiddenTool(_) | Self::ToolCase => 400,
            Self::Origin => 403,
            Self::OtherPath => 404,
            Self::OtherHost => 421,
            Self::Unavailable => 503,
        }
    }
}

impl Decision<'_> {
    /// How the decision is counted.
    pub(super) const fn outcome(&self) -> GuardOutcome {
        match self {
            Self::Public => GuardOutcome::Public,
            Self::Allow(_) => GuardOutcome::Allowed,
            Self::Preflight => GuardOutcome::Preflight,
            Self::SignIn { .. } => GuardOutcome::Unauthorized,
            Self::StepUp { .. } => GuardOutcome::InsufficientScope,
            Self::Denied => GuardOutcome::Denied,
            Self::Rejected(Rejection::Origin) => GuardOutcome::RejectedOrigin,
            Self::Rejected(Rejection::Unavailable) => GuardOutcome::Unavailable,
            Self::Rejected(_) => GuardOutcome::Rejected,
        }
    }
}

/// A decision, and the rule that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided<'a> {
    pub(crate) decision: Decision<'a>,
    /// The place of the first rule that matched.
    pub(crate) rule: Option<usize>,
}

impl Guarded {
    /// The guarded resource of these settings, if it has a guard.
    pub(crate) fn of(resource: &Resource, config: &Config) -> Option<Self> {
        let settings = resource.guard.clone()?;
        let url = Url::parse(resource.uri.as_str()).ok()?;
        let origin = url.origin().ascii_serialization();
        let path = url.path().trim_end_matches('/').to_owned();
        let upstream_path = settings.upstream.as_ref().map(|upstream| {
            let path = upstream.path().trim_end_matches('/');
            percent_decode_str(path).decode_utf8_lossy().into_owned()
        });
        let mut guarded = Self {
            upstream_path: upstream_path.filter(|upstream| *upstream != path),
            settings,
            uri: resource.uri.as_str().to_owned(),
            name: resource.name.clone(),
            metadata: Bytes::new(),
            metrics: Arc::default(),
            metadata_url: format!("{origin}{}{path}", paths::PROTECTED_RESOURCE),
            host: host_and_port(&url),
            origin,
            path,
            admits_loopback: is_loopback(&config.server.issuer),
        };
        guarded.metadata = documents::document(&guarded, config);
        Some(guarded)
    }

    /// Host and port, as `Host` has them.
    pub(crate) fn authority(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Whether it can matter which tool a request calls.
    pub(super) fn has_tool_rules(&self) -> bool {
        self.settings.rules.iter().any(|rule| !rule.tools.is_empty())
    }

    /// Whether a path lies in the resource, or a rule names it.
    pub(super) fn has(&self, target: &Target<'_>) -> bool {
        below(target.path(), &self.path).is_some()
            || self
                .settings
                .rules
                .iter()
                .any(|rule| !rule.paths.is_empty() && names_path(rule, target.decoded_path()))
    }

    /// Whether a rule names a path as the client sends it; or, if the rule restricts, as the upstream gets it, or as
    /// another client would send it to have the upstream get the same.
    fn names_path(&self, rule: &GuardRule, path: &str) -> bool {
        let swapped = |from: &str, to: &str| {
            let other = format!("{to}{}", below(path, from)?);
            Some(names_path(rule, if other.is_empty() { "/" } else { &other }))
        };
        let elsewhere = |upstream: &String| {
            let sent = swapped(&self.path, upstream);
            sent.or_else(|| swapped(upstream, &self.path)).unwrap_or(false)
        };
        names_path(rule, path)
            || (!rule.public && self.upstream_path.as_ref().is_some_and(elsewhere))
    }

    /// Whether an address has the host and port of the origin. The scheme only tells the port: TLS may end in front.
    fn is_addressed_by(&self, address: &str) -> bool {
        // Most proxies write it as the settings do. Parsing costs more than the rest of the decision.
        if address == self.origin {
            return true;
        }
        let is_default = |port: u16| matches!(port, 80 | 443);
        let asked = Url::parse(address).ok().as_ref().and_then(host_and_port);
        matches!((&self.host, &asked), (Some((own, own_port)), Some((host, port)))
            if host == own && (port == own_port || (is_default(*port) && is_default(*own_port))))
    }

    fn admits_origin(&self, origin: &[u8]) -> bool {
        origin == self.origin.as_bytes()
            || self.settings.origins.iter().any(|known| known.as_bytes() == origin)
            || (self.admits_loopback && str::from_utf8(origin).is_ok_and(is_loopback))
    }

    /// The scopes that a request requires to which this rule applies.
    pub(super) fn required<'g>(
        &'g self,
        rule: Option<&'g GuardRule>,
    ) -> impl Iterator<Item = &'g str> {
        let of_rule = rule.into_iter().flat_map(|rule| &rule.scopes);
        self.settings.required_scopes.iter().chain(of_rule).map(String::as_str)
    }
}

/// Decides about a request.
pub(crate) fn decide<'a>(
    guarded: &Guarded,
    asked: &Asked<'_>,
    presented: Presented<'a>,
) -> Decided<'a> {
    let target = match read(guarded, asked) {
        Ok(target) => target,
        Err(refusal) => return Decided { decision: Decision::Rejected(refusal), rule: None },
    };
    let rules = &guarded.settings.rules;
    // A rule for tools may match a request whose tool is hidden, or whose tool it names for some servers only.
    let fits = |rule: &GuardRule| match (misfit(guarded, rule, asked, &target), asked.tool) {
        (None, _) => Some(Ok(())),
        (Some(Misfit::Tool), Tool::Hidden(reason)) => Some(Err(Rejection::HiddenTool(reason))),
        (Some(Misfit::ToolCase), _) => Some(Err(Rejection::ToolCase)),
        (Some(_), _) => None,
    };
    let first = rules.iter().enumerate().find_map(|(nth, rule)| Some((nth, fits(rule)?)));
    let rule = first.map(|(nth, _)| nth);
    if let Some((_, Err(refusal))) = first {
        // A client without a token has to learn first where to get one.
        let decision = match presented {
            Presented::Valid(_) => Decision::Rejected(refusal),
            _ => by_rule(guarded, None, presented),
        };
        return Decided { decision, rule };
    }
    let decision = by_rule(guarded, rule.and_then(|nth| rules.get(nth)), presented);
    // Browsers send no token with a preflight. A rule that denies the path denies it as well.
    let is_preflight = asked.is_preflight && asked.origin.is_some();
    let decision = match decision {
        Decision::Denied => Decision::Denied,
        _ if is_preflight => Decision::Preflight,
        decision => decision,
    };
    Decided { decision, rule }
}

/// The target, unless the request is refused before any rule.
fn read<'a>(guarded: &Guarded, asked: &Asked<'a>) -> Result<Target<'a>, Rejection> {
    if let Some(ambiguity) = asked.ambiguity {
        return Err(Rejection::Ambiguous(ambiguity));
    }
    let target = Target::read(asked.target).map_err(Rejection::Target)?;
    if !guarded.is_addressed_by(asked.address) {
        return Err(Rejection::OtherHost);
    }
    if !guarded.has(&target) {
        return Err(Rejection::OtherPath);
    }
    match asked.origin {
        Some(origin) if !guarded.admits_origin(origin) => Err(Rejection::Origin),
        _ => Ok(target),
    }
}

fn by_rule<'a>(
    guarded: &Guarded,
    rule: Option<&GuardRule>,
    presented: Presented<'a>,
) -> Decision<'a> {
    match rule {
        Some(rule) if rule.deny => return Decision::Denied,
        Some(rule) if rule.public => return Decision::Public,
        _ => {}
    }
    let authorized = match presented {
        Presented::Valid(authorized) => authorized,
        Presented::Unknown => return Decision::Rejected(Rejection::Unavailable),
        Presented::Nothing | Presented::Invalid(_) => {
            let scope = match guarded.settings.ask {
                Ask::All => joined(guarded.settings.all_scopes()),
                Ask::Minimum => joined(guarded.required(rule)),
            };
            let fault = match presented {
                Presented::Invalid(fault) => Some(fault),
                _ => None,
            };
            return Decision::SignIn { scope, fault };
        }
    };
    let has = |scope: &str| authorized.scope.split(' ').any(|held| held == scope);
    if guarded.required(rule).all(has) {
        return Decision::Allow(authorized);
    }
    let granted = authorized.granted.split(' ').filter(|scope| !scope.is_empty());
    Decision::StepUp { scope: joined(granted.chain(guarded.required(rule))) }
}

/// Why each rule does not match, in their order; `None` for a rule that does.
pub(crate) fn misfits(guarded: &Guarded, asked: &Asked<'_>) -> Vec<Option<Misfit>> {
    let Ok(target) = Target::read(asked.target) else { return Vec::new() };
    guarded.settings.rules.iter().map(|rule| misfit(guarded, rule, asked, &target)).collect()
}

/// What a request does not have of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    #[error("another method")]
    Method,
    #[error("another path")]
    Path,
    #[error("another tool, or none")]
    Tool,
    #[error("the name of the tool differs in letter case")]
    ToolCase,
}

fn misfit(
    guarded: &Guarded,
    rule: &GuardRule,
    asked: &Asked<'_>,
    target: &Target<'_>,
) -> Option<Misfit> {
    // HEAD is GET without the body of the answer (RFC 9110 §9.3.2).
    let is_named = |method: &String| {
        names_method(rule, method, asked.method)
            || (method == "GET" && names_method(rule, "HEAD", asked.method))
    };
    if !rule.methods.is_empty() && !rule.methods.iter().any(is_named) {
        Some(Misfit::Method)
    } else if !rule.paths.is_empty() && !guarded.names_path(rule, target.decoded_path()) {
        Some(Misfit::Path)
    } else {
        misfit_of_tool(&rule.tools, asked.tool)
    }
}

fn misfit_of_tool(tools: &[String], called: Tool<'_>) -> Option<Misfit> {
    if tools.is_empty() {
        return None;
    }
    let Tool::Called(name) = called else { return Some(Misfit::Tool) };
    let matches = |wanted| tools.iter().any(|tool| tool_matches(tool, name) == wanted);
    if matches(ToolMatch::Exact) {
        None
    } else if matches(ToolMatch::Loose) {
        Some(Misfit::ToolCase)
    } else {
        Some(Misfit::Tool)
    }
}

/// Methods are case-sensitive (RFC 9110 §9.1), but some servers take `delete` for `DELETE`: another spelling must not
/// escape a rule, and opens no public one.
fn names_method(rule: &GuardRule, method: &str, sent: &str) -> bool {
    if rule.public { method == sent } else { method.eq_ignore_ascii_case(sent) }
}

fn names_path(rule: &GuardRule, path: &str) -> bool {
    let strictness = if rule.public { Strictness::Exact } else { Strictness::Loose };
    rule.paths.iter().any(|pattern| path_matches(pattern, path, strictness))
}

/// What stands behind a path's prefix, which ends at a slash or with the path.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Parts a URL as proxies write it into scheme, host, and port, and into path and query, whose bytes stay as they are.
pub(crate) fn split_address(url: &str) -> Option<(&str, &str)> {
    let behind_scheme = url.find("://")? + 3;
    let end =
        url.bytes().skip(behind_scheme).position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let (address, target) =
        url.split_at_checked(end.map_or(url.len(), |end| behind_scheme + end))?;
    Some((address, if target.is_empty() { "/" } else { target }))
}

fn host_and_port(url: &Url) -> Option<(Host, u16)> {
    Some((url.host()?.to_owned(), url.port_or_known_default()?))
}

/// Whether a URL leads to this machine.
fn is_loopback(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// Scopes with one space between them, each once.
fn joined<'s>(scopes: impl IntoIterator<Item = &'s str>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for scope in scopes {
        if !seen.contains(&scope) {
            seen.push(scope);
        }
    }
    seen.join(" ")
}

#[cfg(test)]
mod tests;
