//! Who may fetch how much, and whose documents are remembered.

use super::*;

#[tokio::test]
async fn strangers_take_no_place_and_evict_no_document_of_a_client_with_a_grant() {
    let world = World::with(|config| {
        config.client_documents.fetches_max = 4;
        config.client_documents.remembered_max = 2;
        config.client_documents.timeout_seconds = 2;
    })
    .await;
    world.with_grant().await;
    for number in 0..20 {
        let url: DocumentUrl = format!("https://{NAME}:{}/{number}", world.port).parse().unwrap();
        world.answer_with(format!(
            "{JSON}\r\n{{\"client_id\":\"{url}\",\"client_name\":\"A\",\
             \"redirect_uris\":[\"http://127.0.0.1/cb\"]}}"
        ));
        assert!(world.find_at(&url).await.is_ok());
    }
    let before = world.requests();
    assert!(world.find().await.is_ok());
    assert_eq!(world.requests(), before, "its document is still remembered");

    // All places of strangers are taken, and the document has become stale.
    world.seconds_pass(60);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut slow = JoinSet::new();
    for number in 0..4 {
        let documents = Arc::clone(&world.documents);
        let host = format!("app.slow{number}.example:{port}");
        let url: DocumentUrl = format!("https://{host}/client.json").parse().unwrap();
        slow.spawn(async move { documents.metadata(&url, caller(number)).await });
    }
    while world.lookups.load(Relaxed) < before + 4 {
        sleep(Duration::from_millis(5)).await;
    }
    world.publish("");
    let stranger = world.url_of(&format!("below.{NAME}"));
    let refusal = world.documents.metadata(&stranger, caller(9)).await.unwrap_err();
    assert!(matches!(*refusal, DocumentError::Busy), "{refusal}");
    let found = world.documents.metadata(&world.url(), caller(9)).await;
    assert!(found.is_ok(), "{found:?}");
}

#[tokio::test]
async fn one_source_makes_the_server_fetch_so_many_documents_a_minute_whatever_becomes_of_them() {
    let world = World::with(|config| config.client_documents.fetches_per_source = 3).await;
    let url = |number: usize| -> DocumentUrl {
        format!("https://{NAME}:{}/{number}", world.port).parse().unwrap()
    };
    for number in 0..3 {
        world.answer_with(format!(
            "{JSON}\r\n{{\"client_id\":\"{}\",\"client_name\":\"A\",\
             \"redirect_uris\":[\"http://127.0.0.1/cb\"]}}",
            url(number)
        ));
        assert!(world.find_at(&url(number)).await.is_ok());
    }
    let refusal = world.find_at(&url(3)).await.unwrap_err();
    assert!(matches!(*refusal, DocumentError::TooMany { retry_after_seconds: 1..=60 }));
    assert_eq!(world.requests(), 3);
    assert!(world.find_at(&url(0)).await.is_ok(), "what is remembered costs no fetch");
    world.publish("");
    let other = world.documents.metadata(&world.url(), caller(2)).await;
    assert!(other.is_ok(), "another source has its own limit");
    world.seconds_pass(60);
    assert!(world.find().await.is_ok());
}

#[tokio::test]
async fn a_lookup_that_nobody_waits_for_any_longer_keeps_its_place_until_it_ends() {
    let (silence, silent) = std::sync::mpsc::channel::<()>();
    let silent = Mutex::new(silent);
    let names = move |name: &str| {
        if name.ends_with("silent.example") {
            silent.lock().unwrap().recv().unwrap_err();
        }
        vec![IpAddr::from([127, 0, 0, 1])]
    };
    let roots = Arc::new(RootCertStore::empty());
    let internet = Internet::Staged { names: Arc::new(names), roots };
    let mut config = Config::default();
    config.client_documents.enabled = true;
    config.client_documents.fetches_max = 4;
    config.client_documents.timeout_seconds = 1;
    let documents =
        ClientDocuments::new(&config, internet, Clock::held_at(START), &Entropy::seeded(1));
    // Nobody listens there any longer.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let find = async |host: &str, from| {
        let url: DocumentUrl = format!("https://{host}:{port}/client.json").parse().unwrap();
        documents.metadata(&url, caller(from)).await.unwrap_err()
    };
    let late = find("a.silent.example", 1).await;
    assert!(matches!(*late, DocumentError::Fetch(FetchError::Late(1))), "{late}");
    let busy = find("b.silent.example", 2).await;
    assert!(matches!(*busy, DocumentError::Busy), "the domain has its quarter: {busy}");
    let busy = find("other.example", 1).await;
    assert!(matches!(*busy, DocumentError::Busy), "the source has its quarter: {busy}");
    let other = find("other.example", 2).await;
    assert!(matches!(*other, DocumentError::Fetch(FetchError::Unreachable(_))), "{other}");
    drop(silence);
    while documents.places.strangers.take("silent.example", None).is_none() {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_thousand_who_ask_at_once_cost_one_fetch() {
    let world = Arc::new(World::new().await);
    let mut asking = JoinSet::new();
    for _ in 0..1_000 {
        let world = Arc::clone(&world);
        asking.spawn(async move { world.find().await.is_ok() });
    }
    assert!(asking.join_all().await.into_iter().all(|found| found));
    assert_eq!((world.lookups.load(Relaxed), world.requests()), (1, 1));
}

#[tokio::test]
async fn only_so_many_documents_are_fetched_at_once_and_those_known_need_none() {
    let world = World::with(|config| {
        config.client_documents.fetches_max = 1;
        config.client_documents.timeout_seconds = 1;
    })
    .await;
    assert!(world.find().await.is_ok());
    world.answer(Answer::Drip(JSON.to_owned()));
    let (slow, other) =
        (world.url_of(&format!("below.{NAME}")), world.url_of(&format!("other.{NAME}")));
    let meanwhile = async {
        while world.requests() < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        let refusal = world.find_at(&other).await.unwrap_err();
        assert!(matches!(*refusal, DocumentError::Busy) && refusal.is_passing());
        assert!(world.find().await.is_ok());
    };
    let (late, ()) = tokio::join!(world.find_at(&slow), meanwhile);
    assert!(matches!(*late.unwrap_err(), DocumentError::Fetch(FetchError::Late(1))));
    let refusal = world.find_at(&other).await.unwrap_err();
    assert!(!matches!(*refusal, DocumentError::Busy), "the place is free again");
}
