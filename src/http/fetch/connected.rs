//! Posts several requests in a row over one connection, to a receiver that the operator configured.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, header::CONTENT_TYPE};
use reqwest::{Client, Response};
use tokio::time::timeout;
use url::Url;

use super::{FetchError, Fetcher};
use crate::internet::Place;

/// How long the rest of a response is read, so that the connection can be reused.
const DRAIN_WITHIN: Duration = Duration::from_secs(1);

/// Sends requests to the checked addresses of one host, and to no others.
pub(crate) struct Connected<'a> {
    fetcher: &'a Fetcher,
    url: Url,
    client: Client,
}

impl Fetcher {
    /// Resolves the host of `url` once and checks all its addresses. The first request opens the connection.
    pub(crate) async fn connected(
        &self,
        url: &Url,
        place: Place,
    ) -> Result<Connected<'_>, FetchError> {
        let client = self.in_time(&Method::POST, url, async {
            let addresses = self.checked_addresses(url, &place).await?;
            self.client(addresses, 1).await
        });
        Ok(Connected { fetcher: self, url: url.clone(), client: client.await? })
    }
}

impl Connected<'_> {
    /// Posts JSON. Only a status of 2xx is a success; redirects are not followed, and the body of the response is
    /// ignored.
    pub(crate) async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<(), FetchError> {
        let request = self.client.post(self.url.clone()).headers(headers);
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let answer = self.fetcher.in_time(&Method::POST, &self.url, async {
            request.send().await.map_err(|error| FetchError::Unreachable(error.without_url()))
        });
        let answer = answer.await?;
        if !answer.status().is_success() {
            return Err(FetchError::Status(answer.status()));
        }
        // An unread rest ends the connection, and the next request opens another.
        drop(timeout(DRAIN_WITHIN, drain(answer, self.fetcher.bytes_max)).await);
        Ok(())
    }
}

async fn drain(mut answer: Response, bytes_max: usize) {
    let mut read = 0;
    while let Ok(Some(piece)) = answer.chunk().await
        && read <= bytes_max
    {
        read += piece.len();
    }
}
