//! Real proxies in front of a tiny upstream, each with the configuration of its page in `docs/protect`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use doorward::{audit::Action, grant::GrantId};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{METADATA, bearer, token};
use crate::harness::{TestServer, by, read_end};

const FORGED: &str = "doorward-assertion: forged\r\ndoorward_assertion: forged\r\n\
    Doorward_Assertion: forged\r\nconnection: doorward-assertion\r\nx-original-method: GET\r\n\
    x-original-url: https://tools.example/healthz\r\n\
    x-forwarded-user: forged\r\nx-forwarded-email: forged\r\nx-forwarded-groups: forged\r\n\
    x-forwarded-preferred-username: forged\r\nx-auth-request-user: forged\r\n\
    x-auth-request-email: forged\r\nx-auth-request-groups: forged\r\nremote-user: forged\r\n\
    remote-groups: forged\r\nx-remote-user: forged\r\nx-forwarded-prefix: /forged\r\n\
    x-forwarded-for: forged\r\nforwarded: for=forged\r\n";

/// A proxy, until the test ends.
pub(super) struct Proxy {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The block of a page in a language, for these addresses.
pub(super) fn documented(
    page: &str,
    language: &str,
    doorward: SocketAddr,
    upstream: SocketAddr,
) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protect");
    let text = fs::read_to_string(folder.join(page)).unwrap();
    let block = text.split_once(&format!("```{language}\n")).unwrap().1;
    let block = block.split_once("```").unwrap().0;
    block
        .replace("127.0.0.1:8080", &doorward.to_string())
        .replace("127.0.0.1:3000", &upstream.to_string())
        .replace("mcp.example.com", "tools.example")
}

/// The first of these programs that is installed.
pub(super) fn installed(programs: &[&str]) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    programs.iter().map(|program| root.join(program)).find(|program| program.exists())
}

/// An address of loopback that is free.
pub(super) async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Starts a proxy that listens on this address, with a folder that it may write to.
pub(super) async fn start(mut command: Command, address: SocketAddr, folder: TempDir) -> Proxy {
    let child = command.stdin(Stdio::null()).spawn().unwrap();
    let proxy = Proxy { child, address, _folder: folder };
    for _ in 0..500 {
        if TcpStream::connect(address).await.is_ok() {
            return proxy;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the proxy does not start: {command:?}");
}

/// An upstream that answers with the head that it got.
pub(super) async fn upstream() -> SocketAddr {
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

impl Proxy {
    /// The answer to a request, in lower case.
    pub(super) async fn ask(&self, line: &str, headers: &str) -> String {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        let names_host = headers.lines().any(|line| line.starts_with("host:"));
        let host = if names_host { "" } else { "host: tools.example\r\n" };
        let request = format!("{line} HTTP/1.1\r\n{host}connection: close\r\n{headers}\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        read_end(&mut connection).await.to_lowercase()
    }

    /// Asserts that the proxy carries out each decision of the guard.
    pub(super) async fn carries_out_decisions(&self, server: &TestServer) {
        let (token, grant) = token(server).await;
        let own = bearer(&token);
        self.replaces_forged_headers(&own).await;
        self.passes_challenges_on(&own).await;
        self.refuses_confusing_targets(&own).await;
        let document = self.ask("GET /.well-known/oauth-protected-resource/mcp", "").await;
        assert!(document.contains("\"resource\":\"https://tools.example/mcp\""), "{document}");
        self.stops_at_revocation(server, &own, grant).await;
    }

    async fn replaces_forged_headers(&self, own: &str) {
        let allowed = self.ask("GET /mcp/a?b=%2F", &format!("{own}{FORGED}")).await;
        assert!(allowed.starts_with("http/1.1 200"), "{allowed}");
        assert!(allowed.contains("get /mcp/a?b=%2f http/1.1"), "{allowed}");
        assert_eq!(allowed.matches("doorward-assertion: ey").count(), 1, "{allowed}");
        for gone in ["authorization:", "forged", "x-original-"] {
            assert!(!allowed.contains(gone), "{gone}: {allowed}");
        }
    }

    /// Asserts that a path that everyone may read gets no identity from the client either.
    pub(super) async fn forged_identity_stops_on_public_paths(&self) {
        let aliases = "x-forwarded-user: forged\r\nx_forwarded_user: forged\r\n\
            x-forwarded-uri: /forged\r\nx-forwarded-method: FORGED\r\n\
            x-forwarded-host: forged.example\r\nx-http-method-override: FORGED\r\n";
        let open = self.ask("GET /healthz", &format!("{FORGED}{aliases}")).await;
        assert!(open.starts_with("http/1.1 200"), "{open}");
        assert!(open.contains("get /healthz http/1.1"), "{open}");
        for gone in ["forged", "doorward", "x-original-"] {
            assert!(!open.contains(gone), "{gone}: {open}");
        }
        // Forged facts do not open a path that is closed.
        let facts = "x-forwarded-uri: /healthz\r\nx-forwarded-method: GET\r\n";
        let closed = self.ask("GET /mcp", facts).await;
        assert!(closed.starts_with("http/1.1 401"), "{closed}");
    }

    async fn passes_challenges_on(&self, own: &str) {
        let challenged = self.ask("POST /mcp", "content-length: 0\r\n").await;
        let challenge = format!("www-authenticate: bearer {METADATA}, scope=\"read tools:write\"");
        assert!(challenged.starts_with("http/1.1 401"), "{challenged}");
        assert_eq!(challenged.matches("www-authenticate:").count(), 1, "{challenged}");
        assert!(challenged.contains(&challenge), "{challenged}");

        let call = format!(
            "{own}content-length: 0\r\nmcp-protocol-version: 2026-07-28\r\n\
             mcp-method: tools/call\r\nmcp-name: delete_repo\r\n"
        );
        let step_up = self.ask("POST /mcp", &call).await;
        assert!(step_up.starts_with("http/1.1 403"), "{step_up}");
        assert!(step_up.contains("error=\"insufficient_scope\""), "{step_up}");
        let twice = self.ask("GET /mcp", &format!("{own}mcp-name: a\r\nmcp-name: b\r\n")).await;
        assert!(twice.starts_with("http/1.1 403"), "{twice}");
    }

    async fn refuses_confusing_targets(&self, own: &str) {
        for line in
            ["GET /mcp/admin/x", "GET /mcp/..;/x", "GET /mcp%2fadmin", "GET /mcp//x", "GET /mcpx"]
        {
            let denied = self.ask(line, own).await;
            assert!(denied.starts_with("http/1.1 403"), "{line}: {denied}");
            assert!(!denied.contains("www-authenticate:"), "{line}: {denied}");
        }
    }

    async fn stops_at_revocation(&self, server: &TestServer, own: &str, grant: GrantId) {
        server.kept.revoke_grant(grant, Action::GrantRevoked, "by_operator", by()).await.unwrap();
        let revoked = self.ask("GET /mcp", own).await;
        assert!(revoked.starts_with("http/1.1 401"), "{revoked}");
        assert!(revoked.contains("error=\"invalid_token\""), "{revoked}");
    }
}
