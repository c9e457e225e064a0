//! The pages that people see. (Skeleton.)

use crate::http::answer::Response;

/// `GET /oauth2/style.css`.
pub(crate) fn stylesheet() -> Response {
    Response::default()
}
