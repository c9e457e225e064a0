//! What pages show of clients: their names, where their answers go, and what they ask for.

use crate::messages::{Argument, Message};

/// What a page says of a client.
#[derive(Clone, Debug)]
pub(crate) struct ClientBox {
    /// What the client calls itself, shortened.
    pub(crate) name: Option<String>,
    /// Where the answer goes: a host, or the device of the person.
    pub(crate) destination: Destination,
    /// The host of its metadata document, if it has one.
    pub(crate) document_host: Option<String>,
    /// The protected name that the client imitates.
    pub(crate) imitation: Option<Imitation>,
    /// How long ago it registered.
    pub(crate) registered: Option<Message>,
    /// Pages about it, on the host to which the answer goes.
    pub(crate) links: Vec<Link>,
}

impl ClientBox {
    /// The first letter or digit of the name, for the badge beside it.
    pub(super) fn initial(&self) -> String {
        initial(self.name.as_deref())
    }

    /// What the page says of it beside its name and destination.
    pub(super) fn details(&self) -> Message {
        let mut details = match &self.destination {
            Destination::Device(uri) => {
                let answer = Message::new("client-answer").with("uri", uri);
                match self.imitation {
                    None => Message::new("client-any-program").then(answer),
                    Some(_) => answer,
                }
            }
            Destination::Website(_) => Message::new("client-own-name"),
        };
        if let Some(host) = &self.document_host {
            details = details.then(Message::new("client-document").with("host", host));
        }
        if let Some(registered) = &self.registered {
            details = details.then(Message::new("client-registered").with("ago", registered));
        }
        details
    }
}

fn initial(name: Option<&str>) -> String {
    let first = name.and_then(|name| name.chars().find(|one| one.is_alphanumeric()));
    first.map_or_else(|| "?".to_owned(), |first| first.to_uppercase().collect())
}

/// Where an app receives its answer, as people know it.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// A website, by its host.
    Website(String),
    /// A program on the device of the person, by its redirect URI, shortened.
    Device(String),
}

impl Destination {
    /// Says it below the name of a client; `device` is the message for a program.
    pub(super) fn shown(&self, device: &'static str) -> Message {
        match self {
            Self::Website(host) => {
                Message::new("at-website").with("host", Argument::Markup(breakable(host)))
            }
            Self::Device(_) => Message::new(device),
        }
    }

    /// Whether it needs a smaller font.
    pub(super) fn is_long(&self) -> bool {
        matches!(self, Self::Website(host) if host.len() > LONG)
    }

    /// Of a button that leads there.
    pub(crate) fn way_back(&self) -> Message {
        match self {
            Self::Website(host) => Message::new("back-to-website").with("host", host),
            Self::Device(_) => Message::new("back-to-device"),
        }
    }

    /// Whether people know both as the same place.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Website(one), Self::Website(other)) => one == other,
            (Self::Device(_), Self::Device(_)) => true,
            (Self::Website(_), Self::Device(_)) | (Self::Device(_), Self::Website(_)) => false,
        }
    }
}

/// From how many bytes a host is long.
const LONG: usize = 40;

/// A host that may be broken after each dot, as HTML.
fn breakable(host: &str) -> String {
    let escaped = askama::filters::escape(host, askama::filters::Html);
    escaped.map(|host| host.to_string().replace('.', ".<wbr>")).unwrap_or_default()
}

/// A name that looks like a protected one, on a client whose destination is not its owner's.
#[derive(Clone, Debug)]
pub(crate) struct Imitation {
    /// The protected name.
    pub(crate) name: String,
    /// A host of its owner; `None` when the settings name none.
    pub(crate) home: Option<String>,
}

impl Imitation {
    /// What the page says against a client with this destination.
    pub(super) fn warning(&self, destination: &Destination) -> Message {
        let doubt = match &self.home {
            Some(home) => Message::new("imitation-elsewhere").with("home", home),
            None => Message::new("imitation-unknown").with("name", &self.name),
        };
        let reason = match destination {
            Destination::Website(host) => Message::new("imitation-website").with("host", host),
            Destination::Device(_) => Message::new("imitation-device"),
        };
        doubt.then(reason.with("name", &self.name))
    }
}

/// A page about a client.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// The message that names it.
    pub(crate) text: &'static str,
    pub(crate) url: String,
}

/// A resource that a client wants to use.
#[derive(Clone, Debug)]
pub(crate) struct WantedResource {
    pub(crate) uri: String,
    pub(crate) name: Option<Description>,
}

/// A text that says what something is.
#[derive(Clone, Debug)]
pub(crate) enum Description {
    Ours(Message),
    /// From the settings.
    Operators(String),
}

/// One thing that a client wants to be allowed.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) scope: String,
    pub(crate) description: Option<Description>,
    /// It was not allowed before.
    pub(crate) is_added: bool,
    /// The operator marked the scope as sensitive.
    pub(crate) is_sensitive: bool,
}

/// What an app that asks for the operator API could do there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Administration {
    /// See and disconnect the apps of the person alone.
    OwnApps,
    /// See what everyone does.
    Reads,
    /// Change what everyone may do.
    Changes,
}

/// An app that a person has connected: everything they allowed one client.
#[derive(Clone, Debug)]
pub(crate) struct ConnectedApp {
    /// The client identifier.
    pub(crate) client: String,
    /// Of the form that disconnects it.
    pub(crate) form_token: String,
    /// What the client calls itself.
    pub(crate) name: Option<String>,
    /// Every place that receives its answers; the newest first.
    pub(crate) destinations: Vec<Destination>,
    /// The host of its metadata document, if it has one.
    pub(crate) document_host: Option<String>,
    /// How long ago it was last allowed.
    pub(crate) allowed: Message,
    /// How long ago it last obtained a token; `None` before the first.
    pub(crate) used: Option<Message>,
    pub(crate) resources: Vec<WantedResource>,
    pub(crate) wanted: Vec<Wanted>,
}

impl ConnectedApp {
    /// The first letter or digit of the name, for the badge beside it.
    pub(super) fn initial(&self) -> String {
        initial(self.name.as_deref())
    }

    /// What the page says of it beside its name and destinations.
    pub(super) fn details(&self) -> Message {
        let allowed = Message::new("grants-allowed").with("ago", &self.allowed);
        let mut details = allowed.then(match &self.used {
            Some(used) => Message::new("grants-active").with("ago", used),
            None => Message::new("grants-unused"),
        });
        if let Some(host) = &self.document_host {
            details = details.then(Message::new("client-document").with("host", host));
        }
        details
    }
}
