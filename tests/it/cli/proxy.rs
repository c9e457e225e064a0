//! What the environment says of proxies, which is for other programs: a request through a proxy leads wherever that
//! likes, past the check of addresses (Client ID Metadata Document §8.6).

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{Doorward, serve::Server};
use crate::{client_document::tls, harness::read_end};

#[tokio::test]
async fn no_proxy_of_the_environment_is_asked_for_a_document() {
    let documents = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client_id =
        format!("https://localhost:{}/client.json", documents.local_addr().unwrap().port());
    let (acceptor, certificate) = tls(&["localhost"]);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{{\"client_id\":\"{client_id}\",\
         \"client_name\":\"A\",\"redirect_uris\":[\"http://127.0.0.1/cb\"]}}"
    );
    let document = tokio::spawn(async move {
        let (stream, _) = documents.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    let asked = tokio::spawn(async move { drop(proxy.accept().await) });

    let doorward = Doorward::new();
    doorward.write("certificate.pem", &certificate.pem());
    let words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let mut command = doorward.command(&words);
    command.env("DOORWARD_CLIENT_DOCUMENTS__ENABLED", "true");
    command.env("SSL_CERT_FILE", doorward.path("certificate.pem"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &proxy_url).env(name.to_lowercase(), &proxy_url);
    }
    let running = Server::run(&doorward, command, "/register'");

    let said = running.announced.concat();
    let (_, rest) = said.split_once("Clients register at http://").unwrap();
    let address: SocketAddr = rest.split(' ').next().unwrap().parse().unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /oauth2/authorize?response_type=code&client_id={client_id}&code_challenge={}\
         &code_challenge_method=S256 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        "A".repeat(43)
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let page = read_end(&mut connection).await;
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    document.await.unwrap();
    assert!(!asked.is_finished());
    assert_eq!(running.stop().code, Some(0));
}
