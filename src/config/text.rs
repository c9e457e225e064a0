//! The texts that settings have: paths, addresses, networks, the issuer (RFC 8414 §2), scopes
//! (RFC 6749 §3.3), hosts, schemes, log filters. Each is accepted in one spelling only, so that what
//! reads it later can compare it as it is. Whether a path or an address can be used is left to those
//! who open it.

use std::{fmt::Write as _, net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{
    LogFormat, LookAlikes, PostgresUrl, RegistrationAccess, Secret, SigningAlgorithm,
    StoreLocation, WhenUnreachable,
    kind::{Refusal, SecretFile, Shown, Text},
};
use crate::{admission::Word, audit::ActionPattern, grant::ResourceIndicator, operator::Role};

/// Where clients are kept.
pub(super) const STORE: Text<StoreLocation> = Text {
    expected: "a folder, or a database as postgres://user@host:port/database",
    parse: |text| {
        if PostgresUrl::is_meant(text) {
            return PostgresUrl::parse(text).map(StoreLocation::Postgres).map_err(Some);
        }
        if is_meant_as_url(text) {
            let hint = "a database is postgres://…; a folder with such a name is written ./…";
            return Err(Some(hint.into()));
        }
        path(text).map(StoreLocation::Folder)
    },
    print: StoreLocation::text,
    shown: Shown::WithoutPassword,
};

/// Whether a text that is no URL was probably meant as one, or as the parameters of a connection.
fn is_meant_as_url(text: &str) -> bool {
    let scheme = text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let names_a_user = text.split_once(':').is_some_and(|(_, rest)| rest.contains('@'));
    scheme || names_a_user || text.contains("://") || names_a_secret(text)
}

/// A secret; empty when there is none.
pub(super) const PASSWORD: Text<Secret> = Text {
    expected: "a password",
    parse: |text| if text.contains('\0') { Err(None) } else { Ok(Secret::new(text)) },
    print: |secret| secret.reveal().to_owned(),
    shown: Shown::Nothing,
};

/// A file that need not be named.
pub(super) const FILE_OR_NONE: Text<Option<PathBuf>> = Text {
    expected: "a file, or \"\" for none",
    parse: |text| if text.is_empty() { Ok(None) } else { path(text).map(Some) },
    print: |path| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
    shown: Shown::Whole,
};

/// A file.
pub(super) const FILE: Text<PathBuf> = Text {
    expected: "a file",
    parse: path,
    print: |path| path.display().to_string(),
    shown: Shown::Whole,
};

/// The file of a private key.
pub(super) const KEY_FILE: SecretFile<PathBuf> = SecretFile(FILE);

/// A file that holds a secret.
///
/// A name without a folder is refused: it is mostly the secret itself, and would be shown as a name.
pub(super) const SECRET_FILE: SecretFile<PathBuf> = SecretFile(Text {
    expected: "a file with its folder, such as /etc/doorward/name.secret or ./name.secret",
    parse: |text| if text.contains('/') { path(text) } else { Err(None) },
    print: |path| path.display().to_string(),
    shown: Shown::InDump,
});

fn path(text: &str) -> Result<PathBuf, Refusal> {
    if text.contains(PEM) {
        return Err(Some("write the name of the file, not what it holds".into()));
    }
    if text.is_empty() || text.contains('\0') { Err(None) } else { Ok(text.into()) }
}

/// What stands for a secret in messages and dumps.
pub(super) const REDACTED: &str = "[redacted]";

/// What keys and certificates begin with.
const PEM: &str = "-----BEGIN";

/// A URL with its password hidden, for those who may see whose it is.
pub(super) fn without_password(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else { return text.to_owned() };
    let Some((scheme, user)) = before.split_once("://") else { return without_credentials(text) };
    match user.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{REDACTED}@{host}"),
        None => text.to_owned(),
    }
}

/// A text for messages, without what may be a secret in it: the user name and password of a URL, well
/// written or not, its query and fragment, and whatever says that it is a secret.
pub(crate) fn without_credentials(text: &str) -> String {
    if names_a_secret(text) || text.contains(PEM) {
        return REDACTED.to_owned();
    }
    if let Some((before, host)) = text.rsplit_once('@') {
        let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
        let separator = if scheme.is_empty() { "" } else { "://" };
        return format!("{scheme}{separator}{REDACTED}@{}", without_query(host));
    }
    match text.split_once("://") {
        Some((scheme, rest)) if has_odd_port(rest) => format!("{scheme}://{REDACTED}"),
        Some(_) => without_query(text),
        None => text.to_owned(),
    }
}

fn names_a_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["password", "passwd", "pwd"]
        .iter()
        .any(|name| text.contains(&format!("{name}=")) || text.contains(&format!("{name} =")))
}

/// Whether what follows the host is no port: `user:password/database` without its host, perhaps.
fn has_odd_port(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let behind_address = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind);
    let port = behind_address.split_once(':').map_or("", |(_, port)| port);
    !port.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_query(text: &str) -> String {
    let is_mark = |char| matches!(char, '?' | '#');
    let marked = text.split_inclusive(is_mark).next().unwrap_or_default();
    if marked.ends_with(is_mark) && marked != text {
        format!("{marked}{REDACTED}")
    } else {
        text.to_owned()
    }
}

/// An address to listen on.
pub(super) const ADDRESS: Text<SocketAddr> = Text {
    expected: "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
    parse: |text| text.parse().map_err(|_| None),
    print: SocketAddr::to_string,
    shown: Shown::Whole,
};

/// An address to listen on, if there is one.
pub(super) const ADDRESS_OR_NONE: Text<Option<SocketAddr>> = Text {
    expected: "an IP address and a port, such as 127.0.0.1:9443, or \"\" for none",
    parse: |text| if text.is_empty() { Ok(None) } else { (ADDRESS.parse)(text).map(Some) },
    print: |address| address.map(|address| address.to_string()).unwrap_or_default(),
    shown: Shown::Whole,
};

/// A network; a bare address is the network of that address alone.
pub(super) const NETWORK: Text<IpNet> = word();

/// Actions of audit events.
pub(super) const ACTIONS: Text<ActionPattern> = Text {
    expected: "an action such as client.removed, or a group such as client.*",
    parse: |text| text.parse().map_err(|()| None),
    print: ActionPattern::to_string,
    shown: Shown::Whole,
};

/// Where events are posted. Many receivers are known by a secret in the path.
pub(super) const WEBHOOK_URL: Text<Url> = Text {
    expected: "an https or http URL without user name and fragment",
    parse: |text| {
        let url = Url::parse(text).map_err(|_| None)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        let is_web = matches!(url.scheme(), "https" | "http") && url.host().is_some();
        if is_web && !has_user && url.fragment().is_none() { Ok(url) } else { Err(None) }
    },
    print: Url::to_string,
    shown: Shown::InDump,
};

/// A value of an admission rule.
pub(super) const fn word<W: Word>() -> Text<W> {
    Text { expected: W::EXPECTED, parse: W::parse, print: W::text, shown: Shown::Whole }
}

/// An issuer identifier (RFC 8414 §2), except that `http` is left to the rules of `load.rs`.
pub(super) const ISSUER: Text<String> = Text {
    expected: "an https or http URL without query, fragment, user name and trailing slash",
    parse: issuer,
    print: String::clone,
    shown: Shown::Whole,
};

/// The issuer identifier of a provider (OpenID Connect Discovery 1.0 §3), which is compared as it stands: some
/// end in a slash.
pub(super) const PROVIDER_ISSUER: Text<String> = Text {
    expected: "an https or http URL without query, fragment and user name, such as a provider names itself",
    parse: |text| match text.strip_suffix('/') {
        Some(without) => {
            issuer(without).map_err(|hint| hint.map(|hint| format!("{hint}/")))?;
            Ok(text.to_owned())
        }
        None => issuer(text),
    },
    print: String::clone,
    shown: Shown::Whole,
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
    shown: Shown::Whole,
};

pub(super) const NAME: Text<String> = Text {
    expected: "a name",
    parse: |text| accept_if(text, !text.trim().is_empty()),
    print: String::clone,
    shown: Shown::Whole,
};

pub(super) const HOST: Text<String> = Text {
    expected: "a host name in lower case, such as app.example.com",
    parse: |text| {
        let host = url::Host::parse(text).map_err(|_| None)?;
        let named = matches!(host, url::Host::Domain(_)) && !text.ends_with('.');
        accept_if(text, named && host.to_string() == text)
    },
    print: String::clone,
    shown: Shown::Whole,
};

pub(super) const SCHEME: Text<String> = Text {
    expected: "a URI scheme in lower case, such as com.example.app",
    parse: |text| {
        let starts = text.starts_with(|first: char| first.is_ascii_lowercase());
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
        let open = matches!(text, "http" | "https");
        accept_if(text, starts && !open && text.bytes().all(allowed))
    },
    print: String::clone,
    shown: Shown::Whole,
};

/// The name of a provider or a resource, in paths and credentials.
pub(super) const PROVIDER_ID: Text<String> = Text {
    expected: "1 to 32 lower-case letters, digits and hyphens",
    parse: |text| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        accept_if(text, (1..=32).contains(&text.len()) && text.bytes().all(allowed))
    },
    print: String::clone,
    shown: Shown::Whole,
};

/// A role of operators.
pub(super) const ROLE: Text<Role> = Text {
    expected: "viewer, operator, or admin",
    parse: |text| text.parse().map_err(|()| None),
    print: Role::to_string,
    shown: Shown::Whole,
};

/// A person, as access tokens name them in `sub`.
pub(super) const SUBJECT: Text<String> = Text {
    expected: "the id of a provider, a colon, and what the provider calls the person, such as acme:248289761001",
    parse: |text| {
        let is_subject = text.split_once(':').is_some_and(|(id, at_provider)| {
            (PROVIDER_ID.parse)(id).is_ok() && !at_provider.is_empty()
        });
        accept_if(text, is_subject && !text.chars().any(char::is_control))
    },
    print: String::clone,
    shown: Shown::Whole,
};

/// An email address.
pub(super) const EMAIL: Text<String> = Text {
    expected: "an email address such as ada@example.com",
    parse: |text| {
        if text.contains('*') {
            return Err(Some("each address stands alone: for all of a domain, use groups".into()));
        }
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_graphic());
        let is_address = text.split_once('@').is_some_and(|(local, domain)| {
            is_part(local) && is_part(domain) && !domain.contains('@')
        });
        accept_if(text, is_address)
    },
    print: String::clone,
    shown: Shown::Whole,
};

/// The name of a claim.
pub(super) const CLAIM: Text<String> = Text {
    expected: "the name of a claim",
    parse: |text| accept_if(text, !text.is_empty()),
    print: String::clone,
    shown: Shown::Whole,
};

/// A resource indicator (RFC 8707 §2).
pub(super) const RESOURCE: Text<ResourceIndicator> = Text {
    expected: "an absolute URI without fragment, at most 2048 bytes, such as https://mcp.example.com/mcp",
    parse: |text| {
        // Everybody may read it, in metadata and tokens.
        let has_user = |url: &Url| !url.username().is_empty() || url.password().is_some();
        if Url::parse(text).is_ok_and(|url| has_user(&url)) {
            return Err(Some("it has a user name or a password".into()));
        }
        ResourceIndicator::parse(text).map_err(|_| None)
    },
    print: ResourceIndicator::to_string,
    shown: Shown::Whole,
};

/// A SHA-256.
pub(super) const SHA256: Text<[u8; 32]> = Text {
    expected: "the SHA-256 of a secret as 64 hexadecimal digits, not the secret itself",
    parse: |text| {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(None);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = str::from_utf8(digits).map_err(|_| None)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| None)?;
        }
        Ok(bytes)
    },
    print: |bytes| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes any text");
            text
        })
    },
    shown: Shown::InDump,
};

/// What signing keys are sealed with; empty for one that is made.
pub(super) const KEYS_SECRET: Text<Secret> = Text {
    expected: "a secret of at least 32 characters",
    parse: |text| match text.len() {
        0 | 32.. => Ok(Secret::new(text)),
        _ => Err(Some("it is too short to be a secret".into())),
    },
    print: |secret| secret.reveal().to_owned(),
    shown: Shown::Nothing,
};

/// What access tokens are signed with.
pub(super) const ALGORITHM: Text<SigningAlgorithm> = Text {
    expected: "\"ES256\", \"RS256\" or \"EdDSA\"",
    parse: |text| match text {
        "ES256" => Ok(SigningAlgorithm::Es256),
        "RS256" => Ok(SigningAlgorithm::Rs256),
        "EdDSA" => Ok(SigningAlgorithm::EdDsa),
        _ => Err(None),
    },
    print: |algorithm| algorithm.name().into(),
    shown: Shown::Whole,
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
        // It takes a URL for the name of a module, which a later dump would show with its password.
        if text.contains(['@', '/']) {
            return Err(None);
        }
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(text.to_owned()),
            // What the parser says may quote the filter.
            Err(_) => Err(None),
        }
    },
    print: String::clone,
    shown: Shown::Whole,
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
    shown: Shown::Whole,
};

/// What holds without Redis.
pub(super) const WHEN_UNREACHABLE: Text<WhenUnreachable> = Text {
    expected: "\"local\", \"open\" or \"closed\"",
    parse: |text| match text {
        "local" => Ok(WhenUnreachable::Local),
        "open" => Ok(WhenUnreachable::Open),
        "closed" => Ok(WhenUnreachable::Closed),
        _ => Err(None),
    },
    print: |choice| match choice {
        WhenUnreachable::Local => "local".into(),
        WhenUnreachable::Open => "open".into(),
        WhenUnreachable::Closed => "closed".into(),
    },
    shown: Shown::Whole,
};

/// What happens to look-alikes.
pub(super) const LOOK_ALIKES: Text<LookAlikes> = Text {
    expected: "\"label\", \"hold\", \"reject\" or \"off\"",
    parse: |text| match text {
        "label" => Ok(LookAlikes::Label),
        "hold" => Ok(LookAlikes::Hold),
        "reject" => Ok(LookAlikes::Reject),
        "off" => Ok(LookAlikes::Off),
        _ => Err(None),
    },
    print: |choice| match choice {
        LookAlikes::Label => "label".into(),
        LookAlikes::Hold => "hold".into(),
        LookAlikes::Reject => "reject".into(),
        LookAlikes::Off => "off".into(),
    },
    shown: Shown::Whole,
};

/// Who may register.
pub(super) const ACCESS: Text<RegistrationAccess> = Text {
    expected: "\"open\", \"token\" or \"either\"",
    parse: |text| match text {
        "open" => Ok(RegistrationAccess::Open),
        "token" => Ok(RegistrationAccess::Token),
        "either" => Ok(RegistrationAccess::Either),
        _ => Err(None),
    },
    print: |choice| match choice {
        RegistrationAccess::Open => "open".into(),
        RegistrationAccess::Token => "token".into(),
        RegistrationAccess::Either => "either".into(),
    },
    shown: Shown::Whole,
};

pub(super) fn accept_if(text: &str, accepted: bool) -> Result<String, Refusal> {
    if accepted { Ok(text.to_owned()) } else { Err(None) }
}
