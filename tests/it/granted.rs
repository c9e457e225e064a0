//! Grants without people: what the authorization endpoint leaves in the store once somebody has said yes.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use doorward::{
    client::{ClientId, ClientIdentifier, Scope},
    config::{self, Config, Resource, Sources},
    grant::{AuthorizationCode, CodeVerifier, GrantId, RefreshToken, ResourceIndicator},
    secret::SecretHash,
    store::{CodeRecord, GrantRecord},
};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    guard,
    harness::{self, Answer, TestServer},
};

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const REDIRECT_URI: &str = "https://app.example/cb";
/// A resource that may ask about tokens, as `tools` with [`SECRET`].
pub(crate) const TOOLS: &str = "https://tools.example/mcp";
/// Another one, as `notes`.
pub(crate) const NOTES: &str = "https://notes.example";
pub(crate) const SECRET: &str = "b9f1c7e04a5d4c1f8f6f6a0d3d2b9a77";
/// What servers behind the guard are told of the person and the client of each grant.
pub(crate) const IDENTITY: &str = r#"{"email":"ada@acme.example","claims":{"groups":["eng","a,b","ops"],"floor":3},"client_name":"Tools"}"#;
/// How long a code lives, in seconds.
pub(crate) const CODE_SECONDS: u64 = 60;

/// The settings of a server that issues tokens for two resources.
pub(crate) fn config() -> Config {
    let mut config = harness::config();
    config.sign_in.local = true;
    config.token.per_client = 0;
    let resource = |id: &str, uri: &str| Resource {
        uri: ResourceIndicator::parse(uri).unwrap(),
        name: None,
        id: Some(id.to_owned()),
        secret_sha256: Some(*SecretHash::of(SECRET.as_bytes()).as_bytes()),
        guard: (id == "tools").then(|| guard::guard(id, r#"required_scopes = ["read"]"#)),
    };
    config.authorization.resources = vec![resource("tools", TOOLS), resource("notes", NOTES)];
    config
}

/// The same for a server on this store, with the secret that others on it have as well.
pub(crate) fn config_on(store: &str) -> Config {
    let secret = "a secret that all servers on a store have";
    let flags = [("store", store), ("token.keys_secret", secret)];
    let flags = flags.map(|(key, value)| (key, value.to_owned())).to_vec();
    let loaded = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
    let mut config = config();
    config.token.keys_secret = loaded.token.keys_secret;
    config.store = loaded.store;
    config
}

/// A form body.
pub(crate) fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// The parameters that redeem a code; later ones take the place of earlier ones, empty ones drop them.
pub(crate) fn redeeming(client: ClientId, code: &str, instead: &[(&str, &str)]) -> String {
    let client = client.to_string();
    let usual = [
        ("grant_type", "authorization_code"),
        ("client_id", &*client),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT_URI),
    ];
    changed(&usual, instead)
}

/// The parameters that rotate a refresh token, changed likewise.
pub(crate) fn refreshing(client: ClientId, token: &str, instead: &[(&str, &str)]) -> String {
    let client = client.to_string();
    let usual =
        [("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", token)];
    changed(&usual, instead)
}

fn changed(usual: &[(&str, &str)], instead: &[(&str, &str)]) -> String {
    let is_kept = |(name, _): &&(&str, &str)| !instead.iter().any(|(other, _)| other == name);
    let kept = usual.iter().filter(is_kept);
    let added = instead.iter().filter(|(_, value)| !value.is_empty());
    form(&kept.chain(added).copied().collect::<Vec<_>>())
}

/// The code of one grant with the secret of another's.
pub(crate) fn crossed_code(one: &str, other: &str) -> String {
    let [one, other]: [AuthorizationCode; 2] = [one, other].map(|code| code.parse().unwrap());
    AuthorizationCode { grant: one.grant, secret: other.secret }.to_string()
}

/// The refresh token of one grant with the secrets of another's.
pub(crate) fn crossed_token(one: &str, other: &str) -> String {
    let [one, other]: [RefreshToken; 2] = [one, other].map(|token| token.parse().unwrap());
    RefreshToken { grant: one.grant, ..other }.to_string()
}

/// The claims of an access token. Who has signed it is not looked at.
pub(crate) fn claims(answer: &Answer) -> Value {
    let token = member(answer, "access_token");
    let claims = token.split('.').nth(1).expect("a JWT has three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

/// A member of an answer that is a text.
pub(crate) fn member(answer: &Answer, name: &str) -> String {
    let json = answer.json();
    json[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer:?}")).to_owned()
}

/// The status and the code of a refusal, which says what it has to say.
pub(crate) fn refused(answer: &Answer) -> (u16, String) {
    let description = member(answer, "error_description");
    // RFC 6749 §5.2.
    let is_allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    assert!(description.bytes().all(is_allowed), "{description}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    (answer.status, member(answer, "error"))
}

impl TestServer {
    /// `POST` of a form to a path of the public listener, with further header lines.
    pub(crate) async fn post_form(&self, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        self.exchange(&format!(
            "POST {path} HTTP/1.1\r\nhost: door.example\r\n{headers}\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    /// `POST` of a form to the token endpoint.
    pub(crate) async fn token(&self, body: &str) -> Answer {
        self.post_form("/oauth2/token", "", body).await
    }

    /// A new client, with the grant types that are the default.
    pub(crate) async fn new_client(&self) -> ClientId {
        self.client_with(json!({ "redirect_uris": [REDIRECT_URI] })).await
    }

    pub(crate) async fn client_with(&self, metadata: Value) -> ClientId {
        let answer = self.post("/oauth2/register", &metadata.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.client_id()
    }

    /// The code of a new grant: `read write`, at both resources.
    pub(crate) async fn grant(&self, client: ClientId) -> String {
        let now = self.clock.now();
        let grant_id = GrantId::generate(now, &self.chance);
        let code = AuthorizationCode::generate(grant_id, &self.chance);
        let expires_at = now.after_seconds(CODE_SECONDS);
        let resource = |uri| ResourceIndicator::parse(uri).unwrap();
        let grant = GrantRecord {
            grant_id,
            client: ClientIdentifier::Registered(client),
            subject: "local:developer".to_owned(),
            scope: Scope::parse("read write").unwrap(),
            resources: vec![resource(TOOLS), resource(NOTES)],
            issued_at: now,
            expires_at,
            code: CodeRecord {
                hash: code.secret.hash(),
                redirect_uri: REDIRECT_URI.to_owned(),
                challenge: CodeVerifier::parse(VERIFIER).unwrap().challenge(),
                expires_at,
                redeemed_at: None,
            },
            refreshes: 0,
            graced: 0,
            refresh: None,
            identity: Some(IDENTITY.to_owned()),
        };
        self.kept.keep_grant(grant).await.unwrap();
        code.to_string()
    }

    /// What the code of a new grant buys.
    pub(crate) async fn tokens(&self, client: ClientId) -> Answer {
        let code = self.grant(client).await;
        let answer = self.token(&redeeming(client, &code, &[])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// What a resource is told about a token.
    pub(crate) async fn introspect(&self, resource: &str, token: &str) -> Value {
        let credentials = basic(resource, SECRET);
        let answer =
            self.post_form("/oauth2/introspect", &credentials, &form(&[("token", token)])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json()
    }
}

/// The header line of HTTP Basic authentication.
pub(crate) fn basic(user: &str, password: &str) -> String {
    let credentials = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("authorization: Basic {credentials}\r\n")
}
