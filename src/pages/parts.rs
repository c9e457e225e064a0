//! The parts of pages about clients: names, destinations, and requested access.

use crate::messages::{Argument, Message};

/// The description of a client on a page.
#[derive(Clone, Debug)]
pub(crate) struct ClientBox {
    /// What the client calls itself, shortened.
    pub(crate) name: Option<String>,
    /// The destination of the response: a host, or the person's device.
    pub(crate) destination: Destination,
    /// The host of its metadata document, if it has one.
    pub(crate) document_host: Option<String>,
    /// The protected name that the client imitates.
    pub(crate) imitation: Option<Imitation>,
    /// How long ago it registered.
    pub(crate) registered: Option<Message>,
    /// The client's pages on the host that receives the response.
    pub(crate) links: Vec<Link>,
}

impl ClientBox {
    /// The first letter or digit of the name, for the badge beside it.
    pub(super) fn initial(&self) -> String {
        initial(self.name.as_deref())
    }

    /// The details below the name and the destination.
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
    /// The destination, as the page shows it below the name of a client; `device` is the message for an app on the
    /// device.
    pub(super) fn shown(&self, device: &'static str) -> Message {
        match self {
            Self::Website(host) => {
                Message::new("at-website").with("host", Argument::Markup(breakable(host)))
            }
            Self::Device(_) => Message::new(device),
        }
    }

    /// Whether the host needs a smaller font.
    pub(super) fn is_long(&self) -> bool {
        matches!(self, Self::Website(host) if host.len() > LONG)
    }

    /// The text of the button that leads back to the destination.
    pub(crate) fn way_back(&self) -> Message {
        match self {
            Self::Website(host) => Message::new("back-to-website").with("host", host),
            Self::Device(_) => Message::new("back-to-device"),
        }
    }

    /// Whether people would take both for the same place.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Website(one), Self::Website(other)) => one == other,
            (Self::Device(_), Self::Device(_)) => true,
            (Self::Website(_), Self::Device(_)) | (Self::Device(_), Self::Website(_)) => false,
        }
    }
}

/// The number of bytes from which a host is long.
const LONG: usize = 40;

/// A host that may be broken after each dot, as HTML.
fn breakable(host: &str) -> String {
    let escaped = askama::filters::escape(host, askama::filters::Html);
    escaped.map(|host| host.to_string().replace('.', ".<wbr>")).unwrap_or_default()
}

/// A client's name that looks like a protected one, while its destination does not belong to the owner of that name.
#[derive(Clone, Debug)]
pub(crate) struct Imitation {
    /// The protected name.
    pub(crate) name: String,
    /// A host of the name's owner; `None` if the settings have none.
    pub(crate) home: Option<String>,
}

impl Imitation {
    /// The warning about a client with this destination.
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

/// The description of a scope or a resource.
#[derive(Clone, Debug)]
pub(crate) enum Description {
    Ours(Message),
    /// A text from the settings.
    Operators(String),
}

/// One requested permission.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) scope: String,
    pub(crate) description: Option<Description>,
    /// Whether the permission is new to this client.
    pub(crate) is_added: bool,
    /// Whether the operator marked the scope as sensitive.
    pub(crate) is_sensitive: bool,
}

/// The rights of an app that asks for the operator API.
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
    /// The token of the form that disconnects the app.
    pub(crate) form_token: String,
    /// What the client calls itself.
    pub(crate) name: Option<String>,
    /// Every destination of the app; the newest first.
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

    /// The details below the name and the destinations.
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
