//! A form that was posted, by somebody who has not failed too often: its media type and its body (RFC 6749 §3.2).
//! What its parameters mean is for whoever answers it.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::Incoming;

use super::error::TokenError;
use crate::{
    app::App,
    http::form::{self, Form},
};

/// The longest body, in bytes. The longest parameter is a refresh token or a JWT.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 10;

/// The body of a form.
pub(super) async fn body(
    app: &App,
    source: IpAddr,
    headers: &HeaderMap,
    sent: Incoming,
) -> Result<Bytes, TokenError> {
    let deadline = Duration::from_secs(app.config.connections.body_timeout_seconds);
    let body = form::posted::<TokenError>(headers, sent, BODY_BYTES_MAX, deadline).await?;
    app.failure_limit
        .admit(source, app.clock.now())
        .map_err(|retry_after_seconds| TokenError::TooManyFailures { retry_after_seconds })?;
    Ok(body)
}

/// The parameter `name`, which must be there.
pub(super) fn required<'form>(
    form: &'form Form<'_>,
    name: &'static str,
) -> Result<&'form str, TokenError> {
    form.one(name)?.ok_or(TokenError::Missing(name))
}
