//! A posted form: its media type and its body (RFC 6749 §3.2). Each endpoint reads its own parameters.

use std::net::IpAddr;

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::Incoming;

use super::error::TokenError;
use crate::{
    app::App,
    http::{
        body_budget::Held,
        form::{self, Form},
    },
};

/// The longest body, in bytes. The longest parameter is a refresh token or a JWT.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 10;

/// Reads the body of a form.
pub(super) async fn body<'app>(
    app: &'app App,
    address: IpAddr,
    headers: &HeaderMap,
    sent: Incoming,
) -> Result<Held<'app, Bytes>, TokenError> {
    form::posted::<TokenError>(headers, app.body_reader(address), sent, BODY_BYTES_MAX).await
}

/// The value of a required parameter.
pub(super) fn required<'form>(
    form: &'form Form<'_>,
    name: &'static str,
) -> Result<&'form str, TokenError> {
    form.one(name)?.ok_or(TokenError::Missing(name))
}
