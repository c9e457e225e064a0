//! What is asked of the authorization endpoint: whom it is for, where its answer goes, what is wrong with it.

use super::*;

#[tokio::test]
async fn an_unknown_client_or_redirect_uri_is_told_to_the_person_and_never_redirected() {
    let server = start().await;
    let client = Client::register(&server).await;
    let good = client.request();
    let unknown = "0190b6c2-0000-7000-8000-000000000000";
    for broken in [
        good.clone().without("client_id"),
        good.clone().with("client_id", unknown),
        good.clone().with("client_id", "nobody"),
        good.clone().and("client_id", &client.id),
        good.clone().with("redirect_uri", "https://app.example/other"),
        good.clone().and("redirect_uri", REDIRECT_URI),
    ] {
        for mut browser in [Browser::new(&server), Browser::signed_in(&server).await] {
            check_dead_end(&browser.get(&broken.path()).await, 400);
        }
    }
}

#[tokio::test]
async fn a_redirect_uri_is_compared_as_text_but_for_the_port_of_a_loopback_one() {
    let server = start().await;
    let loopback = json!({ "redirect_uris": [
        "http://127.0.0.1:7001/cb", "http://localhost/cb", "http://[::1]:7001/cb",
    ] });
    let loopback = Client::with(&server, loopback).await;
    let remote = Client::with(&server, json!({ "redirect_uris": [REDIRECT_URI] })).await;
    let mut browser = Browser::new(&server);
    for same in [
        "http://127.0.0.1:7001/cb",
        "http://127.0.0.1:51234/cb",
        "http://127.0.0.1/cb",
        "http://localhost:3000/cb",
        "http://[::1]:1/cb",
    ] {
        let page = browser.get(&loopback.request().with("redirect_uri", same).path()).await;
        check_dead_end(&page, 200);
    }
    for (client, other) in [
        (&loopback, "http://127.0.0.1:7001/cb/"),
        (&loopback, "http://127.0.0.1:7001/other"),
        (&loopback, "http://127.0.0.1:7001/CB"),
        (&loopback, "http://localhost.evil.example/cb"),
        (&loopback, "https://127.0.0.1:7001/cb"),
        (&loopback, "http://127.0.0.1@evil.example/cb"),
        (&loopback, "http://127.0.0.1.evil.example/cb"),
        (&loopback, "http://localhost:1@evil.example/cb"),
        (&loopback, "http://127.1/cb"),
        (&loopback, "http://0x7f.1/cb"),
        (&loopback, "http://2130706433/cb"),
        (&loopback, "http://[::1%25lo]/cb"),
        (&remote, "https://app.example:443/cb"),
        (&remote, "https://app.example:8443/cb"),
        (&remote, "https://APP.example/cb"),
        (&remote, "https://app.example/cb/"),
        (&remote, "https://app.example/cb?x=1"),
        (&remote, "https://app.example/cb#x"),
        (&remote, "https://app.example/CB"),
        (&remote, "https://app.example/./cb"),
        (&remote, "https://app.example/x/../cb"),
        (&remote, "https://app.example/cb/%2e%2e/cb"),
        (&remote, "https://app.example/c%62"),
        (&remote, "https://user@app.example/cb"),
        (&remote, "https://app.example\\@evil.example/cb"),
        (&remote, "javascript:alert(1)"),
    ] {
        let page = browser.get(&client.request().with("redirect_uri", other).path()).await;
        check_dead_end(&page, 400);
    }
}

#[tokio::test]
async fn only_a_client_with_a_single_redirect_uri_may_leave_it_out() {
    let server = start().await;
    let single = Client::register(&server).await;
    let several = json!({ "redirect_uris": [REDIRECT_URI, "https://app.example/other"] });
    let several = Client::with(&server, several).await;
    let mut browser = Browser::new(&server);
    let path = |client: &Client| client.request().without("redirect_uri").path();
    check_dead_end(&browser.get(&path(&single)).await, 200);
    check_dead_end(&browser.get(&path(&several)).await, 400);
}

#[tokio::test]
async fn a_redirect_into_a_private_network_ends_when_the_operator_forbids_it() {
    let redirect_uri = "http://10.1.2.3/cb";
    let mut lenient = config();
    lenient.registration.allow_lan_redirects = true;
    let server = TestServer::with(lenient).await;
    let client = Client::with(&server, json!({ "redirect_uris": [redirect_uri] })).await;
    let request = client.request().with("redirect_uri", redirect_uri);
    check_dead_end(&Browser::new(&server).get(&request.path()).await, 200);

    let record = server.record(&client.id).await;
    let strict = start().await;
    strict.keep(record).await;
    check_dead_end(&Browser::new(&strict).get(&request.path()).await, 400);
}

#[tokio::test]
async fn a_stored_redirect_uri_that_todays_rules_reject_gets_the_error_page() {
    let server = start().await;
    for uri in [
        "microsoft-edge:https://evil.example/",
        "googlechromes://evil.example/cb",
        "firefox-focus://open-url?url=https://evil.example",
        "x-safari-https://evil.example/cb",
        "ms-msdt:/id",
        "smb://evil.example/share",
        "web+app://evil.example/cb",
        "app:https://evil.example/cb",
        "app:javascript:alert(1)",
        "localhost:3000/cb",
    ] {
        let registered = Client::with(&server, json!({ "redirect_uris": [REDIRECT_URI] })).await;
        let mut record = server.record(&registered.id).await;
        // As an earlier release could have stored it.
        record.metadata = record.metadata.replace(REDIRECT_URI, uri);
        let earlier = start().await;
        earlier.keep(record).await;
        let mut browser = Browser::signed_in(&earlier).await;
        let request = registered.request();
        for request in [request.clone().with("redirect_uri", uri), request.without("redirect_uri")]
        {
            check_dead_end(&browser.get(&request.path()).await, 400);
        }
    }
}

#[tokio::test]
async fn a_query_of_the_redirect_uri_is_kept() {
    let server = start().await;
    let redirect_uri = "https://app.example/cb?a=1&b=%20";
    let client = Client::with(&server, json!({ "redirect_uris": [redirect_uri] })).await;
    let mut browser = Browser::signed_in(&server).await;
    let request = client.request().with("redirect_uri", redirect_uri);
    let page = browser.get(&request.path()).await;
    for (decision, answer) in [("deny", "error=access_denied&"), ("allow", "code=dwc_")] {
        let decided = browser.submit(&page, "decision", decision).await;
        let expected = format!("{redirect_uri}&{answer}");
        assert!(decided.location().starts_with(&expected), "{}", decided.location());
    }
}

#[tokio::test]
async fn a_request_may_be_posted_and_is_read_the_same() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::new(&server);
    let got = browser.get(&client.request().path()).await;
    let posted = post_form(&server, "/oauth2/authorize", &client.request()).await;
    assert_eq!((posted.status, &posted.body), (200, &got.answer.body));
    let broken = client.request().without("code_challenge");
    let got = browser.get(&broken.path()).await;
    let posted = post_form(&server, "/authorize", &broken).await;
    assert_eq!((posted.status, without_reference(&posted)), (400, without_reference(&got.answer)));
}

/// A page but for the identifier of its request.
fn without_reference(answer: &Answer) -> String {
    let id = answer.header("x-request-id").unwrap();
    assert!(answer.body.contains(&format!("Reference: <code>{id}</code>")), "{answer:?}");
    answer.body.replace(id, "")
}

#[tokio::test]
async fn unknown_parameters_are_ignored_and_empty_ones_count_as_omitted() {
    let server = start().await;
    let client = Client::register(&server).await;
    let request = client.request().and("nonce", "n").and("x", "1").and("x", "2").and("scope", "");
    check_dead_end(&Browser::new(&server).get(&request.path()).await, 200);
    let empty = client.request().with("code_challenge", "");
    check_dead_end(&Browser::new(&server).get(&empty.path()).await, 400);
    let empty = client.request().with("state", "").with("response_type", "");
    let expected = [("error", "invalid_request"), ("iss", ISSUER)];
    assert_eq!(brought(&server, &empty).await, pairs(&expected), "an empty state is none");
}

#[tokio::test]
async fn every_fault_has_its_code_and_is_told_with_state_and_issuer() {
    let mut config = config();
    let catalogue =
        ["read", "write"].map(|scope| doorward::config::CatalogueScope::named(scope.to_owned()));
    config.registration.scopes = catalogue.to_vec();
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let good = client.request();
    for (request, code) in [
        (good.clone().and("scope", "read").and("scope", "read"), "invalid_request"),
        (good.clone().and("scope", "read").and("scope", "write"), "invalid_request"),
        (good.clone().without("response_type"), "invalid_request"),
        (good.clone().with("response_type", "token"), "unsupported_response_type"),
        (good.clone().with("response_type", "code id_token"), "unsupported_response_type"),
        (good.clone().and("response_mode", "fragment"), "invalid_request"),
        (good.clone().and("request", "e30.e30."), "invalid_request"),
        (good.clone().and("request_uri", "https://evil.example/"), "invalid_request"),
        (good.clone().without("code_challenge"), "invalid_request"),
        (good.clone().without("code_challenge_method"), "invalid_request"),
        (good.clone().with("code_challenge_method", "plain"), "invalid_request"),
        (good.clone().with("code_challenge_method", "s256"), "invalid_request"),
        (good.clone().with("code_challenge", &"a".repeat(42)), "invalid_request"),
        (good.clone().with("code_challenge", &"a".repeat(44)), "invalid_request"),
        (good.clone().with("code_challenge", &"+".repeat(43)), "invalid_request"),
        (good.clone().and("scope", "admin"), "invalid_scope"),
        (good.clone().and("scope", "a\"b"), "invalid_scope"),
        (good.clone().and("resource", "relative"), "invalid_target"),
        (good.clone().and("resource", "https://mcp.example/#x"), "invalid_target"),
        (good.clone().and("prompt", "none"), "consent_required"),
    ] {
        let expected = [("error", code), ("iss", ISSUER), ("state", "of the client")];
        assert_eq!(brought(&server, &request).await, pairs(&expected), "{request:?}");
    }
    let repeated = brought(&server, &good.and("state", "another")).await;
    assert_eq!(repeated, pairs(&[("error", "invalid_request"), ("iss", ISSUER)]));
}

/// Every way in which a request ends without a question.
fn without_a_question(good: &Request) -> Vec<(Request, &'static str)> {
    vec![
        (good.clone().and("scope", "a\"b"), "invalid_scope"),
        (good.clone().and("prompt", "none"), "consent_required"),
        (good.clone().without("code_challenge"), "invalid_request"),
        (good.clone().with("code_challenge_method", "plain"), "invalid_request"),
        (good.clone().with("response_type", "foo"), "unsupported_response_type"),
        (good.clone().and("response_mode", "fragment"), "invalid_request"),
        (good.clone().and("request_uri", "https://evil.example/"), "invalid_request"),
        (good.clone().and("state", "another"), "invalid_request"),
        (good.clone().and("resource", "relative"), "invalid_target"),
    ]
}

#[tokio::test]
async fn a_link_sends_a_person_only_to_a_client_they_have_allowed_before() {
    let server = start().await;
    let both = json!({ "redirect_uris": [REDIRECT_URI, "https://app.example/other"] });
    let (client, stranger) = (Client::with(&server, both).await, Client::register(&server).await);
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(&client.request().path()).await;
    browser.submit(&page, "decision", "allow").await.code();
    for (request, code) in without_a_question(&client.request()) {
        assert_eq!(browser.get(&request.path()).await.brought()["error"], code, "{request:?}");
        let elsewhere = request.clone().with("redirect_uri", "https://app.example/other");
        check_dead_end(&browser.get(&elsewhere.path()).await, 400);
        check_dead_end(&Browser::new(&server).get(&request.path()).await, 400);
    }
    for (request, code) in without_a_question(&stranger.request()) {
        let page = browser.get(&request.path()).await;
        check_dead_end(&page, 400);
        let back = browser.submit(&page, "decision", "back").await;
        assert_eq!(back.brought()["error"], code, "a click tells the client: {request:?}");
    }
    // Denying allows nothing, and an old consent has ended.
    let page = browser.get(&stranger.request().path()).await;
    browser.submit(&page, "decision", "deny").await;
    let broken = stranger.request().without("code_challenge");
    check_dead_end(&browser.get(&broken.path()).await, 400);
    server.clock.advance(Duration::from_hours(24 * 400));
    let mut browser = Browser::signed_in(&server).await;
    check_dead_end(&browser.get(&client.request().without("code_challenge").path()).await, 400);
}

#[tokio::test]
async fn a_broken_request_bounces_nobody_who_is_not_signed_in() {
    let server = start().await;
    let client = Client::register(&server).await;
    let good = client.request();
    for (request, code) in [
        (good.clone().and("scope", "a\"b"), "invalid_scope"),
        (good.clone().and("prompt", "none"), "login_required"),
        (good.clone().without("code_challenge"), "invalid_request"),
        (good.clone().with("response_type", "token"), "unsupported_response_type"),
        (good.clone().and("resource", "relative"), "invalid_target"),
    ] {
        let mut browser = Browser::new(&server);
        let page = browser.get(&request.path()).await;
        check_dead_end(&page, 400);
        assert!(page.text().contains("app.example"), "it is said where the way back leads");
        // By a click, the client is told all the same; a link cannot click.
        let back = browser.submit(&page, "decision", "back").await;
        assert_eq!(back.brought()["error"], code);
        assert_eq!(back.brought()["iss"], ISSUER);
        let (path, form) = page.form("decision");
        let form = form.and("decision", "back");
        let foreign = browser.post_as(&path, &form, "sec-fetch-site: cross-site\r\n").await;
        check_dead_end(&foreign, 403);
    }
}

#[tokio::test]
async fn nobody_is_sent_to_a_client_by_307_and_no_answer_is_kept() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::new(&server);
    let welcome = browser.get(&client.request().path()).await;
    check_dead_end(&welcome, 200);
    let password = server.password.clone().unwrap();
    let signed_in = browser.submit(&welcome, "password", &password).await;
    assert!(signed_in.location().starts_with("/oauth2/authorize?"));
    for decision in ["allow", "deny"] {
        let page = browser.get(&client.request().path()).await;
        let decided = browser.submit(&page, "decision", decision).await;
        assert!(decided.location().starts_with(REDIRECT_URI), "{decided:?}");
        assert_eq!(decided.answer.header("cache-control"), Some("no-store"));
        assert_eq!(decided.answer.header("access-control-allow-origin"), None);
        let brought = decided.brought();
        assert_eq!((&*brought["iss"], &*brought["state"]), (ISSUER, "of the client"));
        assert_eq!(brought.contains_key("code"), decision == "allow");
        assert_eq!(brought.contains_key("error"), decision == "deny");
    }
}

#[tokio::test]
async fn state_comes_back_as_it_was_sent() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let long = "s".repeat(4 << 10);
    for state in
        ["\r\nSet-Cookie: x=1", "\"'<>&#%+ ", "\u{1f980} \u{e9}\0", "a=b&code=c", long.as_str()]
    {
        let request = client.request().with("state", state);
        let page = browser.get(&request.path()).await;
        let decided = browser.submit(&page, "decision", "allow").await;
        assert_eq!(decided.brought()["state"], state);
        assert_eq!(decided.answer.headers("set-cookie"), [""; 0]);
    }
    let longer = client.request().with("state", &format!("{long}s"));
    // The person has allowed this client: it is told without a click.
    assert_eq!(browser.get(&longer.path()).await.brought()["error"], "invalid_request");
    let huge = client.request().with("state", &"s".repeat(8 << 10));
    check_dead_end(&browser.get(&huge.path()).await, 400);
    let posted = post_form(&server, "/oauth2/authorize", &huge).await;
    assert_eq!(posted.status, 413);
    check_page(&posted);
}

#[tokio::test]
async fn the_host_of_a_request_changes_nothing() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let path = client.request().without("code_challenge").path();
    let hostile = "x-forwarded-host: evil.example\r\nforwarded: host=evil.example\r\n";
    let page = browser.get_as(&path, hostile).await;
    let back = browser.submit(&page, "decision", "back").await;
    assert_eq!(back.brought()["iss"], ISSUER);
    let request = format!("GET {} HTTP/1.1\r\nhost: evil.example\r\n\r\n", client.request().path());
    assert!(!server.exchange(&request).await.body.contains("evil.example"));
}

#[tokio::test]
async fn a_resource_is_the_operators_in_the_operators_spelling() {
    let resource = |uri: &str, name: &str| doorward::config::Resource {
        uri: ResourceIndicator::parse(uri).unwrap(),
        name: Some(name.to_owned()),
        id: None,
        secret_sha256: None,
        guard: None,
    };
    let mut one = config();
    one.authorization.resources = vec![resource("https://mcp.example", "Tools")];
    let server = TestServer::with(one.clone()).await;
    let client = Client::register(&server).await;
    let good = client.request();
    for request in [
        good.clone(),
        good.clone().and("resource", "https://mcp.example"),
        good.clone().and("resource", "https://mcp.example/"),
        good.clone().and("resource", "https://mcp.example/").and("resource", "https://MCP.example"),
    ] {
        let tokens = tokens(&server, &client, &request).await;
        let claims = claims(tokens["access_token"].as_str().unwrap());
        assert_eq!(claims["aud"], "https://mcp.example", "{request:?}");
    }
    for other in ["https://mcp.example/mcp", "https://mcp.example:8443", "http://mcp.example"] {
        let asked = brought(&server, &good.clone().and("resource", other)).await;
        assert!(asked.contains(&("error".into(), "invalid_target".into())), "{other}");
    }
    let mut browser = Browser::signed_in(&server).await;
    assert!(browser.get(&good.path()).await.text().contains("Tools"));

    let mut two = one;
    two.authorization.resources.push(resource("https://other.example/mcp", "Other"));
    let server = TestServer::with(two).await;
    let client = Client::register(&server).await;
    let missing = brought(&server, &client.request()).await;
    assert!(missing.contains(&("error".into(), "invalid_target".into())), "{missing:?}");
    let both = client
        .request()
        .and("resource", "https://other.example/mcp")
        .and("resource", "https://mcp.example/");
    let tokens = tokens(&server, &client, &both).await;
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(claims["aud"], json!(["https://other.example/mcp", "https://mcp.example"]));
}

#[tokio::test]
async fn a_server_for_development_without_resources_takes_the_one_that_a_client_names() {
    let server = start().await;
    let client = Client::register(&server).await;
    let request = client.request().and("resource", "http://localhost:3000/mcp");
    let tokens = tokens(&server, &client, &request).await;
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(claims["aud"], "http://localhost:3000/mcp");
}

#[tokio::test]
async fn a_token_for_no_resource_is_for_the_issuer_and_has_no_scope_that_nobody_asked_for() {
    let server = start().await;
    let client = Client::register(&server).await;
    let tokens = tokens(&server, &client, &client.request()).await;
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(claims["aud"], ISSUER);
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "client_id", "exp", "iat", "iss", "jti", "sub"]);
}

#[tokio::test]
async fn a_registered_scope_is_a_default_and_the_catalogue_is_the_bound() {
    let mut config = config();
    let described = |scope: &str, description: Option<&str>| doorward::config::CatalogueScope {
        scope: scope.to_owned(),
        description: description.map(str::to_owned),
        sensitive: false,
    };
    config.registration.scopes = vec![
        described("read", Some("See your projects")),
        described("write", None),
        described("delete", None),
    ];
    let server = TestServer::with(config).await;
    let with_scope = json!({ "redirect_uris": [REDIRECT_URI], "scope": "read write" });
    let with_scope = Client::with(&server, with_scope).await;
    let without_scope = Client::register(&server).await;
    for (client, asked, granted) in [
        (&with_scope, Some("read delete unknown"), json!("read delete")),
        (&with_scope, Some(""), json!("read write")),
        (&with_scope, None, json!("read write")),
        (&without_scope, Some("delete read admin"), json!("delete read")),
        (&without_scope, None, json!(null)),
    ] {
        let request = client.request();
        let request = asked.map_or(request.clone(), |scope| request.and("scope", scope));
        let tokens = tokens(&server, client, &request).await;
        assert_eq!(tokens["scope"], granted, "{asked:?}");
    }
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(&with_scope.request().path()).await;
    assert!(page.text().contains("See your projects"), "{}", page.text());
}

#[tokio::test]
async fn a_store_that_fails_is_told_to_the_person_and_after_a_decision_to_the_client() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(&client.request().path()).await;
    for (failure, status) in
        [(Failure::Busy, 503), (Failure::Unavailable, 503), (Failure::Corrupt, 500)]
    {
        server.fail(failure);
        for failed in [
            browser.get(&client.request().path()).await,
            browser.submit(&page, "decision", "allow").await,
            Browser::new(&server).get(&client.request().path()).await,
        ] {
            check_dead_end(&failed, status);
            let retry_after = (status == 503).then_some("1");
            assert_eq!(failed.answer.header("retry-after"), retry_after);
        }
    }
    // Client, session and the earlier consent are found, and nothing is kept.
    server.fail_after(3, Failure::Busy);
    let failed = browser.submit(&page, "decision", "allow").await.brought();
    assert_eq!(failed["error"], "temporarily_unavailable");
    assert_eq!((&*failed["state"], &*failed["iss"]), ("of the client", ISSUER));
    server.fail_after(3, Failure::Corrupt);
    let failed = browser.submit(&page, "decision", "allow").await.brought();
    assert_eq!(failed["error"], "server_error");
    assert_eq!((&*failed["state"], &*failed["iss"]), ("of the client", ISSUER));
}

#[tokio::test]
async fn a_code_ends_with_its_client() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(&client.request().path()).await;
    let code = browser.submit(&page, "decision", "allow").await.code();
    server.forget(&client.id).await;
    assert_eq!(client.redeem(&server, &code).await.json()["error"], "invalid_client");
    check_dead_end(&browser.get(&client.request().path()).await, 400);
}

#[tokio::test]
async fn a_person_decides_a_bounded_number_of_times_a_minute() {
    let mut config = config();
    config.authorization.decisions_per_person = 3;
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    for _ in 0..3 {
        let page = browser.get(&client.request().path()).await;
        browser.submit(&page, "decision", "deny").await;
    }
    let page = browser.get(&client.request().path()).await;

    let refused = browser.submit(&page, "decision", "allow").await;

    check_dead_end(&refused, 429);
    server.clock.advance(Duration::from_mins(1));
    browser.submit(&page, "decision", "allow").await.code();
}
