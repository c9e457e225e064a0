//! Cookies of this server: for this host only, unreadable by scripts, and sent when a person follows a link from
//! another site, but not with a form from there (`SameSite=Lax`).

use aws_lc_rs::digest;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use cookie::{Cookie, SameSite, time::Duration};
use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};

use super::answer::Response;

/// How many bytes of the hash of an issuer's path are in the names of its cookies.
const SUFFIX_BYTES: usize = 8;

/// The cookies of an issuer.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    /// Whether browsers reach the issuer by TLS. Over plain HTTP, which only a server for this machine uses, browsers
    /// would drop a cookie marked as secure.
    is_secure: bool,
    /// Tells the issuers on one host apart; empty for the issuer at its root. A `Path` cannot do that, because
    /// `__Host-` requires the root.
    suffix: String,
}

impl Cookies {
    pub(crate) fn of(issuer: &str) -> Self {
        let path = issuer.splitn(4, '/').nth(3).unwrap_or_default();
        let suffix = match path {
            "" => String::new(),
            path => {
                let hash = digest::digest(&digest::SHA256, path.as_bytes());
                let (start, _) = hash.as_ref().split_at(SUFFIX_BYTES);
                format!("-{}", BASE64_URL_SAFE_NO_PAD.encode(start))
            }
        };
        Self { is_secure: issuer.starts_with("https://"), suffix }
    }

    /// The name of the cookie. The prefix `__Host-` makes browsers accept it from this host only (RFC 6265bis
    /// §4.1.3.2).
    pub(crate) fn full_name(&self, name: &str) -> String {
        let prefix = if self.is_secure { "__Host-" } else { "" };
        format!("{prefix}{name}{}", self.suffix)
    }

    /// The value of the cookie, if the request has it. Other cookies may hold any bytes, even invalid text: sibling
    /// hosts set cookies for the whole domain.
    pub(crate) fn read(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        let prefix = format!("{}=", self.full_name(name));
        after(headers, &prefix).next()
    }

    /// The identifier and the value of each cookie of one kind, such as the sign-ins under way.
    pub(crate) fn read_each(&self, headers: &HeaderMap, name: &str) -> Vec<(String, String)> {
        let prefix = format!("{}.", self.full_name(name));
        let pairs = after(headers, &prefix);
        let pairs = pairs.filter_map(|pair| {
            pair.split_once('=').map(|(id, value)| (id.to_owned(), value.to_owned()))
        });
        pairs.collect()
    }

    /// Sets a cookie for as long as the browser is open.
    pub(crate) fn set(&self, response: &mut Response, name: &str, value: &str) {
        send(response, &self.cookie(self.full_name(name), value));
    }

    /// Deletes the cookie in the browser.
    pub(crate) fn clear(&self, response: &mut Response, name: &str) {
        self.send_for(response, self.full_name(name), "", 0);
    }

    /// Sets the cookie of a kind with this `id` for so many seconds; 0 deletes it.
    pub(crate) fn set_one(
        &self,
        response: &mut Response,
        (name, id): (&str, &str),
        value: &str,
        seconds: u32,
    ) {
        self.send_for(response, format!("{}.{id}", self.full_name(name)), value, seconds);
    }

    fn send_for(&self, response: &mut Response, full_name: String, value: &str, seconds: u32) {
        let mut cookie = self.cookie(full_name, value);
        cookie.set_max_age(Duration::seconds(seconds.into()));
        send(response, &cookie);
    }

    fn cookie<'value>(&self, full_name: String, value: &'value str) -> Cookie<'value> {
        Cookie::build((full_name, value))
            .path("/")
            .secure(self.is_secure)
            .http_only(true)
            .same_site(SameSite::Lax)
            .build()
    }
}

/// The rest of each name-value pair that begins with `prefix`, if it is text.
fn after(headers: &HeaderMap, prefix: &str) -> impl Iterator<Item = String> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let rest = pair.trim_ascii().strip_prefix(prefix.as_bytes())?;
        str::from_utf8(rest).ok().map(str::to_owned)
    })
}

fn send(response: &mut Response, cookie: &Cookie<'_>) {
    let line = HeaderValue::try_from(cookie.to_string()).expect("names and values are ASCII");
    response.headers_mut().append(SET_COOKIE, line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookies: &Cookies) -> String {
        let mut response = Response::default();
        cookies.set(&mut response, "doorward-session", "x");
        response.headers()[SET_COOKIE].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_cookie_belongs_to_the_host_and_is_kept_from_scripts() {
        assert_eq!(
            sent(&Cookies::of("https://door.example")),
            "__Host-doorward-session=x; HttpOnly; SameSite=Lax; Secure; Path=/"
        );
        assert_eq!(
            sent(&Cookies::of("http://127.0.0.1:8080")),
            "doorward-session=x; HttpOnly; SameSite=Lax; Path=/"
        );
    }

    #[test]
    fn issuers_on_one_host_have_cookies_of_their_own() {
        let issuers = ["https://a.example", "https://a.example/one", "https://a.example/one/two"];
        let mut headers = HeaderMap::new();
        for issuer in issuers {
            let name = Cookies::of(issuer).full_name("doorward-session");
            let pairs = format!("{name}={issuer}; {name}.id={issuer}");
            headers.append(COOKIE, pairs.parse().unwrap());
        }
        for issuer in issuers {
            let cookies = Cookies::of(issuer);
            assert_eq!(cookies.read(&headers, "doorward-session").as_deref(), Some(issuer));
            let each = cookies.read_each(&headers, "doorward-session");
            assert_eq!(each, [("id".to_owned(), issuer.to_owned())]);
        }
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
            // Some servers trim this white space; for a browser it is part of a name, which a sibling host may set.
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
