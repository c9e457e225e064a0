//! The pages that people see: templates, escaped and compiled in, and the headers that every one of them has.
//! They work without scripts, of which there are none, and load nothing but one stylesheet of ours. `messages/` has
//! every text that is not a client's or the operator's.

mod accent;
mod parts;
mod reader;

use askama::Template;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    request::Parts,
};
use url::Url;

pub(crate) use self::{
    parts::{
        Administration, ClientBox, ConnectedApp, Description, Destination, Imitation, Link, Wanted,
        WantedResource,
    },
    reader::Reader,
};
use crate::{
    config::{BrandingConfig, Config, Logo},
    http::answer::Response,
    messages::{Language, Localized, Message},
    paths,
};

const STYLESHEET: &str = include_str!("style.css");

/// The parts that all pages of an issuer share.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The path of the issuer; empty for most.
    pub(crate) path: String,
    /// The host by which people know this server.
    pub(crate) host: String,
    /// The language of the page.
    pub(crate) language: Language,
    branding: BrandingConfig,
}

impl Site {
    pub(crate) fn of(config: &Config, reader: &Reader) -> Self {
        let host = config.issuer_origin().split_once("://").map_or("", |(_, host)| host);
        Self {
            path: config.issuer_path().to_owned(),
            host: host.to_owned(),
            language: reader.language,
            branding: config.branding.clone(),
        }
    }

    /// The name of this server for people.
    fn name(&self) -> &str {
        self.branding.name.as_deref().unwrap_or(&self.host)
    }

    /// The pages of the operator that every page links to, each with the message that names it.
    fn links(&self) -> Vec<(&'static str, &Url)> {
        let BrandingConfig { support_url, privacy_url, terms_url, legal_notice_url, .. } =
            &self.branding;
        let links = [
            ("link-support", support_url),
            ("link-privacy", privacy_url),
            ("link-terms", terms_url),
            ("link-legal-notice", legal_notice_url),
        ];
        links.into_iter().filter_map(|(text, url)| Some((text, url.as_ref()?))).collect()
    }

    /// A message of the catalog.
    fn text(&self, id: &'static str) -> Localized {
        Message::new(id).in_html(self.language)
    }

    fn say(&self, message: impl AsRef<Message>) -> Localized {
        message.as_ref().clone().in_html(self.language)
    }
}

/// A way to sign in at a provider.
#[derive(Clone, Debug)]
pub(crate) struct ProviderChoice {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The sign-in page, which names the waiting client.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) site: Site,
    /// The client whose authorization request waits, if there is one.
    pub(crate) client: Option<ClientBox>,
    /// The waiting authorization request; empty if there is none.
    pub(crate) request: String,
    pub(crate) providers: Vec<ProviderChoice>,
    pub(crate) is_local: bool,
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
    /// The operator rights that the app asks for, if it asks for any.
    pub(crate) administration: Option<Administration>,
    /// Whether the person allowed the same before.
    pub(crate) is_known: bool,
}

impl ConsentPage {
    /// Whether the page advises against it.
    pub(crate) fn warns(&self) -> bool {
        self.client.imitation.is_some() || self.administration == Some(Administration::Changes)
    }
}

/// Shows a person their connected apps.
#[derive(Template)]
#[template(path = "grants.html")]
pub(crate) struct GrantsPage {
    pub(crate) site: Site,
    pub(crate) account: String,
    /// The apps, the one that was allowed last first.
    pub(crate) apps: Vec<ConnectedApp>,
    /// The last grant that was read, if there may be older ones.
    pub(crate) more: Option<String>,
}

/// Says what happened, and what to do next.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage {
    pub(crate) site: Site,
    pub(crate) title: Message,
    pub(crate) text: Message,
    pub(crate) next: Message,
    /// What the developer of the app or the administrator needs to know.
    pub(crate) detail: Option<Message>,
    /// The request identifier, as in the log.
    pub(crate) reference: Option<String>,
    pub(crate) action: Action,
}

/// The action of a button on a message page.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    None,
    /// Sends the person, with the error, to the client whose authorization request this is.
    Back {
        request: String,
        text: Message,
    },
    /// Links to a page of this server.
    Link {
        text: Message,
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

impl HomePage {
    /// The links for developers.
    fn for_developers(&self) -> Message {
        let at = |id: &'static str, path: &str| {
            Message::new(id).with("url", format!("{}{path}", self.site.path))
        };
        let register = format!("{}{}", self.issuer, paths::REGISTER);
        let mut text = Message::new("home-register").with("url", register);
        if self.authorizes {
            text = text.then(at("home-metadata", paths::AUTHORIZATION_SERVER));
        }
        text.then(at("home-openapi", paths::OPENAPI))
    }
}

/// A page for browsers in place of a 404 in JSON.
pub(crate) fn not_found(config: &Config, head: &Parts) -> Response {
    let start = Message::new("not-found-start");
    let message = MessagePage {
        site: Site::of(config, &Reader::of_query(head)),
        title: Message::new("not-found"),
        text: Message::new("not-found-text"),
        next: Message::new("not-found-next"),
        detail: None,
        reference: None,
        action: Action::Link { text: start, path: paths::HOME.to_owned() },
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
pub(crate) fn duration(seconds: u32) -> Message {
    let (id, count) = match seconds {
        0..=90 => ("seconds", seconds.max(1)),
        _ => ("minutes", seconds.div_ceil(60)),
    };
    Message::new(id).with("count", u64::from(count))
}

/// Asks whether to sign out.
#[derive(Template)]
#[template(path = "sign_out.html")]
pub(crate) struct SignOutPage {
    pub(crate) site: Site,
    pub(crate) account: String,
    pub(crate) form_token: String,
    /// The authorization request that another person will decide about.
    pub(crate) request: Option<String>,
}

impl SignOutPage {
    fn consequences(&self) -> Message {
        let text = Message::new("sign-out-text")
            .with("account", &self.account)
            .with("apps", format!("{}{}", self.site.path, paths::GRANTS));
        match self.request {
            Some(_) => text.then(Message::new("sign-out-other")),
            None => text,
        }
    }
}

/// Where the form of a page may lead beside this server: browsers check redirects, too.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FormTarget<'uri> {
    /// This server only.
    Ourselves,
    /// A provider's pages, at any host.
    AnyProvider,
    /// This redirect URI.
    RedirectUri(&'uri str),
}

/// A page, with its site.
pub(crate) trait Page: Template {
    fn site(&self) -> &Site;
}

/// Says that a template is a page.
macro_rules! pages {
    ($($page:ident)*) => {
        $(impl Page for $page {
            fn site(&self) -> &Site {
                &self.site
            }
        })*
    };
}

pages! { SignInPage ConsentPage GrantsPage MessagePage HomePage SignOutPage }

/// An answer that shows a page.
pub(crate) fn page(template: &impl Page, status: StatusCode, target: FormTarget<'_>) -> Response {
    let html = template.render().expect("a template writes to memory");
    let mut response = Response::new(html.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, policy(target, template.site().branding.logo.as_ref()));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Other sites do not learn the address of a page. With `no-referrer`, browsers would send `Origin: null` to us as
    // well, and a browser without `Sec-Fetch-Site` could post no form here (Fetch §3.2).
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // No Cross-Origin-Opener-Policy: a client that opened the page in a window would lose its handle of the window.
    response
}

/// The content security policy of a page: our stylesheet and the logo only, no frames, and forms only to their
/// targets. Some browsers apply the form rule to every later redirect, even of other sites, so it must allow the
/// redirects of a client that gets its response.
fn policy(target: FormTarget<'_>, logo: Option<&Logo>) -> HeaderValue {
    const ANYWHERE: &str =
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'";
    const OURSELVES: &str = "; form-action 'self'";
    const WEB_AND_DEVICE: &str = " https: http://127.0.0.1:* http://localhost:*";
    let policy = match target {
        FormTarget::Ourselves => format!("{ANYWHERE}{OURSELVES}"),
        FormTarget::AnyProvider => format!("{ANYWHERE}{OURSELVES}{WEB_AND_DEVICE}"),
        FormTarget::RedirectUri(uri) => match uri.split_once(':').map_or(uri, |(scheme, _)| scheme)
        {
            // The website may redirect to an app with any scheme.
            "https" => ANYWHERE.to_owned(),
            scheme => format!("{ANYWHERE}{OURSELVES}{WEB_AND_DEVICE} {scheme}:"),
        },
    };
    let policy = match logo {
        Some(logo) => format!("{policy}; img-src {}", logo.source()),
        None => policy,
    };
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// `GET /oauth2/style.css`.
pub(crate) fn stylesheet(config: &Config) -> Response {
    let mut response = Response::new(match config.branding.accent_color {
        Some(color) => format!("{STYLESHEET}{}", accent::rules(color)).into(),
        None => STYLESHEET.into(),
    });
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
            let policy = policy(FormTarget::RedirectUri(uri), None).to_str().unwrap().to_owned();
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
