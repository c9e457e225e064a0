//! Reads a request body within a size and a total deadline (contract §4).
//!
//! A caller that is answered while it still sends sees a broken connection instead of the answer, so a
//! body that is too large is read on for a while and thrown away.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

/// How much of a body that is too large is thrown away before the answer, in bytes.
const DISCARDED_MAX: u64 = 4 << 20;

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// 413.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// 408.
    #[error("the body did not arrive within {0} seconds")]
    TooSlow(u64),
    /// The caller went away, or its framing is broken: there is nobody left to answer.
    #[error("the body could not be read")]
    Broken(#[source] axum::Error),
}

/// The whole body, at most `bytes_max` bytes, all of which must have arrived before `deadline` is over.
pub(crate) async fn read(
    body: Body,
    bytes_max: usize,
    deadline: Duration,
) -> Result<Bytes, BodyError> {
    timeout(deadline, collect(body, bytes_max))
        .await
        .unwrap_or(Err(BodyError::TooSlow(deadline.as_secs())))
}

async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    let declared = body.size_hint().lower();
    if declared > bytes_max as u64 {
        if declared <= DISCARDED_MAX {
            discard(body).await;
        }
        return Err(BodyError::TooLarge(bytes_max));
    }
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
        if first.len() + joined.len() + data.len() > bytes_max {
            discard(body).await;
            return Err(BodyError::TooLarge(bytes_max));
        }
        // Most bodies come in one piece, which is handed on without a copy.
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.reserve(usize::try_from(declared).unwrap_or(0).max(first.len() + data.len()));
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

/// Throws away what still comes, up to [`DISCARDED_MAX`].
async fn discard(mut body: Body) {
    let mut left = DISCARDED_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
