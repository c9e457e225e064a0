//! The pages that people see: templates, escaped and compiled in, and the headers that every one of them has.
//! They work without scripts, of which there are none, and load nothing but one stylesheet of ours.

use askama::Template;
use http::{
    HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use http_body_util::Full;

use crate::http::answer::Response;

const STYLESHEET: &str = include_str!("style.css");

/// Where the parts of a page lead, below the path of the issuer.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The path of the issuer; empty for most.
    pub(crate) path: String,
    /// By which people know this server.
    pub(crate) host: String,
}

/// What is told of a client.
#[derive(Clone, Debug)]
pub(crate) struct ClientBox {
    /// Where the answer goes, as people know it: a host, or "an application on this device".
    pub(crate) destination: String,
    /// What else there is to say of it: the whole of a loopback or private-use redirect.
    pub(crate) destination_detail: Option<String>,
    pub(crate) is_local: bool,
    /// What it calls itself.
    pub(crate) name: Option<String>,
    /// The host of its document, if it has one.
    pub(crate) document_host: Option<String>,
    pub(crate) is_look_alike: bool,
    /// How long ago it registered, in words.
    pub(crate) registered: Option<String>,
    /// Pages about it, on the host to which the answer goes.
    pub(crate) links: Vec<Link>,
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
}

/// Asks whether a client may.
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
    /// The same was allowed before.
    pub(crate) is_known: bool,
}

/// What somebody has allowed a client.
#[derive(Clone, Debug)]
pub(crate) struct AllowedGrant {
    pub(crate) grant: String,
    /// Of the form that takes it back.
    pub(crate) form_token: String,
    /// Where the answer went, as people know it.
    pub(crate) destination: String,
    /// What the client calls itself.
    pub(crate) name: Option<String>,
    /// The host of its document, if it has one.
    pub(crate) document_host: Option<String>,
    /// How long ago it was allowed, in words.
    pub(crate) allowed: String,
    pub(crate) resources: Vec<WantedResource>,
    pub(crate) wanted: Vec<Wanted>,
}

/// Shows what somebody has allowed, to be taken back.
#[derive(Template)]
#[template(path = "grants.html")]
pub(crate) struct GrantsPage {
    pub(crate) site: Site,
    pub(crate) account: String,
    /// The newest first.
    pub(crate) grants: Vec<AllowedGrant>,
    /// The last grant that was looked up, if there may be more before it.
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
    /// The authorization request whose client can be told by a click.
    pub(crate) back: Option<Back>,
}

/// The way back to a client whose request is broken.
#[derive(Clone, Debug)]
pub(crate) struct Back {
    pub(crate) request: String,
    pub(crate) destination: String,
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
    let mut response = Response::new(Full::new(html.into()));
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
    let mut response = Response::new(Full::new(STYLESHEET.into()));
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
