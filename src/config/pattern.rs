//! Patterns of paths and tools, as rules of guards have them: `guard.rs` says which there are.

/// How strictly a path is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Byte for byte, for rules that let strangers in.
    Exact,
    /// Letter case and a slash at the end make no difference, as in many servers: another spelling of a path must not
    /// escape the rule.
    Loose,
}

/// Whether a path without percent-encoding matches a pattern.
pub(crate) fn path_matches(pattern: &str, path: &str, strictness: Strictness) -> bool {
    let is_loose = strictness == Strictness::Loose;
    let (base, is_open) = match pattern.strip_suffix("/**") {
        Some(base) => (base, true),
        None => (pattern, false),
    };
    let (mut wanted, mut segments) = (base.split('/'), path.split('/'));
    loop {
        match (wanted.next(), segments.next()) {
            (Some(wanted), Some(segment)) => {
                // A slash at the end of one of them is an empty segment, which the other lacks.
                if !wildcard_matches(wanted.as_bytes(), segment.as_bytes(), is_loose) {
                    return false;
                }
            }
            (None, None) => return true,
            (None, Some(_)) if is_open => return true,
            (None, Some(last)) => return is_loose && last.is_empty() && segments.next().is_none(),
            (Some(last), None) => return is_loose && last.is_empty() && wanted.next().is_none(),
        }
    }
}

/// Whether a pattern matches a path, or any path below it, in any spelling.
pub(crate) fn covers(pattern: &str, path: &str) -> bool {
    let (base, is_open) = match pattern.strip_suffix("/**") {
        Some(base) => (base, true),
        None => (pattern, false),
    };
    let (mut wanted, mut segments) = (base.trim_end_matches('/').split('/'), path.split('/'));
    loop {
        match (wanted.next(), segments.next()) {
            (Some(wanted), Some(segment)) => {
                if !wildcard_matches(wanted.as_bytes(), segment.as_bytes(), true) {
                    return false;
                }
            }
            (None, Some(_)) => return is_open,
            (_, None) => return true,
        }
    }
}

/// How the name of a tool fits a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToolMatch {
    /// MCP 2025-11-25, tool names: they are case-sensitive.
    Exact,
    /// Only without regard to letter case, as some servers look tools up.
    Loose,
    None,
}

pub(crate) fn tool_matches(pattern: &str, name: &str) -> ToolMatch {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    if wildcard_matches(pattern, name, false) {
        ToolMatch::Exact
    } else if wildcard_matches(pattern, name, true) {
        ToolMatch::Loose
    } else {
        ToolMatch::None
    }
}

/// Whether a text matches a pattern in which `*` stands for any bytes. Compares each pair of bytes at most once for
/// the last star before it, so the work is bounded by the product of the lengths.
fn wildcard_matches(pattern: &[u8], text: &[u8], ignores_case: bool) -> bool {
    let is_same = |a: u8, b: u8| a == b || (ignores_case && a.eq_ignore_ascii_case(&b));
    let (mut in_pattern, mut in_text) = (0, 0);
    // Behind the last star, and where the text goes on that it does not stand for yet.
    let mut retry: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                in_pattern += 1;
                retry = Some((in_pattern, in_text));
            }
            Some(wanted) if is_same(*wanted, text[in_text]) => {
                in_pattern += 1;
                in_text += 1;
            }
            _ => {
                let Some((behind_star, from)) = retry else { return false };
                retry = Some((behind_star, from + 1));
                (in_pattern, in_text) = (behind_star, from + 1);
            }
        }
    }
    pattern.get(in_pattern..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_bytes() {
        use ToolMatch::{Exact, Loose, None};
        for (pattern, text, expected) in [
            ("delete_*", "delete_repo", Exact),
            ("delete_*", "delete_", Exact),
            ("delete_*", "undelete_repo", None),
            ("*", "", Exact),
            ("*", "anything", Exact),
            ("a*b*c", "aXbYbZc", Exact),
            ("a*b*c", "aXBYbZC", Loose),
            ("a*b*c", "aXbYbZ", None),
            ("*_repo", "delete_repo_repo", Exact),
            ("send_email", "send_email", Exact),
            ("send_email", "Send_email", Loose),
            ("send_email", "send_email2", None),
            ("", "", Exact),
            ("", "a", None),
        ] {
            assert_eq!(tool_matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_covers_a_path_that_it_matches_or_has_below_it() {
        for (pattern, expected) in [
            ("/oauth2", true),
            ("/oauth2/", true),
            ("/OAuth2/**", true),
            ("/oauth2/token", true),
            ("/*", true),
            ("/**", true),
            ("/o*/**", true),
            ("/*/x", true),
            ("/oauth", false),
            ("/", false),
            ("/oauth22/**", false),
            ("/mcp/**", false),
            ("/mcp/oauth2", false),
        ] {
            assert_eq!(covers(pattern, "/oauth2"), expected, "{pattern}");
        }
        assert!(covers("/api/**", "/api/v2/oauth2"));
        assert!(!covers("/api", "/api/v2/oauth2"), "below it nothing matches");
    }

    #[test]
    fn other_spellings_of_a_path_do_not_escape_a_rule_but_open_no_public_one() {
        use Strictness::{Exact, Loose};
        for (pattern, path, exact, loose) in [
            ("/healthz", "/healthz", true, true),
            ("/healthz", "/healthz/", false, true),
            ("/healthz/", "/healthz", false, true),
            ("/healthz", "/HealthZ", false, true),
            ("/healthz", "/healthz/x", false, false),
            ("/healthz", "/healthzx", false, false),
            ("/admin/**", "/admin", true, true),
            ("/admin/**", "/admin/", true, true),
            ("/admin/**", "/admin/a/b", true, true),
            ("/admin/**", "/ADMIN/a", false, true),
            ("/admin/**", "/administrator", false, false),
            ("/**", "/", true, true),
            ("/**", "/a/b", true, true),
            ("/users/*/keys", "/users/7/keys", true, true),
            ("/users/*/keys", "/users/7/8/keys", false, false),
            ("/users/*", "/users/", true, true),
            ("/users/*", "/users", false, false),
            ("/*.json", "/a.json", true, true),
            ("/*.json", "/a/b.json", false, false),
            ("/", "/", true, true),
            ("/", "/a", false, false),
        ] {
            assert_eq!(path_matches(pattern, path, Exact), exact, "exact {pattern} {path}");
            assert_eq!(path_matches(pattern, path, Loose), loose, "loose {pattern} {path}");
        }
    }
}
