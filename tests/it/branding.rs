//! Pages with the name, the logo, the color, and the links of the operator.

use doorward::config::{self, Config, Sources};

use crate::{
    flow::{Browser, Client, config},
    harness::TestServer,
};

const PNG: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// What the settings are with these of `[branding]`.
fn loaded(branding: &[(&'static str, &str)]) -> Result<Config, config::ConfigErrors> {
    let issuer = [("server.issuer", "http://localhost:8080")];
    let flags = issuer.iter().chain(branding).map(|(key, value)| (*key, (*value).to_owned()));
    config::load(Sources { flags: flags.collect(), ..Sources::default() })
}

/// The settings of a server with these of `[branding]`.
fn with(branding: &[(&'static str, &str)]) -> Config {
    Config { branding: loaded(branding).expect("good settings").branding, ..config() }
}

#[tokio::test]
async fn every_page_has_the_name_the_logo_and_the_links_of_the_operator() {
    let server = TestServer::with(with(&[
        ("branding.name", "<b>Acme</b> & Söhne"),
        ("branding.logo", "https://cdn.acme.example:8443/logo.png?a=1&b=2;x"),
        ("branding.support_url", "https://acme.example/help"),
        ("branding.privacy_url", "https://acme.example/privacy"),
        ("branding.terms_url", "https://acme.example/terms?\"><b>"),
        ("branding.legal_notice_url", "https://acme.example/imprint"),
    ]))
    .await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    for path in ["/", "/nowhere", "/oauth2/grants", "/oauth2/authorize", &client.request().path()] {
        let headers = "accept: text/html\r\naccept-language: de\r\n";
        let page = browser.get_as(path, headers).await.answer;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; base-uri 'none'"));
        assert!(policy.ends_with("; img-src https://cdn.acme.example:8443"), "{policy}");
        for shown in [
            "&#60;b&#62;Acme&#60;/b&#62; &#38; Söhne</bdi></span>door.example</header>",
            "– &#60;b&#62;Acme&#60;/b&#62; &#38; Söhne</title>",
            "src=\"https://cdn.acme.example:8443/logo.png?a=1&#38;b=2;x\" alt=\"\"",
            ">Hilfe</a>",
            ">Datenschutzerklärung</a>",
            "\"https://acme.example/terms?%22%3E%3Cb%3E\"",
            ">Impressum</a>",
        ] {
            assert!(page.body.contains(shown), "{path}: {shown}: {}", page.body);
        }
        assert!(!page.body.contains("<b>"), "{}", page.body);
    }
}

#[tokio::test]
async fn an_embedded_logo_lets_pages_load_no_image_from_elsewhere() {
    let server = TestServer::with(with(&[("branding.logo", PNG)])).await;
    let page = Browser::new(&server).get("/oauth2/grants").await.answer;
    assert!(page.header("content-security-policy").unwrap().ends_with("; img-src data:"));
    assert!(page.body.contains(&format!("<img class=\"logo\" src=\"{PNG}\"")), "{}", page.body);
}

#[tokio::test]
async fn the_stylesheet_has_the_accent_color() {
    let plain = TestServer::with(config()).await;
    let plain = Browser::new(&plain).get("/oauth2/style.css").await.answer;
    let server = TestServer::with(with(&[("branding.accent_color", "#ffdd00")])).await;
    let page = Browser::new(&server).get("/oauth2/grants").await.answer;
    assert!(!page.header("content-security-policy").unwrap().contains("img-src"));
    assert!(!page.body.contains("<footer>") && !page.body.contains("ffdd00"), "{}", page.body);
    let styles = Browser::new(&server).get("/oauth2/style.css").await.answer;
    let added = styles.body.strip_prefix(&plain.body).expect("rules are added at the end");
    assert!(
        added.contains("--fill: #ffdd00; ") && added.contains("--fill-ink: #000000"),
        "{added}"
    );
    // Yellow links are not readable on white.
    assert!(!added.contains(
        "--act: #ffdd00; --fill: #ffdd00; --fill-hover: #ffe226; --fill-ink: #000000; }\n@media"
    ));
}

#[test]
fn hostile_branding_is_refused_with_the_key_and_the_rule() {
    for (key, value, rule) in [
        ("branding.logo", "javascript:alert(1)", "expected an https URL"),
        ("branding.logo", "data:image/svg+xml;base64,PHN2Zy8+", "expected an https URL"),
        ("branding.logo", "http://acme.example/logo.png", "expected an https URL"),
        ("branding.accent_color", "#fff;} body{display:none", "expected a color"),
        ("branding.support_url", "data:text/html,x", "expected an https URL"),
        ("branding.terms_url", "http://acme.example", "expected an https URL"),
        ("branding.name", "a\u{202e}b", "expected a name"),
    ] {
        let faults = loaded(&[(key, value)]).unwrap_err().to_string();
        assert!(faults.contains(&format!("{key}: {rule}")), "{value}: {faults}");
    }
}
