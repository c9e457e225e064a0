//! What a client, a person and a stranger see of the authorization endpoint and of its pages.

mod consent;
mod request;

use std::time::Duration;

use doorward::grant::ResourceIndicator;
use doorward::store::Failure;
use serde_json::json;

use crate::{
    flow::{
        Browser, Client, ISSUER, Page, REDIRECT_URI, Request, claims, config, post_form, tokens,
    },
    harness::{Answer, TestServer},
};

async fn start() -> TestServer {
    TestServer::with(config()).await
}

/// What pages are made of: nothing that runs or is fetched, but for the stylesheet.
const TAGS: &[&str] = &[
    "!doctype", "a", "bdi", "body", "button", "code", "details", "div", "dd", "dl", "dt", "footer",
    "form", "h1", "h2", "head", "header", "html", "input", "label", "li", "link", "main", "meta",
    "p", "section", "small", "span", "strong", "summary", "title", "ul", "wbr",
];

/// What every page has (OAuth 2.1 §7.11, F-18).
fn check_page(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let policy = answer.header("content-security-policy").unwrap();
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(answer.body.contains("<html lang=\"") && answer.body.contains("name=\"viewport\""));
    for tag in answer.body.split('<').skip(1).map(|rest| rest.split_once('>').unwrap().0) {
        let name = tag.split_whitespace().next().unwrap().trim_start_matches('/');
        assert!(TAGS.contains(&name), "<{tag}>");
        let is_active =
            |word: &str| word.starts_with("style=") || word.starts_with("on") && word.contains('=');
        assert!(!tag.split_whitespace().any(is_active), "<{tag}>");
    }
}

/// It is a page with this status, and leads nowhere.
fn check_dead_end(page: &Page, status: u16) {
    assert_eq!(page.answer.status, status, "{:?}", page.answer);
    assert_eq!(page.answer.header("location"), None);
    check_page(&page.answer);
}

/// What a signed-in person's browser brings to the client in answer to a request.
/// What the client of a faulty request is told: at once if the person has allowed it before, else by a click.
async fn brought(server: &TestServer, request: &Request) -> Vec<(String, String)> {
    let mut browser = Browser::signed_in(server).await;
    let page = browser.get(&request.path()).await;
    let back = match page.answer.status {
        400 => browser.submit(&page, "decision", "back").await,
        _ => page,
    };
    back.brought().into_iter().filter(|(name, _)| name != "error_description").collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
