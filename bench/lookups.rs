//! Doorward with a way to look a client up, for measurement alone: there is no such public endpoint. It is
//! an example and thus part of no release.
//!
//! `lookups PORT LOOKUP_PORT FOLDER LOG_FILTER`: the whole server of `doorward serve --dev` on `PORT`, and on
//! `LOOKUP_PORT` hyper without a framework, which answers `GET /clients/ID` with the document that the same
//! store keeps of the client, or 404. Both share the process, its threads and its store.

use std::{error::Error, io, net::Ipv4Addr, path::Path, sync::Arc};

use bytes::Bytes;
use doorward::{
    bench,
    config::{self, Sources},
    log,
    server::{self, Signals},
    store::{self, Access, Store},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, lookup_port, folder, filter] = &arguments[..] else {
        return Err("usage: lookups PORT LOOKUP_PORT FOLDER LOG_FILTER".into());
    };
    let flags = vec![
        ("store", folder.clone()),
        ("server.listen", format!("127.0.0.1:{port}")),
        ("server.management", "127.0.0.1:0".to_owned()),
        ("log.filter", filter.clone()),
    ];
    let lookup_port = lookup_port.parse()?;
    let config = config::load(Sources { dev: true, flags, ..Sources::default() })?;
    let _log = log::init(&config.log)?;
    let store = store::open_folder(Path::new(folder), &config.embedded, Access::Serve)?;
    let app = bench::app(config, Arc::clone(&store))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, lookup_port)).await?;
        tokio::select! {
            ended = server::serve(app, Signals::system()?, |_| ()) => drop(ended?),
            ended = serve_lookups(listener, store) => ended?,
        }
        Ok(())
    })
}

async fn serve_lookups(listener: TcpListener, store: Arc<Store>) -> io::Result<()> {
    let tasks = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let answer = service_fn(|request| answer(request, &store));
            // A caller that goes away is no failure of this server.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    store: &Arc<Store>,
) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    let id =
        request.uri().path().strip_prefix("/clients/").filter(|_| request.method() == Method::GET);
    let client = match id.and_then(|id| id.parse().ok()) {
        Some(id) => store.client(id).await?,
        None => None,
    };
    let (status, document) = match client {
        Some(client) => (StatusCode::OK, client.metadata.into()),
        None => (StatusCode::NOT_FOUND, Bytes::new()),
    };
    let mut response = Response::new(Full::new(document));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
