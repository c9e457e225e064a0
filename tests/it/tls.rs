//! TLS from certificate files.

use std::{fs, path::Path, sync::Arc};

use doorward::{
    config::{Config, TlsConfig},
    server::{ServeError, Signal},
};
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::{TestServer, config, exchange, read_answer, read_end, try_serve};

pub(crate) const NAME: &str = "door.example";

/// A folder with a certificate and its key.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Writes a fresh self-signed certificate, and returns it.
    pub(crate) fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        self.write("certificate.pem", &made.cert.pem());
        self.write("key.pem", &made.signing_key.serialize_pem());
        made.cert.der().clone()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    pub(crate) fn config(&self) -> Config {
        let at = |name: &str| Path::join(self.0.path(), name);
        let mut config = config();
        config.tls =
            Some(TlsConfig { certificate_file: at("certificate.pem"), key_file: at("key.pem") });
        config
    }
}

/// A caller that trusts `root` and offers this.
pub(crate) fn client_config(
    root: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    alpn: &[&str],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// A handshake.
async fn connect(
    server: &TestServer,
    root: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let config = client_config(root, version, alpn);
    let connection = TcpStream::connect(server.public).await.unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, connection).await
}

#[tokio::test]
async fn both_versions_of_tls_carry_http_1() {
    let files = Files::new();
    let root = files.renew();
    let server = TestServer::with(files.config()).await;
    for version in [&TLS12, &TLS13] {
        for alpn in [&["http/1.1"][..], &[]] {
            let mut caller = connect(&server, &root, version, alpn).await.unwrap();
            caller.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            assert_eq!(read_answer(&mut caller, false).await.status, 200);
        }
    }
}

#[tokio::test]
async fn http_2_is_preferred_and_serves_many_requests_on_one_connection() {
    let files = Files::new();
    let root = files.renew();
    let server = TestServer::with(files.config()).await;
    let caller = connect(&server, &root, &TLS13, &["http/1.1", "h2"]).await.unwrap();
    assert_eq!(caller.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(caller.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));

    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(client_config(&root, &TLS13, &["h2"]))
        .resolve(NAME, server.public)
        .build()
        .unwrap();
    let url = |path: &str| format!("https://{NAME}:{}{path}", server.public.port());
    let mut asked = JoinSet::new();
    for _ in 0..200 {
        asked.spawn(client.get(url("/nothing")).send());
    }
    for answer in asked.join_all().await {
        let answer = answer.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (http::Version::HTTP_2, 404));
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
    server.wait_for_metric_at_most("doorward_connections_open", 2.0).await;
    let large = client.post(url("/register")).header("content-type", "application/json");
    let answer = large.body(vec![0; 1 << 20]).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 413);
}

#[tokio::test]
async fn a_certificate_is_read_again_on_a_signal_and_a_bad_one_is_not_taken() {
    let files = Files::new();
    let first = files.renew();
    let server = TestServer::with(files.config()).await;
    let works = async |root| connect(&server, root, &TLS13, &[]).await.is_ok();
    assert!(works(&first).await);

    files.write("certificate.pem", "not a certificate");
    server.signal(Signal::Reload).await;
    server.wait_for_metric("doorward_certificate_reloads_total{outcome=\"failed\"}", 1.0).await;
    assert!(works(&first).await);

    let second = files.renew();
    assert!(!works(&second).await);
    server.signal(Signal::Reload).await;
    server.wait_for_metric("doorward_certificate_reloads_total{outcome=\"accepted\"}", 1.0).await;
    assert!(works(&second).await);
    assert!(!works(&first).await);
}

#[tokio::test]
async fn a_caller_that_does_not_shake_hands_is_cut_off() {
    let files = Files::new();
    files.renew();
    let mut config = files.config();
    config.connections.headers_timeout_seconds = 1;
    let server = TestServer::with(config).await;

    let mut silent = TcpStream::connect(server.public).await.unwrap();
    assert_eq!(read_end(&mut silent).await, "");
    server.wait_for_metric("doorward_connections_closed_total{reason=\"too_slow\"}", 1.0).await;
}

#[tokio::test]
async fn plain_http_is_not_served_on_a_tls_port() {
    let files = Files::new();
    files.renew();
    let server = TestServer::with(files.config()).await;
    let mut caller = TcpStream::connect(server.public).await.unwrap();
    caller.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();

    assert!(!read_end(&mut caller).await.contains("HTTP/"));
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let files = Files::new();
    let fault = async || match try_serve(files.config()).await {
        Err(ServeError::Tls(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let at = |name: &str| files.0.path().join(name).display().to_string();

    let expected = format!("{}: cannot be read (certificate chain)", at("certificate.pem"));
    assert_eq!(fault().await, expected);

    files.renew();
    files.write("certificate.pem", "");
    assert_eq!(fault().await, format!("{}: holds no certificate", at("certificate.pem")));

    files.renew();
    files.write("key.pem", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
    assert_eq!(fault().await, format!("{}: is no private key in PEM form", at("key.pem")));

    files.renew();
    let other = Files::new();
    other.renew();
    fs::copy(other.0.path().join("key.pem"), files.0.path().join("key.pem")).unwrap();
    let both = format!("{} and {}", at("certificate.pem"), at("key.pem"));
    assert_eq!(fault().await, format!("{both}: cannot be used together"));
}

#[tokio::test]
async fn a_listener_of_the_guard_on_loopback_needs_no_certificate() {
    let files = Files::new();
    files.renew();
    let mut config = files.config();
    config.guard.listen = Some(([127, 0, 0, 1], 0).into());
    let server = TestServer::with(config).await;
    let asked = "GET /guard/nginx/tools HTTP/1.1\r\nhost: door.example\r\n\r\n";
    let answer = exchange(server.guard.unwrap(), asked).await;
    assert_eq!(answer.status, 404, "there is an answer in the clear");
    server.stop().await;
}
