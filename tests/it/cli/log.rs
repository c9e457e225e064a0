//! The log of a server whose stderr is not read.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    time::{Duration, Instant},
};

use super::Doorward;
use crate::redis::free_port;

/// Longer than anything takes that the test waits for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks for a path that is not there, many times on one connection, and reads every answer.
fn ask(address: SocketAddr, times: usize) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answers = BufReader::new(connection.try_clone().unwrap());
    for _ in 0..times {
        connection.write_all(b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            answers.read_line(&mut line).expect("the server answers although its log is stuck");
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        answers.read_exact(&mut vec![0; length]).unwrap();
    }
}

fn dropped(management: SocketAddr) -> u64 {
    let mut connection = TcpStream::connect(management).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut page = String::new();
    connection.read_to_string(&mut page).unwrap();
    let value =
        page.lines().find_map(|line| line.strip_prefix("doorward_log_lines_dropped_total "));
    value.unwrap().parse().unwrap()
}

#[test]
fn a_log_that_is_not_read_stops_nothing_and_says_later_what_is_missing() {
    let doorward = Doorward::new();
    let [listen, management] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
    let (public, private) = (listen.to_string(), management.to_string());
    let words = ["serve", "--dev", "--listen", &public, "--management", &private];
    let mut child = doorward.command(&words).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while TcpStream::connect(listen).is_err() {
        assert!(began.elapsed() < PATIENCE, "the server does not start");
    }

    // The pipe takes the first lines, the queue some thousand more.
    let began = Instant::now();
    while dropped(management) == 0 {
        assert!(began.elapsed() < PATIENCE, "no line is dropped");
        ask(listen, 1_000);
    }
    ask(listen, 1_000);
    let dropped = dropped(management);
    assert!(dropped >= 1_000, "{dropped}");

    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = log.find(|line| line.as_ref().unwrap().contains("log lines were dropped"));
    let told: serde_json::Value = serde_json::from_str(&told.unwrap().unwrap()).unwrap();
    assert_eq!((&told["level"], told["lines"].as_u64()), (&"WARN".into(), Some(dropped)));
    child.kill().unwrap();
    child.wait().unwrap();
}
