//! What the settings of `[branding]` may be: nothing that a page would run, or that hides what it says.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use url::Url;

use super::{
    kind::{Shown, Text},
    text::accept_if,
};
use crate::appearance::moves_text;

/// The most characters of a name: the header of a page has room for it on a phone.
const NAME_CHARS_MAX: usize = 40;

/// The most bytes of an embedded logo, which every page repeats.
const LOGO_BYTES_MAX: usize = 16 << 10;

/// The kinds of images that may be embedded, each with how its content begins.
const IMAGES: [(&str, &[u8]); 3] =
    [("image/png", b"\x89PNG\r\n\x1a\n"), ("image/jpeg", b"\xff\xd8\xff"), ("image/webp", b"RIFF")];

/// A color, as its red, green, and blue parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub [u8; 3]);

/// Where pages have the logo from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logo {
    /// From a web server.
    At(Url),
    /// From the page itself: a `data:` URL, which every page shares.
    Embedded(Arc<str>),
}

impl Logo {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::At(url) => url.as_str(),
            Self::Embedded(url) => url,
        }
    }

    /// Of what the policy of a page must let it load images (CSP 3 §2.3.1).
    pub(crate) fn source(&self) -> String {
        match self {
            Self::At(url) => url.origin().ascii_serialization(),
            Self::Embedded(_) => "data:".to_owned(),
        }
    }
}

/// A name for the pages, if there is one.
pub(super) const BRAND: Text<Option<String>> = Text {
    expected: "a name of at most 40 visible characters, or \"\"",
    parse: |text| {
        let is_name = !text.trim().is_empty()
            && text.chars().count() <= NAME_CHARS_MAX
            && !text.chars().any(moves_text);
        if text.is_empty() { Ok(None) } else { accept_if(text, is_name).map(Some) }
    },
    print: |name| name.clone().unwrap_or_default(),
    shown: Shown::Whole,
};

/// A logo, if there is one.
pub(super) const LOGO: Text<Option<Logo>> = Text {
    expected: "an https URL, or a PNG, JPEG, or WebP image of at most 16 KiB as data:image/png;base64,…, or \"\"",
    parse: |text| match text {
        "" => Ok(None),
        _ if is_image(text) => Ok(Some(Logo::Embedded(text.into()))),
        _ => (LINK.parse)(text).map(|url| url.map(Logo::At)),
    },
    print: |logo| logo.as_ref().map(|logo| logo.as_str().to_owned()).unwrap_or_default(),
    shown: Shown::Whole,
};

/// Whether a `data:` URL holds an image of a kind that has no program in it. SVG can have one.
fn is_image(text: &str) -> bool {
    let Some((kind, content)) = text.strip_prefix("data:").and_then(|it| it.split_once(";base64,"))
    else {
        return false;
    };
    let Ok(content) = BASE64_STANDARD.decode(content) else { return false };
    let is_of_kind = |(name, magic): &(&str, &[u8])| *name == kind && content.starts_with(magic);
    content.len() <= LOGO_BYTES_MAX && IMAGES.iter().any(is_of_kind)
}

/// A page to link to, if there is one.
pub(super) const LINK: Text<Option<Url>> = Text {
    expected: "an https URL without user name, or \"\"",
    parse: |text| {
        if text.is_empty() {
            return Ok(None);
        }
        let url = Url::parse(text).map_err(|_| None)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        let is_good = url.scheme() == "https" && url.host().is_some() && !has_user;
        if is_good { Ok(Some(url)) } else { Err(None) }
    },
    print: |url| url.as_ref().map(Url::to_string).unwrap_or_default(),
    shown: Shown::Whole,
};

/// A color, if there is one.
pub(super) const COLOR: Text<Option<Color>> = Text {
    expected: "a color as #rrggbb, such as #2456c7, or \"\"",
    parse: |text| {
        let Some(digits) = text.strip_prefix('#') else {
            return if text.is_empty() { Ok(None) } else { Err(None) };
        };
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(None);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| None)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Some(Color([red, green, blue])))
    },
    print: |color| color.map(|color| color.to_string()).unwrap_or_default(),
    shown: Shown::Whole,
};

/// As CSS writes it.
impl std::fmt::Display for Color {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    #[test]
    fn a_logo_is_at_an_https_url_or_an_embedded_bitmap() {
        let source = |text: &str| (LOGO.parse)(text).ok().flatten().map(|logo| logo.source());
        assert_eq!(source(PNG).as_deref(), Some("data:"));
        assert_eq!(
            source("https://A.example:8443/a;b,c?d#e").as_deref(),
            Some("https://a.example:8443")
        );
        let large =
            BASE64_STANDARD.encode([&b"\x89PNG\r\n\x1a\n"[..], &[0; LOGO_BYTES_MAX]].concat());
        for hostile in [
            "http://a.example/logo.png",
            "javascript:alert(1)",
            "//a.example/logo.png",
            "/logo.png",
            "https://user@a.example/logo.png",
            "data:text/html;base64,iVBORw0KGgo=",
            "data:image/svg+xml;base64,PHN2Zy8+",
            "data:image/png,iVBORw0KGgo=",
            "data:image/png;base64,PHN2Zy8+",
            "data:image/png;base64,iVBORw0KGgo=\" onerror=\"alert(1)",
            "data:image/png;charset=x;base64,iVBORw0KGgo=",
            "DATA:image/png;base64,iVBORw0KGgo=",
            &format!("data:image/png;base64,{large}"),
            " ",
        ] {
            assert!((LOGO.parse)(hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn a_link_is_an_https_url() {
        assert!((LINK.parse)("https://a.example/help?topic=1#two").is_ok());
        for hostile in
            ["http://a.example", "javascript:alert(1)", "data:text/html,x", "https://a@b", "a", " "]
        {
            assert!((LINK.parse)(hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn a_color_has_six_digits_and_a_name_hides_nothing() {
        let color = (COLOR.parse)("#0AFf10").ok().flatten().unwrap();
        assert_eq!((color, color.to_string()), (Color([10, 255, 16]), "#0aff10".to_owned()));
        for hostile in ["red", "#fff", "#12345g", "#1234567", "#123456;}", "123456", "#é1234", " "]
        {
            assert!((COLOR.parse)(hostile).is_err(), "{hostile}");
        }
        assert!((BRAND.parse)("Acme & Söhne <GmbH>").is_ok());
        for hostile in ["a\u{202e}b", "a\nb", "\u{2028}", "  ", &"a".repeat(41)] {
            assert!((BRAND.parse)(hostile).is_err(), "{hostile:?}");
        }
    }
}
