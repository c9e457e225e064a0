//! Why a client was removed, read from its event.

use crate::{
    audit::{Action, ActorKind},
    client::shown_name,
    messages::Message,
    store::EventRecord,
};

/// The removal of a client, for the person who asked for it.
#[derive(Debug)]
pub(super) struct Removal {
    /// The name of the client.
    name: Option<String>,
    /// How long ago it was removed.
    ago: Message,
    why: Why,
}

#[derive(Clone, Copy, Debug)]
enum Why {
    Rejected,
    ByOperator,
    ByItself,
    /// An admission rule limited its lifetime, which ended.
    Over,
    /// The client was unused for so many days, if the number is known.
    Expired(Option<u64>),
}

impl Removal {
    /// Reads an event; `None` if it is not about a removal.
    pub(super) fn of(event: &EventRecord, ago: Message) -> Option<Self> {
        let detail = event.detail.as_deref().unwrap_or_default();
        let detail: serde_json::Value = serde_json::from_str(detail).unwrap_or_default();
        let member = |name: &str| detail[name].as_str();
        let why = match (event.action, event.actor_kind) {
            (Action::ClientRejected, _) => Why::Rejected,
            (Action::ClientRemoved, _) if member("reason") == Some("by_operator") => {
                Why::ByOperator
            }
            (Action::ClientRemoved, _) if member("reason") == Some("expired") => Why::Over,
            (Action::ClientRemoved, ActorKind::Operator) => Why::ByOperator,
            (Action::ClientRemoved, ActorKind::Client) => Why::ByItself,
            (Action::ClientRemoved, _) => Why::Expired(detail["unused_days"].as_u64()),
            _ => return None,
        };
        let name = member("name").map(|name| shown_name(name).into_owned());
        Some(Self { name, ago, why })
    }

    pub(super) fn text(&self) -> Message {
        let what = match &self.name {
            Some(name) => Message::new("removed-named").with("app", name),
            None => Message::new("removed-unnamed"),
        };
        let why = match self.why {
            Why::Rejected => Message::new("removed-rejected"),
            Why::ByOperator => Message::new("removed-by-administrator"),
            Why::ByItself => Message::new("removed-by-itself"),
            Why::Over => Message::new("removed-over"),
            Why::Expired(None) => Message::new("removed-unused"),
            Why::Expired(Some(days)) => Message::new("removed-unused-days").with("count", days),
        };
        what.then(why.with("ago", &self.ago))
    }

    pub(super) const fn next(&self) -> Message {
        Message::new(match self.why {
            Why::Rejected => "error-needed-next",
            Why::ByOperator | Why::ByItself | Why::Over | Why::Expired(_) => "removed-next",
        })
    }
}
