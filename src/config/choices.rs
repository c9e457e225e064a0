//! Settings that are one of a few words.

use crate::admission::EffectName;

/// What holds while the limits that nodes share cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// Each node counts for itself.
    Local,
    /// Every caller is admitted.
    Open,
    /// No caller is admitted.
    Closed,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationAccess {
    /// Everyone.
    Open,
    /// Clients with an initial access token.
    Token,
    /// Everyone, and a token that is presented has to be valid.
    Either,
}

/// What happens to clients that go by a protected name which is not their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookAlikes {
    /// They get a label and a flag, and people a warning.
    Label,
    /// They wait for an operator as well.
    Hold,
    /// They are turned away.
    Reject,
    /// Nothing.
    Off,
}

impl LookAlikes {
    /// The effect of the rule that ships, if there is one.
    pub(crate) const fn effect(self) -> Option<EffectName> {
        match self {
            Self::Label => Some(EffectName::Allow),
            Self::Hold => Some(EffectName::Hold),
            Self::Reject => Some(EffectName::Reject),
            Self::Off => None,
        }
    }
}

/// How log events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}
