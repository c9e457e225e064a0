//! What a person sees of a client, and what a decision is good for.

use super::*;

#[tokio::test]
async fn a_form_without_a_decision_allows_nothing() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(&client.request().path()).await;
    let (path, form) = page.form("decision");
    for form in [form.clone(), form.clone().and("decision", "ALLOW"), form.and("decision", "yes")] {
        assert_eq!(browser.post(&path, &form).await.brought()["error"], "access_denied");
    }
}

#[tokio::test]
async fn a_decision_counts_only_from_the_page_that_was_shown_to_whoever_decides() {
    let server = start().await;
    let client = Client::register(&server).await;
    let (mut browser, mut other) =
        (Browser::signed_in(&server).await, Browser::signed_in(&server).await);
    let page = browser.get(&client.request().path()).await;
    let (path, form) = page.form("decision");
    let form = form.and("decision", "allow");
    // Of another session, of another request, without a token, and from another origin.
    check_dead_end(&other.post(&path, &form).await, 403);
    let request = client.request().and("scope", "more").query();
    check_dead_end(&browser.post(&path, &form.clone().with("request", &request)).await, 403);
    check_dead_end(&browser.post(&path, &form.clone().without("form_token")).await, 403);
    check_dead_end(&browser.post(&path, &form.clone().with("form_token", "AAAA")).await, 403);
    for headers in [
        "",
        "origin: null\r\n",
        "origin: https://evil.example\r\n",
        "sec-fetch-site: cross-site\r\norigin: https://door.example\r\n",
        "sec-fetch-site: same-site\r\n",
    ] {
        check_dead_end(&browser.post_as(&path, &form, headers).await, 403);
    }
    let own = browser.post_as(&path, &form, "origin: https://door.example\r\n").await;
    assert!(own.brought().contains_key("code"));
}

#[tokio::test]
async fn a_flow_goes_on_in_the_browser_that_signed_in_and_in_no_other() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(&client.request().path()).await;
    let (path, form) = page.form("decision");
    let mut clean = Browser::new(&server);
    let elsewhere = clean.post(&path, &form.and("decision", "allow")).await;
    let location = elsewhere.location().to_owned();
    assert!(location.starts_with("/oauth2/authorize?"), "{location}");
    assert!(clean.get(&location).await.text().contains("Sign in"));
}

#[tokio::test]
async fn whoever_is_signed_in_is_asked_for_each_client_and_each_time() {
    let server = start().await;
    let mut browser = Browser::signed_in(&server).await;
    let client = Client::register(&server).await;
    let request = client.request().and("scope", "read");
    let first = browser.get(&request.path()).await;
    assert!(first.text().contains("Developer"), "{}", first.text());
    browser.submit(&first, "decision", "allow").await.code();
    // Shorter, but a page and a click.
    let again = browser.get(&request.path()).await;
    check_dead_end(&again, 200);
    assert!(again.answer.body.contains("<details") && !first.answer.body.contains("<details"));
    // What is added is marked.
    let more = browser.get(&request.with("scope", "read write").path()).await;
    let text = more.text();
    assert!(text.contains("write new") && !text.contains("read new"), "{text}");
    // Another client of the same name is another client.
    let other = browser.get(&Client::register(&server).await.request().path()).await;
    assert!(!other.answer.body.contains("<details"));
}

#[tokio::test]
async fn what_was_allowed_at_one_redirect_uri_is_asked_anew_at_another_and_after_its_time() {
    let server = start().await;
    let other = "https://app.example/other";
    let client = Client::with(&server, json!({ "redirect_uris": [REDIRECT_URI, other] })).await;
    let mut browser = Browser::signed_in(&server).await;
    let request = client.request().and("scope", "read");
    let first = browser.get(&request.path()).await;
    browser.submit(&first, "decision", "allow").await.code();
    let elsewhere = browser.get(&request.clone().with("redirect_uri", other).path()).await;
    assert!(!elsewhere.answer.body.contains("<details"), "{elsewhere:?}");
    server.clock.advance(Duration::from_hours(91 * 24));
    let mut browser = Browser::signed_in(&server).await;
    assert!(!browser.get(&request.path()).await.answer.body.contains("<details"));
}

#[tokio::test]
async fn what_was_allowed_at_one_resource_is_asked_anew_at_another() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let at = |resources: &[&str]| {
        let request = client.request().and("scope", "read");
        resources.iter().fold(request, |request, resource| request.and("resource", resource)).path()
    };
    let (one, other) = ("https://one.example", "https://other.example");
    for (resources, is_known) in [
        (&[one][..], false),
        (&[one], true),
        (&[other], false),
        (&[one], false),
        (&[one, other], false),
        (&[other, one], true),
    ] {
        let page = browser.get(&at(resources)).await;
        assert_eq!(page.answer.body.contains("<details"), is_known, "{resources:?}");
        browser.submit(&page, "decision", "allow").await.code();
    }
}

#[tokio::test]
async fn a_person_sees_the_name_of_the_app_and_where_access_goes_beside_each_other() {
    let server = start().await;
    let metadata = json!({
        "client_name": "Claude",
        "client_name#de": "Klaudia",
        "redirect_uris": ["https://deep.evil.example/cb"],
        "client_uri": "https://claude.ai",
        "policy_uri": "https://deep.evil.example/policy",
        "policy_uri#de-CH": "https://deep.evil.example/datenschutz",
        "tos_uri#de": "https://claude.ai/agb",
        "logo_uri": "https://deep.evil.example/logo.png",
    });
    let client = Client::with(&server, metadata).await;
    server.clock.advance(Duration::from_mins(3));
    let request = client.request().with("redirect_uri", "https://deep.evil.example/cb");
    for mut browser in [Browser::new(&server), Browser::signed_in(&server).await] {
        let page = browser.get(&request.path()).await;
        let text = page.text();
        assert!(text.contains("Claude at deep.evil.example"), "{text}");
        assert!(text.contains("The app chose this name itself."), "{text}");
        assert!(text.contains("3 minutes ago"), "{text}");
        assert!(text.contains("This is not at claude.ai."), "{text}");
        // Links only to where the answer goes; nothing of the client is fetched.
        assert!(!page.answer.body.contains("https://claude.ai"), "{text}");
        assert!(!page.answer.body.contains("logo"), "{text}");
        assert!(page.answer.body.contains(
            "href=\"https://deep.evil.example/policy\" rel=\"noopener noreferrer nofollow\""
        ));
        let german = browser.get_as(&request.path(), "accept-language: DE-ch,en;q=0.5\r\n").await;
        assert!(german.text().contains("Klaudia"), "{}", german.text());
        let body = &german.answer.body;
        assert!(
            body.contains("https://deep.evil.example/datenschutz") && !body.contains("/policy")
        );
        assert!(!body.contains("https://claude.ai"), "in no language");
    }
}

#[tokio::test]
async fn an_imitated_name_makes_deny_the_prominent_button() {
    let server = start().await;
    for (redirect_uris, name, prominent) in [
        (&["https://evil.example/cb"][..], "ChatGPT", "deny"),
        (&["evil:/cb"], "ChatGPT", "deny"),
        (&["https://chatgpt.com/cb"], "ChatGPT", "allow"),
        (&["http://127.0.0.1:7001/cb"], "ChatGPT", "allow"),
        (&["http://127.0.0.1:7001/cb"], "ChatGPT (acme-tools)", "allow"),
        (&["http://127.0.0.1:7001/cb"], "Ch\u{430}tGPT", "deny"),
        (&["http://127.0.0.1:7001/cb", "https://chatgpt.com/cb"], "ChatGPT", "allow"),
        (&["http://127.0.0.1:7001/cb", "https://evil.example/cb"], "ChatGPT", "deny"),
        (&["https://evil.example/cb"], "An honest app", "allow"),
    ] {
        let metadata = json!({ "client_name": name, "redirect_uris": redirect_uris });
        let client = Client::with(&server, metadata).await;
        let case = format!("{name} at {redirect_uris:?}");
        let flags = server.record(&client.id).await.flags;
        let is_flagged = flags.contains(doorward::store::ClientFlags::LOOK_ALIKE);
        assert_eq!(is_flagged, prominent == "deny", "the record of {case}");
        let request = client.request().with("redirect_uri", redirect_uris[0]);
        let page = Browser::signed_in(&server).await.get(&request.path()).await;
        let body = &page.answer.body;
        let button = format!("class=\"primary\" name=\"decision\" value=\"{prominent}\"");
        assert!(body.contains(&button), "{case}: {body}");
        assert_eq!(body.matches("class=\"primary\"").count(), 1, "{case}");
        let is_warned = body.contains("<strong>This is not at chatgpt.com.</strong>");
        assert_eq!(is_warned, prominent == "deny", "{case}: {body}");
        let is_quiet = body.contains("Any program on this device can use this name.");
        assert!(!(is_quiet && is_warned), "{case}: {body}");
        assert!(body.matches("role=\"note\"").count() <= 1, "one caution at most: {body}");
    }
}

#[tokio::test]
async fn sensitive_scopes_stand_apart_and_a_request_without_scope_says_what_that_means() {
    let mut config = config();
    let scope = |scope: &str, sensitive| doorward::config::CatalogueScope {
        sensitive,
        ..doorward::config::CatalogueScope::named(scope.to_owned())
    };
    config.registration.scopes = vec![scope("read", false), scope("delete", true)];
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    for (asked, expected) in [
        ("read delete", "Sensitive delete It will be able to read"),
        ("delete", "Sensitive delete"),
        ("read", "It will be able to read Deny"),
    ] {
        let page = browser.get(&client.request().and("scope", asked).path()).await;
        assert!(page.text().contains(expected), "{asked}: {}", page.text());
    }
    let page = browser.get(&client.request().path()).await;
    assert!(page.text().contains("It asks for no specific permission."), "{}", page.text());
}

#[tokio::test]
async fn an_app_on_this_device_is_called_so_in_a_quiet_line() {
    let server = start().await;
    for (redirect_uri, scheme) in [
        ("http://127.0.0.1:7001/cb", "http:"),
        ("http://[::1]:7001/cb", "http:"),
        ("http://localhost:7001/cb", "http:"),
        ("cursor://anysphere.example/cb", "cursor:"),
    ] {
        let metadata = json!({
            "redirect_uris": [redirect_uri],
            "client_uri": "https://anysphere.example",
        });
        let client = Client::with(&server, metadata).await;
        let request = client.request().with("redirect_uri", redirect_uri);
        let mut browser = Browser::signed_in(&server).await;
        let page = browser.get(&request.path()).await;
        check_dead_end(&page, 200);
        assert!(page.text().contains("this device"), "{}", page.text());
        assert!(page.text().contains("Any program on this device can use this name."));
        assert!(!page.answer.body.contains("class=\"danger\""));
        assert!(!page.answer.body.contains("href=\"https://anysphere.example"));
        let policy = page.answer.header("content-security-policy").unwrap();
        let sources = format!("https: http://127.0.0.1:* http://localhost:* {scheme}");
        assert!(policy.ends_with(&format!("form-action 'self' {sources}")), "{policy}");
        let denied = browser.submit(&page, "decision", "deny").await;
        assert!(denied.location().starts_with(redirect_uri), "{}", denied.location());
    }
}

#[tokio::test]
async fn an_application_on_this_device_is_asked_about_each_time() {
    let server = start().await;
    for redirect_uri in ["http://127.0.0.1:7001/cb", "http://localhost/cb", "com.example.app:/cb"] {
        let client = Client::with(&server, json!({ "redirect_uris": [redirect_uri] })).await;
        let request = client.request().with("redirect_uri", redirect_uri).and("scope", "read");
        let mut browser = Browser::signed_in(&server).await;
        for is_known in [false, true, true] {
            let page = browser.get(&request.path()).await;
            check_dead_end(&page, 200);
            assert_eq!(page.answer.body.contains("<details"), is_known, "{redirect_uri}");
            assert!(page.text().contains("this device"), "{redirect_uri}");
            let allowed = browser.submit(&page, "decision", "allow").await;
            assert!(allowed.location().starts_with(&format!("{redirect_uri}?code=")));
        }
        let silent = browser.get(&request.and("prompt", "none").path()).await;
        assert!(silent.location().starts_with(&format!("{redirect_uri}?error=consent_required&")));
    }
}

#[tokio::test]
async fn nothing_that_a_client_says_is_more_than_text() {
    let server = start().await;
    let polyglots = [
        "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=alert() )//</stYle/</titLe/</teXtarEa/\
         </scRipt/--!>\\x3csVg/<sVg/oNloAd=alert()//>\\x3e",
        "\"><img src=x onerror=alert(1)>",
        "'-alert(1)-'</title><script>alert(1)</script>",
        "{{7*7}}${7*7}<%= 7*7 %>",
        "--><iframe srcdoc=x>",
    ];
    for text in polyglots {
        let metadata = json!({
            "client_name": text,
            "client_name#de": text,
            "redirect_uris": [REDIRECT_URI],
            "software_id": text,
            "software_version": text,
            "contacts": [text],
        });
        let client = Client::with(&server, metadata).await;
        let good = client.request().with("state", text);
        for request in [good.clone(), good.clone().and("scope", text), good.and("prompt", text)] {
            for mut browser in [Browser::new(&server), Browser::signed_in(&server).await] {
                let page = browser.get_as(&request.path(), "accept-language: de\r\n").await;
                // A broken request of somebody signed in goes to the client.
                if page.answer.status != 303 {
                    check_page(&page.answer);
                    assert!(!page.answer.body.contains(text), "{}", page.answer.body);
                }
            }
        }
        let shown = Browser::new(&server).get(&client.request().path()).await;
        assert!(shown.text().contains(text.split_whitespace().next().unwrap()), "{shown:?}");
    }
}

#[tokio::test]
async fn a_long_name_does_not_fill_the_page() {
    let server = start().await;
    let metadata = json!({ "client_name": "é".repeat(1_000), "redirect_uris": [REDIRECT_URI] });
    let client = Client::with(&server, metadata).await;
    let text = Browser::new(&server).get(&client.request().path()).await.text();
    assert!(text.contains(&format!("{}…", "é".repeat(80))) && !text.contains(&"é".repeat(81)));
}

#[tokio::test]
async fn a_long_redirect_uri_does_not_push_the_decision_off_the_screen() {
    let server = start().await;
    for beginning in ["http://127.0.0.1:7001/", "com.example.app:/"] {
        let redirect_uri = format!("{beginning}{}", "c".repeat(1_500));
        let metadata = json!({ "redirect_uris": [redirect_uri] });
        let client = Client::with(&server, metadata).await;
        let request = client.request().with("redirect_uri", &redirect_uri);
        let text = Browser::signed_in(&server).await.get(&request.path()).await.text();
        let shown = format!("{beginning}{}…", "c".repeat(120 - beginning.len()));
        assert!(text.contains(&shown), "{text}");
        assert!(!text.contains(&"c".repeat(121)), "{text}");
    }
}

#[tokio::test]
async fn somebody_else_may_sign_in_and_decide() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(&client.request().path()).await;
    let link = page.answer.body.split("href=\"").nth(2).unwrap().split('"').next().unwrap();
    let ask = browser.get(&link.replace("&#38;", "&")).await;
    check_dead_end(&ask, 200);
    let (path, form) = ask.form("form_token");
    let foreign = browser.post_as(&path, &form, "sec-fetch-site: cross-site\r\n").await;
    check_dead_end(&foreign, 403);
    let signed_out = browser.post(&path, &form).await;
    assert_eq!(signed_out.location(), client.request().path());
    let welcome = browser.get(&client.request().path()).await;
    assert!(welcome.text().contains("Sign in"), "{}", welcome.text());
    // What was begun before is over.
    let (path, form) = page.form("decision");
    let late = browser.post(&path, &form.and("decision", "allow")).await;
    assert_eq!(late.location(), client.request().path());
}
