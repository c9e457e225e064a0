//! The bodies of `bodies.jsonl`, which `registrations.lua` sends too: of four kinds that MCP clients send.

/// How many characters make a body unique.
pub(crate) const UNIQUE_LENGTH: usize = 11;

/// A body, cut up where what makes it unique belongs.
pub(crate) struct Template(Vec<&'static str>);

impl Template {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let lines = include_str!("bodies.jsonl").lines();
        lines.map(|line| Self(line.split("{unique}").collect())).collect()
    }

    /// How long the body is, in bytes.
    pub(crate) fn length(&self) -> usize {
        let fixed: usize = self.0.iter().map(|piece| piece.len()).sum();
        fixed + (self.0.len() - 1) * UNIQUE_LENGTH
    }

    /// Appends the body that `unique` makes.
    pub(crate) fn write(&self, unique: &[u8; UNIQUE_LENGTH], out: &mut Vec<u8>) {
        for (place, piece) in self.0.iter().enumerate() {
            if place > 0 {
                out.extend_from_slice(unique);
            }
            out.extend_from_slice(piece.as_bytes());
        }
    }
}
