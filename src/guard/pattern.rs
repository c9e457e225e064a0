//! Patterns of paths and tools, as rules have them (`config/guard.rs` says which there are).

/// How strictly a path is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Byte for byte, for rules that let strangers in.
    Exact,
    /// Letter case and a slash at the end make no difference, as in many servers: another spelling of a path must not
    /// escape the rule.
    Loose,
}

/// Whether a path without percent-encoding matches a pattern.
pub(super) fn path_matches(pattern: &str, path: &str, strictness: Strictness) -> bool {
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

/// Whether the name of a tool matches a pattern; names are case-sensitive.
pub(super) fn tool_matches(pattern: &str, name: &str) -> bool {
    wildcard_matches(pattern.as_bytes(), name.as_bytes(), false)
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
        for (pattern, text, expected) in [
            ("delete_*", "delete_repo", true),
            ("delete_*", "delete_", true),
            ("delete_*", "undelete_repo", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("*_repo", "delete_repo_repo", true),
            ("send_email", "send_email", true),
            ("send_email", "Send_email", false),
            ("send_email", "send_email2", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(tool_matches(pattern, text), expected, "{pattern} {text}");
        }
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
