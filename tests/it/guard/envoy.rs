//! Envoy, with the configurations of `docs/protect/envoy.md` and `docs/protect/envoy-grpc.md`.

use std::{fs, net::SocketAddr, process::Command};

use doorward::config::Config;

use super::{
    config, listening,
    proxies::{self, Proxy},
};
use crate::{harness::TestServer, left_out::left_out};

/// `None` where Envoy is not installed. TLS is left out.
async fn start(page: &str, doorward: SocketAddr, upstream: SocketAddr) -> Option<Proxy> {
    let program = proxies::installed(&["tests/proxies/.cache/python/bin/envoy"])?;
    let folder = tempfile::tempdir().unwrap();
    let address = proxies::free_address().await;
    let text = proxies::documented(page, "yaml", doorward, upstream);
    let is_plain = |line: &&str| !line.trim_start().starts_with("transport_socket:");
    let lines: Vec<&str> = text.lines().filter(is_plain).collect();
    let socket =
        |address: SocketAddr| format!("address: {}, port_value: {}", address.ip(), address.port());
    let text = lines
        .join("\n")
        .replace("address: 0.0.0.0, port_value: 443", &socket(address))
        .replace("address: 127.0.0.1, port_value: 8080", &socket(doorward))
        .replace("address: 127.0.0.1, port_value: 9080", &socket(doorward))
        .replace("address: 127.0.0.1, port_value: 3000", &socket(upstream));
    let file = folder.path().join("envoy.yaml");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(&file).args(["--concurrency", "1", "--disable-hot-restart"]);
    command.args(["--log-level", "error"]);
    Some(proxies::start(command, address, folder).await)
}

#[tokio::test]
async fn envoy_carries_out_what_the_guard_decides() {
    carried_out("envoy.md", config()).await;
}

#[tokio::test]
async fn envoy_carries_out_over_grpc_what_the_guard_decides() {
    carried_out("envoy-grpc.md", listening()).await;
}

async fn carried_out(page: &str, config: Config) {
    let server = TestServer::with(config).await;
    let asked = server.guard.unwrap_or(server.public);
    let Some(envoy) = start(page, asked, proxies::upstream().await).await else {
        left_out("the guard behind Envoy (it is not installed)");
        return;
    };
    let other = envoy.ask("GET /mcp", "host: other.example\r\n").await;
    assert!(other.starts_with("http/1.1 404"), "{other}");
    envoy.forged_identity_stops_on_public_paths().await;
    envoy.carries_out_decisions(&server).await;
}

#[tokio::test]
async fn envoy_lets_nothing_through_while_the_guard_is_down() {
    for (page, config) in [("envoy.md", config()), ("envoy-grpc.md", listening())] {
        let server = TestServer::with(config).await;
        let asked = server.guard.unwrap_or(server.public);
        let Some(envoy) = start(page, asked, proxies::upstream().await).await else {
            left_out("the guard behind Envoy (it is not installed)");
            return;
        };
        server.stop().await;
        let answer = envoy.ask("GET /healthz", "").await;
        assert!(answer.starts_with("http/1.1 503"), "{page}: {answer}");
        assert!(!answer.contains("get /healthz"), "{page}: {answer}");
    }
}
