//! `doorward doctor`: what it finds, what it advises, and that it tells no secret and changes nothing.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, SystemTime},
};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;

use doorward::clock::Timestamp;

use super::{grants::in_store, serve::Server, *};
use crate::redis::{Redis, free_port};

/// What a run found, and how it ended.
struct Looked {
    code: Option<i32>,
    err: String,
    findings: Vec<Value>,
    /// Everything that was said.
    text: String,
}

impl Looked {
    /// Beside ports that are free, with these settings.
    fn at(doorward: &Doorward, settings: &str) -> Self {
        Self::with(doorward, settings, &[])
    }

    fn with(doorward: &Doorward, settings: &str, environment: &[(&str, &str)]) -> Self {
        doorward.write("doorward.toml", settings);
        let [public, management] = [free_port(), free_port()].map(|it| format!("127.0.0.1:{it}"));
        let words = ["doctor", "--dev", "--config", "doorward.toml"];
        let addresses = ["--listen", &public, "--management", &management];
        let mut command = doorward.command(&[&words[..], &addresses[..]].concat());
        Self::of(Ran::of(command.envs(environment.iter().copied()).spawn().unwrap()))
    }

    fn of(ran: Ran) -> Self {
        let findings = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { code: ran.code, findings, text: format!("{}{}", ran.out, ran.err), err: ran.err }
    }

    /// The verdicts of a check, with what was found and what to do.
    fn of_check(&self, check: &str) -> Vec<[&str; 3]> {
        let of_check = self.findings.iter().filter(|finding| finding["check"] == check);
        let words = of_check.map(|it| {
            ["verdict", "what", "advice"].map(|key| it[key].as_str().unwrap_or_default())
        });
        words.collect()
    }

    /// The only problem, which alone makes it fail.
    #[track_caller]
    fn problem(&self) -> [&str; 3] {
        let problems = self.findings.iter().filter(|finding| finding["verdict"] == "problem");
        let problems: Vec<_> = problems.collect();
        assert_eq!((self.code, problems.len()), (Some(1), 1), "{}", self.text);
        assert!(self.err.starts_with("error: problems: 1, warnings: "), "{}", self.err);
        ["check", "what", "advice"].map(|key| problems[0][key].as_str().expect(key))
    }
}

#[test]
fn nothing_is_wrong_where_a_server_has_never_run_and_nothing_is_made_there() {
    let doorward = Doorward::new();

    let looked = Looked::at(&doorward, "");

    assert_eq!(looked.code, Some(0), "{}", looked.text);
    assert!(looked.err.starts_with("No problem was found (problems: 0, "), "{}", looked.err);
    let checks: Vec<&str> =
        looked.findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    let all = ["settings", "data folder", "disk", "store", "keys", "secrets", "clock", "limiter"];
    let rest = ["certificate", "sign-in", "descriptors", "address", "address"];
    assert_eq!(checks, [&all[..], &rest[..]].concat());
    let files = fs::read_dir(doorward.folder.path()).unwrap().count();
    assert_eq!(files, 1, "the settings alone are there");
}

#[test]
fn people_get_a_table_and_programs_what_they_ask_for() {
    let doorward = Doorward::new();
    let run = |format| doorward.run(&["--quiet", "doctor", "--dev", "--output", format]).out;

    let heads = "VERDICT  CHECK        WHERE";
    assert!(run("table").starts_with(heads), "{}", run("table"));
    let list: Vec<Value> = serde_json::from_str(&run("json")).unwrap();
    assert_eq!(list.len(), run("jsonl").lines().count());
}

#[test]
fn every_fault_of_the_settings_is_told_and_no_password() {
    let doorward = Doorward::new();
    let settings = "[rate_limit]\ntotal = -1\nredis = \"redis://:secret@host/x\"\n";

    let looked = Looked::at(&doorward, settings);

    assert_eq!(looked.code, Some(1));
    let [total, redis] = looked.of_check("settings")[..] else { panic!("{}", looked.text) };
    assert_eq!((total[0], redis[0]), ("problem", "problem"));
    assert!(total[1].starts_with("doorward.toml:2:9: rate_limit.total: "), "{}", looked.text);
    assert!(redis[1].contains("found [redacted]"), "{}", looked.text);
    assert!(!looked.text.contains("secret"), "{}", looked.text);
}

#[test]
fn a_data_folder_that_others_may_read_is_a_warning() {
    let doorward = Doorward::with_clients(&[line(1, &metadata("one"))]);
    let folder = doorward.path("doorward-data");
    let looked = Looked::at(&doorward, "");
    assert_eq!(looked.of_check("data folder")[0][0], "ok", "{}", looked.text);
    assert_eq!(looked.of_check("store")[0][0], "ok", "{}", looked.text);

    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();

    let looked = Looked::at(&doorward, "");
    assert_eq!(looked.code, Some(0));
    let expected = ["warning", "others may look into it (mode 0755)", "chmod 700 doorward-data"];
    assert_eq!(looked.of_check("data folder"), [expected]);
}

#[test]
fn clients_that_the_next_days_remove_are_counted_and_named() {
    let doorward = Doorward::with_clients(&[line(1, &metadata("one")), line(2, &metadata("two"))]);
    let previewed = |settings| {
        let looked = Looked::at(&doorward, settings);
        let found: Vec<_> = looked
            .findings
            .iter()
            .filter(|finding| finding["check"] == "clients.expiry_preview")
            .cloned()
            .collect();
        let [finding] = &*found else { panic!("{}", looked.text) };
        finding.clone()
    };

    let finding = previewed("");
    assert_eq!((&finding["verdict"], finding.get("data")), (&json!("ok"), None), "--dev");
    assert!(finding["what"].as_str().unwrap().starts_with("clients never expire"), "{finding}");

    // No server has run yet: a week that begins now ends within the next one.
    let finding = previewed("[clients]\nunused_days = 7\n");
    assert_eq!(finding["verdict"], "ok");
    assert_eq!(
        finding["what"],
        "in the next 7 days, unless they are used: 0 become dormant, 2 are removed: \
         one (removed, unused), two (removed, unused)"
    );
    let named = |number, name| json!({ "client_id": id(number), "client_name": name, "outcome": "removed", "reason": "unused" });
    let data = json!({ "days": 7, "dormant": 0, "removed": 2, "first": [named(1, "one"), named(2, "two")] });
    assert_eq!(finding["data"], data);
    let finding = previewed("[clients]\nunused_days = 8\n");
    assert_eq!((&finding["data"]["removed"], finding["advice"].as_str()), (&json!(0), None));

    let finding = previewed("[clients]\nunused_days = 7\n[sign_in]\nlocal = false\n");
    let advice = "set clients.unused_days = 0 if another server authorizes the clients";
    assert_eq!((&finding["verdict"], &finding["advice"]), (&json!("warning"), &json!(advice)));
}

#[test]
fn a_store_that_no_server_can_use_is_a_problem_with_its_remedy() {
    let doorward = Doorward::new();
    doorward.write("doorward-data", "a file");
    let looked = Looked::at(&doorward, "");
    assert_eq!(looked.of_check("data folder")[0][..2], ["problem", "it is no folder"]);

    let doorward = Doorward::new();
    fs::create_dir(doorward.path("doorward-data")).unwrap();
    doorward.write("doorward-data/doorward.sqlite3", &"no database".repeat(100));
    let looked = Looked::at(&doorward, "");
    let what = "doorward-data/doorward.sqlite3 is not a store of Doorward";
    assert_eq!(looked.problem(), ["store", what, "move it away, or name another folder"]);
}

#[test]
fn a_redis_that_does_not_count_is_a_problem_and_says_what_holds_meanwhile() {
    let doorward = Doorward::new();
    let nowhere = format!("redis = \"redis://door:hunter2@127.0.0.1:{}\"", free_port());
    let settings = format!("[rate_limit]\nwhen_unreachable = \"closed\"\ntotal = 1\n{nowhere}\n");

    let looked = Looked::at(&doorward, &settings);

    let [check, what, advice] = looked.problem();
    assert_eq!(check, "limiter");
    assert!(what.starts_with("it cannot be connected to: Connection refused"), "{what}");
    assert!(advice.ends_with("until then every registration is answered 503"), "{advice}");
    assert!(!looked.text.contains("hunter2"), "{}", looked.text);
}

#[test]
fn a_redis_is_logged_in_to_and_its_clock_compared() {
    let password = |_: &TempDir| vec!["--requirepass".to_owned(), "p@ss".to_owned()];
    let Some(redis) = Redis::with(password) else { return };
    let doorward = Doorward::new();
    let look = |password: &str| {
        let port = redis.port;
        let url = format!("redis = \"redis://:{password}@127.0.0.1:{port}\"");
        Looked::at(&doorward, &format!("[rate_limit]\ntotal = 1\n{url}\n"))
    };

    let looked = look("p%40ss");
    assert_eq!(looked.code, Some(0), "{}", looked.text);
    assert_eq!(looked.of_check("limiter")[0][..2], ["ok", "it answers, and counts"]);
    let agrees = "it agrees with the clock of this machine";
    assert_eq!(looked.of_check("clock")[1][..2], ["ok", agrees]);

    let looked = look("wr0ng");
    assert!(looked.problem()[1].starts_with("it does not do as it is asked: "), "{}", looked.text);
    assert!(!looked.text.contains("wr0ng"), "{}", looked.text);
}

#[test]
fn a_redis_that_speaks_tls_is_known_by_its_certificate() {
    let port = free_port().to_string();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let with_tls = |folder: &TempDir| {
        let file = |name: &str, text: String| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let certificate = file("tls.crt", made.cert.pem());
        let key = file("tls.key", made.signing_key.serialize_pem());
        let options =
            ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
        options.into_iter().chain(["--tls-auth-clients", "no"]).map(str::to_owned).collect()
    };
    let Some(_redis) = Redis::with(with_tls) else { return };
    let doorward = Doorward::new();
    doorward.write("trusted.pem", &made.cert.pem());
    let settings = format!("[rate_limit]\ntotal = 1\nredis = \"rediss://127.0.0.1:{port}\"\n");

    let trusting = [("SSL_CERT_FILE", "trusted.pem")];
    let looked = Looked::with(&doorward, &settings, &trusting);
    assert_eq!(looked.of_check("limiter")[0][..2], ["ok", "it answers, and counts"]);

    let looked = Looked::at(&doorward, &settings);
    assert!(looked.problem()[1].starts_with("there is no TLS with it: "), "{}", looked.text);
}

#[test]
fn a_certificate_is_known_by_its_key_its_name_and_its_end() {
    let doorward = Doorward::new();
    let settings = "[server]\nissuer = \"https://door.example\"\n[tls]\n\
                    certificate_file = \"tls.crt\"\nkey_file = \"tls.key\"\n";
    let key = KeyPair::generate().unwrap();
    doorward.write("tls.key", &key.serialize_pem());
    let in_days = |days: u64| SystemTime::now() + Duration::from_hours(24 * days + 12);
    let look = |name: &str, begins: i32, ends: SystemTime| {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(begins, 1, 1);
        params.not_after = ends.into();
        doorward.write("tls.crt", &params.self_signed(&key).unwrap().pem());
        Looked::at(&doorward, settings)
    };

    let looked = look("door.example", 2020, in_days(100));
    let [valid, named] = looked.of_check("certificate")[..] else { panic!("{}", looked.text) };
    assert_eq!((looked.code, valid[0], named[0]), (Some(0), "ok", "ok"), "{}", looked.text);
    assert_eq!(valid[1], "it fits its key and is valid for 100 days more");

    let looked = look("other.example", 2020, in_days(5));
    let [valid, named] = looked.of_check("certificate")[..] else { panic!("{}", looked.text) };
    assert_eq!((looked.code, valid[0], named[0]), (Some(0), "warning", "warning"));
    assert_eq!(valid[1], "it expires in 5 days");

    let expired = SystemTime::now() - Duration::from_secs(1);
    assert_eq!(look("door.example", 2020, expired).problem()[1], "it has expired");
    assert_eq!(look("door.example", 2999, in_days(400_000)).problem()[1], "it is not valid yet");

    doorward.write("tls.key", &KeyPair::generate().unwrap().serialize_pem());
    let looked = look("door.example", 2020, in_days(100));
    assert!(looked.problem()[1].contains("cannot be used together"), "{}", looked.text);
}

#[test]
fn a_taken_address_is_a_problem_unless_a_doorward_has_it() {
    let doorward = Doorward::new();
    let [public, management] = [free_port(), free_port()].map(|it| format!("127.0.0.1:{it}"));
    let words = ["--dev", "--listen", &public, "--management", &management];
    let look = || Looked::of(doorward.run(&[&["doctor"], &words[..]].concat()));

    let other = TcpListener::bind(&*public).unwrap();
    let advice = "stop what listens on it, or change server.listen";
    assert_eq!(look().problem(), ["address", "another program listens on it", advice]);
    drop(other);

    let server = Server::start(&doorward, &[&["serve"], &words[..]].concat(), "/register'");
    let looked = look();
    assert_eq!(looked.code, Some(0), "{}", looked.text);
    let told: Vec<_> = looked.of_check("address").iter().map(|it| it[1]).collect();
    let public = "in use: a Doorward already answers at server.management";
    assert_eq!(told, [public, "a Doorward listens on it"]);
    assert_eq!(looked.of_check("store")[0][0], "ok", "beside a server");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn the_keys_are_opened_with_the_secret_of_the_settings() {
    let doorward = Doorward::new();
    let settings = |secret: &str| format!("[token]\nkeys_secret = \"{secret}\"\n");
    let (secret, other) = ("a".repeat(32), "b".repeat(32));
    let keys = |looked: &Looked| looked.of_check("keys").concat().join(" ");
    doorward.write("doorward.toml", &settings(&secret));
    let words = ["serve", "--dev", "-c", "doorward.toml", "--listen", "127.0.0.1:0"];
    let words = [&words[..], &["--management", "127.0.0.1:0"]].concat();
    assert_eq!(Server::start(&doorward, &words, "/register'").stop().code, Some(0));

    let looked = Looked::at(&doorward, &settings(&secret));
    assert_eq!(looked.code, Some(0), "{}", looked.text);
    // Ninety days, and one on which it would only have been published, were it not the first.
    assert_eq!(keys(&looked), "ok it signs (ES256), for 91 days more; 1 published ");

    let looked = Looked::at(&doorward, &settings(&other));
    let [check, what, advice] = looked.problem();
    assert_eq!((check, looked.of_check("keys").len()), ("keys", 1));
    assert!(what.contains("is not the secret that sealed it"), "{what}");
    assert!(advice.contains("`doorward key discard`"), "{advice}");
    assert!(!looked.text.contains(&other), "{}", looked.text);

    if doorward.database.is_none() {
        let looked = Looked::at(&doorward, "");
        assert!(looked.problem()[1].contains("there is no keys.secret"), "{}", looked.text);
        assert!(!doorward.path("doorward-data/keys.secret").exists(), "nothing is made");
    }
    let looked = Looked::at(&doorward, &format!("{}algorithm = \"EdDSA\"\n", settings(&secret)));
    assert_eq!(looked.code, Some(0), "{}", looked.text);
    assert!(keys(&looked).starts_with("warning it signs, and another should"), "{}", looked.text);
}

/// A key that somebody published (RFC 7515, appendix A.3), for ES256.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// A provider that publishes what `change` makes of good metadata, and these keys.
fn provider(change: fn(&mut Value), keys: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let mut metadata = serde_json::json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "id_token_signing_alg_values_supported": ["HS256", "ES256"],
    });
    change(&mut metadata);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(connection.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let body = match head.split(' ').nth(1) {
                Some("/.well-known/openid-configuration") => metadata.to_string(),
                Some("/keys") => keys.to_owned(),
                path => panic!("nobody asks for {path:?}"),
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {length}\r\n\r\n{body}"
            );
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    issuer
}

#[test]
fn each_provider_is_asked_for_what_a_sign_in_needs() {
    let doorward = Doorward::new();
    doorward.write("secret", "of the provider");
    let look = |issuer: &str, secret: &str| {
        let settings = format!(
            "[sign_in]\nproviders = [{{ id = \"acme\", name = \"Acme\", issuer = \"{issuer}\", \
             client_id = \"doorward\", client_secret_file = \"{secret}\" }}]\n"
        );
        let more = [("DOORWARD_TOKEN__KEYS_SECRET", "a secret of thirty-two characters")];
        Looked::with(&doorward, &settings, &more)
    };
    let good = provider(|_| {}, KEYS);

    let looked = look(&good, "./secret");
    assert_eq!(looked.code, Some(0), "{}", looked.text);
    let [metadata, keys] = looked.of_check("provider")[..] else { panic!("{}", looked.text) };
    assert_eq!((metadata[0], keys[0], keys[1]), ("ok", "ok", "1 of its keys can be used"));

    let looked = look(&good, "./nowhere");
    let [check, what, advice] = looked.problem();
    assert_eq!(check, "provider");
    assert!(what.starts_with("the file with our secret cannot be read: "), "{what}");
    assert!(advice.contains("`client_secret_file`"), "{advice}");

    let nobody = format!("http://127.0.0.1:{}", free_port());
    assert_eq!(look(&nobody, "./secret").problem()[0], "provider");
    let words = ["doctor", "--dev", "--config", "doorward.toml", "--offline"];
    let addresses = ["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let mut offline = doorward.command(&[&words[..], &addresses].concat());
    offline.env("DOORWARD_TOKEN__KEYS_SECRET", "a secret of thirty-two characters");
    let looked = Looked::of(Ran::of(offline.spawn().unwrap()));
    assert_eq!(looked.code, Some(0), "{}", looked.text);
    assert_eq!(looked.of_check("provider"), [["ok", "they are not asked (--offline)", ""]]);
    for (issuer, told, advised) in [
        (&*nobody, "its metadata could not be fetched: ", "to names and networks"),
        (&provider(|it| it["issuer"] = "http://127.0.0.1".into(), KEYS), "another issuer", "byte"),
        (&provider(|it| it["token_endpoint"] = "ftp://x".into(), KEYS), "token_endpoint", "https"),
        (
            &provider(|it| it["id_token_signing_alg_values_supported"] = "HS256".into(), KEYS),
            "nothing that is accepted",
            "ES256",
        ),
        (&provider(|_| {}, "{}"), "its keys cannot be read", "jwks_uri"),
        (&provider(|_| {}, r#"{"keys":[]}"#), "none of its keys fits", "jwks_uri"),
        (
            &provider(
                |it| it["id_token_signing_alg_values_supported"] = vec!["RS256"].into(),
                KEYS,
            ),
            "none of its keys fits",
            "jwks_uri",
        ),
    ] {
        let looked = look(issuer, "./secret");
        let [check, what, advice] = looked.problem();
        assert_eq!(check, "provider");
        assert!(what.contains(told), "{what}");
        assert!(advice.contains(advised), "{advice}");
    }
}

#[test]
fn doctor_tells_of_webhooks_that_fail_and_secrets_that_cannot_be_read() {
    let doorward = Doorward::new();
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    doorward.write("webhook.secret", secret);
    let settings = "[[webhooks]]\nname = 'audit'\nurl = 'https://hooks.example.com/a-secret-path'\n\
        secret_file = './webhook.secret'\n";
    let looked = Looked::at(&doorward, settings);
    assert_eq!(looked.of_check("webhook"), [["ok", "it begins when a server starts", ""]]);
    let secrets = looked.of_check("secrets");
    assert!(
        secrets.iter().any(|[_, what, _]| what.contains("webhooks[0].secret_file")),
        "{secrets:?}"
    );

    in_store(&doorward, async |store| {
        store.begin_webhooks(vec!["audit".to_owned()]).await.unwrap();
    });
    assert_eq!(Looked::at(&doorward, settings).of_check("webhook")[0][0], "ok");
    in_store(&doorward, async |store| {
        let at = Timestamp::from_millis(1_800_000_000_000);
        store.note_webhook_failure("audit", at, "status 500".to_owned()).await.unwrap();
    });
    let looked = Looked::at(&doorward, settings);
    let [verdict, what, advice] = looked.of_check("webhook")[0];
    assert_eq!(
        (verdict, what),
        ("warning", "1 attempt failed since 2027-01-15T08:00:00Z: status 500")
    );
    assert!(advice.contains("receiver"), "{advice}");

    in_store(&doorward, async |store| {
        store.begin_webhooks(Vec::new()).await.unwrap();
        store.begin_webhooks(vec!["audit".to_owned()]).await.unwrap();
        let at = Timestamp::from_millis(1_500_000_000_000);
        store.note_webhook_failure("audit", at, "status 500".to_owned()).await.unwrap();
    });
    for (keep_days, expected) in [(400, true), (0, false)] {
        let settings = format!("{settings}[audit]\nkeep_days = {keep_days}\n");
        let looked = Looked::at(&doorward, &settings);
        let [verdict, what, _] = looked.of_check("webhook")[0];
        assert_eq!(
            (verdict, what.contains("400 days are deleted")),
            ("warning", expected),
            "{what}"
        );
    }

    doorward.write("webhook.secret", "hunter2");
    let looked = Looked::at(&doorward, settings);
    let [check, what, advice] = looked.problem();
    assert!(
        check == "webhook" && what.contains("whsec_") && advice.contains("openssl"),
        "{what} {advice}"
    );
    assert!(
        !looked.text.contains("hunter2") && !looked.text.contains("a-secret-path"),
        "{}",
        looked.text
    );
}
