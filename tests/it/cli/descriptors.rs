//! A low limit of open files: strangers have fewer connections, and everything else works.

use std::{
    io::{self, BufRead as _, BufReader},
    net::TcpStream,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{serve::Server, *};
use crate::redis::free_port;

/// A command with this limit.
fn limited(doorward: &Doorward, limit: &str, words: &[&str]) -> Command {
    let mut command = doorward.command(&[]);
    let plain = std::mem::replace(&mut command, Command::new("sh"));
    command.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
    command.arg(plain.get_program()).args(words).current_dir(doorward.folder.path()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The status of an answer within a few seconds.
fn status(port: u16, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.split(' ').nth(1).unwrap_or_default().to_owned())
}

#[test]
fn with_few_descriptors_a_flood_of_connections_takes_none_from_the_store_or_the_operator() {
    let doorward = Doorward::new();
    let [public, management] = [free_port(), free_port()];
    let addresses = [public, management].map(|port| format!("127.0.0.1:{port}"));
    let words = ["serve", "--dev", "--listen", &addresses[0], "--management", &addresses[1]];
    let server = Server::run(&doorward, limited(&doorward, "256", &words), "/register'");

    // Each is in the middle of a head, so that none of them idles.
    let flood: Vec<TcpStream> = (0..400)
        .filter_map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", public)).ok()?;
            stream.write_all(b"GET / HTTP/1.1\r\n").ok()?;
            Some(stream)
        })
        .collect();
    for path in ["/livez", "/readyz", "/metrics"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(status(management, &request).unwrap(), "200", "{path}");
    }
    drop(flood);
    let body = r#"{"redirect_uris":["https://app.example/cb"]}"#;
    let register = format!(
        "POST /register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    // The server sees within a moment that the flood is over.
    let began = Instant::now();
    while status(public, &register).ok().as_deref() != Some("201") {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody can register any more");
        sleep(Duration::from_millis(20));
    }
    server.stop();
    let log = doorward.read("log");
    let clamped = "the limit of open files allows fewer connections than connections.max";
    assert!(log.contains(clamped), "{log}");
    assert!(!log.contains("could not be accepted"), "{log}");
}

#[test]
fn doctor_says_how_many_connections_the_limit_of_open_files_allows() {
    let doorward = Doorward::new();
    let addresses = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let words = ["doctor", "--dev", "--listen", &addresses[0], "--management", &addresses[1]];
    let found = |limit| {
        let ran = Ran::of(limited(&doorward, limit, &words).spawn().unwrap());
        let mut lines = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let finding = lines.find(|finding| finding["check"] == "descriptors").expect(&ran.out);
        ["verdict", "what", "advice"]
            .map(|key| finding[key].as_str().unwrap_or_default().to_owned())
    };
    let [verdict, what, advice] = found("256");
    assert_eq!(verdict, "warning");
    assert!(what.contains("the limit of 256 allows"), "{what}");
    assert!(advice.contains("LimitNOFILE"), "{advice}");
    assert_eq!(found("8192")[0], "ok");
}
