//! The Bearer scheme (RFC 6750): a token in `Authorization`, and the challenge for a request without a valid one.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

/// The bearer token of a request, if it has an `Authorization` header. A header with another scheme, or a second
/// header, is an error.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<Result<&str, ()>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let text = values.next()?.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let token = token.trim_start_matches(' ');
    let is_token = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
    Some(if is_token && values.next().is_none() { Ok(token) } else { Err(()) })
}

/// `WWW-Authenticate` for a request without a token: RFC 6750 §3.1 forbids an error code there.
pub(crate) const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"doorward\"");

/// `WWW-Authenticate` for a request whose token is not valid.
pub(crate) const INVALID_TOKEN: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"doorward\", error=\"invalid_token\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_bearer_token_and_rejects_every_other_authorization() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(|found| found.map(str::to_owned))
        };
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["Bearer abc"]), Some(Ok("abc".to_owned())));
        assert_eq!(read(&["bEARER  abc"]), Some(Ok("abc".to_owned())));
        for other in [
            &["Basic abc"][..],
            &["Bearer"],
            &["Bearer "],
            &["abc"],
            &[""],
            &["Bearer a", "Bearer a"],
        ] {
            assert_eq!(read(other), Some(Err(())), "{other:?}");
        }
    }
}
