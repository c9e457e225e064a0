//! The pages that people see: templates, escaped and compiled in, and the headers that every one of them has.
//! They work without scripts, of which there are none, and load nothing but one stylesheet of ours.

use askama::Template;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};

use crate::{config::Config, http::answer::Response, paths};

const STYLESHEET: &str = include_str!("style.css");

/// Where the parts of a page lead, below the path of the issuer.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The path of the issuer; empty for most.
    pub(crate) path: String,
    /// The host by which people know this server.
    pub(crate) host: String,
}

impl Site {
    pub(crate) fn of(config: &Config) -> Self {
        let host = config.issuer_origin().split_once("://").map_or("", |(_, host)| host);
        Self { path: config.issuer_path().to_owned(), host: host.to_owned() }
    }
}

/// What a page says of a client.
#[derive(Clone, Debug)]
pub(crate) struct ClientBox {
    /// What the client calls itself, shortened.
    pub(crate) name: Option<String>,
    /// Where the answer goes: a host, or the device of the person.
    pub(crate) destination: Destination,
    /// The host of its metadata document, if it has one.
    pub(crate) document_host: Option<String>,
    /// The protected name that the client imitates.
    pub(crate) imitation: Option<Imitation>,
    /// How long ago it registered, in words.
    pub(crate) registered: Option<String>,
    /// Pages about it, on the host to which the answer goes.
    pub(crate) links: Vec<Link>,
}

impl ClientBox {
    /// The first letter or digit of the name, for the badge beside it.
    pub(crate) fn initial(&self) -> String {
        initial(self.name.as_deref())
    }
}

fn initial(name: Option<&str>) -> String {
    let first = name.and_then(|name| name.chars().find(|one| one.is_alphanumeric()));
    first.map_or_else(|| "?".to_owned(), |first| first.to_uppercase().collect())
}

/// Where an app receives its answer, as people know it.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// A website, by its host.
    Website(String),
    /// A program on the device of the person, by its redirect URI, shortened.
    Device(String),
}

impl Destination {
    /// The destination in a sentence.
    pub(crate) fn in_words(&self) -> &str {
        match self {
            Self::Website(host) => host,
            Self::Device(_) => "the app on this device",
        }
    }
}

/// A name that looks like a protected one, on a client whose destination is not its owner's.
#[derive(Clone, Debug)]
pub(crate) struct Imitation {
    /// The protected name.
    pub(crate) name: String,
    /// A host of its owner; `None` when the settings name none.
    pub(crate) home: Option<String>,
}

/// A page about a client.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) text: &'static str,
    pub(crate) url: String,
}

/// A way to sign in at a provider.
#[derive(Clone, Debug)]
pub(crate) struct ProviderChoice {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Asks who it is, and says for whom.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) site: Site,
    /// Whose authorization request waits, if one does.
    pub(crate) client: Option<ClientBox>,
    /// The authorization request; empty if none waits.
    pub(crate) request: String,
    pub(crate) providers: Vec<ProviderChoice>,
    pub(crate) is_local: bool,
}

/// A resource that a client wants to use.
#[derive(Clone, Debug)]
pub(crate) struct WantedResource {
    pub(crate) uri: String,
    pub(crate) name: Option<String>,
}

/// One thing that a client wants to be allowed.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) scope: String,
    pub(crate) description: Option<String>,
    /// It was not allowed before.
    pub(crate) is_added: bool,
    /// The operator marked the scope as sensitive.
    pub(crate) is_sensitive: bool,
}

/// What an app that asks for the operator API could do there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Administration {
    /// See and disconnect the apps of the person alone.
    OwnApps,
    /// See what everyone does.
    Reads,
    /// Change what everyone may do.
    Changes,
}

/// Asks whether a client may act for the person.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage {
    pub(crate) site: Site,
    pub(crate) client: ClientBox,
    pub(crate) account: String,
    pub(crate) request: String,
    pub(crate) form_token: String,
    pub(crate) resources: Vec<WantedResource>,
    pub(crate) wanted: Vec<Wanted>,
    /// Sensitive scopes, which stand apart.
    pub(crate) sensitive: Vec<Wanted>,
    /// Whether it is about this server itself.
    pub(crate) administration: Option<Administration>,
    /// The same was allowed before.
    pub(crate) is_known: bool,
}

impl ConsentPage {
    /// Whether the page advises against it.
    pub(crate) fn warns(&self) -> bool {
        self.client.imitation.is_some() || self.administration == Some(Administration::Changes)
    }
}

/// An app that a person has connected: everything they allowed one client.
#[derive(Clone, Debug)]
pub(crate) struct ConnectedApp {
    /// The client identifier.
    pub(crate) client: String,
    /// Of the form that disconnects it.
    pub(crate) form_token: String,
    /// What the client calls itself.
    pub(crate) name: Option<String>,
    /// Every place that receives its answers; the newest first.
    pub(crate) destinations: Vec<Destination>,
    /// The host of its metadata document, if it has one.
    pub(crate) document_host: Option<String>,
    /// How long ago it was last allowed, in words.
    pub(crate) allowed: String,
    /// How long ago it last obtained a token, in words; `None` before the first.
    pub(crate) used: Option<String>,
    pub(crate) resources: Vec<WantedResource>,
    pub(crate) wanted: Vec<Wanted>,
}

impl ConnectedApp {
    /// The first letter or digit of the name, for the badge beside it.
    pub(crate) fn initial(&self) -> String {
        initial(self.name.as_deref())
    }
}

/// Shows a person their connected apps.
#[derive(Template)]
#[template(path = "grants.html")]
pub(crate) struct GrantsPage {
    pub(crate) site: Site,
    pub(crate) account: String,
    /// The one allowed last comes first.
    pub(crate) apps: Vec<ConnectedApp>,
    /// The last grant that was read, if there may be older ones.
    pub(crate) more: Option<String>,
}

/// Says what happened, and what to do next.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage {
    pub(crate) site: Site,
    pub(crate) title: &'static str,
    pub(crate) text: String,
    pub(crate) next: &'static str,
    /// What the developer of the app needs to know: the parameter and the rule.
    pub(crate) detail: Option<String>,
    /// The identifier of the request, by which the log has it.
    pub(crate) reference: Option<String>,
    pub(crate) action: Action,
}

/// What a button of a message does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    None,
    /// Sends the person, with the error, to the client whose authorization request this is.
    Back {
        request: String,
        destination: String,
    },
    /// Leads to a page of ours.
    Link {
        text: &'static str,
        path: String,
    },
}

/// The first page: what this server is.
#[derive(Template)]
#[template(path = "home.html")]
pub(crate) struct HomePage {
    pub(crate) site: Site,
    pub(crate) issuer: String,
    /// Whether people can sign in, and see their connected apps.
    pub(crate) authorizes: bool,
}

/// A page for browsers in place of a 404 in JSON.
pub(crate) fn not_found(config: &Config) -> Response {
    let message = MessagePage {
        site: Site::of(config),
        title: "Page not found",
        text: "There is no page at this address.".to_owned(),
        next: "Check the address, or go back to the app that sent you here.",
        detail: None,
        reference: None,
        action: Action::Link { text: "Go to the start page", path: paths::HOME.to_owned() },
    };
    page(&message, StatusCode::NOT_FOUND, FormTarget::Ourselves)
}

/// Whether the caller is a browser that shows what it receives as a page.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).is_some_and(|accepted| {
        accepted.as_bytes().windows(9).any(|part| part.eq_ignore_ascii_case(b"text/html"))
    })
}

/// A duration for a person, rounded up.
pub(crate) fn in_words(seconds: u32) -> String {
    match (seconds, seconds.div_ceil(60)) {
        (0 | 1, _) => "1 second".to_owned(),
        (2..=90, _) => format!("{seconds} seconds"),
        (_, minutes) => format!("{minutes} minutes"),
    }
}

/// Asks whether to sign out.
#[derive(Template)]
#[template(path = "sign_out.html")]
pub(crate) struct SignOutPage {
    pub(crate) site: Site,
    pub(crate) account: String,
    pub(crate) form_token: String,
    /// The authorization request that waits for somebody else.
    pub(crate) request: Option<String>,
}

/// Where a form of a page may lead in the end, beside ourselves: browsers look at redirects, too.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FormTarget<'uri> {
    /// Nowhere else.
    Ourselves,
    /// To a provider, wherever that has its pages.
    AnyProvider,
    /// To this redirect URI.
    RedirectUri(&'uri str),
}

/// An answer that shows a page.
pub(crate) fn page(
    template: &impl Template,
    status: StatusCode,
    target: FormTarget<'_>,
) -> Response {
    let html = template.render().expect("a template writes to memory");
    let mut response = Response::new(html.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, policy(target));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Nobody else learns the address of a page. With `no-referrer`, browsers would say `Origin: null` to us as well,
    // and those that send no `Sec-Fetch-Site` could post no form here (Fetch §3.2).
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // No Cross-Origin-Opener-Policy: a client that opened the page in a window would lose hold of it.
    response
}

/// Nothing but our stylesheet, in no frame, and forms only to where they have to lead. Some browsers hold every
/// redirect after a form to that, those of others, too: a client that gets its answer sends people on to its own
/// pages, wherever they are, and would be stopped there.
fn policy(target: FormTarget<'_>) -> HeaderValue {
    const ANYWHERE: &str =
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'";
    const OURSELVES: &str = "; form-action 'self'";
    const WEB_AND_DEVICE: &str = " https: http://127.0.0.1:* http://localhost:*";
    let policy = match target {
        FormTarget::Ourselves => format!("{ANYWHERE}{OURSELVES}"),
        FormTarget::AnyProvider => format!("{ANYWHERE}{OURSELVES}{WEB_AND_DEVICE}"),
        FormTarget::RedirectUri(uri) => match uri.split_once(':').map_or(uri, |(scheme, _)| scheme)
        {
            // A site may hand on to a program by any scheme.
            "https" => ANYWHERE.to_owned(),
            scheme => format!("{ANYWHERE}{OURSELVES}{WEB_AND_DEVICE} {scheme}:"),
        },
    };
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// `GET /oauth2/style.css`.
pub(crate) fn stylesheet() -> Response {
    let mut response = Response::new(STYLESHEET.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_may_lead_on_from_the_redirect_uri_to_wherever_its_client_has_pages() {
        let sources = |uri| {
            let policy = policy(FormTarget::RedirectUri(uri)).to_str().unwrap().to_owned();
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            policy.split_once("form-action ").map(|(_, sources)| sources.to_owned())
        };
        for uri in ["https://app.example/cb?a=1", "https://203.0.113.7/cb"] {
            assert_eq!(sources(uri), None, "{uri}");
        }
        for (uri, scheme) in [
            ("http://127.0.0.1:51234/cb", "http:"),
            ("http://[::1]:51234/cb", "http:"),
            ("com.example.app:/cb", "com.example.app:"),
            ("cursor://anysphere.cursor-mcp/oauth", "cursor:"),
        ] {
            let expected = format!("'self' https: http://127.0.0.1:* http://localhost:* {scheme}");
            assert_eq!(sources(uri), Some(expected), "{uri}");
        }
    }
}
