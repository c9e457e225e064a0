//! The settings of a guarded resource, and the rules between them. A fault names the setting and the rule.

use std::{borrow::Cow, collections::HashSet, iter};

use toml::{Spanned, de::DeValue};
use url::Url;

use super::{
    Config, Resource,
    fault::Faults,
    identity::{IDENTITY_HEADER, TOLD_CLAIM},
    kind::{Boolean, Given, Integer, Kind as _, List, Refusal, Shown, Text},
    pattern::covers,
    setting::table,
    source::Origin,
    tables::{entries, entry},
    text::{PROVIDER_ID, SCOPE, accept_if},
};
use crate::{grant::ResourceIndicator, paths};

table! {
    /// A rule of a guarded resource. It matches a request that fits each of `tools`, `methods`, and `paths` that it has.
    entry GuardRule, check fault {
        /// The tools that the rule is for; `*` stands for any characters.
        tools: Vec<String> = [] example ["delete_*"], List(TOOL_PATTERN);
        /// The methods that the rule is for; `GET` includes `HEAD`. Unless the rule is `public`, letter case makes no
        /// difference.
        methods: Vec<String> = [], List(METHOD);
        /// The paths that the rule is for, as clients send them: `*` stands for any characters but `/`, and `/**` at
        /// the end for the path itself and everything below it. Unless the rule is `public`, letter case and a slash
        /// at the end make no difference. If the path of `upstream` differs from the path of the resource, such a rule also
        /// applies to requests whose path at the upstream it names.
        paths: Vec<String> = [], List(PATH_PATTERN);
        /// The scopes that the rule requires, in addition to `required_scopes`.
        scopes: Vec<String> = [] example ["tools:write"], List(SCOPE);
        /// Whether the rule lets requests through without a token.
        public: bool = false, Boolean;
        /// Whether the rule refuses every request.
        deny: bool = false, Boolean;
    }
}

impl GuardRule {
    fn fault(&self) -> Option<&'static str> {
        if self.tools.is_empty() && self.methods.is_empty() && self.paths.is_empty() {
            Some("the rule needs tools, methods, or paths")
        } else if self.public && self.deny {
            Some("public and deny exclude each other")
        } else if (self.public || self.deny) && !self.scopes.is_empty() {
            Some("a rule with public or deny takes no scopes")
        } else if self.public && !self.tools.is_empty() {
            Some("a tool cannot be public")
        } else {
            None
        }
    }
}

table! {
    /// How a resource is guarded.
    entry Guard {
        /// The name of the resource in commands and addresses.
        id: String = unset example "tools", PROVIDER_ID;
        /// The scopes that every request requires, unless a rule is `public`.
        required_scopes: Vec<String> = [] example ["tools:read"], List(SCOPE);
        /// The rules; the first that matches decides. A request that no rule matches requires `required_scopes`.
        rules: Vec<GuardRule> = [] example [
            { tools = ["delete_*"], scopes = ["tools:write"] },
            { methods = ["GET"], paths = ["/healthz"], public = true },
            { paths = ["/admin/**"], deny = true },
        ], entries::<GuardRule>();
        /// Which scopes a client without a token is told to request: `minimum`, those that its request requires; or
        /// `all`, those of all rules as well, for clients that cannot ask for more later.
        ask: Ask = "all", ASK;
        /// Origins of web pages that may send requests, beside the origin of the resource.
        origins: Vec<String> = [] example ["https://app.example.com"], List(ORIGIN);
        /// Whether the server behind the guard rejects requests whose `Mcp-Method` and `Mcp-Name` differ from the body
        /// (MCP 2026-07-28). Rules for tools require it or `upstream`.
        upstream_validates_headers: bool = false, Boolean;
        /// Whether the metadata document without a path describes this resource, on a host that has several.
        default: bool = false, Boolean;
        /// The headers in which the server behind the guard reads who sends a request, beside `Doorward-Assertion`.
        identity_headers: IdentityHeaders = {}, entry::<IdentityHeaders>();
        /// The claims of the provider that `Doorward-Assertion` has beside the verified email address, as they were at
        /// sign-in. `groups` is the claim that `groups_claim` of the provider names. Claims that are together larger than
        /// 4 KiB are left out.
        claims: Vec<String> = [] example ["groups"], List(TOLD_CLAIM);
        /// The server that the built-in proxy protects. Its path takes the place of the resource's path. Without it,
        /// a proxy in front asks the guard about each request.
        upstream: Option<Url> = none example "http://127.0.0.1:3000/mcp", UPSTREAM;
        /// Which tools the answers to `tools/list` show, where rules name tools: `granted`, those that the token allows;
        /// `askable`, those that another token could allow as well; or `all`.
        list: ShownTools = "askable", LIST;
        /// The largest request body that reaches the upstream, in bytes.
        body_max: usize = 4_194_304, Integer(1_024..=1_000_000_000);
        /// How long connecting to the upstream may take.
        connect_timeout_seconds: u64 = 5, Integer(1..=60);
        /// How long the upstream may take to begin its answer, once it has the request. An answer may take any time.
        first_byte_timeout_seconds: u64 = 60, Integer(1..=3600);
        /// Requests and streams that are open to the upstream at once; a quarter of them for one person, and from
        /// one source (IPv4 address, IPv6 /64).
        streams_max: usize = 1_000, Integer(1..=1_000_000);
        /// Requests and streams of one grant that are open at once.
        streams_per_grant: usize = 20, Integer(1..=1_000_000);
        /// How long a stream may stay open after its access token has expired, unless a later request brings another.
        stream_after_expiry_seconds: u64 = 300, Integer(0..=86_400);
    }
}

table! {
    /// The headers that carry identity in plain text.
    entry IdentityHeaders {
        /// The header for the subject of the token.
        subject: Option<String> = none example "X-Forwarded-User", IDENTITY_HEADER;
        /// The header for the email address, if the provider has verified it.
        email: Option<String> = none example "X-Forwarded-Email", IDENTITY_HEADER;
        /// The header for the groups at sign-in, separated by commas. A group with a comma in its name is left out.
        groups: Option<String> = none example "X-Forwarded-Groups", IDENTITY_HEADER;
        /// The header for the identifier of the client.
        client_id: Option<String> = none, IDENTITY_HEADER;
        /// The header for the scopes, separated by spaces.
        scope: Option<String> = none, IDENTITY_HEADER;
    }
}

impl IdentityHeaders {
    /// The headers that are set.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let Self { subject, email, groups, client_id, scope } = self;
        [subject, email, groups, client_id, scope].into_iter().flatten()
    }
}

/// Which tools are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownTools {
    /// Those that the token allows.
    Granted,
    /// Those that another token could allow as well.
    Askable,
    /// All that the upstream lists.
    All,
}

/// Which scopes the first challenge names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Those that the request requires.
    Minimum,
    /// Those of all rules.
    All,
}

impl Guard {
    /// The claims that the server behind the guard is told in one way or another.
    pub(crate) fn needed_claims(&self) -> impl Iterator<Item = &str> {
        let of_header = self.identity_headers.groups.as_ref().map(|_| "groups");
        self.claims.iter().map(String::as_str).chain(of_header)
    }

    /// Every scope that the guard requires somewhere, each once.
    pub(crate) fn all_scopes(&self) -> Vec<&str> {
        let of_rules = self.rules.iter().flat_map(|rule| &rule.scopes);
        let mut seen = HashSet::new();
        let all = self.required_scopes.iter().chain(of_rules).map(String::as_str);
        all.filter(|scope| seen.insert(*scope)).collect()
    }
}

impl Resource {
    /// The address of a guarded resource, if guards can tell its requests from others.
    fn address(&self) -> Result<Url, String> {
        let uri = self.uri.as_str();
        let expected =
            "must be an http or https URL without a query, such as https://mcp.example.com/mcp";
        let url = Url::parse(uri).map_err(|_| expected.to_owned())?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
            return Err(expected.to_owned());
        }
        let bare = url.origin().ascii_serialization();
        if uri != url.as_str() && uri != bare {
            return Err(format!(
                "write it as {}",
                if url.path() == "/" { &bare } else { url.as_str() }
            ));
        }
        if url.path().contains("//") || url.path().contains(['%', ';']) {
            return Err("its path must not contain //, ;, or percent-encoded characters".into());
        }
        Ok(url)
    }
}

/// The resource that `--protect` adds for an upstream: the origin of the issuer with the upstream's path, guarded by its
/// built-in proxy, without scopes.
pub(super) fn protected(config: &Config, upstream: &str, faults: &mut Faults) -> Option<Resource> {
    let ids: HashSet<&str> = guards(config).map(|guard| &*guard.id).collect();
    let numbered = (2..).map(|nth| format!("dev{nth}"));
    let id = iter::once("dev".to_owned()).chain(numbered).find(|id| !ids.contains(&**id))?;
    let text = |text: &str| Spanned::new(0..0, DeValue::String(Cow::Owned(text.to_owned())));
    let upstream_value = text(upstream);
    let path = format!("--protect {upstream}");
    let given = Given { path, origin: Origin::Flag, value: &upstream_value };
    let url = UPSTREAM.read(&given, faults)?;
    let path = if url.path() == "/" { "" } else { url.path() };
    let uri = ResourceIndicator::parse(&format!("{}{path}", config.issuer_origin())).ok()?;
    let members = DeValue::parse("{ id = \"dev\" }").expect("it is TOML");
    let given = Given { path: String::new(), origin: Origin::Flag, value: &members };
    let guard = entry::<Guard>().read(&given, faults)?;
    let guard = Guard { id, upstream: Some(url), ..guard };
    Some(Resource { uri, name: None, id: None, secret_sha256: None, guard: Some(guard) })
}

fn guards(config: &Config) -> impl Iterator<Item = &Guard> {
    config.authorization.resources.iter().filter_map(|resource| resource.guard.as_ref())
}

/// The faults of all guards, each with the place that it is about.
pub(super) fn faults(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let mut ids = HashSet::new();
    for (nth, resource) in config.authorization.resources.iter().enumerate() {
        let Some(guard) = &resource.guard else { continue };
        let place = format!("authorization.resources[{nth}]");
        if !ids.insert(&guard.id) {
            faults
                .push(format!("{place}.guard.id: another guard has the id {:?} as well", guard.id));
        }
        if !config.authorizes() {
            faults.push(format!("{place}.guard: set sign_in.providers: without a way to sign in, no client gets a token"));
        }
        let others = || config.authorization.resources.iter().take(nth);
        match resource.address() {
            Ok(url) => {
                let fault = own_path_fault(config, &url).or_else(|| twin_fault(&url, others()));
                faults.extend(fault.map(|fault| format!("{place}.uri: {fault}")));
                let fault = own_path_of_rule_fault(config, &url, guard);
                faults.extend(fault.map(|fault| format!("{place}.guard.{fault}")));
            }
            Err(fault) => faults.push(format!("{place}.uri: {fault}")),
        }
        let is_second_default =
            guard.default && others().any(|other| is_default_of_same_host(other, resource));
        if is_second_default {
            faults.push(format!(
                "{place}.guard.default: another guard of the host is the default as well"
            ));
        }
        let of_guard = scope_faults(config, guard).into_iter().chain(tool_faults(guard));
        faults.extend(of_guard.map(|fault| format!("{place}.guard.{fault}")));
    }
    faults
}

fn is_default_of_same_host(other: &Resource, resource: &Resource) -> bool {
    let origin = |resource: &Resource| Url::parse(resource.uri.as_str()).map(|url| url.origin());
    other.guard.as_ref().is_some_and(|guard| guard.default) && origin(other) == origin(resource)
}

/// The guarded resource before this one with the same requests.
fn twin_fault<'r>(url: &Url, mut others: impl Iterator<Item = &'r Resource>) -> Option<String> {
    let requests = |url: &Url| (url.origin(), url.path().trim_end_matches('/').to_owned());
    let twin = others.find(|other| {
        other.guard.is_some()
            && Url::parse(other.uri.as_str()).is_ok_and(|other| requests(&other) == requests(url))
    })?;
    let uri = twin.uri.as_str();
    Some(format!("{uri} is the same resource: a slash at the end makes no difference"))
}

/// The paths that Doorward answers itself on the host of a resource: none on another host than the issuer's.
fn own_paths(config: &Config, resource: &Url) -> Vec<String> {
    let issuer = Url::parse(&config.server.issuer);
    if issuer.map_or(true, |issuer| issuer.origin() != resource.origin()) {
        return Vec::new();
    }
    let prefixes = [config.issuer_path(), ""];
    let own = prefixes.iter().flat_map(|prefix| {
        paths::RESERVED.iter().map(move |reserved| format!("{prefix}{reserved}"))
    });
    own.collect()
}

/// Which of our own paths the resource would take away, on the host of the issuer.
fn own_path_fault(config: &Config, resource: &Url) -> Option<String> {
    let path = resource.path().trim_end_matches('/');
    let is_below = |path: &str, above: &str| {
        path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let own = own_paths(config, resource);
    let covered = own.iter().find(|own| is_below(own, path) || is_below(path, own))?;
    Some(format!(
        "{} covers {covered}, which Doorward answers itself: choose another path, such as {}/mcp, or a host of its own",
        resource.as_str().trim_end_matches('/'),
        resource.origin().ascii_serialization(),
    ))
}

/// The same of the paths of rules, which belong to the resource as well. Without an upstream, the proxy in front chooses
/// which requests go where.
fn own_path_of_rule_fault(config: &Config, resource: &Url, guard: &Guard) -> Option<String> {
    guard.upstream.as_ref()?;
    let own = own_paths(config, resource);
    let mut rules = guard.rules.iter().enumerate();
    rules.find_map(|(nth, rule)| {
        let mut pairs = rule.paths.iter().flat_map(|path| own.iter().map(move |own| (path, own)));
        let (path, covered) = pairs.find(|(path, own)| covers(path, own))?;
        Some(format!(
            "rules[{nth}].paths: {path} covers {covered}, which Doorward answers itself: name paths below {}",
            resource.path(),
        ))
    })
}

fn scope_faults(config: &Config, guard: &Guard) -> Vec<String> {
    let catalogue = &config.registration.scopes;
    let fault = |scope: &String| {
        if scope == "offline_access" {
            return Some("offline_access is no scope of a resource".to_owned());
        }
        let is_known = catalogue.is_empty() || catalogue.iter().any(|known| known.scope == *scope);
        (!is_known).then(|| format!("clients cannot get {scope}, which registration.scopes lacks"))
    };
    let required = guard.required_scopes.iter().filter_map(fault);
    let required = required.map(|fault| format!("required_scopes: {fault}"));
    let rules = guard.rules.iter().enumerate().flat_map(|(nth, rule)| {
        let faults = rule.scopes.iter().filter_map(fault);
        faults.map(move |fault| format!("rules[{nth}].scopes: {fault}"))
    });
    required.chain(rules).collect()
}

/// Without a body to read, only headers say which tool is called, and only the upstream can check them.
fn tool_faults(guard: &Guard) -> Option<String> {
    let nth = guard.rules.iter().position(|rule| !rule.tools.is_empty())?;
    (guard.upstream.is_none() && !guard.upstream_validates_headers).then(|| {
        format!(
            "rules[{nth}].tools: only headers say which tool a request calls, so a client could name another: set \
             upstream_validates_headers if the server rejects such requests (MCP 2026-07-28), or upstream to let the \
             built-in proxy read them"
        )
    })
}

/// An upstream, which has a path and nothing else beside its address.
const UPSTREAM: Text<Url> = Text {
    expected: "an http or https URL without query, fragment, and user name",
    parse: |text| {
        let url = Url::parse(text).map_err(|_| None)?;
        let is_plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_plain {
            return Err(None);
        }
        // The path is sent as it is written.
        let is_same = text == url.as_str() || format!("{text}/") == url.as_str();
        if is_same { Ok(url) } else { Err(Some(format!("write it as {url}"))) }
    },
    print: Url::to_string,
    shown: Shown::Whole,
};

/// Which tools are listed.
const LIST: Text<ShownTools> = Text {
    expected: "\"granted\", \"askable\", or \"all\"",
    parse: |text| match text {
        "granted" => Ok(ShownTools::Granted),
        "askable" => Ok(ShownTools::Askable),
        "all" => Ok(ShownTools::All),
        _ => Err(None),
    },
    print: |list| match list {
        ShownTools::Granted => "granted".into(),
        ShownTools::Askable => "askable".into(),
        ShownTools::All => "all".into(),
    },
    shown: Shown::Whole,
};

/// Which scopes the first challenge of a guard names.
const ASK: Text<Ask> = Text {
    expected: "\"minimum\" or \"all\"",
    parse: |text| match text {
        "minimum" => Ok(Ask::Minimum),
        "all" => Ok(Ask::All),
        _ => Err(None),
    },
    print: |ask| match ask {
        Ask::Minimum => "minimum".into(),
        Ask::All => "all".into(),
    },
    shown: Shown::Whole,
};

/// A method, in the spelling of RFC 9110 §9.1.
const METHOD: Text<String> = Text {
    expected: "a method in capitals, such as GET",
    parse: |text| {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        accept_if(text, (1..=32).contains(&text.len()) && text.bytes().all(allowed))
    },
    print: String::clone,
    shown: Shown::Whole,
};

/// A pattern of tool names.
const TOOL_PATTERN: Text<String> = Text {
    expected: "the name of a tool, with * for any characters",
    parse: |text| accept_if(text, !text.is_empty() && !text.contains(char::is_control)),
    print: String::clone,
    shown: Shown::Whole,
};

/// A pattern of paths, which are compared without their percent-encoding.
const PATH_PATTERN: Text<String> = Text {
    expected: "a path that begins with /, with * for any characters but / and /** at its end for all below",
    parse: path_pattern,
    print: String::clone,
    shown: Shown::Whole,
};

fn path_pattern(text: &str) -> Result<String, Refusal> {
    let base = text.strip_suffix("/**").unwrap_or(text);
    let reason = if !text.starts_with('/') {
        return Err(None);
    } else if base.contains("**") {
        "** stands at the end only, as in /admin/**"
    } else if text.contains('%') {
        "write characters plainly, without percent-encoding"
    } else if text.contains(['?', '#']) {
        "a query or a fragment is not compared"
    } else if text.contains(['\\', ';']) || text.contains("//") || text.contains(char::is_control) {
        "the guard rejects all such paths already"
    } else if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        "the guard rejects . and .. in paths already"
    } else {
        return Ok(text.to_owned());
    };
    Err(Some(reason.into()))
}

/// An origin (RFC 6454 §6.2) as browsers send it.
const ORIGIN: Text<String> = Text {
    expected: "an origin such as https://app.example.com, without a path",
    parse: |text| {
        let url = Url::parse(text).map_err(|_| None)?;
        let origin = url.origin().ascii_serialization();
        if matches!(url.scheme(), "http" | "https") && origin == text {
            return Ok(origin);
        }
        Err((origin != "null").then(|| format!("write it as {origin}")))
    },
    print: String::clone,
    shown: Shown::Whole,
};
