//! The kinds of values that settings have: what is expected, how it is read, how it is written.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
};

use ipnet::IpNet;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{
    LogFormat, ProtectedName,
    fault::{Faults, did_you_mean, nearest},
    source::Origin,
};

/// What a value may be.
pub(super) trait Kind {
    type Value;

    /// In words: `an integer from 1 to 3600`.
    fn expected(&self) -> String;

    fn shape(&self) -> Shape {
        Shape::Text
    }

    /// The value; `None` when it is refused, and then `faults` has every reason.
    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<Self::Value>;

    /// The value in TOML, without what is secret in it.
    fn write(&self, value: &Self::Value) -> String;
}

/// How text from the environment or the command line becomes a TOML value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// It is the text itself.
    Text,
    /// It is an integer or a boolean, spelled as in TOML.
    Word,
    /// It is a TOML array, or texts between commas.
    List,
}

/// A value as it was given, and where.
pub(super) struct Given<'a> {
    /// The key, or a place below it: `registration.protected_names[2].hosts`.
    pub(super) path: String,
    pub(super) origin: Origin<'a>,
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Given<'a> {
    fn refuse(&self, faults: &mut Faults, reason: impl Display) {
        faults.add(self.origin, self.value.span().start, format_args!("{}: {reason}", self.path));
    }

    fn refuse_kind(&self, faults: &mut Faults, expected: &str) {
        let found = match self.value.get_ref() {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(integer) => integer.to_string(),
            DeValue::Float(float) => float.to_string(),
            DeValue::Boolean(boolean) => boolean.to_string(),
            DeValue::Datetime(_) => "a date or time".into(),
            DeValue::Array(_) => "a list".into(),
            DeValue::Table(_) => "a table".into(),
        };
        self.refuse(faults, format_args!("expected {expected}, found {found}"));
    }

    fn item(&self, index: usize, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { path: format!("{}[{index}]", self.path), origin: self.origin, value }
    }

    fn member(&self, name: &str, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { path: format!("{}.{name}", self.path), origin: self.origin, value }
    }
}

/// One line, at most 80 characters, in quotes.
fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// Why a text is refused, where `expected` does not say it.
type Refusal = Option<String>;

/// A text that is understood by `parse`.
pub(super) struct Text<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, Refusal>,
    print: fn(&T) -> String,
    /// What of the text may be shown, in messages and in the dump. Here secrets are hidden.
    show: fn(&str) -> String,
}

impl<T> Kind for Text<T> {
    type Value = T;

    fn expected(&self) -> String {
        self.expected.to_owned()
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<T> {
        let DeValue::String(text) = given.value.get_ref() else {
            given.refuse_kind(faults, self.expected);
            return None;
        };
        match (self.parse)(text) {
            Ok(value) => Some(value),
            Err(refusal) => {
                let expected = self.expected;
                let found = quoted(&(self.show)(text));
                let reason = refusal.map(|reason| format!(": {reason}")).unwrap_or_default();
                given.refuse(faults, format_args!("expected {expected}, found {found}{reason}"));
                None
            }
        }
    }

    fn write(&self, value: &T) -> String {
        toml::Value::String((self.show)(&(self.print)(value))).to_string()
    }
}

/// An integer within bounds.
pub(super) struct Integer<T>(pub(super) RangeInclusive<T>);

impl<T: TryFrom<i128> + PartialOrd + Display> Kind for Integer<T> {
    type Value = T;

    fn expected(&self) -> String {
        format!("an integer from {} to {}", self.0.start(), self.0.end())
    }

    fn shape(&self) -> Shape {
        Shape::Word
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<T> {
        let value = match given.value.get_ref() {
            DeValue::Integer(integer) => {
                i128::from_str_radix(integer.as_str(), integer.radix()).ok()
            }
            _ => None,
        };
        let value = value.and_then(|value| T::try_from(value).ok());
        let value = value.filter(|value| self.0.contains(value));
        if value.is_none() {
            given.refuse_kind(faults, &self.expected());
        }
        value
    }

    fn write(&self, value: &T) -> String {
        value.to_string()
    }
}

/// `true` or `false`.
pub(super) struct Boolean;

impl Kind for Boolean {
    type Value = bool;

    fn expected(&self) -> String {
        "true or false".into()
    }

    fn shape(&self) -> Shape {
        Shape::Word
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<bool> {
        let value = given.value.get_ref().as_bool();
        if value.is_none() {
            given.refuse_kind(faults, &self.expected());
        }
        value
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// A list of values of one kind.
pub(super) struct List<K>(pub(super) K);

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn expected(&self) -> String {
        format!("a list, each entry {}", self.0.expected())
    }

    fn shape(&self) -> Shape {
        Shape::List
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<Self::Value> {
        let DeValue::Array(items) = given.value.get_ref() else {
            given.refuse_kind(faults, &self.expected());
            return None;
        };
        // Every entry is read before the first refused one ends it, so that every fault is found.
        let read: Vec<Option<K::Value>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.0.read(&given.item(index, item), faults))
            .collect();
        read.into_iter().collect()
    }

    fn write(&self, value: &Self::Value) -> String {
        let items: Vec<String> = value.iter().map(|item| self.0.write(item)).collect();
        let line = format!("[{}]", items.join(", "));
        if line.len() <= 80 { line } else { format!("[\n  {},\n]", items.join(",\n  ")) }
    }
}

/// One entry of `registration.protected_names`.
pub(super) struct Protected;

impl Protected {
    const MEMBERS: [&'static str; 3] = ["name", "hosts", "schemes"];

    fn refuse_unknown(given: &Given<'_>, table: &DeTable<'_>, faults: &mut Faults) -> bool {
        let mut unknown = table
            .keys()
            .filter(|name| !Self::MEMBERS.contains(&name.get_ref().as_ref()))
            .peekable();
        let any = unknown.peek().is_some();
        for name in unknown {
            let meant = did_you_mean(nearest(name.get_ref(), Self::MEMBERS));
            let what =
                format!("{}.{}: unknown member{meant}", given.path, shown_key(name.get_ref()));
            faults.add(given.origin, name.span().start, what);
        }
        any
    }
}

impl Kind for Protected {
    type Value = ProtectedName;

    fn expected(&self) -> String {
        "a table of a name, hosts and schemes, such as \
         { name = \"Acme\", hosts = [\"acme.example\"], schemes = [\"acme\"] }"
            .into()
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<ProtectedName> {
        let DeValue::Table(table) = given.value.get_ref() else {
            given.refuse_kind(faults, &self.expected());
            return None;
        };
        let unknown = Self::refuse_unknown(given, table, faults);
        let name = table.get("name").map(|value| NAME.read(&given.member("name", value), faults));
        if name.is_none() {
            given.refuse(faults, "name is missing");
        }
        let mut list = |member: &str, kind: Text<String>| match table.get(member) {
            Some(value) => List(kind).read(&given.member(member, value), faults),
            None => Some(Vec::new()),
        };
        let hosts = list("hosts", HOST);
        let schemes = list("schemes", SCHEME);
        let read = ProtectedName { name: name??, hosts: hosts?, schemes: schemes? };
        (!unknown).then_some(read)
    }

    fn write(&self, value: &ProtectedName) -> String {
        let mut members = vec![format!("name = {}", NAME.write(&value.name))];
        if !value.hosts.is_empty() {
            members.push(format!("hosts = {}", one_line(&HOST, &value.hosts)));
        }
        if !value.schemes.is_empty() {
            members.push(format!("schemes = {}", one_line(&SCHEME, &value.schemes)));
        }
        format!("{{ {} }}", members.join(", "))
    }
}

fn one_line(kind: &Text<String>, values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| kind.write(value)).collect();
    format!("[{}]", values.join(", "))
}

/// A key in a message: as it is when it is plain, else quoted.
pub(super) fn shown_key(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if !key.is_empty() && key.len() <= 80 && key.bytes().all(plain) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

/// A TOML value of this kind, spelled our way. It comes from the table, so it is valid.
pub(super) fn spell<K: Kind>(kind: &K, toml: &'static str) -> String {
    let value = DeValue::parse(toml).expect("what stands in the table is TOML");
    let given = Given { path: String::new(), origin: Origin::Default, value: &value };
    let value = kind.read(&given, &mut Faults::default());
    kind.write(&value.expect("what stands in the table is valid"))
}

/// Where clients are kept.
pub(super) const STORE: Text<PathBuf> = Text {
    expected: "a folder",
    parse: |text| {
        if text.contains("://") {
            return Err(Some("clients are kept in a folder, in no other store".into()));
        }
        path(text)
    },
    print: |path| path.display().to_string(),
    show: without_password,
};

/// A file.
pub(super) const FILE: Text<PathBuf> = Text {
    expected: "a file",
    parse: path,
    print: |path| path.display().to_string(),
    show: str::to_owned,
};

fn path(text: &str) -> Result<PathBuf, Refusal> {
    if text.is_empty() || text.contains('\0') { Err(None) } else { Ok(text.into()) }
}

/// A URL-like text, whether or not it is a URL, with its password and its query hidden.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // The last `@` is taken, as a password may hold one, or a slash, that should have been escaped.
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) if let Some((user, _)) = user.split_once(':') => {
            format!("{user}:[redacted]@{host}")
        }
        _ => rest.to_owned(),
    };
    match rest.split_once('?') {
        Some((rest, query)) if !query.is_empty() => format!("{scheme}://{rest}?[redacted]"),
        _ => format!("{scheme}://{rest}"),
    }
}

/// An address to listen on.
pub(super) const ADDRESS: Text<SocketAddr> = Text {
    expected: "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
    parse: |text| text.parse().map_err(|_| None),
    print: SocketAddr::to_string,
    show: str::to_owned,
};

/// A network; a bare address is the network of that address alone.
pub(super) const NETWORK: Text<IpNet> = Text {
    expected: "an IP address or network, such as 10.0.0.0/8 or fd00::/8",
    parse: network,
    print: IpNet::to_string,
    show: str::to_owned,
};

fn network(text: &str) -> Result<IpNet, Refusal> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse().map_err(|_| None)?,
    };
    // Callers' addresses are compared in their IPv4 form, which such a network never contains.
    if matches!(network.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
        return Err(Some("write IPv4 networks in their IPv4 form".into()));
    }
    if network != network.trunc() {
        return Err(Some(format!("the network is {}", network.trunc())));
    }
    Ok(network)
}

/// An issuer identifier (RFC 8414 §2), except that `http` is left to the rules of `load.rs`.
pub(super) const ISSUER: Text<String> = Text {
    expected: "an https or http URL without query, fragment, user name and trailing slash",
    parse: issuer,
    print: String::clone,
    show: without_password,
};

fn issuer(text: &str) -> Result<String, Refusal> {
    let url = Url::parse(text).map_err(|_| None)?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !matches!(url.scheme(), "https" | "http") || !bare || text.ends_with('/') {
        return Err(None);
    }
    if url.port() == Some(0) {
        return Err(Some("port 0 is no place to reach a server at".into()));
    }
    // Clients compare issuers as text (RFC 8414 §3.3), so there must be one spelling only.
    let spelled = if url.path() == "/" { url.origin().ascii_serialization() } else { url.into() };
    if spelled == text { Ok(spelled) } else { Err(Some(format!("write it as {spelled}"))) }
}

/// One scope (RFC 6749 §3.3).
pub(super) const SCOPE: Text<String> = Text {
    expected: "a scope (RFC 6749 section 3.3)",
    parse: |text| {
        let allowed = |byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
        accept_if(text, !text.is_empty() && text.bytes().all(allowed))
    },
    print: String::clone,
    show: str::to_owned,
};

const NAME: Text<String> = Text {
    expected: "a name",
    parse: |text| accept_if(text, !text.trim().is_empty()),
    print: String::clone,
    show: str::to_owned,
};

const HOST: Text<String> = Text {
    expected: "a host name in lower case, such as app.example.com",
    parse: |text| {
        let host = url::Host::parse(text).map_err(|_| None)?;
        let named = matches!(host, url::Host::Domain(_)) && !text.ends_with('.');
        accept_if(text, named && host.to_string() == text)
    },
    print: String::clone,
    show: str::to_owned,
};

const SCHEME: Text<String> = Text {
    expected: "a URI scheme in lower case, such as com.example.app",
    parse: |text| {
        let starts = text.starts_with(|first: char| first.is_ascii_lowercase());
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
        let open = matches!(text, "http" | "https");
        accept_if(text, starts && !open && text.bytes().all(allowed))
    },
    print: String::clone,
    show: str::to_owned,
};

/// A filter of log events.
pub(super) const FILTER: Text<String> = Text {
    expected: "a log filter, such as info or warn,doorward=debug",
    parse: |text| {
        // tracing-subscriber 0.3 skips leading space, but counts characters without it: it takes
        // " info" for a module, and panics where it then cuts a character in two.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Some("filters are ASCII without spaces".into()));
        }
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(Some(error.to_string())),
        }
    },
    print: String::clone,
    show: str::to_owned,
};

/// The format of log events.
pub(super) const FORMAT: Text<LogFormat> = Text {
    expected: "\"auto\", \"text\" or \"json\"",
    parse: |text| match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(None),
    },
    print: |format| match format {
        LogFormat::Auto => "auto".into(),
        LogFormat::Text => "text".into(),
        LogFormat::Json => "json".into(),
    },
    show: str::to_owned,
};

fn accept_if(text: &str, accepted: bool) -> Result<String, Refusal> {
    if accepted { Ok(text.to_owned()) } else { Err(None) }
}
