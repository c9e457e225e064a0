//! Tries a draft of an admission rule on clients that have registered.

use crate::{
    admission::{Candidate, Door, Rule, Rules},
    client::{ClientMetadata, DocumentUrl, ProfileName},
    config::RegistrationConfig,
    look_alike::ProtectedNames,
    store::{ClientRecord, DocumentClientRecord},
};

/// The rules with a draft among them, which decides whatever its mode.
pub(crate) struct Trial {
    rules: Rules,
    /// The place of the draft.
    place: usize,
    protected_names: ProtectedNames,
}

impl Trial {
    /// Tries the rule at `place` of these, in their order.
    pub(crate) fn new(rules: Vec<Rule>, place: usize, settings: &RegistrationConfig) -> Self {
        Self {
            rules: Rules::enforcing(rules, place),
            place,
            protected_names: ProtectedNames::new(&settings.protected_names),
        }
    }

    /// Whether the draft would have decided about a client that registered: it matches, and no rule before it decides.
    pub(crate) fn decides(&self, client: &ClientRecord) -> bool {
        let Some(metadata) = read(&client.metadata) else { return false };
        self.decides_about(&Candidate {
            door: match client.profile {
                ProfileName::Datadog => Door::Datadog,
                ProfileName::Rfc7591 => Door::Rfc7591,
            },
            metadata: &metadata,
            document_host: None,
            source: client.source,
            initial_access_token: client.registration.policy(),
            is_imitation: &|| self.protected_names.borrowed_by(&metadata).is_some(),
        })
    }

    /// The same of a client with a document. The addresses of people are not stored, so that no network matches.
    pub(crate) fn decides_about_document(
        &self,
        url: &DocumentUrl,
        client: &DocumentClientRecord,
    ) -> bool {
        let Some(metadata) = read(&client.metadata) else { return false };
        self.decides_about(&Candidate {
            door: Door::Document,
            metadata: &metadata,
            document_host: Some(url.host()),
            source: None,
            initial_access_token: None,
            is_imitation: &|| self.protected_names.borrowed_at(url.host(), &metadata).is_some(),
        })
    }

    fn decides_about(&self, candidate: &Candidate<'_>) -> bool {
        self.rules.evaluate(candidate).decided_by == Some(self.place)
    }
}

fn read(metadata: &str) -> Option<ClientMetadata> {
    serde_json::from_str(metadata).ok()
}
