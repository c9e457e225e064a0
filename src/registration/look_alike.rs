//! Borrowed names: a client that goes by a protected name, or by one that looks like it, while its
//! redirect URIs lead elsewhere. It is registered all the same and flagged for the operator, since names
//! are self-asserted and prove nothing either way (RFC 7591 §5).

use crate::{
    client::{ClientMetadata, ClientName, Reach, RedirectUri, skeleton_of},
    config::ProtectedName,
};

/// The protected names, prepared for comparison.
#[derive(Debug, Default)]
pub(crate) struct ProtectedNames {
    names: Vec<Protected>,
    /// The longest of their skeletons, in bytes.
    skeleton_bytes_max: usize,
}

/// A protected name, and where its owner is.
#[derive(Debug)]
pub(crate) struct Protected {
    /// As the settings spell it.
    pub(crate) name: String,
    skeleton: String,
    pub(crate) hosts: Vec<String>,
    schemes: Vec<String>,
}

impl ProtectedNames {
    /// Prepares the names of the settings.
    pub(crate) fn new(settings: &[ProtectedName]) -> Self {
        let names: Vec<Protected> = settings
            .iter()
            .map(|protected| Protected {
                name: protected.name.clone(),
                skeleton: skeleton_of(&protected.name),
                hosts: protected.hosts.clone(),
                schemes: protected.schemes.clone(),
            })
            .collect();
        let skeleton_bytes_max = names.iter().map(|name| name.skeleton.len()).max().unwrap_or(0);
        Self { names, skeleton_bytes_max }
    }

    /// The protected name that one of the client's names borrows, as far as its redirect URIs tell.
    pub(crate) fn borrowed_by(&self, metadata: &ClientMetadata) -> Option<&Protected> {
        // The redirect URIs are looked at only when a name is like another, which is seldom.
        self.resembled_by(metadata).find(|protected| {
            // Loopback proves nothing: real clients list it beside what is theirs, and anybody may list it
            // alone.
            let uris = metadata.redirect_uris.as_slice().iter();
            let mut telling = uris.filter(|uri| uri.reach() != Ok(Reach::Loopback)).peekable();
            telling.peek().is_none() || !telling.all(|uri| protected.owns(uri))
        })
    }

    /// The protected name that a client borrows which publishes its metadata at `host`: that host is its own.
    pub(crate) fn borrowed_at(&self, host: &str, metadata: &ClientMetadata) -> Option<&Protected> {
        self.resembled_by(metadata).find(|protected| !protected.has_host(host))
    }

    /// The protected names that names of the client look like.
    fn resembled_by(&self, metadata: &ClientMetadata) -> impl Iterator<Item = &Protected> {
        let localized =
            metadata.localized.iter().filter(|(name, _)| name.starts_with("client_name#"));
        let names = metadata.client_name.iter().map(ClientName::as_str);
        names
            .chain(localized.map(|(_, name)| name.as_str()))
            .filter_map(|name| self.resembled(name))
    }

    fn resembled(&self, name: &str) -> Option<&Protected> {
        // No character of ASCII becomes shorter in a skeleton; others do, and had more bytes before.
        let bytes_max =
            if name.is_ascii() { self.skeleton_bytes_max } else { self.skeleton_bytes_max * 8 };
        if name.trim().len() > bytes_max {
            return None;
        }
        let skeleton = skeleton_of(name);
        self.names.iter().find(|protected| protected.skeleton == skeleton)
    }
}

impl Protected {
    /// Whether `uri` leads to one of the name's own hosts, below one, or to its own application.
    fn owns(&self, uri: &RedirectUri) -> bool {
        let (scheme, host) = uri.scheme_and_host();
        if scheme != "https" {
            return self.schemes.iter().any(|own| *own == scheme);
        }
        self.has_host(host)
    }

    /// Whether `host` is one of the name's own, or below one.
    fn has_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.hosts.iter().any(|own| {
            host.strip_suffix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::request::RegistrationRequest;

    #[test]
    fn a_borrowed_name_is_flagged_and_its_owner_is_not() {
        let names = ProtectedNames::new(&[ProtectedName {
            name: "Claude".to_owned(),
            hosts: vec!["claude.ai".to_owned()],
            schemes: vec!["claude".to_owned()],
        }]);
        let cases = [
            (r#"{"client_name":"Claude","redirect_uris":["https://claude.ai/cb"]}"#, false),
            (
                r#"{"client_name":"Claude","redirect_uris":["https://eu.CLAUDE.ai/cb","claude://cb"]}"#,
                false,
            ),
            (r#"{"client_name":"Claude","redirect_uris":["https://evilclaude.ai/cb"]}"#, true),
            (
                r#"{"client_name":"Claude","redirect_uris":["https://claude.ai/cb","https://evil.example/"]}"#,
                true,
            ),
            (r#"{"client_name":"\u0421laude","redirect_uris":["http://localhost:1/"]}"#, true),
            (
                r#"{"client_name":"x","client_name#fr":"CLAUDE","redirect_uris":["http://localhost:1/"]}"#,
                true,
            ),
            (r#"{"client_name":"Clause","redirect_uris":["https://evil.example/"]}"#, false),
            (r#"{"redirect_uris":["https://evil.example/"]}"#, false),
        ];
        for (body, is_borrowed) in cases {
            let request = RegistrationRequest::parse(body.as_bytes()).unwrap();
            assert_eq!(names.borrowed_by(&request.metadata).is_some(), is_borrowed, "{body}");
        }
    }

    #[test]
    fn whoever_publishes_at_a_host_of_the_name_has_not_borrowed_it() {
        let names = ProtectedNames::new(&[ProtectedName {
            name: "Claude".to_owned(),
            hosts: vec!["claude.ai".to_owned()],
            schemes: Vec::new(),
        }]);
        let body = r#"{"client_name":"Claude","redirect_uris":["http://localhost/cb"]}"#;
        let request = RegistrationRequest::parse(body.as_bytes()).unwrap();
        for (host, is_borrowed) in
            [("claude.ai", false), ("eu.claude.ai", false), ("claude.ai.evil.example", true)]
        {
            assert_eq!(names.borrowed_at(host, &request.metadata).is_some(), is_borrowed, "{host}");
        }
    }
}
