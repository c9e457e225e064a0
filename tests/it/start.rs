//! What keeps the server from starting is said in one line that an operator can act on.

use std::error::Error as _;

use tokio::net::TcpListener;

use crate::harness::{TestServer, config, try_serve};

#[tokio::test]
async fn a_taken_port_is_named_with_its_setting_and_its_flag() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = other.local_addr().unwrap();

    let mut public = config();
    public.server.listen = taken;
    let error = try_serve(public).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {taken} (server.listen, or --listen)"));
    assert!(error.source().unwrap().to_string().starts_with("Address already in use"));

    let mut management = config();
    management.server.management = taken;
    let error = try_serve(management).await.unwrap_err();
    let expected = format!("cannot listen on {taken} (server.management, or --management)");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_server_can_be_started_again_at_once_on_the_port_it_had() {
    let first = TestServer::start().await;
    let mut config = config();
    config.server.listen = first.public;
    assert_eq!(first.post("/nothing", "{}").await.status, 404);
    first.stop().await;

    let second = TestServer::with(config).await;
    assert_eq!(second.post("/nothing", "{}").await.status, 404);
}
