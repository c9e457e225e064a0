//! All access of one person.

use std::slice;

use serde_json::json;

use super::{
    grants::{Ending, end_grants},
    sessions::delete_sessions,
};
use crate::{
    audit::{Action, Author},
    store::{
        EventRecord, GrantRecord, PersonChange, SessionRecord,
        column::{Stored as _, Value},
        statements::{events, people},
        transaction::Transaction,
    },
};

impl PersonChange {
    const fn reason(self) -> &'static str {
        match self {
            Self::End => "access_ended",
            Self::Forget => "person_forgotten",
        }
    }
}

/// Ends at most `limit` sessions of a person. Returns how many there were.
pub(in crate::store) async fn end_sessions_of_person<T: Transaction>(
    change: &mut T,
    subject: &str,
    person_change: PersonChange,
    limit: usize,
    by: &Author,
) -> Result<usize, T::Fault> {
    let parameters = [Value::text(subject), Value::limit(limit)];
    let found: Vec<SessionRecord> = change.select(&people::SELECT_SESSIONS, &parameters).await?;
    delete_sessions(change, found, Some(person_change.reason()), by).await
}

/// Ends at most `limit` grants of a person. Returns how many there were.
pub(in crate::store) async fn end_grants_of_person<T: Transaction>(
    change: &mut T,
    subject: &str,
    person_change: PersonChange,
    limit: usize,
    by: &Author,
) -> Result<usize, T::Fault> {
    let parameters = [Value::text(subject), Value::limit(limit)];
    let found: Vec<GrantRecord> = change.select(&people::SELECT_GRANTS, &parameters).await?;
    end_grants(change, found, &Ending::new(Action::GrantRevoked, person_change.reason()), by).await
}

/// Expires or deletes what a person has allowed before, and records the decision of the operator. Returns how many
/// consents there were.
pub(in crate::store) async fn end_consents<T: Transaction>(
    change: &mut T,
    subject: &str,
    person_change: PersonChange,
    by: &Author,
) -> Result<usize, T::Fault> {
    let (action, consents) = match person_change {
        PersonChange::End => {
            let parameters = [Value::text(subject), by.at.value()];
            let expired = change.execute(&people::EXPIRE_CONSENTS, &parameters).await?;
            (Action::PersonEnded, expired)
        }
        PersonChange::Forget => {
            let parameters = [Value::text(subject)];
            (Action::PersonForgotten, change.execute(&people::DELETE_CONSENTS, &parameters).await?)
        }
    };
    let subject = Some(subject.to_owned());
    let event = by.event(action).with(&json!({ "consents": consents }));
    let event = EventRecord { subject, ..event };
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(consents)
}
