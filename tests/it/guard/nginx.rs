//! A real nginx in front of a tiny upstream, with the configuration of `docs/protect/nginx.md`.

use crate::harness::by;
use doorward::audit::Action;
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{METADATA, bearer, config, token};
use crate::harness::{TestServer, read_end};

/// nginx, until the test ends.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The configuration of the document, for these addresses. TLS is left out.
fn documented(listen: SocketAddr, doorward: SocketAddr, upstream: SocketAddr) -> String {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protect/nginx.md");
    let text = fs::read_to_string(document).unwrap();
    let block = text.split_once("```nginx\n").unwrap().1.split_once("```").unwrap().0;
    let lines = block.lines().filter(|line| !line.trim_start().starts_with("ssl_"));
    let lines: Vec<&str> = lines.collect();
    lines
        .join("\n")
        .replace("listen 443 ssl;", &format!("listen {listen};"))
        .replace("127.0.0.1:8080", &doorward.to_string())
        .replace("127.0.0.1:3000", &upstream.to_string())
        .replace("mcp.example.com", "tools.example")
}

/// `None` where nginx is not installed.
async fn start(doorward: SocketAddr, upstream: SocketAddr) -> Option<Nginx> {
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
    let program = program.into_iter().find(|path| Path::new(path).exists())?;
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let place = folder.path().display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {place}/{name};"))
        .join("\n");
    let server = documented(address, doorward, upstream);
    let text = format!(
        "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}{server}\n}}\n"
    );
    let file = folder.path().join("nginx.conf");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-p").arg(folder.path()).arg("-c").arg(&file).arg("-e").arg("stderr");
    let child = command.stdin(Stdio::null()).spawn().unwrap();
    let nginx = Nginx { child, address, _folder: folder };
    for _ in 0..500 {
        if TcpStream::connect(address).await.is_ok() {
            return Some(nginx);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nginx does not start");
}

/// An upstream that answers with the head that it got.
async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = Vec::new();
            let mut buffer = [0; 4096];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match connection.read(&mut buffer).await {
                    Ok(1..) => head.extend_from_slice(&buffer),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&head).replace('\0', "");
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                text.len()
            );
            drop(connection.write_all(answer.as_bytes()).await);
        }
    });
    address
}

/// What nginx answers, in lower case.
async fn ask(nginx: &Nginx, line: &str, headers: &str) -> String {
    let mut connection = TcpStream::connect(nginx.address).await.unwrap();
    let host = if headers.contains("host:") { "" } else { "host: tools.example\r\n" };
    let request = format!("{line} HTTP/1.1\r\n{host}connection: close\r\n{headers}\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    read_end(&mut connection).await.to_lowercase()
}

#[tokio::test]
async fn nginx_carries_out_what_the_guard_decides() {
    let server = TestServer::with(config()).await;
    let Some(nginx) = start(server.public, upstream().await).await else {
        eprintln!("LEFT OUT: nginx is not installed");
        return;
    };
    let (token, grant) = token(&server).await;
    let own = bearer(&token);

    let forged = "doorward-assertion: forged\r\ndoorward_assertion: forged\r\nx-original-url: \
        https://tools.example/healthz\r\nx-original-method: GET\r\n";
    let allowed = ask(&nginx, "GET /mcp/a?b=%2F", &format!("{own}{forged}")).await;
    assert!(allowed.starts_with("http/1.1 200"), "{allowed}");
    assert!(allowed.contains("get /mcp/a?b=%2f http/1.1"), "{allowed}");
    assert_eq!(allowed.matches("doorward-assertion: ey").count(), 1, "{allowed}");
    for gone in ["authorization:", "forged", "x-original-"] {
        assert!(!allowed.contains(gone), "{gone}: {allowed}");
    }

    let challenged = ask(&nginx, "POST /mcp", "content-length: 0\r\n").await;
    let challenge = format!("www-authenticate: bearer {METADATA}, scope=\"read tools:write\"");
    assert!(challenged.starts_with("http/1.1 401"), "{challenged}");
    assert_eq!(challenged.matches("www-authenticate:").count(), 1, "{challenged}");
    assert!(challenged.contains(&challenge), "{challenged}");

    let call = format!(
        "{own}content-length: 0\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\n\
         mcp-name: delete_repo\r\n"
    );
    let step_up = ask(&nginx, "POST /mcp", &call).await;
    assert!(step_up.starts_with("http/1.1 403"), "{step_up}");
    assert!(step_up.contains("error=\"insufficient_scope\""), "{step_up}");

    for line in
        ["GET /mcp/admin/x", "GET /mcp/..;/x", "GET /mcp%2fadmin", "GET /mcp//x", "GET /mcpx"]
    {
        let denied = ask(&nginx, line, &own).await;
        assert!(denied.starts_with("http/1.1 403"), "{line}: {denied}");
        assert!(!denied.contains("www-authenticate:"), "{line}: {denied}");
    }
    let other = ask(&nginx, "GET /mcp", &format!("{own}host: other.example\r\n")).await;
    assert!(other.starts_with("http/1.1 403"), "{other}");

    let document = ask(&nginx, "GET /.well-known/oauth-protected-resource/mcp", "").await;
    assert!(document.contains("\"resource\":\"https://tools.example/mcp\""), "{document}");
    assert!(ask(&nginx, "GET /guard", &own).await.starts_with("http/1.1 404"));

    server.kept.revoke_grant(grant, Action::GrantRevoked, "by_operator", by()).await.unwrap();
    let revoked = ask(&nginx, "GET /mcp", &own).await;
    assert!(revoked.starts_with("http/1.1 401"), "{revoked}");
    assert!(revoked.contains("error=\"invalid_token\""), "{revoked}");
}
