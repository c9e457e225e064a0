//! Webhooks: where each one is in the trail, and which node sends.

use super::{
    super::{ClientRecord, EventRecord, webhooks::WebhookCursor},
    Record, Statement, sql,
};

/// Begins behind what is stored now, unless the webhook has a cursor. In PostgreSQL, behind every transaction that has
/// ended: `$2` and `$3` are identifiers before all others, so that none that is under way is left out.
pub(in crate::store) const BEGIN: Statement = sql!(
    sqlite: [
        "INSERT INTO webhook_cursors (", <WebhookCursor as Record>::NAMES, ") SELECT $1, \
         (SELECT coalesce(max(rowid), 0) FROM events), $2, \
         (SELECT coalesce(max(rowid), 0) FROM clients), $3, 0, NULL, NULL \
         WHERE true ON CONFLICT (webhook) DO NOTHING"
    ],
    postgres: [
        "INSERT INTO webhook_cursors (", <WebhookCursor as Record>::NAMES, ") SELECT $1, \
         pg_snapshot_xmin(pg_current_snapshot())::text::bigint, $2, \
         pg_snapshot_xmin(pg_current_snapshot())::text::bigint, $3, 0, NULL, NULL \
         ON CONFLICT (webhook) DO NOTHING"
    ],
);

pub(in crate::store) const SELECT_ALL: Statement = select!(WebhookCursor, "ORDER BY webhook");

pub(in crate::store) const DROP: Statement = sql!("DELETE FROM webhook_cursors WHERE webhook = $1");

/// Moves a cursor from `$6` and the following to `$2` and the following, unless it was moved in between. SQLite also
/// looks whether the rows are still there: the next row gets the rowid of a last row that was deleted.
pub(in crate::store) const ADVANCE: Statement = sql!(
    sqlite: [
        ADVANCE_TEXT, " AND ($2 = $6 OR EXISTS (SELECT 1 FROM events WHERE rowid = $2 AND event_id = $3)) \
         AND ($4 = $8 OR EXISTS (SELECT 1 FROM clients WHERE rowid = $4 AND client_id = $5))"
    ],
    postgres: [ADVANCE_TEXT],
);

const ADVANCE_TEXT: &str = "UPDATE webhook_cursors SET events_at = $2, event_id = $3, clients_at = $4, \
    client_id = $5, failures = 0, failing_since = NULL, failure = NULL WHERE webhook = $1 \
    AND events_at = $6 AND event_id = $7 AND clients_at = $8 AND client_id = $9";

pub(in crate::store) const NOTE_FAILURE: Statement = sql!(
    "UPDATE webhook_cursors SET failures = failures + 1, \
     failing_since = coalesce(failing_since, $2), failure = $3 WHERE webhook = $1"
);

/// Events behind a place in the order of their commits. In PostgreSQL, before `$4`, the first transaction that may be
/// under way: what has ended before it is whole, and nothing can come between.
pub(in crate::store) const SELECT_EVENTS: Statement = sql!(
    sqlite: [
        "SELECT ", <EventRecord as Record>::NAMES, ", rowid FROM events \
         WHERE rowid > $1 AND $2 IS NOT NULL AND rowid < $4 ORDER BY rowid LIMIT $3"
    ],
    postgres: [
        "SELECT ", <EventRecord as Record>::NAMES, ", stored_by FROM events \
         WHERE (stored_by, event_id) > ($1, $2) AND stored_by < $4 \
         ORDER BY stored_by, event_id LIMIT $3"
    ],
);

/// The same for clients.
pub(in crate::store) const SELECT_CLIENTS: Statement = sql!(
    sqlite: [
        "SELECT ", <ClientRecord as Record>::NAMES, ", rowid FROM clients \
         WHERE rowid > $1 AND $2 IS NOT NULL AND rowid < $4 ORDER BY rowid LIMIT $3"
    ],
    postgres: [
        "SELECT ", <ClientRecord as Record>::NAMES, ", stored_by FROM clients \
         WHERE (stored_by, client_id) > ($1, $2) AND stored_by < $4 \
         ORDER BY stored_by, client_id LIMIT $3"
    ],
);

/// The place behind all that is stored now; in PostgreSQL, behind every transaction that has ended.
pub(in crate::store) const SELECT_END: Statement = sql!(
    sqlite: [
        "SELECT coalesce(max(rowid), 0) AS events_at, \
         coalesce((SELECT event_id FROM events ORDER BY rowid DESC LIMIT 1), zeroblob(16)) AS event_id, \
         (SELECT coalesce(max(rowid), 0) FROM clients) AS clients_at, \
         coalesce((SELECT client_id FROM clients ORDER BY rowid DESC LIMIT 1), zeroblob(16)) AS client_id \
         FROM events"
    ],
    postgres: [
        "SELECT at AS events_at, none AS event_id, at AS clients_at, none AS client_id FROM \
         (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS at, \
         '00000000-0000-0000-0000-000000000000'::uuid AS none) AS place"
    ],
);

/// For SQLite: a place, with 0 for each row that is gone.
pub(in crate::store) const SELECT_THERE: Statement = sql!(
    "SELECT coalesce((SELECT rowid FROM events WHERE rowid = $1 AND event_id = $2), 0) AS events_at, \
     $2 AS event_id, \
     coalesce((SELECT rowid FROM clients WHERE rowid = $3 AND client_id = $4), 0) AS clients_at, \
     $4 AS client_id"
);

/// For PostgreSQL: the first transaction that may be under way. Every transaction before it has ended.
pub(in crate::store) const HORIZON: Statement =
    sql!("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint");

/// For PostgreSQL: takes a lease, or prolongs it.
pub(in crate::store) const HOLD: Statement = sql!(
    "INSERT INTO leases (name, holder, until) VALUES ($1, $2, now() + interval '30 seconds') \
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
     WHERE leases.until < now() OR leases.holder = excluded.holder"
);

/// For PostgreSQL: gives a lease back.
pub(in crate::store) const RELEASE: Statement =
    sql!("DELETE FROM leases WHERE name = $1 AND holder = $2");
