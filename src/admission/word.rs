//! The values of rules: each is a text in one spelling, read and written in the same way wherever rules come from.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{EffectName, Mode};

/// A value that is written as a text.
pub trait Word: Sized {
    /// What a text may be, in words.
    const EXPECTED: &'static str;

    /// Reads a text; the error has what [`Self::EXPECTED`] does not say.
    #[expect(clippy::missing_errors_doc, reason = "said above")]
    fn parse(text: &str) -> Result<Self, Option<String>>;

    /// The text in its one spelling.
    fn text(&self) -> String;
}

/// Makes a type of each kind of text.
macro_rules! texts {
    ($($(#[doc = $about:literal])+ $name:ident: $expected:literal, $is_valid:expr;)*) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Word for $name {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Result<Self, Option<String>> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(text) { Ok(Self(text.to_owned())) } else { Err(None) }
            }

            fn text(&self) -> String {
                self.0.clone()
            }
        }
    )*};
}

texts! {
    /// Names a rule.
    RuleId: "1 to 64 lower-case letters, digits, hyphens, and underscores", |text| {
        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
    };
    /// Why a rule exists.
    Note: "a text of at most 500 characters", |text| is_line(text, 500);
    /// What the developer of a rejected client reads: printable ASCII without `"` and `\` (RFC 6749 §5.2).
    Reason: "at most 200 characters of printable ASCII, without quotation marks and backslashes", |text| {
        is_line(text, 200) && text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte))
    };
    /// How operators find a client.
    Label: "a text of at most 64 characters", |text| is_line(text, 64);
    /// What a client says it is in `software_id`.
    SoftwareId: "a software_id of at most 1000 characters", |text| is_line(text, 1_000);
    /// A scope (RFC 6749 §3.3).
    ScopeToken: "a scope (RFC 6749 section 3.3)", |text| {
        !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
    };
}

impl RuleId {
    /// Of the rule that ships with Doorward.
    pub(crate) fn look_alikes() -> Self {
        Self("look-alikes".to_owned())
    }
}

impl Note {
    pub(super) fn of_look_alikes() -> Self {
        Self("Ships with Doorward: see registration.look_alikes".to_owned())
    }
}

impl Label {
    pub(super) fn look_alike() -> Self {
        Self("look-alike".to_owned())
    }
}

impl Reason {
    /// For a client that no rule decides about.
    pub(super) fn by_default() -> Self {
        Self("this server admits only apps that its administrator has allowed".to_owned())
    }

    pub(super) fn of_look_alikes() -> Self {
        Self(
            "client_name resembles a protected name that redirect_uris do not belong to".to_owned(),
        )
    }
}

/// Whether a text is one line with something in it.
fn is_line(text: &str, characters_max: usize) -> bool {
    !text.trim().is_empty()
        && !text.chars().any(char::is_control)
        && text.chars().count() <= characters_max
}

/// Of a value that has a few names.
macro_rules! names {
    ($type:ident, $expected:literal, $($name:literal: $value:ident,)*) => {
        #[cfg(test)]
        impl $type {
            /// Every value.
            pub(super) const ALL: &[Self] = &[$(Self::$value),*];
        }

        impl Word for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Result<Self, Option<String>> {
                match text {
                    $($name => Ok(Self::$value),)*
                    _ => Err(None),
                }
            }

            fn text(&self) -> String {
                match self {
                    $(Self::$value => $name.to_owned(),)*
                }
            }
        }
    };
}
pub(super) use names;

names!(Mode, "enforce or observe", "enforce": Enforce, "observe": Observe,);
names!(EffectName, "allow, hold, or reject", "allow": Allow, "hold": Hold, "reject": Reject,);

/// A network; a bare address is the network of that address alone.
impl Word for IpNet {
    const EXPECTED: &'static str = "an IP address or network, such as 10.0.0.0/8 or fd00::/8";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Self::from(address),
            Err(_) => text.parse().map_err(|_| None)?,
        };
        // Callers' addresses are compared in their IPv4 form, which such a network never contains.
        if matches!(network.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
            return Err(Some("write IPv4 networks in their IPv4 form".into()));
        }
        if network != network.trunc() {
            return Err(Some(format!("the network is {}", network.trunc())));
        }
        Ok(network)
    }

    fn text(&self) -> String {
        self.to_string()
    }
}
