//! Chooses the language of a page.

use std::cmp::Reverse;

use http::{header::ACCEPT_LANGUAGE, request::Parts};
use url::form_urlencoded;

use crate::messages::Language;

/// The most language tags that are read of a parameter or a header.
const TAGS_MAX: usize = 16;

/// Who reads a page.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// The language of the page.
    pub(crate) language: Language,
    /// Language tags, the best first: the name of a client may be in a language that pages lack.
    pub(crate) tags: Vec<String>,
}

impl Reader {
    /// Chooses the language: by `ui_locales` of an authorization request (OpenID Connect Core §3.1.2.1), then by
    /// `Accept-Language` (RFC 9110 §12.5.4).
    pub(crate) fn of(head: &Parts, request: &str) -> Self {
        let accepted = head.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut tags = ui_locales(request);
        tags.extend(accepted_tags(accepted.unwrap_or_default()).into_iter().map(str::to_owned));
        let language = tags.iter().find_map(|tag| Language::of(tag));
        Self { language: language.unwrap_or(Language::ALL[0]), tags }
    }

    /// For a page whose authorization request, if there is one, is the query.
    pub(crate) fn of_query(head: &Parts) -> Self {
        Self::of(head, head.uri.query().unwrap_or_default())
    }
}

/// The tags of the first `ui_locales` in an authorization request.
fn ui_locales(request: &str) -> Vec<String> {
    let mut parameters = form_urlencoded::parse(request.as_bytes());
    let locales = parameters.find(|(name, _)| name == "ui_locales");
    let locales = locales.map(|(_, value)| value).unwrap_or_default();
    locales.split_ascii_whitespace().take(TAGS_MAX).map(str::to_owned).collect()
}

/// The tags of `Accept-Language`, the best first.
fn accepted_tags(accepted: &str) -> Vec<&str> {
    let mut tags: Vec<(u32, &str)> = accepted
        .split(',')
        .take(TAGS_MAX)
        .filter_map(|one| {
            let (tag, weight) = one.split_once(';').unwrap_or((one, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=")?.trim().parse().ok()?;
            let tag = tag.trim();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to 1"
            )]
            let weight = (weight.clamp(0.0, 1.0) * 1_000.0) as u32;
            (weight > 0 && !tag.is_empty() && tag != "*").then_some((weight, tag))
        })
        .collect();
    tags.sort_by_key(|(weight, _)| Reverse(*weight));
    tags.into_iter().map(|(_, tag)| tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(accepted: &str, request: &str) -> Reader {
        let head = http::Request::builder().header(ACCEPT_LANGUAGE, accepted).body(());
        Reader::of(&head.unwrap().into_parts().0, request)
    }

    #[test]
    fn orders_accepted_languages_by_weight() {
        assert_eq!(accepted_tags("de-CH, fr;q=0.9, en;q=0.95, *;q=0.1"), ["de-CH", "en", "fr"]);
        assert_eq!(accepted_tags(""), [""; 0]);
        assert_eq!(accepted_tags("x;q=0, y;q=nan, z;;"), [""; 0]);
    }

    #[test]
    fn chooses_by_ui_locales_and_then_by_accept_language() {
        for (accepted, request, expected) in [
            ("", "", "en"),
            ("nl, sv;q=0.5", "", "en"),
            ("fr-CA", "", "fr"),
            ("DE-at;q=0.2, nl", "", "de"),
            ("de;q=0.5, es;q=0.9", "", "es"),
            ("de;q=0, es;q=0.1", "", "es"),
            ("de", "ui_locales=ja", "ja"),
            ("de", "client_id=1&ui_locales=nl+fr-CA%20es", "fr"),
            ("de", "ui_locales=nl+sv", "de"),
            ("de", "ui_locales=", "de"),
            ("de", "ui_locales=%FF%00+%3Cscript%3E", "de"),
            ("x-de, deu, d", "", "en"),
        ] {
            let reader = reader(accepted, request);
            assert_eq!(reader.language.tag(), expected, "{accepted:?} {request:?}");
        }
        assert_eq!(reader("de, nl;q=0.5", "ui_locales=ja+nl").tags, ["ja", "nl", "de", "nl"]);
    }

    #[test]
    fn reads_a_bounded_number_of_tags() {
        let many = "nl+".repeat(1_000);
        assert_eq!(reader(&"sv,".repeat(1_000), &format!("ui_locales={many}")).tags.len(), 32);
    }
}
