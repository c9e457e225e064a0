//! `HAProxy`, with the configuration and the script of `docs/protect/haproxy.md`.

use std::{fs, net::SocketAddr, process::Command};

use super::{
    bearer, config,
    proxies::{self, Proxy},
    token,
};
use crate::{harness::TestServer, left_out::left_out};

/// `None` where `HAProxy` is not installed. TLS is left out.
async fn start(doorward: SocketAddr, upstream: SocketAddr) -> Option<Proxy> {
    let program = proxies::installed(&["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"])?;
    let folder = tempfile::tempdir().unwrap();
    let address = proxies::free_address().await;
    let script = folder.path().join("doorward.lua");
    fs::write(&script, proxies::documented("haproxy.md", "lua", doorward, upstream)).unwrap();
    let text = proxies::documented("haproxy.md", "haproxy", doorward, upstream)
        .replace("/etc/haproxy/doorward.lua", &script.display().to_string())
        .replace(":443 ssl crt /etc/haproxy/tools.example.pem", &address.to_string());
    let file = folder.path().join("haproxy.cfg");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.args(["-db", "-f"]).arg(&file);
    Some(proxies::start(command, address, folder).await)
}

#[tokio::test]
async fn haproxy_carries_out_what_the_guard_decides() {
    let server = TestServer::with(config()).await;
    let Some(haproxy) = start(server.public, proxies::upstream().await).await else {
        left_out("the guard behind HAProxy (it is not installed)");
        return;
    };
    let own = bearer(&token(&server).await.0);
    let other = haproxy.ask("GET /mcp", &format!("{own}host: other.example\r\n")).await;
    assert!(other.starts_with("http/1.1 403"), "{other}");
    let guard = haproxy.ask("GET /guard/forwarded/tools", &own).await;
    assert!(guard.starts_with("http/1.1 403"), "{guard}");
    let absolute = haproxy.ask("GET http://tools.example/mcp/a", &own).await;
    assert!(absolute.contains("get /mcp/a http/1.1"), "{absolute}");
    haproxy.forged_identity_stops_on_public_paths().await;
    haproxy.carries_out_decisions(&server).await;
}

#[tokio::test]
async fn haproxy_lets_nothing_through_while_the_guard_is_down() {
    let Some(haproxy) = start(proxies::free_address().await, proxies::upstream().await).await
    else {
        left_out("the guard behind HAProxy (it is not installed)");
        return;
    };
    let answer = haproxy.ask("GET /healthz", "").await;
    assert!(answer.starts_with("http/1.1 503"), "{answer}");
}
