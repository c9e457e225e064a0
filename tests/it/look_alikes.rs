//! The admission rule that ships with Doorward: what happens to clients that go by a protected name which is not their
//! own, by `registration.look_alikes`.

use doorward::{
    config::RegistrationConfig,
    store::{ClientFilter, ClientFlags, RuleChange, RuleChanged, Standing},
};
use serde_json::json;

use crate::{
    admission::load,
    client_document::Site,
    flow::{self, Browser, Client},
    harness::{Answer, TestServer, by, config, until},
};

const DOORS: [&str; 3] = ["/api/v2/oauth2/register", "/oauth2/register", "/register"];

const EVIL: &str = "https://evil.example/cb";

/// The section `[registration]` with this value of the setting, and more.
fn with(look_alikes: &str, more: &str) -> RegistrationConfig {
    load(&format!("[registration]\nlook_alikes = '{look_alikes}'\n{more}")).unwrap()
}

async fn server(registration: RegistrationConfig) -> TestServer {
    let mut config = flow::config();
    config.registration = registration;
    TestServer::with(config).await
}

async fn register(server: &TestServer, door: &str, name: &str) -> Answer {
    let body = json!({ "client_name": name, "redirect_uris": [EVIL] });
    server.post(door, &body.to_string()).await
}

/// What became of a client that registered: standing, label, and whether it is flagged.
async fn kept(server: &TestServer, id: &str) -> (Standing, Option<String>, bool) {
    let record = server.record(id).await;
    let is_flagged = record.flags.contains(ClientFlags::LOOK_ALIKE);
    (record.state.standing, record.state.terms.label, is_flagged)
}

/// How often the rule has decided, or `None` if it is not there.
async fn hits(server: &TestServer) -> Option<String> {
    hits_in(server, "enforce").await
}

async fn hits_in(server: &TestServer, mode: &str) -> Option<String> {
    let page = server.look("/metrics").await.body;
    let name =
        format!("doorward_admission_rule_hits_total{{rule=\"look-alikes\",mode=\"{mode}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&name)).map(str::to_owned)
}

const REASON: &str = "client_name resembles a protected name that redirect_uris do not belong to";

#[tokio::test]
async fn the_setting_labels_holds_or_rejects_look_alikes_or_does_nothing() {
    use Standing::{Active, Pending};
    let label = || Some("look-alike".to_owned());
    for (setting, expected, decided) in [
        ("label", Some((Active, label(), true)), Some("3")),
        ("hold", Some((Pending, label(), true)), Some("3")),
        ("reject", None, Some("3")),
        ("off", Some((Active, None, false)), None),
    ] {
        let server = server(with(setting, "")).await;
        for door in DOORS {
            let answer = register(&server, door, "C1aude").await;
            if let Some(expected) = &expected {
                assert_eq!(answer.status, 201, "{setting}: {answer:?}");
                let id = answer.client_id().to_string();
                assert_eq!(&kept(&server, &id).await, expected, "{setting}");
            } else {
                let told = answer.json();
                assert_eq!(
                    (answer.status, &told["error"]),
                    (400, &json!("invalid_client_metadata"))
                );
                assert_eq!(told["error_description"], REASON);
            }
            let honest = register(&server, door, "An honest app").await;
            let honest = kept(&server, &honest.client_id().to_string()).await;
            assert_eq!(honest, (Active, None, false), "{setting}");
        }
        assert_eq!(hits(&server).await.as_deref(), decided, "{setting}");
    }
    assert_eq!(config().registration, with("label", ""));
}

#[tokio::test]
async fn people_are_warned_of_look_alikes_unless_the_check_is_off() {
    for (setting, is_warned) in [("label", true), ("off", false)] {
        let server = server(with(setting, "")).await;
        let metadata = json!({ "client_name": "ChatGPT", "redirect_uris": [EVIL] });
        let client = Client::with(&server, metadata).await;
        let request = client.request().with("redirect_uri", EVIL);
        let page = Browser::signed_in(&server).await.get(&request.path()).await;
        let body = &page.answer.body;
        assert_eq!(page.answer.status, 200, "{body}");
        assert_eq!(body.contains("This is not at chatgpt.com."), is_warned, "{setting}: {body}");
    }
}

#[tokio::test]
async fn clients_with_a_document_meet_the_same_rule() {
    for (setting, status) in [("label", 200), ("hold", 200), ("reject", 403), ("off", 200)] {
        let mut config = config();
        config.client_documents.enabled = true;
        config.registration = with(setting, "");
        let site = Site::with(config).await;
        site.publish("ChatGPT");
        let page = site.authorize("http://127.0.0.1/cb").await;
        assert_eq!((page.status, page.header("location")), (status, None), "{setting}: {page:?}");
        assert_eq!(page.body.contains(REASON), setting == "reject", "{setting}: {}", page.body);
        assert_eq!(hits(&site.door).await, (setting != "off").then(|| "1".to_owned()));
    }
}

/// The shipped rule is the last: operators make exceptions by rules of their own.
#[tokio::test]
async fn a_rule_of_an_operator_decides_before_the_one_that_ships() {
    let server = server(with(
        "reject",
        "[[registration.rules]]
         id = 'ours'
         any_destination = 'evil.example'
         name = 'Claude'
         effect = 'allow'
         label = 'ours'
         [[registration.rules]]
         id = 'watch'
         imitation = true
         mode = 'observe'
         effect = 'hold'",
    ))
    .await;
    let ours = register(&server, "/register", "C1aude").await.client_id().to_string();
    let expected = (Standing::Active, Some("ours".to_owned()), true);
    assert_eq!(kept(&server, &ours).await, expected, "the flag says what the client is");
    assert_eq!(register(&server, "/register", "ChatGPT").await.status, 400);
    assert_eq!(hits(&server).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_rule_with_its_id_replaces_the_one_that_ships_for_as_long_as_it_is_there() {
    let server = server(with("label", "")).await;
    let rule = r#"{"id":"look-alikes","imitation":true,"effect":"hold","mode":"enforce"}"#;
    let id = || "look-alikes".to_owned();
    let add = RuleChange::Add { id: id(), rule: rule.to_owned(), place: None };
    let standing = async || {
        let answer = register(&server, "/register", "C1aude").await;
        kept(&server, &answer.client_id().to_string()).await
    };
    let shipped = (Standing::Active, Some("look-alike".to_owned()), true);
    assert_eq!(standing().await, shipped);
    for (change, expected) in
        [(add, (Standing::Pending, None, true)), (RuleChange::Remove { id: id() }, shipped.clone())]
    {
        assert_eq!(server.kept.change_rules(change, by()).await.unwrap(), RuleChanged::Now);
        until(async || (standing().await == expected).then_some(())).await;
    }
    let waiting = ClientFilter { standing: Some(Standing::Pending), ..ClientFilter::default() };
    assert!(!server.kept.clients(&waiting, None, 10).await.unwrap().is_empty());
}

/// Observing changes nothing.
#[tokio::test]
async fn a_rule_with_its_id_that_observes_leaves_the_one_that_ships_as_it_is() {
    let server = server(with("hold", "")).await;
    let rule = r#"{"id":"look-alikes","imitation":true,"effect":"allow","mode":"observe"}"#;
    let id = "look-alikes".to_owned();
    let add = RuleChange::Add { id, rule: rule.to_owned(), place: None };
    assert_eq!(server.kept.change_rules(add, by()).await.unwrap(), RuleChanged::Now);
    let observed = async || {
        let answer = register(&server, "/register", "C1aude").await;
        let (standing, label, is_flagged) = kept(&server, &answer.client_id().to_string()).await;
        assert_eq!(standing, Standing::Pending);
        assert_eq!((label.as_deref(), is_flagged), (Some("look-alike"), true));
        hits_in(&server, "observe").await.filter(|hits| hits != "0").map(drop)
    };
    until(observed).await;
}

/// Imitators are never better off than clients that no rule decides about.
#[tokio::test]
async fn the_rule_that_ships_lets_no_client_in_that_the_default_would_not() {
    let strictness = ["allow", "hold", "reject"];
    for (default, default_rank) in strictness.iter().zip(0..) {
        for (setting, rank) in [("label", 0), ("hold", 1), ("reject", 2)] {
            let more = format!("default = '{default}'");
            let server = server(with(setting, &more)).await;
            let answer = register(&server, "/register", "C1aude").await;
            let case = format!("{setting}, default {default}");
            if rank.max(default_rank) == 2 {
                assert_eq!(answer.status, 400, "{case}");
                continue;
            }
            let (standing, label, _) = kept(&server, &answer.client_id().to_string()).await;
            let is_held = standing == Standing::Pending;
            assert_eq!(is_held, rank.max(default_rank) == 1, "{case}");
            assert_eq!(label.as_deref(), Some("look-alike"), "{case}");
        }
    }
}

/// A new name is decided about like a first one.
#[tokio::test]
async fn a_client_that_takes_a_protected_name_later_gets_the_label() {
    let mut config = config();
    config.registration.management = true;
    let server = TestServer::with(config).await;
    let answer = register(&server, "/register", "An honest app").await.json();
    let id = answer["client_id"].as_str().unwrap();
    assert_eq!(kept(&server, id).await, (Standing::Active, None, false));
    let body =
        json!({ "client_id": id, "client_name": "C1aude", "redirect_uris": [EVIL] }).to_string();
    let (path, token) = (
        answer["registration_client_uri"].as_str().unwrap().split_once("/oauth2").unwrap().1,
        answer["registration_access_token"].as_str().unwrap(),
    );
    let updated = server
        .exchange(&format!(
            "PUT /oauth2{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    assert_eq!(updated.status, 200, "{updated:?}");
    let expected = (Standing::Active, Some("look-alike".to_owned()), true);
    assert_eq!(kept(&server, id).await, expected);
}
