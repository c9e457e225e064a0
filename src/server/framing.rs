//! Requests that say twice, or not at all, whom they are for or what they carry. A proxy in front may have read
//! them another way, so no endpoint sees them.

use http::{
    HeaderValue, Request, Version,
    header::{CONTENT_TYPE, HOST},
    uri::Authority,
};

/// What is wrong with the head of a request.
pub(super) fn malformed<B>(request: &Request<B>) -> Option<&'static str> {
    host(request).or_else(|| {
        let mut types = request.headers().get_all(CONTENT_TYPE).iter();
        (types.next().is_some() && types.next().is_some())
            .then_some("Content-Type is there more than once")
    })
}

/// RFC 9112 §3.2 and RFC 9113 §8.3.1: one host, which HTTP/1.0 alone may leave out.
fn host<B>(request: &Request<B>) -> Option<&'static str> {
    let is_http2 = request.version() >= Version::HTTP_2;
    let authority = request.uri().authority().filter(|_| is_http2);
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next(), authority) {
        (_, Some(_), _) => Some("Host is there more than once"),
        (Some(host), _, _) if !is_host(host) => Some("Host is not a host with an optional port"),
        (Some(host), _, Some(authority)) if !is_same(host, authority) => {
            Some("Host and :authority are not the same")
        }
        (None, _, None) if request.version() >= Version::HTTP_11 => Some("Host is missing"),
        _ => None,
    }
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2), by its characters: nothing here looks a host up.
fn is_host(value: &HeaderValue) -> bool {
    let is_in_host =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    !value.is_empty() && value.as_bytes().iter().all(is_in_host)
}

fn is_same(host: &HeaderValue, authority: &Authority) -> bool {
    host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(version: Version, target: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        malformed(&request.body(()).unwrap())
    }

    #[test]
    fn http_1_1_requires_one_host() {
        let found = |headers: &[(&str, &str)]| found(Version::HTTP_11, "/register", headers);
        for host in ["door.example", "door.example:8443", "[::1]:8080", "127.0.0.1"] {
            assert_eq!(found(&[("host", host)]), None, "{host}");
        }
        assert_eq!(found(&[]), Some("Host is missing"));
        let twice = Some("Host is there more than once");
        assert_eq!(found(&[("host", "a"), ("host", "a")]), twice);
        for host in ["", "a b", "a/b", "user@a", "a\t", "http://a", "a,\u{e9}"] {
            assert!(found(&[("host", host)]).is_some(), "{host}");
        }
    }

    #[test]
    fn a_target_with_a_host_does_not_replace_the_header() {
        let target = "http://door.example/register";
        assert_eq!(found(Version::HTTP_11, target, &[]), Some("Host is missing"));
    }

    #[test]
    fn http_1_0_may_leave_the_host_out() {
        assert_eq!(found(Version::HTTP_10, "/register", &[]), None);
        assert!(found(Version::HTTP_10, "/register", &[("host", "a"), ("host", "b")]).is_some());
    }

    #[test]
    fn http_2_requires_an_authority_or_a_host_and_that_they_agree() {
        let found = |target, headers: &[(&str, &str)]| found(Version::HTTP_2, target, headers);
        assert_eq!(found("https://door.example/", &[]), None);
        assert_eq!(found("/", &[("host", "door.example")]), None);
        assert_eq!(found("https://door.example/", &[("host", "Door.example")]), None);
        assert_eq!(found("/", &[]), Some("Host is missing"));
        let differs = Some("Host and :authority are not the same");
        assert_eq!(found("https://door.example/", &[("host", "evil.example")]), differs);
    }

    #[test]
    fn a_repeated_content_type_is_malformed() {
        let json = ("content-type", "application/json");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let host = ("host", "a");
        let twice = Some("Content-Type is there more than once");
        assert_eq!(found(Version::HTTP_11, "/", &[host, json]), None);
        assert_eq!(found(Version::HTTP_11, "/", &[host, json, form]), twice);
        assert_eq!(found(Version::HTTP_11, "/", &[host, json, json]), twice);
    }
}
