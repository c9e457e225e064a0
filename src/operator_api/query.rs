//! Parameters of the query: only those that the operation declares, each at most once, and each checked.

use std::str::FromStr;

use super::error::ApiError;
use crate::{clock::Timestamp, http::form::Form};

/// A parameter of the query, as operations declare it.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
}

/// The parameters of one call.
pub(super) struct Query<'text> {
    form: Form<'text>,
    declared: &'static [Parameter],
}

impl<'text> Query<'text> {
    /// Reads a query. A parameter that the operation does not have is refused: a filter with a typing error would
    /// otherwise let everything through.
    pub(super) fn parse(
        text: &'text str,
        declared: &'static [Parameter],
    ) -> Result<Self, ApiError> {
        let form = Form::parse(text.as_bytes())?;
        let is_declared = |name: &&str| declared.iter().any(|known| known.name == *name);
        if let Some(unknown) = form.names().find(|name| !is_declared(name)) {
            return Err(ApiError::parameter(unknown, "This operation has no such parameter."));
        }
        Ok(Self { form, declared })
    }

    /// The value of a parameter; `None` when it is omitted or empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        debug_assert!(self.declared.iter().any(|known| known.name == name), "{name} is declared");
        let value = self.form.one(name);
        value.map_err(|_repeated| ApiError::parameter(name, "The parameter is there twice."))
    }

    /// The value of a parameter of this type; `expected` describes its values.
    pub(super) fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let refused = |_| ApiError::parameter(name, format!("The value must be {expected}."));
        text.parse().map(Some).map_err(refused)
    }

    /// A whole number in a range.
    pub(super) fn number(
        &self,
        name: &'static str,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<usize, ApiError> {
        let (first, last) = (range.start(), range.end());
        let expected = format!("a whole number from {first} to {last}");
        let number = self.parsed(name, &expected)?.unwrap_or(default);
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(ApiError::parameter(name, format!("The value must be {expected}.")))
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, name: &'static str) -> Result<Option<bool>, ApiError> {
        self.parsed(name, "true or false")
    }

    /// A time in RFC 3339.
    pub(super) fn moment(&self, name: &'static str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let refused = || ApiError::parameter(name, "The value must be a time in RFC 3339.");
        Timestamp::from_rfc3339(text).map(Some).ok_or_else(refused)
    }
}
