//! Where clients are kept, and the secret that opens it.

use std::{fmt, path::PathBuf};

use tokio_postgres::config::Host;

/// The store that the setting `store` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// The embedded store, in this folder.
    Folder(PathBuf),
    /// A database of PostgreSQL.
    Postgres(PostgresUrl),
}

impl StoreLocation {
    /// As it was given, the password included.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Folder(folder) => folder.display().to_string(),
            Self::Postgres(url) => url.text.clone(),
        }
    }
}

/// As it may be shown: without a password.
impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// The place of a database: `postgres://user@host:port,host:port/database?parameter=value`.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    text: String,
    servers: Vec<tokio_postgres::Config>,
    is_encrypted: bool,
}

impl PostgresUrl {
    const SCHEMES: [&'static str; 2] = ["postgres://", "postgresql://"];

    /// Whether a text means a database, well written or not.
    pub(super) fn is_meant(text: &str) -> bool {
        Self::SCHEMES.iter().any(|scheme| text.starts_with(scheme))
    }

    /// Reads the URL; `Err` says what is wrong with it, and shows nothing of a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it is no URL")?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, place) =
            place.rsplit_once('@').map_or(("", place), |(user, place)| (user, place));
        if user.contains(['@', '/']) || query.contains('@') {
            return Err("in a user name or password, @ is written %40, / %2F and ? %3F".into());
        }
        let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
        if hosts.is_empty() || database.is_empty() {
            return Err("it names a host and a database".into());
        }
        let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
        let (modes, others): (Vec<&str>, Vec<&str>) =
            parameters.partition(|parameter| parameter.starts_with("sslmode="));
        if others.iter().any(|parameter| parameter.starts_with("password=")) {
            return Err("write the password into postgres.password".into());
        }
        let names_a_server = |parameter: &&str| {
            ["host=", "hostaddr=", "port="].iter().any(|name| parameter.starts_with(name))
        };
        if others.iter().any(names_a_server) {
            return Err("its servers are named before the database".into());
        }
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        let rest = format!("{database}?{}", others.join("&"));
        // One server at a time, so that each has its own time to answer.
        let servers = hosts
            .split(',')
            .map(|host| format!("{scheme}://{user}{host}/{rest}").parse())
            .collect::<Result<Vec<tokio_postgres::Config>, _>>()
            .map_err(|error| reason_of(&error))?;
        let is_encrypted = match modes.last().map(|mode| mode.trim_start_matches("sslmode=")) {
            None => !servers.iter().all(is_on_this_machine),
            Some("disable") => false,
            Some("require" | "verify-full") => true,
            Some(_) => {
                return Err("sslmode is disable, or verify-full (require is taken for it)".into());
            }
        };
        Ok(Self { text: text.to_owned(), servers, is_encrypted })
    }

    /// Each server of the URL, in its order.
    pub(crate) fn servers(&self) -> &[tokio_postgres::Config] {
        &self.servers
    }

    /// Whether connections are encrypted, and the server is known by its certificate.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether there is a password in the URL itself.
    pub(super) fn has_password(&self) -> bool {
        self.servers.iter().any(|server| server.get_password().is_some())
    }
}

impl std::str::FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if Self::is_meant(text) {
            Self::parse(text)
        } else {
            Err("it is no postgres:// URL".into())
        }
    }
}

/// Without the password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.split_once('@') {
            Some((user, rest)) if self.has_password() => {
                let user = user.rsplit_once(':').map_or(user, |(user, _)| user);
                write!(f, "{user}:[redacted]@{rest}")
            }
            _ => f.write_str(&self.text),
        }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

/// What the parser complains of: names of parameters, never their values.
fn reason_of(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn is_on_this_machine(server: &tokio_postgres::Config) -> bool {
    server.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => matches!(&**name, "localhost" | "127.0.0.1" | "::1"),
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

/// A text that is shown nowhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text; empty when there is none.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Result<PostgresUrl, String> {
        PostgresUrl::parse(&format!("postgres://{rest}"))
    }

    #[test]
    fn each_server_of_a_url_has_its_own_host_and_shares_the_rest() {
        let url =
            parse("door:s%40cret@h1:5433,h2/clients?target_session_attrs=read-write").unwrap();

        let [first, second] = url.servers() else { panic!("{url:?}") };
        assert_eq!(first.get_hosts(), [Host::Tcp("h1".into())]);
        assert_eq!((first.get_ports(), second.get_ports()), (&[5433][..], &[5432][..]));
        for server in [first, second] {
            assert_eq!(server.get_user(), Some("door"));
            assert_eq!(server.get_password(), Some(&b"s@cret"[..]));
            assert_eq!(server.get_dbname(), Some("clients"));
        }
    }

    #[test]
    fn only_connections_within_the_machine_are_plain_unless_the_url_says_so() {
        for (rest, is_encrypted) in [
            ("localhost/d", false),
            ("u@127.0.0.1:1,[::1]:2/d", false),
            ("u@%2Frun%2Fpostgresql/d", false),
            ("db.example/d", true),
            ("localhost,db.example/d", true),
            ("db.example/d?sslmode=disable", false),
            ("localhost/d?sslmode=require", true),
            ("localhost/d?application_name=x&sslmode=verify-full", true),
        ] {
            assert_eq!(parse(rest).unwrap().is_encrypted(), is_encrypted, "{rest}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_meant_is_refused_without_a_word_of_its_password() {
        for rest in [
            "",
            "u:hunter2@h",
            "u:hunter2@/d",
            "u:hunter2@h:port/d",
            "u:hunt@er2@h/d",
            "u:hunter2/3@h/d",
            "u:hunter2@h/d?sslmode=prefer",
            "u@h/d?password=hunter2",
            "u:hunter2@h/d?port=1",
            "u:hunter2@h/d?unheard_of=1",
        ] {
            let refusal = parse(rest).unwrap_err();
            assert!(!refusal.contains("hunt"), "{refusal}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (rest, shown) in [
            ("u:hunter2@h/d?sslmode=disable", "postgres://u:[redacted]@h/d?sslmode=disable"),
            ("u:a%40b@h,i/d", "postgres://u:[redacted]@h,i/d"),
            ("u@h/d", "postgres://u@h/d"),
        ] {
            let url = parse(rest).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{:?}", StoreLocation::Postgres(url)).contains("hunter2"));
        }
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
    }
}
