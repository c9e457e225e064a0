//! `doorward key`: which keys there are, another one before it is time, and none of those there were.

use std::net::TcpStream;

use super::{serve::Server, *};

/// A server that has run once, so that there is a key.
fn with_a_key() -> Doorward {
    let doorward = Doorward::new();
    let secret = "of a test, and longer than 32 characters";
    doorward.write("doorward.toml", &format!("[token]\nkeys_secret = \"{secret}\"\n"));
    assert_eq!(serve(&doorward).stop().code, Some(0));
    doorward
}

fn serve(doorward: &Doorward) -> Server {
    let addresses = ["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let words = [&["serve", "--dev", "-c", "doorward.toml"][..], &addresses].concat();
    Server::start(doorward, &words, "/register'")
}

/// The `kid` of each key that is kept, oldest first.
fn kept(doorward: &Doorward) -> Vec<String> {
    let words = ["key", "list", "--output", "json", "-c", "doorward.toml"];
    let keys = doorward.run(&words).lines().remove(0);
    keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn rotate(doorward: &Doorward, more: &[&str]) -> Ran {
    doorward.run(&[&["key", "rotate", "-c", "doorward.toml"], more].concat())
}

/// What a server publishes.
fn published(server: &Server) -> Value {
    let address = server.announced[0].split("http://").nth(1).unwrap().split(' ').next().unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    let ask = "GET /oauth2/jwks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    connection.write_all(ask.as_bytes()).unwrap();
    let answer = drain(connection);
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn another_key_is_made_once_and_published_beside_the_one_that_signs() {
    let doorward = with_a_key();
    let before = kept(&doorward);
    assert_eq!(before.len(), 1);

    let said = rotate(&doorward, &["--yes"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let after = kept(&doorward);
    assert_eq!((after.len(), &after[0]), (2, &before[0]));
    assert!(said.err.starts_with(&format!("Made key {} (ES256), which signs from ", after[1])));

    let again = rotate(&doorward, &["--yes"]);
    assert_eq!((again.code, &*again.out), (Some(3), ""), "{again:?}");
    assert!(again.err.contains(&format!("Key {} (ES256) waits already", after[1])), "{again:?}");
    assert_eq!(kept(&doorward), after);

    let server = serve(&doorward);
    let kids: Vec<Value> = published(&server)["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].clone())
        .collect();
    assert_eq!(kids, after);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn nothing_is_rotated_unasked_without_a_key_or_with_another_secret() {
    let doorward = with_a_key();
    let before = kept(&doorward);
    let ran = rotate(&doorward, &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");

    let settings = doorward.read("doorward.toml");
    doorward.write("doorward.toml", &settings.replace("of a test", "of others"));
    let complaint = rotate(&doorward, &["--yes"]).complaint(1);
    assert!(complaint.contains("is not the secret that sealed it"), "{complaint}");
    assert_eq!(kept(&doorward), before);

    let discard = ["--quiet", "key", "discard", "--yes", "-c", "doorward.toml"];
    assert_eq!(doorward.run(&discard).result(), "");
    let complaint = rotate(&doorward, &["--yes"]).complaint(1);
    assert!(complaint.contains("there is no signing key yet"), "{complaint}");
    assert!(kept(&doorward).is_empty());
}
