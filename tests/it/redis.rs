//! A Redis of the test's own, on a free loopback port, in a folder that goes away with it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::left_out::left_out;

/// Longer than a server takes to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is killed when dropped.
pub(crate) struct Redis {
    folder: TempDir,
    pub(crate) port: u16,
    options: Vec<String>,
    running: Option<Child>,
}

impl Redis {
    /// `None`, said loudly, where there is no `redis-server`.
    pub(crate) fn start() -> Option<Self> {
        Self::with(|_| Vec::new())
    }

    /// With options that may name files in its folder.
    pub(crate) fn with(options: impl FnOnce(&TempDir) -> Vec<String>) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let options = options(&folder);
        let mut redis = Self { folder, port: free_port(), options, running: None };
        redis.restart().then_some(redis)
    }

    /// Runs it, on the port it had before; whether it could be run.
    pub(crate) fn restart(&mut self) -> bool {
        self.kill();
        let began = Instant::now();
        loop {
            let ended = self.running.as_mut().is_none_or(|it| it.try_wait().unwrap().is_some());
            if ended {
                match self.command().spawn() {
                    Ok(child) => self.running = Some(child),
                    Err(error) => {
                        left_out(&format!(
                            "limits shared in Redis (redis-server does not start: {error})"
                        ));
                        return false;
                    }
                }
            }
            sleep(Duration::from_millis(5));
            if TcpStream::connect(self.address()).is_ok() {
                return true;
            }
            assert!(began.elapsed() < PATIENCE, "redis-server does not start");
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path())
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it stand still, or go on.
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.running.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// The first line of the answer to a command.
    pub(crate) fn ask(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(self.address()).unwrap();
        connection.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// How many connections there are beside the one that asks.
    pub(crate) fn connections(&self) -> usize {
        let mut connection = TcpStream::connect(self.address()).unwrap();
        connection.write_all(b"CLIENT LIST\r\nQUIT\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.lines().filter(|line| line.starts_with("id=")).count() - 1
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that was free just now, and that the system gives to nobody who does not ask for it: it is
/// still free when it is wanted again.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 1_000;
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + u16::try_from(first).unwrap() * 11 + next % 1_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
