//! Statements on a connection: values bound to their parameters, and rows read as records. A connection in a
//! transaction is a [`Transaction`] that answers at once.

use std::{
    pin::pin,
    slice,
    task::{Context, Poll, Waker},
};

use rusqlite::{
    Connection, Row, Statement as Prepared, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::fault::store_error;
use crate::store::{
    EventRecord, StoreError,
    column::{self, Record, Unreadable, Value},
    sql::Statement,
    statements::events,
    transaction::Transaction,
};

/// A connection in a transaction.
pub(in crate::store) struct Direct<'connection>(pub(in crate::store) &'connection Connection);

/// Why a change stopped.
#[derive(Debug)]
pub(in crate::store) enum Stopped {
    /// SQLite refused a statement.
    Sql(rusqlite::Error),
    /// The change failed for a reason of its own.
    Store(StoreError),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Makes a change that waits for nothing.
pub(in crate::store) fn at_once<T>(
    change: impl Future<Output = Result<T, Stopped>>,
) -> Result<T, Stopped> {
    match pin!(change).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(StoreError::Unavailable("a change waits for something".into()).into()),
    }
}

impl Transaction for Direct<'_> {
    type Fault = Stopped;

    async fn execute(
        &mut self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
    ) -> Result<usize, Stopped> {
        Ok(execute(self.0, statement, parameters)?)
    }

    async fn exchange(
        &mut self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
        event: Option<&EventRecord>,
    ) -> Result<bool, Stopped> {
        let is_made = execute(self.0, statement, parameters)? > 0;
        if is_made && let Some(event) = event {
            self.insert(&events::INSERT, slice::from_ref(event)).await?;
        }
        Ok(is_made)
    }

    async fn insert<R: Record>(
        &mut self,
        statement: &'static Statement,
        records: &[R],
    ) -> Result<usize, Stopped> {
        let mut prepared = self.0.prepare_cached(statement.sqlite)?;
        let mut changed = 0;
        for record in records {
            changed += insert(&mut prepared, record)?;
        }
        Ok(changed)
    }

    async fn change_each<R: Record + Clone>(
        &mut self,
        statement: &'static Statement,
        records: &[R],
    ) -> Result<Vec<R>, Stopped> {
        let mut prepared = self.0.prepare_cached(statement.sqlite)?;
        let mut changed = Vec::new();
        for record in records {
            if insert(&mut prepared, record)? > 0 {
                changed.push(record.clone());
            }
        }
        Ok(changed)
    }

    async fn select_each<K: Record, R: Record>(
        &mut self,
        statement: &'static Statement,
        given: &[K],
    ) -> Result<Vec<R>, Stopped> {
        let mut prepared = self.0.prepare_cached(statement.sqlite)?;
        let mut found = Vec::new();
        for one in given {
            bind_record(&mut prepared, one)?;
            let mut rows = prepared.raw_query();
            while let Some(row) = rows.next()? {
                found.push(R::from_row(row)?);
            }
        }
        Ok(found)
    }

    async fn select<R: Record>(
        &mut self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
    ) -> Result<Vec<R>, Stopped> {
        Ok(rows(self.0, statement, parameters)?)
    }
}

/// Runs a statement that inserts one record.
pub(super) fn insert(prepared: &mut Prepared<'_>, record: &impl Record) -> rusqlite::Result<usize> {
    bind_record(prepared, record)?;
    prepared.raw_execute()
}

fn bind_record(prepared: &mut Prepared<'_>, record: &impl Record) -> rusqlite::Result<()> {
    let (mut parameter, mut bound) = (0, Ok(()));
    record.write_all(&mut |value| {
        parameter += 1;
        if bound.is_ok() {
            bound = prepared.raw_bind_parameter(parameter, value);
        }
    });
    bound
}

/// Runs a statement; returns how many rows it changed.
pub(super) fn execute(
    connection: &Connection,
    statement: &Statement,
    parameters: &[Value<'_>],
) -> rusqlite::Result<usize> {
    let mut prepared = connection.prepare_cached(statement.sqlite)?;
    bind(&mut prepared, parameters)?;
    prepared.raw_execute()
}

fn bind(prepared: &mut Prepared<'_>, parameters: &[Value<'_>]) -> rusqlite::Result<()> {
    for (index, value) in parameters.iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, value)?;
    }
    Ok(())
}

/// The records of every row of a statement.
pub(super) fn rows<R: Record>(
    connection: &Connection,
    statement: &Statement,
    parameters: &[Value<'_>],
) -> Result<Vec<R>, StoreError> {
    let mut found = Vec::new();
    each(connection, statement, parameters, &mut |row| {
        found.push(R::from_row(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// Passes each row of a statement to `visit`.
pub(super) fn each(
    connection: &Connection,
    statement: &Statement,
    parameters: &[Value<'_>],
    visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut prepared = connection.prepare_cached(statement.sqlite).map_err(store_error)?;
    bind(&mut prepared, parameters).map_err(store_error)?;
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next().map_err(store_error)? {
        visit(row)?;
    }
    Ok(())
}

/// The record of the first row.
pub(super) fn first<R: Record>(
    connection: &Connection,
    statement: &Statement,
    parameters: &[Value<'_>],
) -> Result<Option<R>, StoreError> {
    let mut prepared = connection.prepare_cached(statement.sqlite).map_err(store_error)?;
    bind(&mut prepared, parameters).map_err(store_error)?;
    let mut rows = prepared.raw_query();
    rows.next().map_err(store_error)?.map(R::from_row).transpose()
}

/// The identifier at a distance behind another, if there is one.
pub(super) fn ahead(
    connection: &Connection,
    statement: &Statement,
    first: [u8; 16],
    distance: usize,
) -> Result<Option<[u8; 16]>, StoreError> {
    let mut found = None;
    let parameters = [Value::Id(first), Value::limit(distance)];
    each(connection, statement, &parameters, &mut |row| {
        found = Some(row.get(0).map_err(store_error)?);
        Ok(())
    })?;
    Ok(found)
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Id(id) => ValueRef::Blob(id),
            Self::Number(Some(number)) => ValueRef::Integer(*number),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::NoId | Self::Number(None) | Self::Text(None) | Self::Bytes(None) => {
                ValueRef::Null
            }
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

impl column::Row for Row<'_> {
    fn id(&self, column: usize) -> Result<Option<[u8; 16]>, Unreadable> {
        Ok(self.get(column)?)
    }

    fn number(&self, column: usize) -> Result<Option<i64>, Unreadable> {
        Ok(self.get_ref(column)?.as_i64_or_null()?)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Unreadable> {
        Ok(self.get_ref(column)?.as_str_or_null()?)
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Unreadable> {
        Ok(self.get_ref(column)?.as_blob_or_null()?)
    }
}
