//! nginx, with the configuration of `docs/protect/nginx.md`.

use std::{fs, net::SocketAddr, process::Command};

use super::{
    bearer, config,
    proxies::{self, Proxy},
    token,
};
use crate::{harness::TestServer, left_out::left_out};

/// `None` where nginx is not installed. TLS is left out.
async fn start(doorward: SocketAddr, upstream: SocketAddr) -> Option<Proxy> {
    let program =
        proxies::installed(&["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"])?;
    let folder = tempfile::tempdir().unwrap();
    let address = proxies::free_address().await;
    let place = folder.path().display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {place}/{name};"))
        .join("\n");
    let server = proxies::documented("nginx.md", "nginx", doorward, upstream);
    let lines = server.lines().filter(|line| !line.trim_start().starts_with("ssl_"));
    let lines: Vec<&str> = lines.collect();
    let server = lines.join("\n").replace("listen 443 ssl;", &format!("listen {address};"));
    let text = format!(
        "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}{server}\n}}\n"
    );
    let file = folder.path().join("nginx.conf");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-p").arg(folder.path()).arg("-c").arg(&file).arg("-e").arg("stderr");
    Some(proxies::start(command, address, folder).await)
}

#[tokio::test]
async fn nginx_carries_out_what_the_guard_decides() {
    let server = TestServer::with(config()).await;
    let Some(nginx) = start(server.public, proxies::upstream().await).await else {
        left_out("the guard behind nginx (it is not installed)");
        return;
    };
    let own = bearer(&token(&server).await.0);
    let other = nginx.ask("GET /mcp", &format!("{own}host: other.example\r\n")).await;
    assert!(other.starts_with("http/1.1 403"), "{other}");
    assert!(nginx.ask("GET /guard", &own).await.starts_with("http/1.1 404"));
    nginx.carries_out_decisions(&server).await;
}
