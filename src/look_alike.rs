//! Borrowed names: a client that goes by a protected name, or by one that looks like it, while its
//! redirect URIs lead elsewhere. Unless an admission rule says otherwise, it is registered all the same and flagged for
//! the operator, since names are self-asserted and prove nothing either way (RFC 7591 §5).

mod beginnings;
#[cfg(test)]
mod tests;

use beginnings::Beginnings;

use crate::{
    appearance::{self, Appearance},
    client::{ClientMetadata, ClientName, Reach, RedirectUri, shown_name},
    config::ProtectedName,
};

/// Words that say nothing of who somebody is, so that a name and some of these is still the name.
const GENERIC: &[&str] = &[
    "account",
    "agent",
    "ai",
    "api",
    "app",
    "assistant",
    "auth",
    "beta",
    "bot",
    "by",
    "chat",
    "cli",
    "client",
    "cloud",
    "code",
    "com",
    "connect",
    "connector",
    "desktop",
    "dev",
    "editor",
    "enterprise",
    "for",
    "gpt",
    "helper",
    "ide",
    "inc",
    "integration",
    "io",
    "llc",
    "login",
    "mcp",
    "mobile",
    "oauth",
    "official",
    "online",
    "plugin",
    "plus",
    "premium",
    "pro",
    "secure",
    "security",
    "server",
    "sso",
    "support",
    "team",
    "the",
    "verified",
    "web",
    "your",
    "my",
];
/// Those of them that people write before a name without a blank.
const BEFORE: &[&str] = &["my", "the", "get", "official"];

/// The protected names, prepared for comparison.
#[derive(Debug, Default)]
pub(crate) struct ProtectedNames {
    /// By their first letter: most words of a name begin as no protected name does.
    by_letter: [Vec<Protected>; LETTERS],
    /// How a word begins where a name may be like a protected one.
    beginnings: Beginnings,
    generic: Vec<String>,
    before: Vec<String>,
}

/// A protected name, and where its owner is.
#[derive(Debug)]
pub(crate) struct Protected {
    /// As the settings spell it.
    pub(crate) name: String,
    letters: String,
    spelling: String,
    is_ordinary_word: bool,
    pub(crate) hosts: Vec<String>,
    schemes: Vec<String>,
}

impl ProtectedNames {
    /// Prepares the names of the settings.
    pub(crate) fn new(settings: &[ProtectedName]) -> Self {
        let prepared = |words: &[&str]| -> Vec<String> {
            words.iter().map(|word| appearance::letters_of(word)).collect()
        };
        let before = prepared(BEFORE);
        let mut beginnings = Beginnings::default();
        for word in &before {
            beginnings.insert(word);
        }
        let mut by_letter: [Vec<Protected>; LETTERS] = Default::default();
        let names = settings
            .iter()
            .map(|protected| Protected {
                name: protected.name.clone(),
                letters: appearance::letters_of(&protected.name),
                spelling: spelling(&protected.name),
                is_ordinary_word: protected.ordinary_word,
                hosts: protected.hosts.clone(),
                schemes: protected.schemes.clone(),
            })
            .filter(|protected| !protected.letters.is_empty());
        for protected in names {
            beginnings.insert(&protected.letters);
            let first = protected.letters.bytes().next().unwrap_or_default();
            by_letter[place(first)].push(protected);
        }
        Self { by_letter, beginnings, generic: prepared(GENERIC), before }
    }

    /// The protected name that one of the client's names borrows, as far as its redirect URIs tell. Record and consent
    /// page ask here, so that they agree.
    ///
    /// Loopback proves nothing: real clients register it, alone or beside a host of their own, and so can anyone. With
    /// loopback alone, only a disguised name is borrowed: an owner writes its name with its own letters.
    pub(crate) fn borrowed_by(&self, metadata: &ClientMetadata) -> Option<&Protected> {
        let resemblance = self.resemblance(metadata);
        // Few names are like another, so that the redirect URIs are seldom read.
        let first = resemblance.first()?;
        let uris = metadata.redirect_uris.as_slice().iter();
        let mut telling = uris.filter(|uri| uri.reach() != Ok(Reach::Loopback)).peekable();
        let is_owner = match telling.peek() {
            None => !resemblance.is_disguised,
            Some(_) => telling.all(|uri| resemblance.has_owner(|name| name.owns(uri))),
        };
        (!is_owner).then_some(first)
    }

    /// The protected name that a client borrows which publishes its metadata at `host`, wherever its redirect URIs
    /// lead: that host is its own.
    pub(crate) fn borrowed_at(&self, host: &str, metadata: &ClientMetadata) -> Option<&Protected> {
        let resemblance = self.resemblance(metadata);
        let first = resemblance.first()?;
        (!resemblance.has_owner(|name| name.has_host(host))).then_some(first)
    }

    /// What the names of the client look like.
    fn resemblance(&self, metadata: &ClientMetadata) -> Resemblance<'_> {
        let localized =
            metadata.localized.iter().filter(|(name, _)| name.starts_with("client_name#"));
        let names = metadata.client_name.iter().map(ClientName::as_str);
        let mut resemblance = Resemblance::default();
        for name in names.chain(localized.map(|(_, name)| name.as_str())) {
            if self.beginnings.may_begin_a_word_of(name) {
                let mut resembled = Vec::new();
                self.resembled_by(name, &mut resembled);
                resemblance.add(name, resembled);
            }
        }
        resemblance
    }

    /// Adds the protected names that `name` looks like, as a whole and as pages show it.
    fn resembled_by<'names>(&'names self, name: &str, found: &mut Vec<&'names Protected>) {
        self.resembled_in(name, found);
        // A page may cut off the end of a word.
        let shown = shown_name(name);
        if shown != name {
            self.resembled_in(shown.trim_end_matches('…'), found);
        }
    }

    fn resembled_in<'names>(&'names self, name: &str, found: &mut Vec<&'names Protected>) {
        for seen in Appearance::all_of(name) {
            for start in seen.starts() {
                self.resembled_at(&seen, start, found);
                for before in &self.before {
                    if holds_at(seen.as_str(), start, before) {
                        self.resembled_at(&seen, start + before.len(), found);
                    }
                }
            }
        }
    }

    fn resembled_at<'names>(
        &'names self,
        seen: &Appearance,
        start: usize,
        found: &mut Vec<&'names Protected>,
    ) {
        let Some(first) = seen.as_str().as_bytes().get(start) else { return };
        for protected in &self.by_letter[place(*first)] {
            let end = start + protected.letters.len();
            // Once each: a long name with many repetitions must not multiply the work.
            if holds_at(seen.as_str(), start, &protected.letters)
                && !holds(found, protected)
                && self.ends_name(seen, end)
                && (!protected.is_ordinary_word || self.is_generic_but(seen, start, end))
            {
                found.push(protected);
            }
        }
    }

    /// Whether a name that ends before `end` ends with its word, or goes on with a generic one.
    fn ends_name(&self, seen: &Appearance, end: usize) -> bool {
        seen.ends_at(end)
            || self
                .generic
                .iter()
                .any(|word| holds_at(seen.as_str(), end, word) && seen.ends_at(end + word.len()))
    }

    /// Whether all words before `start` and from `end` on are generic.
    fn is_generic_but(&self, seen: &Appearance, start: usize, end: usize) -> bool {
        let text = seen.as_str();
        let is_generic = |part: Option<&str>| part.is_some_and(|part| self.is_generic(part));
        is_generic(text.get(..start)) && is_generic(text.get(end..))
    }

    /// Whether `text` is nothing but generic words and numbers.
    fn is_generic(&self, text: &str) -> bool {
        let is_capital = |byte: &u8| byte.is_ascii_uppercase();
        let mut rest = text.as_bytes();
        while let Some((_, after)) = rest.split_first() {
            let end = after.iter().position(is_capital).map_or(rest.len(), |at| at + 1);
            let (word, next) = rest.split_at(end);
            if word.len() > 1
                && !self.generic.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
            {
                return false;
            }
            rest = next;
        }
        true
    }
}

/// The protected names that the names of a client look like.
#[derive(Debug, Default)]
struct Resemblance<'names> {
    protected: Vec<&'names Protected>,
    /// Whether one of them is written with other letters than its own.
    is_disguised: bool,
}

impl<'names> Resemblance<'names> {
    fn add(&mut self, name: &str, resembled: Vec<&'names Protected>) {
        if resembled.is_empty() {
            return;
        }
        let spelling = spelling(name);
        for protected in resembled {
            self.is_disguised |= !spelling.contains(&protected.spelling);
            if !holds(&self.protected, protected) {
                self.protected.push(protected);
            }
        }
    }

    fn first(&self) -> Option<&'names Protected> {
        self.protected.first().copied()
    }

    /// Whether one of the names belongs to the client. The owner of one may use another beside it.
    fn has_owner(&self, is_owner: impl Fn(&Protected) -> bool) -> bool {
        self.protected.iter().any(|name| is_owner(name))
    }
}

fn holds(names: &[&Protected], name: &Protected) -> bool {
    names.iter().any(|known| std::ptr::eq(*known, name))
}

/// The letters and digits of `name` as they are written, in lower case.
fn spelling(name: &str) -> String {
    name.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The letters of ASCII, and one place for all others.
const LETTERS: usize = 27;

/// The place of a letter, whatever its case.
fn place(letter: u8) -> usize {
    let letter = letter.to_ascii_lowercase();
    if letter.is_ascii_lowercase() { usize::from(letter - b'a') } else { LETTERS - 1 }
}

/// Whether `letters` are in `text` at `start`, whatever the case.
fn holds_at(text: &str, start: usize, letters: &str) -> bool {
    text.as_bytes()
        .get(start..start + letters.len())
        .is_some_and(|part| part.eq_ignore_ascii_case(letters.as_bytes()))
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
