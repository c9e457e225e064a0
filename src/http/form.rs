//! Parameters of a query or a form body (RFC 6749 Appendix B): a repeated parameter is rejected, an empty one counts
//! as omitted (OAuth 2.1 §3.1).

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::Incoming;
use percent_encoding::AsciiSet;

use super::{
    body::{self, BodyError, BodyReader},
    body_budget::Held,
};

/// The media type of a form body.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

const ESCAPED_IN_HTML: &AsciiSet = &AsciiSet::EMPTY.add(b'"').add(b'\'').add(b'<').add(b'>');

/// The most parameters of a form.
const PARAMETERS_MAX: usize = 64;

/// Parameters in their order in the request.
#[derive(Debug, Default)]
pub(crate) struct Form<'text>(Vec<(Cow<'text, str>, Cow<'text, str>)>);

/// What is wrong with the parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    /// A parameter is repeated (OAuth 2.1 §3.1).
    #[error("{0} appears more than once")]
    Repeated(&'static str),
    /// More than [`PARAMETERS_MAX`] parameters.
    #[error("there are more than {PARAMETERS_MAX} parameters")]
    TooMany,
    /// Percent-encoded bytes that are not UTF-8.
    #[error("a parameter is not UTF-8")]
    NotUtf8,
    /// The posted body has another media type.
    #[error("Content-Type is not {FORM}")]
    MediaType,
}

/// Reads the body of a posted form, of at most `bytes_max` bytes.
pub(crate) async fn posted<'a, E>(
    headers: &HeaderMap,
    reader: BodyReader<'a>,
    body: Incoming,
    bytes_max: usize,
) -> Result<Held<'a, Bytes>, E>
where
    E: From<BodyError> + From<FormError>,
{
    let is_form = body::media_type(headers).eq_ignore_ascii_case(FORM.as_bytes());
    // The body is read before any error is returned: a response that overtakes the body costs the caller its
    // connection.
    let body = reader.read(body, bytes_max).await?;
    if is_form { Ok(body) } else { Err(FormError::MediaType.into()) }
}

impl<'text> Form<'text> {
    /// Reads `name=value&…`.
    pub(crate) fn parse(text: &'text [u8]) -> Result<Self, FormError> {
        let mut parameters = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if parameters.len() == PARAMETERS_MAX {
                return Err(FormError::TooMany);
            }
            let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(end);
            parameters.push((decoded(name)?, decoded(value.get(1..).unwrap_or_default())?));
        }
        Ok(Self(parameters))
    }

    /// The value of `name`; `None` when it is omitted or empty.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&str>, FormError> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_ref());
        match values.next() {
            Some(_) => Err(FormError::Repeated(name)),
            None => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// The names of all parameters.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// Every value of `name` that is not empty: for `resource`, the only parameter that may be repeated (RFC 8707
    /// §2).
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }
}

/// The same parameters as text for a page: without the empty ones, and with each character that HTML would escape
/// percent-encoded. So a page does not become much larger than the request that it repeats.
pub(crate) fn repeated(text: &str) -> String {
    let is_there = |pair: &&str| pair.split_once('=').is_some_and(|(_, value)| !value.is_empty());
    let mut repeated = String::with_capacity(text.len());
    for pair in text.split('&').filter(is_there) {
        if !repeated.is_empty() {
            repeated.push('&');
        }
        repeated.extend(percent_encoding::utf8_percent_encode(pair, ESCAPED_IN_HTML));
    }
    repeated
}

fn decoded(text: &[u8]) -> Result<Cow<'_, str>, FormError> {
    // Most texts have nothing to decode.
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return str::from_utf8(text).map(Cow::Borrowed).map_err(|_| FormError::NotUtf8);
    }
    let space = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
    let spaced: Vec<u8> = text.iter().map(space).collect();
    let bytes = percent_encoding::percent_decode(&spaced).collect();
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| FormError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_they_were_meant() {
        let form = Form::parse(b"a=1&b=x+y&c=%C3%A9%2B&&d&e=&f=g=h").unwrap();
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("x y")),
            ("c", Some("\u{e9}+")),
            ("d", None),
            ("e", None),
            ("f", Some("g=h")),
            ("g", None),
        ] {
            assert_eq!(form.one(name), Ok(value), "{name}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_refused_where_one_is_asked_for() {
        let form = Form::parse(b"scope=a&resource=x&scope=a&resource=y&resource=").unwrap();
        assert_eq!(form.one("scope"), Err(FormError::Repeated("scope")));
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn what_is_no_text_and_what_is_too_much_is_refused() {
        assert_eq!(Form::parse(b"a=%FF").unwrap_err(), FormError::NotUtf8);
        let many = "a=1&".repeat(PARAMETERS_MAX + 1);
        assert_eq!(Form::parse(many.as_bytes()).unwrap_err(), FormError::TooMany);
        assert!(Form::parse("a=1&".repeat(PARAMETERS_MAX).as_bytes()).is_ok());
    }

    #[test]
    fn what_a_page_repeats_means_the_same_and_does_not_grow_by_escaping() {
        for (text, expected) in [
            ("a=1&b=2", "a=1&b=2"),
            ("&&&a=1&&&&b=2&", "a=1&b=2"),
            ("&=&=&a=&b&c=1", "c=1"),
            ("a=%26+x&b='\"<>", "a=%26+x&b=%27%22%3C%3E"),
            ("a=x=y&b=\u{e9}", "a=x=y&b=%C3%A9"),
            ("", ""),
        ] {
            assert_eq!(repeated(text), expected, "{text}");
            let one = |text: &str| {
                let form = Form::parse(text.as_bytes()).unwrap();
                ["a", "b", "c"].map(|name| form.one(name).unwrap().map(str::to_owned))
            };
            assert_eq!(one(&repeated(text)), one(text), "{text}");
        }
        assert_eq!(repeated(&"&".repeat(8 << 10)), "");
        assert_eq!(repeated(&"a&".repeat(4 << 10)), "");
    }
}
