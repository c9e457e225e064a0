//! Values as parameters, records as columns of parameters, and rows read as records.

use std::{borrow::Cow, error::Error};

use bytes::BytesMut;
use tokio_postgres::{
    Row,
    types::{IsNull, ToSql, Type, to_sql_checked},
};
use uuid::Uuid;

use crate::store::{
    StoreError,
    column::{self, Record, Unreadable, Value},
};

/// A parameter that knows its type.
pub(super) trait Typed: ToSql + Sync {
    fn kind(&self) -> Type;
}

impl Typed for Value<'_> {
    fn kind(&self) -> Type {
        match self {
            Self::Id(_) | Self::NoId => Type::UUID,
            Self::Number(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Bytes(_) => Type::BYTEA,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Id(id) => Uuid::from_bytes(*id).to_sql(kind, out),
            Self::NoId => Ok(IsNull::Yes),
            Self::Number(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One column of many records.
#[derive(Debug)]
pub(super) enum Column<'a> {
    Ids(Vec<Option<Uuid>>),
    Numbers(Vec<Option<i64>>),
    Texts(Vec<Option<Cow<'a, str>>>),
    Bytes(Vec<Option<Cow<'a, [u8]>>>),
}

impl<'a> Column<'a> {
    fn of(value: Value<'a>, room: usize) -> Self {
        let mut column = match &value {
            Value::Id(_) | Value::NoId => Self::Ids(Vec::with_capacity(room)),
            Value::Number(_) => Self::Numbers(Vec::with_capacity(room)),
            Value::Text(_) => Self::Texts(Vec::with_capacity(room)),
            Value::Bytes(_) => Self::Bytes(Vec::with_capacity(room)),
        };
        column.push(value);
        column
    }

    /// A column has values of one kind, because the same code writes each record.
    fn push(&mut self, value: Value<'a>) {
        match (self, value) {
            (Self::Ids(ids), Value::Id(id)) => ids.push(Some(Uuid::from_bytes(id))),
            (Self::Ids(ids), Value::NoId) => ids.push(None),
            (Self::Numbers(numbers), Value::Number(number)) => numbers.push(number),
            (Self::Texts(texts), Value::Text(text)) => texts.push(text),
            (Self::Bytes(all), Value::Bytes(bytes)) => all.push(bytes),
            (column, value) => panic!("{value:?} is not of the kind of {column:?}"),
        }
    }
}

impl Typed for Column<'_> {
    fn kind(&self) -> Type {
        match self {
            Self::Ids(_) => Type::UUID_ARRAY,
            Self::Numbers(_) => Type::INT8_ARRAY,
            Self::Texts(_) => Type::TEXT_ARRAY,
            Self::Bytes(_) => Type::BYTEA_ARRAY,
        }
    }
}

impl ToSql for Column<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Ids(ids) => ids.to_sql(kind, out),
            Self::Numbers(numbers) => numbers.to_sql(kind, out),
            Self::Texts(texts) => texts.to_sql(kind, out),
            Self::Bytes(all) => all.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The columns of many records.
pub(super) fn columns<'a, R: Record + 'a>(
    records: impl ExactSizeIterator<Item = &'a R>,
) -> Vec<Column<'a>> {
    let room = records.len();
    let mut columns: Vec<Column<'a>> = Vec::with_capacity(R::WRITTEN);
    for record in records {
        let mut at = 0;
        record.write_all(&mut |value| {
            push(&mut columns, at, value, room);
            at += 1;
        });
    }
    columns
}

/// The columns of many rows.
pub(super) fn columns_of<'a>(
    rows: impl ExactSizeIterator<Item = &'a [Value<'a>]>,
) -> Vec<Column<'a>> {
    let room = rows.len();
    let mut columns = Vec::new();
    for row in rows {
        for (at, value) in row.iter().enumerate() {
            push(&mut columns, at, value.borrowed(), room);
        }
    }
    columns
}

fn push<'a>(columns: &mut Vec<Column<'a>>, at: usize, value: Value<'a>, room: usize) {
    match columns.get_mut(at) {
        Some(column) => column.push(value),
        None => columns.push(Column::of(value, room)),
    }
}

/// Parameters as a statement takes them.
pub(super) fn parameters<T: Typed>(all: &[T]) -> Vec<&dyn Typed> {
    all.iter().map(|one| one as &dyn Typed).collect()
}

/// The records of rows.
pub(super) fn records<R: Record>(rows: &[Row]) -> Result<Vec<R>, StoreError> {
    rows.iter().map(R::from_row).collect()
}

impl column::Row for Row {
    fn id(&self, column: usize) -> Result<Option<[u8; 16]>, Unreadable> {
        Ok(self.try_get::<_, Option<Uuid>>(column)?.map(Uuid::into_bytes))
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
