//! Columns: how each type of a record's fields is written to a database and read back. Every value that a past release wrote must load.

use std::{borrow::Cow, error::Error, net::IpAddr};

use super::{ClientFilter, ClientFlags, Generation, RefreshRecord, Standing, StoreError};
use crate::{
    audit::{Action, ActorKind},
    ceiling::Ceiling,
    client::{ClientIdentifier, ProfileName, Scope},
    clock::Timestamp,
    grant::{CodeChallenge, ResourceIndicator},
    id::Id,
    operator::Role,
    secret::SecretHash,
};

/// The reason why a column could not be read.
pub(super) type Unreadable = Box<dyn Error + Send + Sync>;

/// The value of one column or parameter. `None` is NULL.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// An identifier: `BLOB` in SQLite, `uuid` in PostgreSQL.
    Id([u8; 16]),
    /// An absent identifier.
    NoId,
    Number(Option<i64>),
    Text(Option<Cow<'a, str>>),
    Bytes(Option<Cow<'a, [u8]>>),
}

impl Value<'_> {
    /// Before every identifier that is made.
    pub(super) const FIRST: Self = Self::Id([0; 16]);

    /// Behind every identifier, or the last one.
    pub(super) const LAST: Self = Self::Id([u8::MAX; 16]);

    /// A copy of a text.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(Some(Cow::Owned(text.to_owned())))
    }

    /// A copy of bytes.
    pub(super) fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(Some(Cow::Owned(bytes.to_vec())))
    }

    /// The same value, copied.
    pub(super) fn to_owned(&self) -> Value<'static> {
        match self {
            Self::Id(id) => Value::Id(*id),
            Self::NoId => Value::NoId,
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text.as_deref().map(|text| text.to_owned().into())),
            Self::Bytes(bytes) => Value::Bytes(bytes.as_deref().map(|all| all.to_owned().into())),
        }
    }

    /// The same value, which refers to this one.
    pub(super) fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Id(id) => Value::Id(*id),
            Self::NoId => Value::NoId,
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text.as_deref().map(Cow::Borrowed)),
            Self::Bytes(bytes) => Value::Bytes(bytes.as_deref().map(Cow::Borrowed)),
        }
    }

    /// A moment, as columns hold it.
    pub(super) fn moment(at: Timestamp) -> Self {
        Self::Number(i64::try_from(at.as_millis()).ok())
    }

    /// A number, as columns hold it.
    pub(super) fn number(number: u64) -> Self {
        Self::Number(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    /// A limit, as statements take it.
    pub(super) fn limit(limit: usize) -> Self {
        Self::Number(Some(i64::try_from(limit).unwrap_or(i64::MAX)))
    }
}

/// The first identifier that can follow `after`, or of all; `None` when none can.
pub(super) fn first_after<Kind: Copy>(after: Option<Id<Kind>>) -> Option<[u8; 16]> {
    match after {
        None => Some([0; 16]),
        Some(id) => u128::from_be_bytes(*id.as_bytes()).checked_add(1).map(u128::to_be_bytes),
    }
}

/// The parameters of the page of clients that begins with `first` and ends with `last`. No statement decides about the
/// standing.
pub(super) fn client_page(
    filter: &ClientFilter,
    first: [u8; 16],
    last: [u8; 16],
    limit: usize,
) -> [Value<'static>; 9] {
    let (used_from, used_until) = filter.used();
    [
        Value::Id(first),
        Value::Id(last),
        Value::Text(filter.profile.map(|profile| Cow::from(profile.as_str()))),
        Value::Number(Some(filter.flags.bits().into())),
        Value::Number(Some(filter.issued_from.map_or(0, millis))),
        Value::Number(filter.issued_until.map(millis)),
        Value::limit(limit),
        Value::Number(Some(used_from)),
        Value::Number(Some(used_until)),
    ]
}

/// A moment as it is written: no record is later than the last one that a table can hold.
fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// A row, by the positions of its columns. `None` is NULL.
pub(super) trait Row {
    fn id(&self, column: usize) -> Result<Option<[u8; 16]>, Unreadable>;

    fn number(&self, column: usize) -> Result<Option<i64>, Unreadable>;

    fn text(&self, column: usize) -> Result<Option<&str>, Unreadable>;

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Unreadable>;
}

/// A type that fills one column.
pub(super) trait Stored: Sized {
    /// The value of an absent one.
    const NULL: Value<'static>;

    fn value(&self) -> Value<'_>;

    /// `None` for NULL.
    fn load(row: &impl Row, column: usize) -> Result<Option<Self>, Unreadable>;
}

/// A type that fills a fixed number of columns: a field, or a whole record.
pub(super) trait Columns: Sized {
    const COUNT: usize;

    /// Passes the value of each column to `to`, in order.
    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>));

    /// Passes NULL for each column.
    fn write_none<'a>(to: &mut impl FnMut(Value<'a>));

    /// Reads the columns from `first` on.
    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable>;
}

/// A kind of record, with a table of its own.
pub(super) trait Record: Columns {
    const TABLE: &'static str;

    /// The columns of the table, separated by commas.
    const NAMES: &'static str;

    /// Columns that are computed from the record and not read back, each followed by a comma.
    const DERIVED: &'static str = "";

    /// How many columns an INSERT writes.
    const WRITTEN: usize = Self::COUNT;

    /// Passes the values of [`Self::DERIVED`] and of the columns to `to`.
    fn write_all<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        self.write(to);
    }

    /// Names a record in an error, from as much of its row as can be read.
    fn name(row: &impl Row) -> String;

    /// Reads a row of [`Self::NAMES`].
    fn from_row(row: &impl Row) -> Result<Self, StoreError> {
        Self::read(row, 0).map_err(|source| corrupt(Self::name(row), source))
    }
}

/// A record that is not what was written.
pub(super) fn corrupt(what: String, source: impl Into<Unreadable>) -> StoreError {
    StoreError::Corrupt { what, source: source.into() }
}

/// Declares a struct together with the columns of its fields: `= "name"`, or the names of a field that fills
/// several.
macro_rules! columns {
    (
        $(#[$about:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_about:meta])* $field_visibility:vis $field:ident: $type:ty = $column:expr,)+
        }
    ) => {
        $(#[$about])*
        $visibility struct $name {
            $($(#[$field_about])* $field_visibility $field: $type,)+
        }

        impl $name {
            /// The columns, separated by commas.
            const COLUMNS: &'static str = $crate::store::sql::without_comma(
                $crate::store::sql::joined!(b'$'; $($column, ", "),+)
            );
        }

        impl $crate::store::column::Columns for $name {
            const COUNT: usize = 0 $(+ <$type as $crate::store::column::Columns>::COUNT)+;

            fn write<'a>(&'a self, to: &mut impl FnMut($crate::store::column::Value<'a>)) {
                $($crate::store::column::Columns::write(&self.$field, to);)+
            }

            fn write_none<'a>(to: &mut impl FnMut($crate::store::column::Value<'a>)) {
                $(<$type as $crate::store::column::Columns>::write_none(to);)+
            }

            fn read(
                row: &impl $crate::store::column::Row,
                first: usize,
            ) -> Result<Self, $crate::store::column::Unreadable> {
                let mut next = first;
                let mut take = |columns: usize| {
                    let column = next;
                    next += columns;
                    column
                };
                Ok(Self {
                    $($field: <$type as $crate::store::column::Columns>::read(
                        row,
                        take(<$type as $crate::store::column::Columns>::COUNT),
                    )?,)+
                })
            }
        }
    };
}
pub(super) use columns;

impl<T: Stored> Columns for T {
    const COUNT: usize = 1;

    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        to(self.value());
    }

    fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
        to(T::NULL);
    }

    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
        T::load(row, first)?.ok_or_else(|| "a column is NULL".into())
    }
}

impl<T: Stored> Columns for Option<T> {
    const COUNT: usize = 1;

    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        to(self.as_ref().map_or(T::NULL, T::value));
    }

    fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
        to(T::NULL);
    }

    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
        T::load(row, first)
    }
}

/// Absent when its first column is NULL.
macro_rules! absent_with_its_first_column {
    ($($type:ty),+ $(,)?) => {
        $(impl Columns for Option<$type> {
            const COUNT: usize = <$type as Columns>::COUNT;

            fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
                match self {
                    Some(value) => value.write(to),
                    None => Self::write_none(to),
                }
            }

            fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
                <$type as Columns>::write_none(to);
            }

            fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
                match row.bytes(first)? {
                    Some(_) => <$type as Columns>::read(row, first).map(Some),
                    None => Ok(None),
                }
            }
        })+
    };
}

absent_with_its_first_column!(RefreshRecord, (SecretHash, Timestamp));

impl Columns for (SecretHash, Timestamp) {
    const COUNT: usize = 2;

    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        to(self.0.value());
        to(self.1.value());
    }

    fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
        to(SecretHash::NULL);
        to(Timestamp::NULL);
    }

    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
        Ok((Columns::read(row, first)?, Columns::read(row, first + 1)?))
    }
}

impl<Kind: Copy> Stored for Id<Kind> {
    const NULL: Value<'static> = Value::NoId;

    fn value(&self) -> Value<'_> {
        Value::Id(*self.as_bytes())
    }

    fn load(row: &impl Row, column: usize) -> Result<Option<Self>, Unreadable> {
        Ok(row.id(column)?.map(Self::from_bytes))
    }
}

impl Stored for Timestamp {
    const NULL: Value<'static> = Value::Number(None);

    fn value(&self) -> Value<'_> {
        Value::Number(Some(millis(*self)))
    }

    fn load(row: &impl Row, column: usize) -> Result<Option<Self>, Unreadable> {
        let millis = row.number(column)?.map(u64::try_from).transpose()?;
        Ok(millis.map(Self::from_millis))
    }
}

impl Stored for u64 {
    const NULL: Value<'static> = Value::Number(None);

    fn value(&self) -> Value<'_> {
        Value::Number(Some(i64::try_from(*self).unwrap_or(i64::MAX)))
    }

    fn load(row: &impl Row, column: usize) -> Result<Option<Self>, Unreadable> {
        Ok(row.number(column)?.map(Self::try_from).transpose()?)
    }
}

impl Stored for ClientFlags {
    const NULL: Value<'static> = Value::Number(None);

    fn value(&self) -> Value<'_> {
        Value::Number(Some(self.bits().into()))
    }

    fn load(row: &impl Row, column: usize) -> Result<Option<Self>, Unreadable> {
        let bits = row.number(column)?.map(u32::try_from).transpose()?;
        Ok(bits.map(Self::from_bits))
    }
}

/// Types that are stored as text.
macro_rules! texts {
    ($($type:ty: |$value:ident| $write:expr, |$text:ident| $read:expr;)+) => {
        $(impl Stored for $type {
            const NULL: Value<'static> = Value::Text(None);

            fn value(&self) -> Value<'_> {
                let $value = self;
                Value::Text(Some(Cow::from($write)))
            }

            fn load(row: &impl Row, column: usize) -> Result<Option<Self>, Unreadable> {
                row.text(column)?.map(|$text| -> Result<Self, Unreadable> { $read }).transpose()
            }
        })+
    };
}

texts! {
    String: |text| text.as_str(), |text| Ok(text.to_owned());
    ProfileName: |name| name.as_str(),
        |text| text.parse().map_err(|()| format!("no profile is called {text:?}").into());
    ClientIdentifier: |client| client.to_string(), |text| Ok(text.parse()?);
    Action: |action| action.as_str(),
        |text| text.parse().map_err(|()| format!("no action is called {text:?}").into());
    Role: |role| role.as_str(),
        |text| text.parse().map_err(|()| format!("no role is called {text:?}").into());
    ActorKind: |kind| kind.as_str(),
        |text| text.parse().map_err(|()| format!("no actor is called {text:?}").into());
    Ceiling: |ceiling| serde_json::to_string(ceiling).expect("a ceiling is lists of strings"),
        |text| Ok(serde_json::from_str(text)?);
    IpAddr: |address| address.to_string(), |text| Ok(text.parse()?);
    // One a line: no resource indicator contains a line break.
    Vec<ResourceIndicator>: |all| all.iter().map(ResourceIndicator::as_str).collect::<Vec<_>>().join("\n"),
        |text| Ok(text.lines().map(ResourceIndicator::parse).collect::<Result<_, _>>()?);
}

/// An active client has no standing, which is what most clients are.
impl Columns for Standing {
    const COUNT: usize = 1;

    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        to(Value::Text((*self != Self::Active).then(|| Cow::from(self.as_str()))));
    }

    fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
        to(Value::Text(None));
    }

    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
        let Some(text) = row.text(first)? else { return Ok(Self::Active) };
        text.parse().map_err(|()| format!("no standing is called {text:?}").into())
    }
}

/// The first generation is stored as NULL, which is what most clients have.
impl Columns for Generation {
    const COUNT: usize = 1;

    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        let number = i64::try_from(self.number()).unwrap_or(i64::MAX);
        to(Value::Number((*self != Self::default()).then_some(number)));
    }

    fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
        to(Value::Number(None));
    }

    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
        let number = row.number(first)?.map(u64::try_from).transpose()?;
        Ok(number.map(Self::new).unwrap_or_default())
    }
}

/// An empty scope is stored as an absent one.
impl Columns for Option<Scope> {
    const COUNT: usize = 1;

    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        to(Value::Text(self.as_ref().map(|scope| Cow::from(scope.as_str()))));
    }

    fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
        to(Value::Text(None));
    }

    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
        Ok(row.text(first)?.map(Scope::parse).transpose()?.flatten())
    }
}

/// Types that are stored as bytes.
macro_rules! bytes {
    ($($type:ty: |$value:ident| $write:expr, |$bytes:ident| $read:expr;)+) => {
        $(impl Stored for $type {
            const NULL: Value<'static> = Value::Bytes(None);

            fn value(&self) -> Value<'_> {
                let $value = self;
                Value::Bytes(Some(Cow::Borrowed($write)))
            }

            fn load(row: &impl Row, column: usize) -> Result<Option<Self>, Unreadable> {
                row.bytes(column)?.map(|$bytes| -> Result<Self, Unreadable> { $read }).transpose()
            }
        })+
    };
}

bytes! {
    SecretHash: |hash| &hash.as_bytes()[..], |bytes| Ok(Self::from_bytes(bytes.try_into()?));
    CodeChallenge: |challenge| &challenge.as_bytes()[..], |bytes| Ok(Self::from_bytes(bytes.try_into()?));
    [u8; 32]: |hash| &hash[..], |bytes| Ok(bytes.try_into()?);
    Vec<u8>: |bytes| &bytes[..], |bytes| Ok(bytes.to_owned());
}
