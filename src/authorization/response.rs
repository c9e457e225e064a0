//! The answer to the client: parameters added to its redirect URI (RFC 6749 §4.1.2), the issuer among them
//! (RFC 9207), by 303, which no form is sent on with (OAuth 2.1 §7.5.3).

use url::form_urlencoded;

use super::{error::AuthorizationError, request::AuthorizationRequest};
use crate::{
    grant::AuthorizationCode,
    http::{
        answer::{Response, see_other},
        request_event::Outcome,
    },
};

/// The code.
pub(super) fn granted(
    request: &AuthorizationRequest,
    code: &AuthorizationCode,
    issuer: &str,
) -> Response {
    back(request, &[("code", &code.to_string())], issuer)
}

/// The error.
pub(super) fn refused(
    request: &AuthorizationRequest,
    error: &AuthorizationError,
    issuer: &str,
) -> Response {
    let code = error.code().as_str();
    let parameters = [("error", code), ("error_description", &error.to_string())];
    let mut response = back(request, &parameters, issuer);
    let outcome = Outcome { error_code: Some(code), ..Outcome::default() };
    response.extensions_mut().insert(outcome);
    response
}

fn back(request: &AuthorizationRequest, parameters: &[(&str, &str)], issuer: &str) -> Response {
    let uri = request.redirect_uri.as_str();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    if let Some(state) = &request.state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", issuer);
    // A query of the redirect URI's own is kept (OAuth 2.1 §2.3).
    let separator = if uri.contains('?') { '&' } else { '?' };
    see_other(&format!("{uri}{separator}{}", query.finish()))
}
