//! The rows that a statement finds, as records.

use rusqlite::{Connection, Params, Row};

use super::fault::store_error;
use crate::store::{
    StoreError,
    row::{self, FromRow, Unreadable},
};

/// The records of every row of a statement.
pub(super) fn rows<T: FromRow>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query(parameters).map_err(store_error)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        found.push(T::from_row(row)?);
    }
    Ok(found)
}

/// The record of its first row.
pub(super) fn first<T: FromRow>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query(parameters).map_err(store_error)?;
    rows.next().map_err(store_error)?.map(T::from_row).transpose()
}

impl row::Row for Row<'_> {
    fn id(&self, column: usize) -> Result<[u8; 16], Unreadable> {
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
