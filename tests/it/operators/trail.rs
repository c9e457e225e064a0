//! Audit events in the order in which they were stored, for readers that ask again.

use std::time::Duration;

use doorward::audit::Author;

use super::*;

const STORED: &str = "/api/v2/audit/events?sort=stored";

fn after(document: &Value) -> String {
    document["meta"]["page"]["after"].as_str().unwrap().to_owned()
}

/// The identifiers behind a place, until there are so many, and the place behind them. In PostgreSQL, a transaction of
/// another test can hold them back for a moment.
async fn read(
    server: &TestServer,
    (token, place): (&str, &str),
    (limit, count): (usize, usize),
) -> (Vec<String>, String) {
    let (mut found, mut place) = (Vec::new(), place.to_owned());
    let reading = async {
        loop {
            let path = format!("{STORED}&page[limit]={limit}&page[cursor]={place}");
            let page = get(server, &path, token).await;
            let new = ids(&page);
            assert!(new.len() <= limit, "{page}");
            assert_eq!(page["links"]["next"].is_string(), !new.is_empty(), "{page}");
            found.extend(new);
            place = after(&page);
            if found.len() >= count && page["links"]["next"].is_null() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the events are read");
    (found, place)
}

#[tokio::test]
async fn audit_events_are_listed_as_they_were_stored_behind_a_cursor() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    client(&server, "Before").await;
    let first = get(&server, STORED, &viewer).await;
    assert_eq!((ids(&first).len(), &first["links"]), (0, &Value::Null), "{first}");
    let begin = after(&first);

    // The later an event is stored, the earlier its time and its identifier.
    let mut events = Vec::new();
    for days in 1..=3 {
        let author = Author { at: server.clock.now().before_days(days), ..by() };
        let event = author.event(Action::KeyMade);
        events.push(event.event_id.to_string());
        server.kept.record_events(vec![event]).await.unwrap();
    }
    for limit in [1, 2, 100] {
        let (found, end) = read(&server, (&viewer, &begin), (limit, 3)).await;
        assert_eq!(found, events, "pages of {limit}");
        let nothing = get(&server, &format!("{STORED}&page[cursor]={end}"), &viewer).await;
        assert_eq!((ids(&nothing).len(), after(&nothing)), (0, end));
    }
    let none = format!("{STORED}&filter[query]=@action:grant.reused&page[cursor]={begin}");
    let none = get(&server, &none, &viewer).await;
    assert_eq!(ids(&none), [""; 0], "{none}");
    assert_ne!(after(&none), begin, "the place moves past what the filter leaves out");
}

#[tokio::test]
async fn a_registration_that_takes_the_place_of_a_removed_one_is_listed() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    let begin = after(&get(&server, STORED, &viewer).await);
    let kept = client(&server, "Kept").await.to_string();
    let removed = client(&server, "Removed").await;
    let (found, place) = read(&server, (&viewer, &begin), (100, 2)).await;
    assert_eq!(found, [kept, removed.to_string()]);

    let admin = token(&server, "admin", Role::Admin).await;
    let path = format!("/api/v2/oauth2/clients/{removed}");
    assert_eq!(call(&server, "DELETE", &path, &admin).await.status, 204);
    let next = client(&server, "Next").await.to_string();

    // The token, the removal, and the registration.
    let (found, _) = read(&server, (&viewer, &place), (100, 3)).await;
    assert!(found.contains(&next), "{found:?}");
}

#[tokio::test]
async fn a_cursor_that_is_no_place_in_the_trail_is_refused() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    let zeros = "00000000-0000-0000-0000-000000000000";
    for bad in [
        "x",
        "1",
        &format!("1.{zeros}.1"),
        &format!("1.{zeros}.1.{zeros}.1"),
        &format!("-1.{zeros}.1.{zeros}"),
        &format!("1.x.1.{zeros}"),
        &format!("9223372036854775808.{zeros}.1.{zeros}"),
    ] {
        let answer = call(&server, "GET", &format!("{STORED}&page[cursor]={bad}"), &viewer).await;
        assert_eq!(answer.status, 400, "{bad}: {answer:?}");
        assert_eq!(source(&answer)["parameter"], "page[cursor]", "{bad}");
    }
    // The greatest that there can be: PostgreSQL knows that it is not of this database.
    let greatest = format!("9223372036854775807.{zeros}.9223372036854775807.{zeros}");
    let answer = call(&server, "GET", &format!("{STORED}&page[cursor]={greatest}"), &viewer).await;
    assert!([200, 400].contains(&answer.status), "{answer:?}");
    let unknown = call(&server, "GET", "/api/v2/audit/events?sort=committed", &viewer).await;
    assert_eq!((unknown.status, &source(&unknown)["parameter"]), (400, &json!("sort")));
}
