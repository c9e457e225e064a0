//! A person with a browser, and a client that sends them here: enough of both to go the whole way from a
//! registration to tokens, and back. The browser follows no link by itself, keeps cookies, fills in the forms that
//! it is shown, and says of itself what browsers say.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use doorward::{config::Config, grant::CodeVerifier};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::harness::{self, Answer, TestServer};

/// The issuer of a server with [`config`].
pub(crate) const ISSUER: &str = "https://door.example";

/// Where [`Client::register`] wants to be answered.
pub(crate) const REDIRECT_URI: &str = "https://app.example/cb";

/// What every client of these tests proves.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The settings of tests, and somebody who can sign in.
pub(crate) fn config() -> Config {
    let mut config = harness::config();
    ISSUER.clone_into(&mut config.server.issuer);
    config.sign_in.local = true;
    config.sign_in.per_source = 1_000_000;
    config
}

/// A client that has registered.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
}

impl Client {
    pub(crate) async fn register(server: &TestServer) -> Self {
        Self::with(server, json!({ "client_name": "An app", "redirect_uris": [REDIRECT_URI] }))
            .await
    }

    /// Registers with these metadata.
    pub(crate) async fn with(server: &TestServer, metadata: Value) -> Self {
        let answer = server.post("/oauth2/register", &metadata.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        Self { id: answer.json()["client_id"].as_str().unwrap().to_owned() }
    }

    /// A good authorization request.
    pub(crate) fn request(&self) -> Request {
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge().text();
        Request(Vec::new())
            .and("response_type", "code")
            .and("client_id", &self.id)
            .and("redirect_uri", REDIRECT_URI)
            .and("code_challenge", &challenge)
            .and("code_challenge_method", "S256")
            .and("state", "of the client")
    }

    /// Tokens for a code.
    pub(crate) async fn redeem(&self, server: &TestServer, code: &str) -> Answer {
        let form = Request(Vec::new())
            .and("grant_type", "authorization_code")
            .and("client_id", &self.id)
            .and("code", code)
            .and("code_verifier", VERIFIER);
        post_form(server, "/oauth2/token", &form).await
    }

    /// Tokens for a refresh token.
    pub(crate) async fn refresh(&self, server: &TestServer, refresh_token: &str) -> Answer {
        let form = Request(Vec::new())
            .and("grant_type", "refresh_token")
            .and("client_id", &self.id)
            .and("refresh_token", refresh_token);
        post_form(server, "/oauth2/token", &form).await
    }

    /// The end of a token.
    pub(crate) async fn revoke(&self, server: &TestServer, token: &str) -> Answer {
        let form = Request(Vec::new()).and("client_id", &self.id).and("token", token);
        post_form(server, "/oauth2/revoke", &form).await
    }
}

/// Parameters in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request(Vec<(String, String)>);

impl Request {
    /// One more parameter.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without the parameter.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(other, _)| other != name);
        self
    }

    /// With another value.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    pub(crate) fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// Where a client sends people with it.
    pub(crate) fn path(&self) -> String {
        format!("/oauth2/authorize?{}", self.query())
    }
}

/// A POST of a form, as a client sends it that is no browser.
pub(crate) async fn post_form(server: &TestServer, path: &str, form: &Request) -> Answer {
    server.post_form(path, "", &form.query()).await
}

/// A browser, which keeps cookies.
#[derive(Clone)]
pub(crate) struct Browser<'server> {
    server: &'server TestServer,
    cookies: BTreeMap<String, String>,
}

impl<'server> Browser<'server> {
    /// A browser that was never here.
    pub(crate) fn new(server: &'server TestServer) -> Self {
        Self { server, cookies: BTreeMap::new() }
    }

    /// A browser that holds these cookies.
    pub(crate) fn with(server: &'server TestServer, cookies: BTreeMap<String, String>) -> Self {
        Self { server, cookies }
    }

    /// What it holds.
    pub(crate) fn cookies(self) -> BTreeMap<String, String> {
        self.cookies
    }

    /// A browser with which somebody has signed in.
    pub(crate) async fn signed_in(server: &'server TestServer) -> Self {
        let mut browser = Self::new(server);
        let password = server.password.as_ref().expect("somebody can sign in");
        let form = Request(Vec::new()).and("request", "client_id=x").and("password", password);
        let sent = browser.post("/oauth2/sign-in", &form).await;
        assert!(sent.location().starts_with("/oauth2/authorize"), "{sent:?}");
        browser
    }

    /// What is shown at a path.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.get_as(path, "").await
    }

    /// What is shown at a path, asked for with more headers.
    pub(crate) async fn get_as(&mut self, path: &str, headers: &str) -> Page {
        self.ask("GET", path, headers).await
    }

    /// What is told of a path.
    pub(crate) async fn head(&mut self, path: &str) -> Page {
        self.ask("HEAD", path, "").await
    }

    async fn ask(&mut self, method: &str, path: &str, headers: &str) -> Page {
        let cookies = self.cookie_line();
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: door.example\r\n{cookies}{headers}\r\n");
        let answer = self.server.exchange(&request).await;
        self.seen(answer)
    }

    /// Posts what a page's form would.
    pub(crate) async fn post(&mut self, path: &str, form: &Request) -> Page {
        // Pages of ours send no referrer, and browsers no origin then.
        self.post_as(path, form, "origin: null\r\nsec-fetch-site: same-origin\r\n").await
    }

    /// Posts a form, as if with these headers.
    pub(crate) async fn post_as(&mut self, path: &str, form: &Request, headers: &str) -> Page {
        let headers = format!("{}{headers}", self.cookie_line());
        let answer = self.server.post_form(path, &headers, &form.query()).await;
        self.seen(answer)
    }

    /// Fills in the form of a page that has this field or button, and sends it.
    pub(crate) async fn submit(&mut self, page: &Page, name: &str, value: &str) -> Page {
        let (path, form) = page.form(name);
        self.post(&path, &form.with(name, value)).await
    }

    /// Signs in with the password, and goes where that leads.
    pub(crate) async fn sign_in(&mut self, page: &Page) -> Page {
        let password = self.server.password.as_ref().expect("somebody can sign in");
        let sent = self.submit(page, "password", password).await;
        let location = sent.location().to_owned();
        self.get(&location).await
    }

    fn cookie_line(&self) -> String {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() {
            return String::new();
        }
        format!("cookie: {}\r\n", cookies.join("; "))
    }

    /// Keeps the cookies of an answer.
    fn seen(&mut self, answer: Answer) -> Page {
        for line in answer.headers("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page { answer }
    }
}

/// What a browser shows.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) answer: Answer,
}

impl Page {
    /// Where it leads on.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.answer.status, 303, "{:?}", self.answer);
        self.answer.header("location").expect("a redirect has a location")
    }

    /// The parameters that are brought to the client.
    pub(crate) fn brought(&self) -> BTreeMap<String, String> {
        let location = Url::parse(self.location()).expect("a client has an absolute address");
        location.query_pairs().into_owned().collect()
    }

    /// The code that is brought to the client.
    pub(crate) fn code(&self) -> String {
        self.brought().remove("code").unwrap_or_else(|| panic!("no code: {:?}", self.answer))
    }

    /// Where the form leads that has this field or button, and what it holds.
    pub(crate) fn form(&self, name: &str) -> (String, Request) {
        let forms = self.answer.body.split("<form ").skip(1);
        let form = forms
            .map(|rest| rest.split_once("</form>").expect("a form ends").0)
            .find(|form| form.contains(&format!("name=\"{name}\"")))
            .unwrap_or_else(|| panic!("no form has {name}: {:?}", self.answer));
        assert!(form.starts_with("method=\"post\""), "{form}");
        let fields = form.split("<input ").skip(1).map(|rest| rest.split_once('>').unwrap().0);
        let fields = fields.map(|field| {
            let value = attribute(field, "value").unwrap_or_default();
            (attribute(field, "name").expect("a field has a name"), value)
        });
        let path = attribute(form, "action").expect("a form leads somewhere");
        (path, Request(fields.collect()))
    }

    /// The text that people read.
    pub(crate) fn text(&self) -> String {
        let body = self.answer.body.split_once("<main>").expect("a page").1.replace("<wbr>", "");
        let texts = body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
        unescaped(&texts.collect::<Vec<_>>().join(" "))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The value of an attribute.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    Some(unescaped(rest.split_once('"')?.0))
}

/// What the character references of askama mean.
fn unescaped(text: &str) -> String {
    ["&#34;", "&#39;", "&#60;", "&#62;", "&#38;"]
        .iter()
        .zip(["\"", "'", "<", ">", "&"])
        .fold(text.to_owned(), |text, (reference, meant)| text.replace(reference, meant))
}

/// The claims of an access token, which is not verified.
pub(crate) fn claims(access_token: &str) -> Value {
    let payload = access_token.split('.').nth(1).expect("a JWT has three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A whole journey: somebody signs in, allows, and the client has its tokens.
pub(crate) async fn tokens(server: &TestServer, client: &Client, request: &Request) -> Value {
    let mut browser = Browser::new(server);
    let welcome = browser.get(&request.path()).await;
    let asked = browser.sign_in(&welcome).await;
    let allowed = browser.submit(&asked, "decision", "allow").await;
    let answer = client.redeem(server, &allowed.code()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_registration_leads_to_tokens_that_are_refreshed_and_end() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;

    let tokens = tokens(&server, &client, &client.request().and("scope", "read")).await;
    assert_eq!((&tokens["token_type"], &tokens["scope"]), (&json!("Bearer"), &json!("read")));
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["client_id"], client.id);
    assert_eq!(claims["scope"], "read");

    let refreshed = client.refresh(&server, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    let refreshed = refreshed.json();
    assert_ne!(refreshed["refresh_token"], tokens["refresh_token"]);
    assert_ne!(refreshed["access_token"], tokens["access_token"]);

    let last = refreshed["refresh_token"].as_str().unwrap();
    assert_eq!(client.revoke(&server, last).await.status, 200);
    let refused = client.refresh(&server, last).await;
    assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn the_issuer_is_spelled_alike_wherever_it_is_told() {
    let mut config = config();
    config.server.issuer = format!("{ISSUER}/acme");
    let server = TestServer::with(config).await;
    let path = "/.well-known/oauth-authorization-server/acme";
    let metadata = server.exchange(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await.json();
    let issuer = metadata["issuer"].as_str().unwrap();
    let client = Client::register(&server).await;
    let good = client.request();
    let mut browser = Browser::new(&server);
    let welcome = browser.get(&good.path()).await;
    let mut page = browser.sign_in(&welcome).await;
    for decision in ["deny", "allow"] {
        page = browser.submit(&page, "decision", decision).await;
        assert_eq!(page.brought()["iss"], issuer);
        if decision == "deny" {
            page = browser.get(&good.path()).await;
        }
    }
    let bought = client.redeem(&server, &page.code()).await.json();
    assert_eq!(claims(bought["access_token"].as_str().unwrap())["iss"], issuer);
    for broken in [good.clone().without("code_challenge"), good.and("resource", "relative")] {
        assert_eq!(browser.get(&broken.path()).await.brought()["iss"], issuer);
    }
}

#[tokio::test]
async fn a_code_is_good_for_as_long_as_the_settings_say() {
    let mut config = config();
    config.authorization.code_lifetime_seconds = 10;
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    for (after, status) in [(9, 200), (10, 400)] {
        let page = browser.get(&client.request().path()).await;
        let code = browser.submit(&page, "decision", "allow").await.code();
        server.clock.advance(Duration::from_secs(after));
        let answer = client.redeem(&server, &code).await;
        assert_eq!(answer.status, status, "{after}: {answer:?}");
    }
}
