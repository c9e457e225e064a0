//! Where Redis is, with the name and the password that open it; neither `Debug` nor a dump shows the
//! password. Whether anything answers there is for `http/rate_limit/` to find out.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{
    kind::{Refusal, Shown, Text},
    text::without_password,
};

/// The port of a server that does not say otherwise.
const PORT: u16 = 6379;
/// The most databases that a server can be told to have.
const DATABASES_MAX: i64 = 1 << 16;

/// `redis://user:password@host:port/database`, or `rediss://` for TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    text: String,
    /// A name or an address, an IPv6 one without brackets.
    pub host: String,
    /// The port, 6379 unless given.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Whom to log in as; without one, the default user.
    pub user: Option<String>,
    /// What opens it: a secret.
    pub password: Option<String>,
    /// The number of the database.
    pub database: i64,
}

impl RedisUrl {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let url = Url::parse(text).map_err(|_| None)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(None);
        }
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(None),
        };
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) if host.to_string() != "" => host.to_string(),
            _ => return Err(Some("a host is missing".into())),
        };
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            number => number
                .parse()
                .ok()
                .filter(|number| (0..DATABASES_MAX).contains(number))
                .ok_or_else(|| Some("what follows the host is the number of a database".into()))?,
        };
        let user = Some(url.username()).filter(|user| !user.is_empty());
        if user.is_some() && url.password().is_none() {
            let hint = "it has a user name without a password: a password alone is written redis://:password@host";
            return Err(Some(hint.into()));
        }
        Ok(Self {
            text: text.to_owned(),
            host,
            port: url.port().unwrap_or(PORT),
            tls,
            user: user.map(decoded).transpose()?,
            password: url.password().map(decoded).transpose()?,
            database,
        })
    }
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| Some("user name and password must be UTF-8".into()))?;
    Ok(decoded.into_owned())
}

/// Without the password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.text))
    }
}

/// Without the password.
impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

/// A Redis, or none.
pub(super) const REDIS: Text<Option<RedisUrl>> = Text {
    expected: "a URL such as redis://127.0.0.1:6379 or rediss://user:password@host:6379/0, or nothing",
    parse: |text| match text {
        "" => Ok(None),
        text => RedisUrl::parse(text).map(Some),
    },
    print: |url| url.as_ref().map_or_else(String::new, |url| url.text.clone()),
    shown: Shown::WithoutPassword,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::kind::Kind as _;

    #[test]
    fn a_url_says_where_and_as_whom() {
        let url = RedisUrl::parse("rediss://door:p%40ss@[::1]:7000/3").unwrap();
        assert_eq!((&*url.host, url.port, url.tls, url.database), ("::1", 7000, true, 3));
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("door"), Some("p@ss")));

        let url = RedisUrl::parse("redis://:secret@redis.internal").unwrap();
        assert_eq!(
            (&*url.host, url.port, url.tls, url.database),
            ("redis.internal", 6379, false, 0)
        );
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (None, Some("secret")));
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in ["redis://:secret@host/1", "rediss://door:secret@host", "redis://a:b@secret@h"]
        {
            let url = RedisUrl::parse(text).unwrap();
            let dumped = REDIS.write(&Some(url.clone()));
            assert!(!format!("{url} {url:?} {dumped}").contains("secret"), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        for text in [
            "redis",
            "http://host",
            "redis://",
            "redis:///0",
            "redis://:6379",
            "redis://host/x",
            "redis://name-alone@host",
            "redis://host/-1",
            "redis://host/65536",
            "redis://host/1/2",
            "redis://host?protocol=resp3",
            "redis://host#x",
            "redis://:%ff@host",
        ] {
            assert!(RedisUrl::parse(text).is_err(), "{text}");
        }
    }
}
