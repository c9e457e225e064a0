//! Records of which some rows may be damaged.

use super::{
    StoreError,
    column::{Columns, Record, Row, Unreadable, Value, corrupt},
};

/// A record, or why its row cannot be read: for work that goes on without it.
#[derive(Debug)]
pub(super) struct Readable<R> {
    /// The first column, if it is an identifier.
    pub(super) id: Option<[u8; 16]>,
    pub(super) record: Result<R, StoreError>,
}

impl<R: Record> Columns for Readable<R> {
    const COUNT: usize = R::COUNT;

    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        match &self.record {
            Ok(record) => record.write(to),
            Err(_) => R::write_none(to),
        }
    }

    fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
        R::write_none(to);
    }

    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
        let record = R::read(row, first).map_err(|source| corrupt(R::name(row), source));
        Ok(Self { id: row.id(first).unwrap_or_default(), record })
    }
}

impl<R: Record> Record for Readable<R> {
    const TABLE: &'static str = R::TABLE;
    const NAMES: &'static str = R::NAMES;

    fn name(row: &impl Row) -> String {
        R::name(row)
    }
}
