//! What follows from the settings, for those who need it in another form.

use super::{Config, Guard};
use crate::paths;

/// The path of the operator API as a protected resource, below the issuer.
const API: &str = "/api";

impl Config {
    /// Whether people can sign in, so that clients can ask for access.
    pub fn authorizes(&self) -> bool {
        self.sign_in.local || !self.sign_in.providers.is_empty()
    }

    /// Whether any resource may ask about tokens.
    pub fn introspects(&self) -> bool {
        self.authorization.resources.iter().any(|resource| resource.introspection().is_some())
    }

    /// The claims that servers behind guards are told, each once; `None` without guards.
    pub(crate) fn claims_of_guards(&self) -> Option<Vec<&str>> {
        let resources = self.authorization.resources.iter();
        let guards = resources.filter_map(|resource| resource.guard.as_ref());
        let mut claims: Vec<&str> = guards.flat_map(Guard::needed_claims).collect();
        claims.sort_unstable();
        claims.dedup();
        self.guards().then_some(claims)
    }

    /// Whether any resource has a guard.
    pub fn guards(&self) -> bool {
        self.authorization.resources.iter().any(|resource| resource.guard.is_some())
    }

    /// Whether Envoy can ask the guard over gRPC: at the guard's own listener alone. A proxy that leads strangers to the
    /// public one can keep them from `/guard/`, and knows nothing of the address that gRPC fixes.
    pub fn guards_over_grpc(&self) -> bool {
        self.guards() && self.guard.listen.is_some()
    }

    /// Scheme, host and port of the issuer, as browsers write an origin.
    pub fn issuer_origin(&self) -> &str {
        self.issuer_parts().0
    }

    /// The path of the issuer, without a slash at its end; empty for an origin alone.
    pub fn issuer_path(&self) -> &str {
        self.issuer_parts().1
    }

    fn issuer_parts(&self) -> (&str, &str) {
        let issuer = &self.server.issuer;
        let authority = issuer.find("://").map_or(0, |at| at + 3);
        let path = issuer.bytes().skip(authority).position(|byte| byte == b'/');
        issuer.split_at(path.map_or(issuer.len(), |at| authority + at))
    }

    /// The operator API as clients name it in `resource`: the audience of access tokens that open it.
    pub fn api(&self) -> String {
        format!("{}{API}", self.server.issuer)
    }

    /// Where clients read the metadata of the operator API as a protected resource (RFC 9728 §3.1).
    pub(crate) fn api_metadata(&self) -> String {
        let (origin, path) = self.issuer_parts();
        format!("{origin}{}{path}{API}", paths::PROTECTED_RESOURCE)
    }

    /// Whether this is the path of [`Self::api_metadata`].
    pub(crate) fn is_api_metadata(&self, path: &str) -> bool {
        let below = path.strip_prefix(paths::PROTECTED_RESOURCE);
        below.and_then(|below| below.strip_prefix(self.issuer_path())) == Some(API)
    }

    /// Whether a text names the operator API exactly.
    pub(crate) fn is_api(&self, resource: &str) -> bool {
        resource.strip_prefix(&*self.server.issuer) == Some(API)
    }
}
