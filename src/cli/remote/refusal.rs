//! Why a call failed: what happened, where, and what to do.

use std::error::Error as _;

use http::{
    HeaderMap, StatusCode,
    header::{LOCATION, RETRY_AFTER},
};
use serde_json::Value;

use super::{ANSWER_WITHIN, Reply, Server, ServerUrl};
use crate::cli::{
    exit::{Chain, Failure},
    output::visible_line,
};

impl Server {
    /// Why no answer arrived.
    pub(super) fn unreachable(&self, error: reqwest::Error) -> Failure {
        let (url, error) = (&self.url, error.without_url());
        if error.is_timeout() {
            let seconds = ANSWER_WITHIN.as_secs();
            return Failure::because(format!(
                "{url} did not answer within {seconds} seconds: check that the server runs, and try again"
            ));
        }
        let mut cause = error.source();
        let mut certificate = None;
        while let Some(error) = cause {
            if let Some(rustls::Error::InvalidCertificate(reason)) = rustls_error(error) {
                certificate = Some(reason.clone());
            }
            cause = error.source();
        }
        Failure::because(match certificate {
            Some(reason) => format!(
                "the certificate of {url} is not trusted: {reason:?}. To trust another certificate authority, name its \
                 certificate (PEM) in SSL_CERT_FILE"
            ),
            None => format!(
                "cannot reach {url}: {}. Check --server, and that the server runs",
                Chain(&error)
            ),
        })
    }
}

/// The TLS error in a cause, also where an I/O error holds it.
fn rustls_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let inner = |error: &'a std::io::Error| error.get_ref()?.downcast_ref();
    cause.downcast_ref().or_else(|| cause.downcast_ref().and_then(inner))
}

impl Reply {
    /// The document of a success; else what the server says about the refusal.
    pub(in crate::cli) fn done(self) -> Result<Value, Failure> {
        if self.status.is_success() {
            return Ok(self.document);
        }
        Err(Failure::because(format!("the server refuses this: {}", self.details().join(" "))))
    }

    /// What the server says about a refusal, error by error.
    pub(in crate::cli) fn details(&self) -> Vec<String> {
        let errors = self.document["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let text = |error: &Value| {
            let text = error["detail"].as_str().or(error.as_str()).unwrap_or_default();
            visible_line(text)
        };
        errors.iter().map(text).filter(|text| !text.is_empty()).collect()
    }

    /// Why the reply answers nothing that a command can ask; `None` for a success, and for refusals that concern the
    /// resource or the values of the command.
    pub(super) fn failure(&self, url: &ServerUrl, headers: &HeaderMap) -> Option<Failure> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(visible_line);
        // Errors of the API are objects, except those that any path can answer.
        let is_of_the_api = self.document["errors"][0].is_object();
        let said = self.details().join(" ");
        let what = match self.status {
            status if status.is_success() => {
                if status == StatusCode::NO_CONTENT || self.document.is_object() {
                    return None;
                }
                format!(
                    "{url} has no operator API: --server takes the issuer URL of a Doorward server"
                )
            }
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
                if is_of_the_api =>
            {
                return None;
            }
            StatusCode::UNAUTHORIZED => format!(
                "{url} refuses the token: it is unknown, expired, or revoked. `doorward operator token create` creates \
                 another"
            ),
            StatusCode::FORBIDDEN if is_of_the_api => {
                format!("{url} forbids this: {said} Use a token with a role that may do it")
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => format!(
                "{url} has no such operation in its operator API: --server takes the issuer URL of a Doorward server, of \
                 this version or a later one"
            ),
            StatusCode::PRECONDITION_FAILED => {
                "another operator changed it in the meantime: look at it, and run the command again"
                    .to_owned()
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let when = text(RETRY_AFTER)
                    .map_or_else(|| "later".to_owned(), |seconds| format!("in {seconds} seconds"));
                format!("{url} rejects further calls for now: try again {when}")
            }
            status if status.is_redirection() => {
                let place = text(LOCATION).unwrap_or_default();
                format!(
                    "{url} redirects to {place}, which is not followed: name the issuer URL in --server"
                )
            }
            status if status.is_server_error() => format!(
                "{url} answers {status}: {said} Try again; if it keeps failing, look at the log of the server"
            ),
            status => format!("{url} answers {status}: {said}"),
        };
        Some(Failure::because(what))
    }
}
