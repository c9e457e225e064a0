//! Settings that are one of a few words.

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
