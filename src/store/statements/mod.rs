//! Every statement about records, once for both databases. Where the dialects differ, the two texts stand side by
//! side. Parameters have the same meaning and order in both.

use super::{
    AttemptRecord, ClientFlags, ClientRecord, ConsentRecord, DocumentClientRecord, EventRecord,
    FamilyClient, FamilyRecord, GrantRecord, InitialAccessTokenRecord, KeyRecord, MarkRecord,
    OperatorTokenRecord, RuleRecord, SessionRecord,
    arrival::{ArrivalRecord, Registration},
    column::{Columns, Record},
    family_record::ClientRef,
    parts::{ClientAge, EventKey},
    rules::RulesMark,
    sql::{Statement, parameters, parameters_after, sql},
};

/// Selects records; `$which` follows the name of the table.
macro_rules! select {
    ($record:ty, $($which:tt)+) => {
        sql!(
            "SELECT ", <$record as Record>::NAMES, " FROM ", <$record as Record>::TABLE, " ",
            $($which)+
        )
    };
}

/// Selects one record that must not change until the transaction ends. SQLite has one writer.
macro_rules! select_and_lock {
    ($record:ty, $which:literal) => {
        sql!(
            sqlite: [
                "SELECT ", <$record as Record>::NAMES, " FROM ", <$record as Record>::TABLE, " ", $which
            ],
            postgres: [
                "SELECT ", <$record as Record>::NAMES, " FROM ", <$record as Record>::TABLE, " ", $which,
                " FOR UPDATE"
            ],
        )
    };
}

/// Selects the records of given identifiers. PostgreSQL plans it for one identifier, so that it uses the index however few rows
/// there were when it was prepared.
macro_rules! select_each {
    ($record:ty, $id:literal) => {
        sql!(
            sqlite: [
                "SELECT ", <$record as Record>::NAMES, " FROM ", <$record as Record>::TABLE,
                " WHERE ", $id, " = $1"
            ],
            postgres: [
                "SELECT ", <$record as Record>::NAMES, " FROM unnest($1) AS given (id) \
                 CROSS JOIN LATERAL (SELECT * FROM ", <$record as Record>::TABLE,
                " WHERE ", $id, " = given.id LIMIT 1) AS found"
            ],
        )
    };
}

/// Inserts records: one by one in SQLite, one column after the other in PostgreSQL.
macro_rules! insert {
    ($record:ty, $tail:expr) => {
        insert!($record, sqlite: $tail, postgres: $tail)
    };
    ($record:ty, sqlite: $sqlite:expr, postgres: $postgres:expr) => {
        sql!(
            sqlite: [
                "INSERT INTO ", <$record as Record>::TABLE, " (", <$record as Record>::DERIVED,
                <$record as Record>::NAMES, ") VALUES (", parameters(<$record as Record>::WRITTEN), ") ",
                $sqlite
            ],
            postgres: [
                "INSERT INTO ", <$record as Record>::TABLE, " (", <$record as Record>::DERIVED,
                <$record as Record>::NAMES, ") SELECT * FROM unnest(",
                parameters(<$record as Record>::WRITTEN), ") ", $postgres
            ],
        )
    };
}

/// A statement that changes at most one row, with an event about it that is stored only if it does.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) statement: Statement,
    /// For PostgreSQL: both as one statement, in which the columns of the event follow the parameters.
    pub(super) with_event: Statement,
}

macro_rules! recorded {
    ($parameters:literal, $text:expr) => {
        $crate::store::statements::Recorded {
            statement: sql!($text),
            with_event: sql!(
                "WITH changed AS (",
                $text,
                " RETURNING 1) INSERT INTO events (",
                <super::EventRecord as super::Record>::NAMES,
                ") SELECT ",
                super::super::sql::parameters_after(
                    $parameters,
                    <super::EventRecord as super::Columns>::COUNT
                ),
                " FROM changed"
            ),
        }
    };
}

pub(super) mod attempts;
pub(super) mod clients;
pub(super) mod consents;
pub(super) mod document_clients;
pub(super) mod events;
pub(super) mod families;
pub(super) mod grants;
pub(super) mod initial_access_tokens;
pub(super) mod keys;
pub(super) mod marks;
pub(super) mod operator_tokens;
pub(super) mod people;
pub(super) mod rules;
pub(super) mod sessions;
pub(super) mod sweep;
pub(super) mod webhooks;
