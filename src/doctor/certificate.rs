//! The certificate that callers are shown: does it fit its key, until when is it valid, and whose is it?

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use rustls::{
    CertificateError::{ExpiredContext, NotValidYetContext},
    Error::InvalidCertificate,
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _, verify_server_name},
    crypto::aws_lc_rs,
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use url::Url;

use super::{Examined, Finding, Look};
use crate::{clock::Timestamp, config::TlsConfig, http::request_event::chain, server::Certificate};

/// With less left, whoever renews it has not done so.
const DAYS_MIN: u64 = 14;
const DAY_SECONDS: u64 = 86_400;

const RENEW: &str = "renew it, and send the server SIGHUP";

/// Can a server use the files, and will callers take what it shows?
pub(super) fn files(examined: &Examined<'_>) -> Vec<Finding> {
    let Some(files) = &examined.config.tls else {
        return vec![Look::at("certificate", &"[tls]").ok("TLS is off here")];
    };
    let look = |files: &TlsConfig| Look::at("certificate", &files.certificate_file.display());
    let certificate = match Certificate::open(files) {
        Ok(certificate) => certificate.own(),
        Err(error) => {
            let advice = "see to tls.certificate_file and tls.key_file";
            return vec![look(files).problem(chain(&error), advice)];
        }
    };
    vec![
        validity(look(files), &certificate, examined.clock.now()),
        name(look(files), &certificate, &examined.config.server.issuer),
    ]
}

fn validity(look: Look, certificate: &CertificateDer<'_>, now: Timestamp) -> Finding {
    let now = now.as_seconds();
    let (begins, ends) = match begin_and_end(certificate) {
        Ok(found) => found,
        Err(error) => return look.problem(format!("no caller can read it: {error}"), RENEW),
    };
    let days = ends.saturating_sub(now) / DAY_SECONDS;
    match () {
        () if now > ends => look.problem("it has expired", RENEW),
        () if now < begins => {
            look.problem("it is not valid yet", "see to the clock, or to the certificate")
        }
        () if days < DAYS_MIN => look.warning(format!("it expires in {days} days"), RENEW),
        () => look.ok(format!("it fits its key and is valid for {days} days more")),
    }
}

/// From when until when a certificate is valid, in seconds since 1970.
///
/// rustls does not tell, but its verifier gives the reason when it is asked about the first moment there
/// is, and about the last; it looks at them before anything else.
fn begin_and_end(certificate: &CertificateDer<'_>) -> Result<(u64, u64), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned())?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let name = ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST));
    let at = |seconds| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier.verify_server_cert(certificate, &[], &name, &[], time).map(drop)
    };
    let begins = match at(0) {
        Err(InvalidCertificate(NotValidYetContext { not_before, .. })) => not_before.as_secs(),
        _ => 0,
    };
    match at(u64::MAX) {
        Err(InvalidCertificate(ExpiredContext { not_after, .. })) => {
            Ok((begins, not_after.as_secs()))
        }
        Err(error) => Err(error),
        Ok(()) => Ok((begins, u64::MAX)),
    }
}

fn name(look: Look, certificate: &CertificateDer<'_>, issuer: &str) -> Finding {
    let url = Url::parse(issuer).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let matches = ParsedCertificate::try_from(certificate).and_then(|parsed| {
        let name = ServerName::try_from(host.trim_matches(['[', ']']))
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        verify_server_name(&parsed, &name)
    });
    match matches {
        Ok(()) => look.ok(format!("it is for {host}, the host of server.issuer")),
        Err(error) => {
            let what = format!("it is not for {host}, the host of server.issuer: {error}");
            look.warning(what, "get one for that name, unless a proxy speaks TLS for it")
        }
    }
}
