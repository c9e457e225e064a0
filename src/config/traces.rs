//! Kinds of values of `[traces]`, in the forms that the variables of OpenTelemetry have.

use std::fmt;

use percent_encoding::percent_decode_str;
use toml::de::DeValue;
use url::Url;

use super::{
    fault::Faults,
    kind::{Given, Kind, Shape, Shown, Text},
    location::Secret,
    text::accept_if,
};

/// Which requests are traced, by the names in `OTEL_TRACES_SAMPLER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceSampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A share of all.
    Ratio,
    /// As the caller decided, if it is a trusted proxy; all others.
    ParentOrAlwaysOn,
    /// As the caller decided, if it is a trusted proxy; no others.
    ParentOrAlwaysOff,
    /// As the caller decided, if it is a trusted proxy; a share of all others.
    ParentOrRatio,
}

impl TraceSampler {
    const ALL: [(Self, &str); 6] = [
        (Self::AlwaysOn, "always_on"),
        (Self::AlwaysOff, "always_off"),
        (Self::Ratio, "traceidratio"),
        (Self::ParentOrAlwaysOn, "parentbased_always_on"),
        (Self::ParentOrAlwaysOff, "parentbased_always_off"),
        (Self::ParentOrRatio, "parentbased_traceidratio"),
    ];
}

/// Which requests are traced.
pub(super) const SAMPLER: Text<TraceSampler> = Text {
    expected: "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or \
        parentbased_traceidratio",
    parse: |text| {
        let named = TraceSampler::ALL.iter().find(|(_, name)| *name == text);
        named.map(|(sampler, _)| *sampler).ok_or(None)
    },
    print: |sampler| {
        let named = TraceSampler::ALL.iter().find(|(other, _)| other == sampler);
        named.map(|(_, name)| (*name).to_owned()).unwrap_or_default()
    },
    shown: Shown::Whole,
};

/// A share from 0 to 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ratio(u64);

impl Ratio {
    /// The share as a number.
    pub fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl fmt::Debug for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

/// A share, as TOML writes a number.
pub(super) struct Share;

impl Kind for Share {
    type Value = Ratio;

    fn expected(&self) -> String {
        "a number from 0 to 1, such as 0.1".into()
    }

    fn shape(&self) -> Shape {
        Shape::Word
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<Ratio> {
        let number: Option<f64> = match given.value.get_ref() {
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::Integer(integer) => integer.as_str().parse().ok(),
            // Variables of OpenTelemetry also have the form `.1`, which TOML does not know.
            DeValue::String(text) => text.parse().ok(),
            _ => None,
        };
        let share = number.filter(|number| (0.0..=1.0).contains(number));
        if share.is_none() {
            given.refuse_kind(faults, self);
        }
        share.map(|share| Ratio(share.to_bits()))
    }

    fn write(&self, value: &Ratio) -> String {
        format!("{value:?}")
    }
}

/// The name of a service.
pub(super) const SERVICE_NAME: Text<String> = Text {
    expected: "a name of 1 to 255 characters",
    parse: |text| accept_if(text, (1..=255).contains(&text.chars().count())),
    print: String::clone,
    shown: Shown::Whole,
};

/// Where spans are sent. Some receivers are known by a secret in the URL.
pub(super) const TRACES_URL: Text<Option<Url>> = Text {
    expected: "an https or http URL without user name and fragment, such as http://localhost:4318/v1/traces, or \"\"",
    parse: |text| {
        if text.is_empty() {
            return Ok(None);
        }
        let url = Url::parse(text).map_err(|_| None)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        let is_web = matches!(url.scheme(), "https" | "http") && url.host().is_some();
        if is_web && !has_user && url.fragment().is_none() { Ok(Some(url)) } else { Err(None) }
    },
    print: |url| url.as_ref().map(Url::to_string).unwrap_or_default(),
    shown: Shown::InDump,
};

/// Headers of every request to the receiver of spans.
pub(super) const TRACES_HEADERS: Text<Secret> = Text {
    expected: "headers as name=value, with commas between them and values percent-encoded",
    parse: |text| match export_headers(text) {
        Some(_) => Ok(Secret::new(text)),
        None => Err(None),
    },
    print: |secret| secret.reveal().to_owned(),
    shown: Shown::Nothing,
};

/// The names and values in a text of the form of `OTEL_EXPORTER_OTLP_HEADERS`.
pub(crate) fn export_headers(text: &str) -> Option<Vec<(String, String)>> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let header = |pair: &str| {
        attribute(pair)
            .filter(|(name, value)| name.bytes().all(is_token) && value.bytes().all(is_text))
    };
    pairs.map(header).collect()
}

/// Something that every span says of this server.
pub(super) const ATTRIBUTE: Text<(String, String)> = Text {
    expected: "an attribute as name=value, such as deployment.environment.name=production",
    parse: |text| attribute(text).ok_or(None),
    print: |(name, value)| {
        format!("{name}={}", percent_encoding::utf8_percent_encode(value, ESCAPED))
    },
    shown: Shown::Whole,
};

/// What would end a value or begin an escape.
const ESCAPED: &percent_encoding::AsciiSet =
    &percent_encoding::CONTROLS.add(b'%').add(b',').add(b' ').add(b'"').add(b';').add(b'\\');

fn attribute(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
}
