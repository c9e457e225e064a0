//! Signing keys.

use super::{KeyRecord, Record, Statement, sql};

pub(in crate::store) const SELECT: Statement = select!(KeyRecord, "ORDER BY made_at, key_id");

/// Stores a key if the newest one is still `$5`, or absent where `$5` is empty. PostgreSQL runs such statements
/// at once: there a unique column says which key each one follows.
pub(in crate::store) const KEEP: Statement = sql!(
    sqlite: [
        "INSERT INTO keys (", <KeyRecord as Record>::NAMES, ") SELECT $1, $2, $3, $4 WHERE $5 = \
         coalesce((SELECT key_id FROM keys ORDER BY made_at DESC, key_id DESC LIMIT 1), '')"
    ],
    postgres: [
        "INSERT INTO keys (", <KeyRecord as Record>::NAMES, ", follows) \
         SELECT $1, $2, $3, $4, $5 WHERE $5 = \
         coalesce((SELECT key_id FROM keys ORDER BY made_at DESC, key_id DESC LIMIT 1), '') \
         ON CONFLICT DO NOTHING"
    ],
);

/// The predecessor of an imported key is in another store: `follows` gets a value that names no key.
pub(in crate::store) const IMPORT: Statement = sql!(
    sqlite: [
        "INSERT INTO keys (", <KeyRecord as Record>::NAMES, ") VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING"
    ],
    postgres: [
        "INSERT INTO keys (", <KeyRecord as Record>::NAMES, ", follows) \
         SELECT ", <KeyRecord as Record>::NAMES, ", 'imported ' || key_id \
         FROM unnest($1, $2, $3, $4) AS imported (", <KeyRecord as Record>::NAMES, ") \
         ON CONFLICT DO NOTHING"
    ],
);

pub(in crate::store) const FORGET: Statement = sql!("DELETE FROM keys WHERE key_id = $1");
