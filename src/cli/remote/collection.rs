//! Lists of the operator API, page by page.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::Value;

use super::Server;
use crate::{
    cli::{exit::Failure, records::Listed},
    clock::Timestamp,
    store::Deleted,
};

/// Parameters of a query.
pub(in crate::cli) type Query = Vec<(&'static str, String)>;

/// How the operator API lists a kind of record.
pub(in crate::cli) struct Collection<T: Listed> {
    /// The path of the list; a record is at its identifier below.
    pub(in crate::cli) path: &'static str,
    /// The filter as the list takes it.
    pub(in crate::cli) query: fn(&T::Filter) -> Query,
    /// The record of a resource; `None` when neither it nor one after it belongs to the list.
    pub(in crate::cli) read: fn(&Value) -> Option<Read<T>>,
    /// How many the server lists at once, at most.
    pub(in crate::cli) page_max: usize,
}

/// What is read from a resource, or why it cannot be.
pub(in crate::cli) type Read<T> = Result<T, String>;

/// The attributes of a resource.
pub(in crate::cli) fn attributes<T: DeserializeOwned>(resource: &Value) -> Read<T> {
    T::deserialize(&resource["attributes"]).map_err(|error| error.to_string())
}

/// Reads a time of RFC 3339.
pub(in crate::cli) fn moment<'de, D: Deserializer<'de>>(text: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(text)?;
    Timestamp::from_rfc3339(&text).ok_or_else(|| D::Error::custom("a time is not RFC 3339"))
}

/// Reads a time that may be absent.
pub(in crate::cli) fn moment_or_none<'de, D: Deserializer<'de>>(
    text: D,
) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    struct Moment(#[serde(deserialize_with = "moment")] Timestamp);
    let read = Option::<Moment>::deserialize(text)?;
    Ok(read.map(|Moment(at)| at))
}

/// A part of a list.
pub(in crate::cli) struct Page<T> {
    pub(in crate::cli) records: Vec<T>,
    /// Where the list goes on; `None` at its end.
    pub(in crate::cli) after: Option<String>,
}

impl Server {
    /// At most `limit` records after the one at `after`.
    pub(in crate::cli) fn page<T: Listed>(
        &self,
        filter: &T::Filter,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<T>, Failure> {
        let collection = collection::<T>()?;
        let mut query = (collection.query)(filter);
        query.push(("page[limit]", limit.min(collection.page_max).to_string()));
        query.extend(after.map(|after| ("page[cursor]", after)));
        let document = self.get(collection.path, &query)?.done()?;
        let mut page = Page {
            records: Vec::new(),
            after: document["meta"]["page"]["after"].as_str().map(str::to_owned),
        };
        for resource in document["data"].as_array().into_iter().flatten() {
            let Some(read) = (collection.read)(resource) else {
                page.after = None;
                break;
            };
            page.records.push(read.map_err(|reason| self.unreadable(&reason))?);
        }
        Ok(page)
    }

    /// Deletes a record.
    pub(in crate::cli) fn delete<T: Listed>(&self, id: &T::Id) -> Result<Deleted, Failure> {
        let reply = self.remove(&below(collection::<T>()?.path, &id.to_string()))?;
        if reply.is_missing() {
            return Ok(Deleted::NotThere);
        }
        reply.done().map(|_| Deleted::Forgotten)
    }

    /// Why a resource is not understood.
    pub(in crate::cli) fn unreadable(&self, reason: &str) -> Failure {
        let url = &self.url;
        Failure::because(format!(
            "cannot read the answer of {url} ({reason}): use the version of `doorward` that the server has"
        ))
    }
}

/// The path of a resource in a collection.
pub(in crate::cli) fn below(collection: &str, id: &str) -> String {
    format!("{collection}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

fn collection<T: Listed>() -> Result<Collection<T>, Failure> {
    let missing = || format!("the operator API does not list {}s", T::NAME);
    T::API.ok_or_else(|| Failure::because(missing()))
}
