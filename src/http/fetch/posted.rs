//! Posts bytes to a server that the operator configured.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use url::Url;

use super::{FetchError, Fetcher};
use crate::internet::Place;

impl Fetcher {
    /// Posts Protocol Buffers to `url` and returns the response, whatever its status.
    pub(crate) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        place: Place,
    ) -> Result<http::Response<Bytes>, FetchError> {
        self.in_time(&Method::POST, url, async {
            let form = HeaderValue::from_static("application/x-protobuf");
            let request = |client: &reqwest::Client| {
                client.post(url.clone()).headers(headers).header(CONTENT_TYPE, form).body(body)
            };
            let mut answer = self.send(url, &place, request).await?;
            let mut response = http::Response::new(self.body(&mut answer).await?);
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(response)
        })
        .await
    }
}
