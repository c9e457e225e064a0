//! The addresses to listen on: free, taken by a running Doorward, or taken by another program.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{Examined, Finding, Look};

/// How long a program that listens may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than the answer of a Doorward has.
const ANSWER_MAX: u64 = 4096;

/// Could a server listen there, or does one already?
pub(super) fn listeners(examined: &Examined<'_>) -> Vec<Finding> {
    let server = &examined.config.server;
    let config = examined.config;
    let own = [(config.operator.listen, "operator.listen"), (config.guard.listen, "guard.listen")];
    examined.wait(async {
        let management = bind(server.management).await;
        let is_ours =
            management.as_ref().is_err_and(is_taken) && is_doorward(server.management).await;
        let ours = |what| is_ours.then_some(what);
        // The public one may speak TLS; who has the management address can be asked without.
        let public = ours("in use: a Doorward already answers at server.management");
        let mut findings = vec![
            judged(server.listen, "server.listen", bind(server.listen).await, public),
            judged(
                server.management,
                "server.management",
                management,
                ours("a Doorward listens on it"),
            ),
        ];
        for (at, setting) in own {
            if let Some(at) = at {
                findings.push(judged(at, setting, bind(at).await, public));
            }
        }
        findings
    })
}

async fn bind(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).await.map(drop)
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// What it means that an address could be bound, or not; `ours` is said of one that is taken by a
/// Doorward.
fn judged(
    address: SocketAddr,
    setting: &str,
    bound: io::Result<()>,
    ours: Option<&str>,
) -> Finding {
    let look = Look::at("address", &address);
    match (bound, ours) {
        (Ok(()), _) => look.ok(format!("it is free for {setting}")),
        (Err(error), Some(ours)) if is_taken(&error) => look.ok(ours),
        (Err(error), None) if is_taken(&error) => {
            let advice = format!("stop what listens on it, or change {setting}");
            look.problem("another program listens on it", advice)
        }
        (Err(error), _) => {
            let advice = format!("change {setting}, or run this as the user of the server");
            look.problem(format!("it cannot be listened on: {error}"), advice)
        }
    }
}

/// Whether the management listener of a Doorward is there.
async fn is_doorward(address: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /version HTTP/1.1\r\nhost: doctor\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
        io::Result::Ok(String::from_utf8_lossy(&answer).contains(r#""name":"doorward""#))
    };
    matches!(timeout(PATIENCE, asked).await, Ok(Ok(true)))
}

/// Whether an address is of this machine or of a network behind it: strangers do not reach it.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// Whether strangers may reach a listener that `setting` has for `who` alone.
pub(super) fn exposure(
    check: &'static str,
    listen: SocketAddr,
    who: &str,
    setting: &str,
) -> Finding {
    let look = Look::at(check, &listen);
    if is_private(listen.ip()) {
        return look.ok(format!("{who} listens on a private address"));
    }
    let place = if listen.ip().is_unspecified() {
        "every address of this machine"
    } else {
        "a public address"
    };
    look.warning(
        format!("{who} listens on {place}"),
        format!("set {setting} to a private address, or keep strangers away by a firewall"),
    )
}
