//! Caddy, with the configuration of `docs/protect/caddy.md`.

use std::{fs, net::SocketAddr, process::Command};

use super::{
    bearer, config,
    proxies::{self, Proxy},
    token,
};
use crate::{harness::TestServer, left_out::left_out};

/// `None` where Caddy is not installed. TLS is left out.
async fn start(doorward: SocketAddr, upstream: SocketAddr) -> Option<Proxy> {
    let program = proxies::installed(&["tests/proxies/.cache/python/bin/caddy"])?;
    let folder = tempfile::tempdir().unwrap();
    let address = proxies::free_address().await;
    let site = proxies::documented("caddy.md", "caddy", doorward, upstream)
        .replace("tools.example {", &format!("http://tools.example:{} {{", address.port()));
    let text = format!(
        "{{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n\
         \tlog {{\n\t\tlevel ERROR\n\t}}\n}}\n{site}"
    );
    let file = folder.path().join("Caddyfile");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(&file).args(["--adapter", "caddyfile"]);
    command.env("HOME", folder.path());
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
    Some(proxies::start(command, address, folder).await)
}

#[tokio::test]
async fn caddy_carries_out_what_the_guard_decides() {
    let server = TestServer::with(config()).await;
    let Some(caddy) = start(server.public, proxies::upstream().await).await else {
        left_out("the guard behind Caddy (it is not installed)");
        return;
    };
    let own = bearer(&token(&server).await.0);
    // Caddy itself answers for hosts that it does not serve.
    let other = caddy.ask("GET /mcp", &format!("{own}host: other.example\r\n")).await;
    assert!(!other.contains("get /mcp"), "{other}");
    let guard = caddy.ask("GET /guard/forwarded/tools", &own).await;
    assert!(guard.starts_with("http/1.1 403"), "{guard}");
    caddy.forged_identity_stops_on_public_paths().await;
    caddy.carries_out_decisions(&server).await;
}
