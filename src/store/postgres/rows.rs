//! Records in the rows that a statement answers, and in the columns that it takes.

use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    secret::SecretHash,
    store::row::{self, Unreadable},
};

/// One column of many records.
pub(super) fn column<'a, R, T>(records: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    records.iter().map(value).collect()
}

/// The first identifier that can come after another, or of all; `None` when there is none.
pub(super) fn first_after(after: Option<Uuid>) -> Option<Uuid> {
    match after {
        None => Some(Uuid::nil()),
        Some(id) => id.as_u128().checked_add(1).map(Uuid::from_u128),
    }
}

pub(super) fn bytes(hash: &SecretHash) -> &[u8] {
    hash.as_bytes()
}

impl row::Row for Row {
    fn id(&self, column: usize) -> Result<[u8; 16], Unreadable> {
        Ok(self.try_get::<_, Uuid>(column)?.into_bytes())
    }

    fn number(&self, column: usize) -> Result<Option<i64>, Unreadable> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Unreadable> {
        Ok(self.try_get(column)?)
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Unreadable> {
        Ok(self.try_get(column)?)
    }
}
