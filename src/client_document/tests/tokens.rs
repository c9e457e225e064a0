//! What becomes of the grants of clients whose documents change, fail, or go away.

use super::*;
use crate::client::GrantType;

#[tokio::test]
async fn tokens_of_a_client_whose_host_hangs_do_not_wait_for_it() {
    let world = World::new().await;
    world.with_grant().await;
    let known = world.grant_types();
    world.answer(Answer::Drip(JSON.to_owned()));
    world.seconds_pass(3_600);
    let started = tokio::time::Instant::now();
    for _ in 0..1_000 {
        assert_eq!(world.grant_types(), known);
        world.documents.note_use(&world.url());
    }
    assert!(started.elapsed() < Duration::from_secs(world.documents.settings.timeout_seconds));
    while world.requests() < 2 {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.requests(), 2, "one fetch in the background");
}

#[tokio::test]
async fn a_grant_suffices_where_its_document_has_not_been_seen() {
    let world = World::new().await;
    assert_eq!(world.grant_types(), Some(GrantTypes::default()));
    assert_eq!(
        world.lookups.load(Relaxed),
        0,
        "naming a client at a token endpoint costs no fetch"
    );
    world.refreshed(&world.documents.metrics().fetched).await;
    let url = world.url();
    world.answer_with(format!(
        "{JSON}\r\n{{\"client_id\":\"{url}\",\"client_name\":\"A\",\
         \"redirect_uris\":[\"http://127.0.0.1/cb\"],\"grant_types\":[\"authorization_code\"]}}"
    ));
    world.seconds_pass(60);
    world.refreshed(&world.documents.metrics().fetched).await;
    assert_eq!(world.grant_types().unwrap().as_slice(), [GrantType::AuthorizationCode]);
}

#[tokio::test]
async fn a_document_that_fails_or_is_invalid_ends_no_grant() {
    let world = World::new().await;
    world.with_grant().await;
    let metrics = world.documents.metrics();
    for (answer, outcome) in [
        ("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n".to_owned(), &metrics.failed),
        ("HTTP/1.1 302 X\r\nlocation: /\r\n\r\n".to_owned(), &metrics.failed),
        (format!("{JSON}\r\n{{}}"), &metrics.invalid),
    ] {
        world.answer_with(&*answer);
        for _ in 0..3 {
            world.seconds_pass(86_400);
            world.refreshed(outcome).await;
            assert!(world.grant_types().is_some(), "{answer}");
        }
        assert!(world.find().await.is_err(), "a new authorization needs the document: {answer}");
    }
}

#[tokio::test]
async fn a_document_that_stays_gone_for_an_hour_ends_its_client_until_it_comes_back() {
    for status in [404, 410] {
        let world = World::new().await;
        world.with_grant().await;
        let metrics = world.documents.metrics();
        world.answer_with(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"));
        world.seconds_pass(60);
        world.refreshed(&metrics.gone).await;
        assert!(matches!(world.refusal().await, DocumentError::Gone), "{status}");
        assert!(world.grant_types().is_some(), "it may be a mistake: {status}");
        world.seconds_pass(3_600);
        world.refreshed(&metrics.gone).await;
        assert_eq!(world.grant_types(), None, "{status}");
        world.publish("");
        assert!(world.find().await.is_ok());
        assert!(world.grant_types().is_some(), "{status}");
    }
}

#[tokio::test]
async fn a_client_that_has_ended_is_looked_for_again_every_hour() {
    let world = World::new().await;
    world.with_grant().await;
    let metrics = world.documents.metrics();
    world.answer_with("HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n");
    for _ in 0..2 {
        world.seconds_pass(3_600);
        world.refreshed(&metrics.gone).await;
    }
    world.publish("");
    assert_eq!(world.grant_types(), None);
    world.seconds_pass(3_600);
    assert_eq!(world.grant_types(), None, "what is known counts until the fetch has ended");
    while metrics.fetched.value() < 2 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(world.grant_types().is_some());
}

#[tokio::test]
async fn a_client_that_the_settings_no_longer_let_in_has_no_tokens() {
    for change in [
        (|config| config.client_documents.denied_hosts = vec!["example".to_owned()])
            as fn(&mut Config),
        |config| config.client_documents.allowed_hosts = vec!["other.example".to_owned()],
        |config| config.client_documents.enabled = false,
    ] {
        let world = World::with(change).await;
        world.documents.note_grant(&world.url());
        assert_eq!(world.grant_types(), None);
    }
}
