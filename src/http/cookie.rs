//! Cookies of ours: for this host alone, never for scripts, and sent along when somebody comes from elsewhere
//! by a link, but not with a form (`SameSite=Lax`).

use cookie::{Cookie, SameSite, time::Duration};
use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};

use super::answer::Response;

/// The cookies of an issuer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cookies {
    /// Whether browsers reach it by TLS. By plain http they would not keep what is marked as secure; only a
    /// server for this machine alone is reached so.
    is_secure: bool,
}

impl Cookies {
    pub(crate) fn of(issuer: &str) -> Self {
        Self { is_secure: issuer.starts_with("https://") }
    }

    /// With `__Host-`, a browser takes it from this host alone (RFC 6265bis §4.1.3.2).
    fn full_name(self, name: &str) -> String {
        if self.is_secure { format!("__Host-{name}") } else { name.to_owned() }
    }

    /// The value of the cookie, if the request has it. Whatever else is there may be anything: others of our domain
    /// set cookies for all of it, and browsers send them as they are, in bytes that are no text as well.
    pub(crate) fn read(self, headers: &HeaderMap, name: &str) -> Option<String> {
        let full_name = self.full_name(name);
        let lines = headers.get_all(COOKIE).iter();
        let mut pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        pairs.find_map(|pair| {
            let value = pair.trim_ascii().strip_prefix(full_name.as_bytes())?.strip_prefix(b"=")?;
            str::from_utf8(value).ok().map(str::to_owned)
        })
    }

    /// Lets the browser keep `value` for as long as it is open.
    pub(crate) fn set(self, response: &mut Response, name: &str, value: &str) {
        send(response, &self.cookie(name, value));
    }

    /// Lets the browser forget it.
    pub(crate) fn clear(self, response: &mut Response, name: &str) {
        let mut cookie = self.cookie(name, "");
        cookie.set_max_age(Duration::ZERO);
        send(response, &cookie);
    }

    fn cookie<'value>(self, name: &str, value: &'value str) -> Cookie<'value> {
        Cookie::build((self.full_name(name), value))
            .path("/")
            .secure(self.is_secure)
            .http_only(true)
            .same_site(SameSite::Lax)
            .build()
    }
}

fn send(response: &mut Response, cookie: &Cookie<'_>) {
    let line = HeaderValue::try_from(cookie.to_string()).expect("names and values are ASCII");
    response.headers_mut().append(SET_COOKIE, line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookies: Cookies) -> String {
        let mut response = Response::default();
        cookies.set(&mut response, "doorward-session", "x");
        response.headers()[SET_COOKIE].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_cookie_belongs_to_the_host_and_is_kept_from_scripts() {
        assert_eq!(
            sent(Cookies::of("https://door.example")),
            "__Host-doorward-session=x; HttpOnly; SameSite=Lax; Secure; Path=/"
        );
        assert_eq!(
            sent(Cookies::of("http://127.0.0.1:8080")),
            "doorward-session=x; HttpOnly; SameSite=Lax; Path=/"
        );
    }

    #[test]
    fn a_cookie_is_read_by_its_full_name_alone() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; doorward-session=plain".parse().unwrap());
        headers.append(COOKIE, "__Host-doorward-session=own".parse().unwrap());
        let read = |issuer| Cookies::of(issuer).read(&headers, "doorward-session");
        assert_eq!(read("https://door.example").as_deref(), Some("own"));
        assert_eq!(read("http://localhost").as_deref(), Some("plain"));
    }

    #[test]
    fn a_cookie_is_read_beside_those_of_others_whatever_is_in_them() {
        let cookies = Cookies::of("https://door.example");
        for (line, expected) in [
            (&b"name=J\xc3\xbcrgen; __Host-doorward-session=own; x"[..], Some("own")),
            (b"\xff; =; ;__Host-doorward-session=own;\xff=\xff", Some("own")),
            (b"__Host-doorward-session=\xff; __Host-doorward-session=own", Some("own")),
            // What some servers take for white space is part of a name that a sibling may set.
            (b"\xe2\x80\x80__Host-doorward-session=theirs", None),
            (b"\xa0__Host-doorward-session=theirs", None),
            (b"__host-doorward-session=theirs; __Host-doorward-session2=theirs", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_bytes(line).unwrap());
            let read = cookies.read(&headers, "doorward-session");
            assert_eq!(read.as_deref(), expected, "{}", line.escape_ascii());
        }
    }
}
