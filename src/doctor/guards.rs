//! Guarded resources: is the upstream there, and for the guard alone; does the public address lead here; and do the
//! clocks agree?

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{
    HeaderMap, StatusCode,
    header::{DATE, WWW_AUTHENTICATE},
};
use serde_json::Value;
use tokio::{
    net::{TcpStream, UdpSocket, lookup_host},
    time::timeout,
};
use url::Url;

use super::{Examined, Finding, Look, addresses::is_private, public_address};
use crate::{
    clock::Timestamp,
    guard::{Asked, Decision, Guarded, Presented, Tool, decide},
    http::{
        fetch::{FetchError, Fetched},
        request_event::chain,
    },
    paths,
};

/// How long an upstream may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far the clock behind the public address may be from this one, in seconds.
const APART_MAX: u64 = 5;
/// An address of documentation (RFC 5737). Nothing is sent to it.
const ELSEWHERE: (IpAddr, u16) = (IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 9);

const LEAD_HERE: &str = "start Doorward and the proxy in front, and lead /.well-known/oauth-protected-resource* there to Doorward";

/// All guarded resources, end to end.
pub(super) fn guarded(examined: &Examined<'_>) -> Vec<Finding> {
    let config = examined.config;
    let resources = config.authorization.resources.iter();
    let all: Vec<Guarded> =
        resources.filter_map(|resource| Guarded::of(resource, config)).collect();
    let mut findings = Vec::new();
    for guarded in &all {
        if let Some(upstream) = &guarded.settings.upstream {
            findings.extend(examined.wait(upstream_findings(guarded, upstream)));
        }
        let is_alone = all.iter().filter(|other| other.origin == guarded.origin).count() == 1;
        if examined.is_offline {
            findings.push(Look::at("guard", &guarded.uri).ok("it is not requested (--offline)"));
        } else {
            let now = examined.clock.now();
            let answers = examined.wait(Public::ask(guarded));
            findings.extend(answers.judged(guarded, is_alone, now));
        }
    }
    findings
}

/// Whether the upstream accepts connections from this server, and from other addresses.
async fn upstream_findings(guarded: &Guarded, upstream: &Url) -> Vec<Finding> {
    let look = || Look::at("guard", upstream);
    let (Some(host), Some(port)) = (upstream.host_str(), upstream.port_or_known_default()) else {
        return Vec::new();
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = match timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(error)) => return vec![unreachable(look(), guarded, &error)],
        Err(_) => return vec![unreachable(look(), guarded, &io::ErrorKind::TimedOut.into())],
    };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in &addresses {
        match connect(*address).await {
            Ok(()) => {
                let reached = look().ok("the upstream accepts connections");
                return vec![reached, exposure(look(), &addresses).await];
            }
            Err(error) => last = error,
        }
    }
    vec![unreachable(look(), guarded, &last)]
}

async fn connect(address: SocketAddr) -> io::Result<()> {
    timeout(PATIENCE, TcpStream::connect(address)).await?.map(drop)
}

fn unreachable(look: Look, guarded: &Guarded, error: &io::Error) -> Finding {
    let what = format!("the upstream of {} accepts no connection: {error}", guarded.settings.id);
    look.problem(what, "start the server behind the guard, or change `upstream`")
}

/// Whether requests may reach the upstream past the guard, as far as this machine can tell.
async fn exposure(look: Look, addresses: &[SocketAddr]) -> Finding {
    const ADVICE: &str = "let the server listen on loopback, or verify Doorward-Assertion there \
        (docs/protect/verify.md)";
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        if addresses.iter().all(|address| is_private(address.ip())) {
            return look.ok("the upstream has a private address; only its network must reach it");
        }
        let what = "the upstream has a public address: requests may reach it past the guard";
        return look.warning(what, ADVICE);
    }
    let (Ok(own), Some(port)) = (own_address().await, addresses.first().map(SocketAddr::port))
    else {
        return look.ok("the upstream listens on loopback");
    };
    let own = SocketAddr::new(own, port);
    if own.ip().is_loopback() || connect(own).await.is_err() {
        return look.ok("the upstream listens on loopback");
    }
    let what = format!("the upstream also listens on {own}: requests may reach it past the guard");
    look.warning(what, ADVICE)
}

/// The address by which this machine reaches others. A datagram socket that connects sends nothing.
async fn own_address() -> io::Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(ELSEWHERE).await?;
    Ok(socket.local_addr()?.ip())
}

/// What the public address answers.
struct Public {
    path_form: Result<Fetched, FetchError>,
    root_form: Result<Fetched, FetchError>,
    /// A request without a token.
    request: Result<Fetched, FetchError>,
}

impl Public {
    async fn ask(guarded: &Guarded) -> Self {
        let fetcher = public_address::fetcher();
        let root_form = format!("{}{}", guarded.origin, paths::PROTECTED_RESOURCE);
        let get = async |url: &str| match Url::parse(url) {
            Ok(url) => fetcher.get(&url, Arc::new(())).await,
            Err(_) => Err(FetchError::Url),
        };
        let request = match Url::parse(&guarded.uri) {
            Ok(url) => fetcher.post_form(&url, &[], None, Arc::new(())).await,
            Err(_) => Err(FetchError::Url),
        };
        Self {
            path_form: get(&guarded.metadata_url).await,
            root_form: get(&root_form).await,
            request,
        }
    }

    fn judged(self, guarded: &Guarded, is_alone: bool, now: Timestamp) -> Vec<Finding> {
        let look = || Look::at("guard", &guarded.uri);
        let mut findings = vec![document(look(), guarded, "with its path", &self.path_form)];
        // Of several resources of a host, the root form describes one or none.
        if is_alone || guarded.settings.default {
            findings.push(document(look(), guarded, "without a path", &self.root_form));
        }
        if let Some(finding) = challenge(look(), guarded, &self.request) {
            findings.push(finding);
        }
        let answers = [&self.path_form, &self.request];
        let dated = answers.into_iter().flatten().find_map(|fetched| date(&fetched.headers));
        findings.extend(dated.map(|there| clocks(look(), now.as_seconds(), there)));
        findings
    }
}

/// Whether the public address has the metadata of this resource.
fn document(
    look: Look,
    guarded: &Guarded,
    form: &str,
    fetched: &Result<Fetched, FetchError>,
) -> Finding {
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(FetchError::Status(status)) => {
            let what = format!("the metadata document {form} answers {status}");
            return look.problem(what, LEAD_HERE);
        }
        Err(error) => {
            let what = format!("the metadata document {form} cannot be fetched: {}", chain(error));
            return look.warning(what, LEAD_HERE);
        }
    };
    let document: Value = serde_json::from_slice(&fetched.body).unwrap_or_default();
    if document["resource"] == guarded.uri.as_str() {
        look.ok(format!("the metadata document {form} describes it"))
    } else {
        let what = format!("the metadata document {form} describes another resource, or none");
        look.problem(what, LEAD_HERE)
    }
}

/// Whether a request without a token is challenged; `None` if the rules let it through.
fn challenge(
    look: Look,
    guarded: &Guarded,
    answer: &Result<Fetched, FetchError>,
) -> Option<Finding> {
    const ADVICE: &str = "let the proxy in front ask the guard about each request, and pass WWW-Authenticate on (docs/protect)";
    let path = if guarded.path.is_empty() { "/" } else { &guarded.path };
    let asked = Asked {
        method: "POST",
        address: &guarded.origin,
        target: path.as_bytes(),
        origin: None,
        is_preflight: false,
        tool: Tool::None,
        ambiguity: None,
    };
    let decision = decide(guarded, &asked, Presented::Nothing).decision;
    if !matches!(decision, Decision::SignIn { .. }) {
        return None;
    }
    let fetched = match answer {
        Ok(fetched) => fetched,
        Err(error) => {
            let what = format!("a request without a token gets no answer: {}", chain(error));
            return Some(look.warning(what, LEAD_HERE));
        }
    };
    let expected = format!("resource_metadata=\"{}\"", guarded.metadata_url);
    let mut challenges = fetched.headers.get_all(WWW_AUTHENTICATE).iter();
    let is_challenged =
        challenges.any(|value| value.to_str().is_ok_and(|text| text.contains(&expected)));
    Some(if fetched.status == StatusCode::UNAUTHORIZED && is_challenged {
        look.ok("a request without a token is challenged")
    } else if fetched.status == StatusCode::UNAUTHORIZED {
        look.problem(
            "a request without a token gets 401 without the challenge of the guard",
            ADVICE,
        )
    } else {
        let what = format!("a request without a token gets {} instead of 401", fetched.status);
        look.problem(what, ADVICE)
    })
}

fn date(headers: &HeaderMap) -> Option<u64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// What the difference to the clock behind the public address means: assertions are valid for a minute.
fn clocks(look: Look, here: u64, there: u64) -> Finding {
    let apart = here.abs_diff(there);
    if apart <= APART_MAX {
        return look.ok("the clock behind its address agrees with the clock of this machine");
    }
    let what =
        format!("the clock behind its address is {apart} s apart from the clock of this machine");
    look.warning(
        what,
        "keep the clocks of all machines by NTP: assertions are valid for 60 seconds",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{self, Sources},
        doctor::Verdict,
    };

    fn guarded(members: &str) -> Guarded {
        let resources = format!(
            r#"[{{ uri = "https://mcp.example/mcp", guard = {{ id = "tools" {members} }} }}]"#
        );
        let flags = vec![("authorization.resources", resources)];
        let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
        Guarded::of(&config.authorization.resources[0], &config).unwrap()
    }

    fn fetched(status: u16, headers: &[(&'static str, &str)], body: &str) -> Fetched {
        let pair = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), value.parse().unwrap())
        };
        Fetched {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.iter().map(pair).collect(),
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn answers_of_the_public_address_are_judged() {
        use Verdict::{Ok as Good, Problem};
        let guarded_here = guarded("");
        let metadata = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
        let ours = r#"{"resource":"https://mcp.example/mcp"}"#;
        let challenge = format!("Bearer resource_metadata=\"{metadata}\"");
        let date = "Fri, 15 Jan 2027 08:00:00 GMT";
        let now = Timestamp::from_millis(1_800_000_000_000);
        let verdicts = |document: &str, request: Fetched| {
            let all = Public {
                path_form: Ok(fetched(200, &[("date", date)], document)),
                root_form: Err(FetchError::Status(StatusCode::NOT_FOUND)),
                request: Ok(request),
            };
            let findings = all.judged(&guarded_here, true, now);
            findings.into_iter().map(|finding| finding.verdict).collect::<Vec<_>>()
        };
        let challenged = || fetched(401, &[("www-authenticate", &challenge)], "");
        assert_eq!(verdicts(ours, challenged()), [Good, Problem, Good, Good]);
        assert_eq!(verdicts("{}", challenged()), [Problem, Problem, Good, Good]);
        assert_eq!(verdicts(ours, fetched(401, &[], "")), [Good, Problem, Problem, Good]);
        assert_eq!(verdicts(ours, fetched(200, &[], "")), [Good, Problem, Problem, Good]);
    }

    #[test]
    fn a_public_resource_needs_no_challenge() {
        let open = guarded(r#", rules = [{ paths = ["/mcp"], public = true }]"#);
        let answer = Ok(fetched(200, &[], ""));
        assert_eq!(challenge(Look::at("guard", &"x"), &open, &answer), None);
    }

    #[test]
    fn clocks_that_are_apart_are_a_warning() {
        let verdict = |here, there| clocks(Look::at("guard", &"x"), here, there).verdict;
        assert_eq!((verdict(100, 105), verdict(100, 94)), (Verdict::Ok, Verdict::Warning));
    }
}
