//! Every kind of caller at every route: what is answered. A row for each route of the server's table, a
//! column for each caller.

use crate::harness::by;
use std::time::Duration;

use doorward::audit::Action;
use doorward::{
    client::ClientId,
    config::Config,
    grant::{AuthorizationCode, RefreshToken},
    server::{PublicRoute, public_routes},
};
use serde_json::json;

use crate::{
    description,
    flow::{self, Browser, Page, Request},
    granted::{self, REDIRECT_URI, SECRET, TOOLS, basic, form, member, redeeming, refreshing},
    guard,
    harness::{Answer, TestServer, exchange},
    registration_management::{self, Registered},
};

const DAY: Duration = Duration::from_hours(24);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// With nothing that says who it is, or what it may.
    Nobody,
    /// With what it was given, while that is good.
    Good,
    /// With what was given to another: client, resource or browser.
    Other,
    /// When the time of all that it holds is over.
    Expired,
    /// When what it was given was taken back, and its user has signed out.
    Revoked,
    /// When the client was deleted.
    Deleted,
}

use Caller::{Deleted, Expired, Good, Nobody, Other, Revoked};

const CALLERS: [Caller; 6] = [Nobody, Good, Other, Expired, Revoked, Deleted];

/// What each of [`CALLERS`] is answered, as [`told`] says it.
const ANSWERS: [(&str, [&str; 6]); 66] = {
    const OK: [&str; 6] = ["200"; 6];
    const REGISTERED: [&str; 6] = ["201"; 6];
    const NO_SIGN_IN: [&str; 6] = ["400 page"; 6];
    const ASKED: [&str; 6] =
        ["200 sign-in", "200 consent", "200 consent", "200 sign-in", "200 sign-in", "400 page"];
    const TOKENS: [&str; 6] = [
        "400 invalid_request",
        "200 tokens",
        "400 invalid_grant",
        "400 invalid_grant",
        "400 invalid_grant",
        "401 invalid_client",
    ];
    const GUARDED: [&str; 6] = [
        "401 unauthorized",
        "200",
        "200",
        "401 invalid_token",
        "401 invalid_token",
        "401 invalid_token",
    ];
    // Neither time nor people take a registration access token away.
    const OWN_REGISTRATION: [&str; 6] =
        ["401 invalid_token", "200", "401 invalid_token", "200", "200", "401 invalid_token"];
    // What these clients hold is for another audience.
    const NO_OPERATOR: [&str; 6] = ["401"; 6];
    const NO_METHOD: [&str; 6] = ["405"; 6];
    // No path of the resource is meant.
    const GUARDED_ROOT: [&str; 6] = ["403 invalid_request"; 6];
    [
        ("/", OK),
        ("/api/v2/oauth2/register", REGISTERED),
        ("/api/v2/oauth2/clients", NO_OPERATOR),
        ("/api/v2/oauth2/clients/{client_id}", NO_OPERATOR),
        ("/api/v2/oauth2/clients/{client_id}/scopes_restriction", NO_OPERATOR),
        ("/api/v2/oauth2/families", NO_OPERATOR),
        ("/api/v2/oauth2/families/{family_id}", NO_OPERATOR),
        ("/api/v2/oauth2/admission_rules", NO_OPERATOR),
        ("/api/v2/oauth2/admission_rules/{rule_id}", NO_OPERATOR),
        ("/api/v2/oauth2/admission_rules/try", NO_METHOD),
        ("/api/v2/oauth2/grants", NO_OPERATOR),
        ("/api/v2/oauth2/grants/{grant_id}", NO_OPERATOR),
        ("/api/v2/oauth2/people", NO_OPERATOR),
        ("/api/v2/oauth2/people/{subject}", NO_OPERATOR),
        ("/api/v2/oauth2/people/{subject}/data", NO_METHOD),
        ("/api/v2/oauth2/sessions", NO_OPERATOR),
        ("/api/v2/oauth2/sessions/{session_id}", NO_METHOD),
        ("/api/v2/oauth2/keys", NO_OPERATOR),
        ("/api/v2/oauth2/keys/{key_id}", NO_METHOD),
        ("/api/v2/oauth2/attempts", NO_OPERATOR),
        ("/api/v2/oauth2/operator_tokens", NO_OPERATOR),
        ("/api/v2/oauth2/operator_tokens/{operator_token_id}", NO_METHOD),
        ("/api/v2/oauth2/initial_access_tokens", NO_OPERATOR),
        ("/api/v2/oauth2/initial_access_tokens/{initial_access_token_id}", NO_METHOD),
        ("/api/v2/audit/events", NO_OPERATOR),
        ("/api/v2/oauth2/overview", NO_OPERATOR),
        ("/api/v2/oauth2/.well-known/sites", OK),
        ("/api/v2/oauth2/.well-known/openid-configuration", OK),
        ("/api/v2/org_authorized_clients", NO_OPERATOR),
        ("/api/v2/org_authorized_clients/{org_authorized_client_id}", NO_OPERATOR),
        (
            "/api/v2/org_authorized_clients/{org_authorized_client_id}/user_authorized_clients",
            NO_OPERATOR,
        ),
        (
            "/api/v2/org_authorized_clients/{org_authorized_client_id}/user_authorized_clients/{user_authorized_client_id}",
            NO_METHOD,
        ),
        ("/api/v2/org_authorized_clients/{org_authorized_client_id}/user/{user_id}", NO_METHOD),
        ("/api/v2/user_authorized_clients", NO_OPERATOR),
        ("/api/v2/user_authorized_clients/{user_authorized_client_id}", NO_OPERATOR),
        ("/api/v2/user_authorized_clients/client/{client_id}", NO_METHOD),
        ("/oauth2/register", REGISTERED),
        ("/register", REGISTERED),
        ("/oauth2/register/{client_id}", OWN_REGISTRATION),
        ("/register/{client_id}", OWN_REGISTRATION),
        ("/openapi.json", OK),
        ("/.well-known/oauth-authorization-server", OK),
        ("/.well-known/openid-configuration", OK),
        ("/oauth2/jwks", OK),
        ("/oauth2/style.css", OK),
        ("/.well-known/oauth-protected-resource", OK),
        ("/.well-known/oauth-protected-resource/{*path}", OK),
        ("/guard/nginx/{resource}", GUARDED),
        ("/guard/forwarded/{resource}", GUARDED),
        ("/guard/envoy/{resource}/", GUARDED_ROOT),
        ("/guard/envoy/{resource}/{*target}", GUARDED),
        ("/envoy.service.auth.v3.Authorization/Check", GUARDED),
        ("/oauth2/authorize", ASKED),
        ("/authorize", ASKED),
        (
            "/oauth2/consent",
            ["303 again", "303 code", "403 page", "303 again", "303 again", "400 page"],
        ),
        (
            "/oauth2/grants",
            ["200 sign-in", "303 grants", "403 page", "200 sign-in", "200 sign-in", "303 grants"],
        ),
        // Who one is, is asked of everybody anew.
        (
            "/oauth2/sign-in",
            ["403 page", "303 again", "403 page", "303 again", "303 again", "303 again"],
        ),
        ("/oauth2/sign-in/{provider}", NO_SIGN_IN),
        (
            "/oauth2/sign-out",
            ["200 page", "200 page", "403 page", "200 page", "200 page", "200 page"],
        ),
        ("/oauth2/token", TOKENS),
        ("/token", TOKENS),
        ("/oauth2/token refresh", TOKENS),
        ("/token refresh", TOKENS),
        (
            "/oauth2/introspect",
            [
                "401 invalid_client",
                "200 active",
                "200 inactive",
                "200 inactive",
                "200 inactive",
                "200 inactive",
            ],
        ),
        // No refresh token is good at a resource.
        (
            "/oauth2/introspect refresh",
            [
                "401 invalid_client",
                "200 inactive",
                "200 inactive",
                "200 inactive",
                "200 inactive",
                "200 inactive",
            ],
        ),
        // What cannot be revoked is passed over in silence; who it was for keeps it.
        (
            "/oauth2/revoke",
            ["400 invalid_request", "200", "200", "200", "200", "401 invalid_client"],
        ),
    ]
};

fn config() -> Config {
    let mut config = flow::config();
    config.authorization.resources = granted::config().authorization.resources;
    config.token.per_client = 0;
    config.sign_in.providers = description::everything().sign_in.providers;
    config.guard.listen = Some(([127, 0, 0, 1], 0).into());
    config
}

/// What a client and the browser of its user hold.
#[derive(Clone)]
struct Held<'server> {
    client: ClientId,
    registration_token: String,
    /// Of a grant whose code was not redeemed.
    code: String,
    /// Of another grant, both.
    access_token: String,
    refresh_token: String,
    browser: Browser<'server>,
    /// The forms that the browser was shown, filled in.
    decision: Request,
    sign_out: Request,
    taking_back: Request,
}

impl<'server> Held<'server> {
    /// Everything, and all of it good.
    async fn new(server: &'server TestServer) -> Self {
        let Registered { id: client, token: registration_token, .. } =
            Registered::new(server, &json!({ "redirect_uris": [REDIRECT_URI] })).await;
        let bought = server.grant(client).await;
        let bought = server.token(&redeeming(client, &bought, &[("resource", TOOLS)])).await;
        let mut browser = Browser::signed_in(server).await;
        let asked = browser.get(&request(client).path()).await;
        let leaving = browser.get("/oauth2/sign-out").await;
        let allowed = browser.get("/oauth2/grants").await;
        Self {
            client,
            registration_token,
            code: server.grant(client).await,
            access_token: member(&bought, "access_token"),
            refresh_token: member(&bought, "refresh_token"),
            decision: asked.form("decision").1.and("decision", "allow"),
            sign_out: leaving.form("form_token").1,
            taking_back: allowed.form("client").1,
            browser,
        }
    }

    /// The grants of the code and of the tokens.
    fn grants(&self) -> [doorward::grant::GrantId; 2] {
        let code: AuthorizationCode = self.code.parse().unwrap();
        let token: RefreshToken = self.refresh_token.parse().unwrap();
        [code.grant, token.grant]
    }

    /// Asks a route as `caller` would, who holds this.
    async fn ask(&mut self, server: &TestServer, caller: Caller, row: &str) -> Answer {
        let (path, what) = row.split_once(' ').unwrap_or((row, ""));
        let client = self.client.to_string();
        let nothing = caller == Nobody;
        match path {
            "/oauth2/token" | "/token" => {
                let body = match what {
                    _ if nothing => form(&[("grant_type", "refresh_token")]),
                    "refresh" => refreshing(self.client, &self.refresh_token, &[]),
                    _ => redeeming(self.client, &self.code, &[]),
                };
                server.post_form(path, "", &body).await
            }
            "/oauth2/introspect" => {
                let resource = if caller == Other { "notes" } else { "tools" };
                let headers = if nothing { String::new() } else { basic(resource, SECRET) };
                let is_refresh = what == "refresh";
                let token = if is_refresh { &self.refresh_token } else { &self.access_token };
                server.post_form(path, &headers, &form(&[("token", token)])).await
            }
            "/oauth2/revoke" => {
                let named = [("client_id", &*client), ("token", &self.refresh_token)];
                let parameters = if nothing { &named[1..] } else { &named[..] };
                server.post_form(path, "", &form(parameters)).await
            }
            "/oauth2/authorize" | "/authorize" => {
                let query = request(self.client).query();
                self.browser.get(&format!("{path}?{query}")).await.answer
            }
            "/oauth2/consent" => self.browser.post(path, &self.decision).await.answer,
            "/oauth2/grants" => self.browser.post(path, &self.taking_back).await.answer,
            "/oauth2/sign-out" => self.browser.post(path, &self.sign_out).await.answer,
            "/oauth2/sign-in" => {
                let password = server.password.as_deref().filter(|_| !nothing).unwrap_or("");
                let form = Request::default()
                    .and("request", &request(self.client).query())
                    .and("password", password);
                // A page of another's, that sends the right password.
                let site = if caller == Other { "cross-site" } else { "same-origin" };
                let headers = format!("sec-fetch-site: {site}\r\n");
                self.browser.post_as(path, &form, &headers).await.answer
            }
            "/oauth2/sign-in/{provider}" => {
                self.browser.get("/oauth2/sign-in/acme?code=x&state=y").await.answer
            }
            registration if registration.ends_with("/{client_id}") => {
                let path = registration.replace("{client_id}", &client);
                let token = (!nothing).then_some(&*self.registration_token);
                registration_management::ask(server, "GET", &path, token, "").await
            }
            "/envoy.service.auth.v3.Authorization/Check" => {
                let token = (!nothing).then_some(&*self.access_token);
                guard::grpc::asked(server.guard.unwrap(), token).await
            }
            guarded if guarded.starts_with("/guard/") => {
                let token = (!nothing).then_some(&*self.access_token);
                exchange(server.guard.unwrap(), &guard::asked_at(guarded, token)).await
            }
            _ => self.ask_elsewhere(server, path, nothing).await,
        }
    }

    /// Asks where nothing that it holds matters.
    async fn ask_elsewhere(&self, server: &TestServer, path: &str, nothing: bool) -> Answer {
        let path = &path.replace("{*path}", "mcp");
        let bearer = if nothing {
            String::new()
        } else {
            format!("authorization: Bearer {}\r\n", self.access_token)
        };
        let is_registration = path.ends_with("register");
        let body = format!(r#"{{"client_name":"An app","redirect_uris":["{REDIRECT_URI}"]}}"#);
        let (method, body) = if is_registration { ("POST", &*body) } else { ("GET", "") };
        let length = body.len();
        server
            .exchange(&format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\n{bearer}content-type: application/json\r\n\
                 content-length: {length}\r\n\r\n{body}"
            ))
            .await
    }
}

fn request(client: ClientId) -> Request {
    flow::Client { id: client.to_string() }.request().and("resource", TOOLS)
}

/// What `caller` holds when it asks.
async fn held(server: &TestServer, caller: Caller) -> Held<'_> {
    let mut held = Held::new(server).await;
    match caller {
        Good => {}
        Nobody => held.browser = Browser::new(server),
        Other => {
            held.client = server.new_client().await;
            held.browser = Browser::signed_in(server).await;
        }
        // Further than the longest of all times.
        Expired => server.clock.advance(31 * DAY),
        Revoked => {
            for grant in held.grants() {
                server
                    .kept
                    .revoke_grant(grant, Action::GrantRevoked, "by_operator", by())
                    .await
                    .unwrap();
            }
            let left = held.browser.post("/oauth2/sign-out", &held.sign_out).await;
            assert_eq!(left.answer.status, 200);
        }
        Deleted => {
            server
                .kept
                .remove_client(held.client, Action::ClientRemoved, "by_operator", by())
                .await
                .unwrap();
        }
    }
    held
}

/// An answer in a word or two: its status, and the error code, or what is shown, or where it leads.
fn told(answer: Answer) -> String {
    let status = answer.status;
    let is_page = answer.header("content-type").is_some_and(|it| it.starts_with("text/html"));
    if status == 303 {
        let page = Page { answer };
        return match page.location() {
            ours if ours.starts_with("/oauth2/authorize?") => "303 again".to_owned(),
            "/oauth2/grants" => "303 grants".to_owned(),
            theirs if theirs.starts_with(REDIRECT_URI) && theirs.contains("code=") => {
                "303 code".to_owned()
            }
            other => format!("303 {other}"),
        };
    }
    if is_page {
        let fields = [("name=\"password\"", "sign-in"), ("value=\"allow\"", "consent")];
        let shown = fields.into_iter().find(|(field, _)| answer.body.contains(field));
        return format!("{status} {}", shown.map_or("page", |(_, name)| name));
    }
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let what = match (json["error"].as_str(), json["active"].as_bool()) {
        (Some(error), _) => error,
        (None, Some(true)) => "active",
        (None, Some(false)) => {
            assert_eq!(answer.body, r#"{"active":false}"#);
            "inactive"
        }
        (None, None) if json.get("access_token").is_some() => "tokens",
        (None, None) => return status.to_string(),
    };
    format!("{status} {what}")
}

#[tokio::test]
async fn every_caller_is_answered_by_every_route_as_it_deserves() {
    for PublicRoute { template, .. } in public_routes() {
        assert!(ANSWERS.iter().any(|(row, _)| *row == template), "{template} has no row");
    }
    for (row, answers) in ANSWERS {
        for (caller, expected) in CALLERS.into_iter().zip(answers) {
            let server = TestServer::with(config()).await;
            let mut held = held(&server, caller).await;
            let answer = held.ask(&server, caller, row).await;
            assert_eq!(told(answer), expected, "{row}: {caller:?}");
        }
    }
}

#[tokio::test]
async fn what_another_client_presents_stays_good_for_its_own() {
    let server = TestServer::with(config()).await;
    let mut own = Held::new(&server).await;
    let mut other = own.clone();
    other.client = server.new_client().await;
    other.browser = Browser::signed_in(&server).await;
    for (row, _) in ANSWERS {
        other.ask(&server, Other, row).await;
    }
    for (row, expected) in [
        ("/oauth2/introspect", "200 active"),
        ("/oauth2/token", "200 tokens"),
        ("/oauth2/token refresh", "200 tokens"),
        ("/oauth2/consent", "303 code"),
    ] {
        assert_eq!(told(own.ask(&server, Good, row).await), expected, "{row}");
    }
}

#[tokio::test]
async fn every_body_comes_in_the_media_type_of_its_route() {
    let server = TestServer::with(config()).await;
    let own = Held::new(&server).await;
    let client = own.client.to_string();
    let json = format!(r#"{{"client_name":"An app","redirect_uris":["{REDIRECT_URI}"]}}"#);
    let of_client = [("client_id", &*client), ("token", &own.access_token)];
    for (path, good, body) in [
        ("/api/v2/oauth2/register", "application/json", json.clone()),
        ("/oauth2/register", "application/json", json.clone()),
        ("/register", "application/json", json),
        ("/oauth2/token", "form", redeeming(own.client, &own.code, &[])),
        ("/token", "form", refreshing(own.client, &own.refresh_token, &[])),
        ("/oauth2/introspect", "form", form(&of_client)),
        ("/oauth2/revoke", "form", form(&of_client)),
    ] {
        let form = "application/x-www-form-urlencoded";
        let good = if good == "form" { form } else { good };
        let other = if good == form { "application/json" } else { form };
        for media_type in ["", "text/plain", "multipart/form-data; boundary=x", other, good] {
            let credentials = basic("tools", SECRET);
            let credentials = if path.ends_with("introspect") { &*credentials } else { "" };
            let length = body.len();
            let answer = server
                .exchange(&format!(
                    "POST {path} HTTP/1.1\r\nhost: x\r\n{credentials}content-type: {media_type}\r\n\
                     content-length: {length}\r\n\r\n{body}"
                ))
                .await;
            let is_taken = answer.status == 200 || answer.status == 201;
            assert_eq!(is_taken, media_type == good, "{path}: {media_type}: {answer:?}");
            if !is_taken {
                assert_eq!(answer.status, 400, "{path}: {media_type}: {answer:?}");
                assert_eq!(answer.json()["error"], "invalid_request", "{path}: {media_type}");
            }
        }
    }
}
