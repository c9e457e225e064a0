//! The language of pages: `ui_locales` of the request, then `Accept-Language`, else English.

use crate::{
    flow::{Browser, Client, Page, Request, config},
    harness::TestServer,
    sign_in::with_provider,
};

/// Each language, and a text of three pages in it: sign-in, consent, and an unknown client.
const LANGUAGES: [(&str, [&str; 3]); 5] = [
    ("en", ["Sign in to continue", "Allow access to your account?", "We don't know this app"]),
    (
        "de",
        [
            "Melden Sie sich an, um fortzufahren",
            "Zugriff auf Ihr Konto erlauben?",
            "Diese App ist hier nicht bekannt",
        ],
    ),
    (
        "fr",
        [
            "Connectez-vous pour continuer",
            "Autoriser l’accès à votre compte\u{202f}?",
            "Cette application est inconnue ici",
        ],
    ),
    (
        "es",
        [
            "Inicie sesión para continuar",
            "¿Permitir el acceso a su cuenta?",
            "No conocemos esta aplicación",
        ],
    ),
    (
        "ja",
        [
            "続けるにはログインしてください",
            "アカウントへのアクセスを許可しますか?",
            "このアプリは登録されていません",
        ],
    ),
];

fn check(page: &Page, tag: &str, text: &str) {
    let body = &page.answer.body;
    assert!(body.contains(&format!("<html lang=\"{tag}\">")), "{tag}: {body}");
    assert!(body.contains(text), "{tag}: {body}");
}

#[tokio::test]
async fn pages_are_in_the_language_that_the_browser_accepts() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    for (tag, [sign_in, consent, unknown]) in LANGUAGES {
        let accepts = format!("accept-language: sv, {tag}-XX;q=0.8, fr;q=0.1\r\n");
        let mut browser = Browser::new(&server);
        check(&browser.get_as(&client.request().path(), &accepts).await, tag, sign_in);
        let mut browser = Browser::signed_in(&server).await;
        check(&browser.get_as(&client.request().path(), &accepts).await, tag, consent);
        let other = client.request().with("client_id", &"x".repeat(40));
        check(&browser.get_as(&other.path(), &accepts).await, tag, unknown);
    }
}

#[tokio::test]
async fn ui_locales_of_the_request_comes_first_and_stays_with_it() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    for (tag, [sign_in, consent, unknown]) in LANGUAGES {
        let request = client.request().and("ui_locales", &format!("sv {tag}-XX pl"));
        let mut browser = Browser::new(&server);
        let page = browser.get_as(&request.path(), "accept-language: pt, ja, fr\r\n").await;
        check(&page, tag, sign_in);
        let wrong = browser.submit(&page, "password", "wrong").await;
        check(&wrong, tag, "");
        let page = browser.sign_in(&page).await;
        check(&page, tag, consent);
        let (path, form) = page.form("decision");
        let form = form.with("form_token", "old").with("decision", "allow");
        let refused = browser.post(&path, &form).await;
        assert_eq!(refused.answer.status, 403);
        check(&refused, tag, "");
        let sign_out = browser.get(&format!("/oauth2/sign-out?{}", request.query())).await;
        check(&sign_out, tag, "");
        let other = request.with("client_id", &"x".repeat(40));
        check(&browser.get(&other.path()).await, tag, unknown);
    }
    let repeated = client.request().and("ui_locales", "de").and("ui_locales", "fr");
    let page = Browser::new(&server).get(&repeated.path()).await;
    assert!(page.answer.body.contains("invalid_request: ui_locales appears more than once"));
}

#[tokio::test]
async fn ui_locales_survives_the_way_to_a_provider() {
    let server = TestServer::with(with_provider().await).await;
    let client = Client::register(&server).await;
    let mut browser = Browser::new(&server);
    let page = browser.get(&client.request().and("ui_locales", "es").path()).await;
    let sent = browser.submit(&page, "provider", "acme").await;
    let state = sent.brought().remove("state").unwrap();
    let denied = format!("/oauth2/sign-in/acme?error=access_denied&state={state}");
    let page = browser.get(&denied).await;
    check(&page, "es", "Volver al inicio de sesión");
}

#[tokio::test]
async fn no_page_in_japanese_has_an_english_text() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let accepts = "accept-language: ja\r\n";
    let good = client.request();
    let consent = browser.get(&good.path()).await;
    browser.submit(&consent, "decision", "allow").await;
    let paths = [
        good.path(),
        good.clone().and("scope", "read").path(),
        good.clone().with("redirect_uri", "https://other.example/").path(),
        good.clone().with("client_id", &"x".repeat(40)).path(),
        good.clone().without("code_challenge").path(),
        good.with("prompt", "none").without("response_type").path(),
        Request::default().path(),
        "/oauth2/grants".to_owned(),
        "/oauth2/sign-out".to_owned(),
        "/oauth2/sign-in/none?state=x".to_owned(),
        "/".to_owned(),
        "/nowhere".to_owned(),
    ];
    for path in paths {
        for browser in [&mut browser, &mut Browser::new(&server)] {
            let page = browser.get_as(&path, &format!("{accepts}accept: text/html\r\n")).await;
            if page.answer.status != 303 {
                check(&page, "ja", "");
                let words = english(&page);
                assert!(words.is_empty(), "{path}: {words:?} in {}", page.text());
            }
        }
    }
}

/// The English words of a page, without names, technical details, and what is quoted.
fn english(page: &Page) -> Vec<String> {
    const NAMES: [&str; 11] = [
        "A",
        "An",
        "app",
        "Developer",
        "door",
        "example",
        "OpenAPI",
        "RFC",
        "API",
        "ID",
        "Doorward",
    ];
    let mut html = page.answer.body.split_once("<main>").unwrap().1.to_owned();
    for (begin, end) in [("<code", "</code>"), ("<span lang=\"en\"", "</span>"), ("<", ">")] {
        let mut parts = html.split(begin);
        let first = parts.next().unwrap().to_owned();
        html = parts.fold(first, |kept, part| {
            kept + " " + part.split_once(end).map_or("", |(_, rest)| rest)
        });
    }
    let words = html.split(|it: char| !it.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    words.filter(|word| !NAMES.contains(word)).map(str::to_owned).collect()
}
