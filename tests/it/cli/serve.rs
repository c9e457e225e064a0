//! `doorward serve`, and the other commands beside it.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    process::ChildStdout,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::redis::Redis;

/// A server that has said that it is ready. Killed when a test ends without stopping it.
pub(super) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    /// The lines up to the last one that is expected.
    pub(super) announced: Vec<String>,
}

impl Server {
    /// Runs `words` and reads what is announced, until a line that contains `last`.
    pub(super) fn start(doorward: &Doorward, words: &[&str], last: &str) -> Self {
        Self::run(doorward, doorward.command(words), last)
    }

    /// The same of a command that was given more.
    pub(super) fn run(doorward: &Doorward, mut command: Command, last: &str) -> Self {
        let log = fs::File::create(doorward.path("log")).unwrap();
        let mut child = command.stderr(log).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut announced: Vec<String> = Vec::new();
        while !announced.last().is_some_and(|line| line.contains(last)) {
            let mut line = String::new();
            let read = out.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "the server ended: {announced:?} {}", doorward.read("log"));
            announced.push(line);
        }
        Self { child, out, announced }
    }

    fn dev(doorward: &Doorward) -> Self {
        let words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
        Self::start(doorward, &words, "/register'")
    }

    pub(super) fn stop(mut self) -> Ran {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let out = drain(&mut self.out);
        Ran { code: self.child.wait().unwrap().code(), out, err: String::new() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(super) fn sh(line: &str) -> Ran {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ran::of(shell.spawn().unwrap())
}

#[test]
fn the_printed_curl_line_registers_a_client_that_every_command_sees_at_once() {
    if !is_in_path("curl") {
        left_out("the commands that a server prints (there is no curl)");
        return;
    }
    let doorward = Doorward::new();
    let server = Server::dev(&doorward);

    let answer: Value =
        serde_json::from_str(&sh(server.announced.last().unwrap()).result()).unwrap();

    let client_id = answer["client_id"].as_str().unwrap();
    let listed = doorward.run(&["client", "list"]).lines();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["client_id"], client_id);
    assert_eq!(listed[0]["metadata"]["client_name"], answer["client_name"]);
    let got = doorward.run(&["client", "get", client_id]).lines().remove(0);
    assert_eq!(got["metadata"], listed[0]["metadata"]);
    assert_eq!(doorward.run(&["store", "check"]).code, Some(0));
    assert_eq!(doorward.run(&["store", "backup", "copy"]).code, Some(0));
    assert_eq!(doorward.run(&["-q", "client", "delete", "--yes", client_id]).result(), "");
    let imported = doorward.run_with(&["client", "import", "-"], &line(1, &metadata("one")));
    assert_eq!(imported.result(), "Imported: 1. There already: 0. Refused: 0.\n");
    assert_eq!(sh(server.announced.last().unwrap()).code, Some(0), "it still registers");
    assert_eq!(doorward.run(&["client", "list"]).lines().len(), 2);

    assert_eq!(server.stop().result(), "");
    assert_eq!(doorward.run(&["client", "list"]).lines().len(), 2);
}

#[test]
fn a_server_for_development_prints_a_line_that_lists_clients() {
    if !is_in_path("curl") {
        left_out("the commands that a server prints (there is no curl)");
        return;
    }
    let doorward = Doorward::new();
    let list = |server: &Server| {
        let line = server.announced.iter().find(|line| line.contains("/api/v2/oauth2/clients"));
        serde_json::from_str::<Value>(&sh(line.unwrap()).result()).unwrap()
    };
    let first = Server::dev(&doorward);
    sh(first.announced.last().unwrap()).result();
    assert_eq!(list(&first)["data"][0]["attributes"]["name"], "My first client");
    let announced = first.announced.clone();
    assert_eq!(first.stop().result(), "");

    let second = Server::dev(&doorward);
    assert_ne!(announced, second.announced);
    assert_eq!(list(&second)["data"].as_array().unwrap().len(), 1);
    let tokens = doorward.run(&["-q", "operator", "token", "list"]).lines();
    assert_eq!(tokens.len(), 1, "the last one is revoked: {tokens:?}");
    assert_eq!(tokens[0]["role"], "admin");
}

#[test]
fn a_server_says_where_it_listens_and_keeps_clients() {
    let doorward = Doorward::new();
    doorward.write("doorward.toml", "[server]\nissuer = \"http://localhost:8080\"\n");
    let words = [
        "serve",
        "-c",
        "doorward.toml",
        "--data",
        "kept",
        "--listen",
        "127.0.0.1:0",
        "--management",
        "127.0.0.1:0",
    ];
    let server = Server::start(&doorward, &words, "Health");

    let said = server.announced.concat();
    assert!(said.starts_with("Clients register at http://127.0.0.1:"), "{said}");
    assert!(said.contains(" and are kept in kept.\n"), "{said}");
    assert!(doorward.path("kept/doorward.sqlite3").exists());
    assert_eq!(server.stop().result(), "", "no curl line without --dev");
}

#[test]
fn a_second_server_on_a_folder_is_told_of_the_first() {
    let doorward = Doorward::new();
    let server = Server::dev(&doorward);

    let words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let complaint = doorward.run(&words).complaint(1);

    assert!(complaint.contains("another server uses the data folder doorward-data"), "{complaint}");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_taken_port_is_told_with_the_flag_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let doorward = Doorward::new();
    for (flag, other) in [("--listen", "--management"), ("--management", "--listen")] {
        let words = ["serve", "--dev", flag, &address, other, "127.0.0.1:0"];

        let complaint = doorward.run(&words).complaint(1);

        let expected = format!("cannot listen on {address} ");
        assert!(complaint.contains(&expected) && complaint.contains(flag), "{complaint}");
    }
}

#[test]
fn a_quiet_server_announces_nothing() {
    let doorward = Doorward::new();
    let words =
        ["--quiet", "serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let log = fs::File::create(doorward.path("log")).unwrap();
    let child = doorward.command(&words).stderr(log).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // A signal before it is ready would end it the hard way.
    let started = Instant::now();
    while !doorward.read("log").contains("listening") {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", doorward.read("log"));
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(pid, Signal::TERM).unwrap();

    assert_eq!(Ran::of(child).result(), "");
}

#[test]
fn a_loss_of_redis_and_its_return_are_logged_once_each_and_no_password() {
    let password = |_: &TempDir| vec!["--requirepass".to_owned(), "s3cret".to_owned()];
    let Some(mut redis) = Redis::with(password) else { return };
    let doorward = Doorward::new();
    let url = format!("redis://:s3cret@127.0.0.1:{}", redis.port);
    doorward.write("doorward.toml", &format!("[rate_limit]\ntotal = 9\nredis = \"{url}\"\n"));
    let words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let words = [&words[..], &["--config", "doorward.toml"]].concat();
    let server = Server::start(&doorward, &words, "/register'");
    let logged = |message: &str| doorward.read("log").matches(message).count();
    let wait = |message: &str, times: usize| {
        let started = Instant::now();
        while logged(message) < times {
            assert!(started.elapsed() < Duration::from_secs(30), "{}", doorward.read("log"));
            std::thread::sleep(Duration::from_millis(5));
        }
    };

    wait("limits are shared", 1);
    redis.kill();
    // Two attempts that lead nowhere.
    let nobody = TcpListener::bind(("127.0.0.1", redis.port)).unwrap();
    for _ in 0..2 {
        drop(nobody.accept().unwrap());
    }
    drop(nobody);
    assert!(redis.restart());
    wait("limits are shared", 2);
    assert_eq!(server.stop().code, Some(0));

    assert_eq!((logged("limits are shared"), logged("limits are not shared")), (2, 1));
    assert!(doorward.read("log").contains("redis://:[redacted]@127.0.0.1"));
    assert_eq!(logged("s3cret"), 0, "{}", doorward.read("log"));
}

#[test]
fn protect_guards_each_upstream_below_the_address_of_the_listener() {
    let doorward = Doorward::new();
    // A port that was free a moment ago: clients are told of it before the server listens.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = free.to_string();
    let words = [
        "serve",
        "--dev",
        "--listen",
        &listen,
        "--management",
        "127.0.0.1:0",
        "--protect",
        "http://127.0.0.1:1/mcp",
        "--protect",
        "http://127.0.0.1:1/other/mcp",
    ];
    let server = Server::start(&doorward, &words, &format!("mcp-remote http://{listen}/other/mcp"));
    let announced = server.announced.concat();
    for line in [
        format!("Give clients this address: http://{listen}/mcp\n"),
        format!("claude mcp add --transport http dev http://{listen}/mcp\n"),
        format!("{{\"name\":\"dev2\",\"type\":\"http\",\"url\":\"http://{listen}/other/mcp\"}}"),
    ] {
        assert!(announced.contains(&line), "{line}: {announced}");
    }
    let ask = |path: &str| {
        let mut connection = std::net::TcpStream::connect(free).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {listen}\r\nconnection: close\r\n\r\n");
        std::io::Write::write_all(&mut connection, request.as_bytes()).unwrap();
        std::io::read_to_string(connection).unwrap()
    };
    let metadata = format!("http://{listen}/.well-known/oauth-protected-resource/mcp");
    let challenged = ask("/mcp/below");
    assert!(challenged.starts_with("HTTP/1.1 401 "), "{challenged}");
    assert!(challenged.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenged}");
    let document = ask("/.well-known/oauth-protected-resource/mcp");
    assert!(document.contains(&format!("\"resource\":\"http://{listen}/mcp\"")), "{document}");
    assert!(ask("/mcpx").starts_with("HTTP/1.1 404 "));
    drop(server);
}

#[test]
fn protect_refuses_what_covers_a_path_of_its_own_and_proposes_another() {
    let doorward = Doorward::new();
    for (upstream, covered) in
        [("http://127.0.0.1:3000", "/"), ("http://127.0.0.1:3000/api", "/api")]
    {
        let ran = doorward.run(&["serve", "--dev", "--protect", upstream]);
        assert_ne!(ran.code, Some(0));
        assert!(ran.err.contains(covered) && ran.err.contains("/mcp"), "{}", ran.err);
        assert!(ran.err.contains("a host of its own"), "{}", ran.err);
    }
    let twice = ["http://127.0.0.1:3000/mcp", "http://127.0.0.1:3000/mcp/"];
    let ran = doorward.run(&["serve", "--dev", "--protect", twice[0], "--protect", twice[1]]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.err.contains("/mcp is the same resource"), "{}", ran.err);
    let ran = doorward.run(&["serve", "--dev", "--protect", "ftp://127.0.0.1/mcp"]);
    assert!(ran.err.contains("--protect") && ran.err.contains("http or https URL"), "{}", ran.err);
}
