//! The tables, and how a file of an earlier release comes to have them. Forward only: a release reads
//! what earlier ones wrote and refuses what later ones did.

use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as a store of ours (`PRAGMA application_id`): "Door" in ASCII.
const APPLICATION_ID: i64 = 0x446F_6F72;

/// Step `n` leads from version `n` to version `n + 1`. What has been released is never edited.
///
/// The clients are a tree in the order of their registration, with an index of their identifiers beside it.
/// SQLite appends to such a tree by starting a page when the last one is full; a tree in the order of the
/// identifiers it balances at every page, which takes longer than to write the index. Identifiers grow with
/// time, so the index is appended to as well. What changes after it was written, as grants and sessions do,
/// is one tree in the order of its identifiers.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/embedded/0001_clients.sql"),
    include_str!("../../../migrations/embedded/0002_grants.sql"),
    include_str!("../../../migrations/embedded/0003_clients_by_time.sql"),
    include_str!("../../../migrations/embedded/0004_grants_of_subject.sql"),
    include_str!("../../../migrations/embedded/0005_drop_sign_ins.sql"),
    include_str!("../../../migrations/embedded/0006_governance.sql"),
    include_str!("../../../migrations/embedded/0007_operators.sql"),
    include_str!("../../../migrations/embedded/0008_families.sql"),
    include_str!("../../../migrations/embedded/0009_arrivals_by_client.sql"),
    include_str!("../../../migrations/embedded/0010_family_members.sql"),
];

/// The version that this release reads and writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// What a database file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// A store of this version, which is not later than [`VERSION`].
    Version(usize),
    /// A store that a later release wrote.
    Newer(i64),
    /// Something of another program.
    Foreign,
}

/// Looks at a file without changing it.
pub(super) fn look(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    Ok(match usize::try_from(version) {
        Ok(0) if tables == 0 => Found::Nothing,
        Ok(known @ 1..=VERSION) if application == APPLICATION_ID => Found::Version(known),
        Ok(1..) if application == APPLICATION_ID => Found::Newer(version),
        _ => Found::Foreign,
    })
}

/// Brings a file that holds nothing or an earlier version to [`VERSION`], entirely or not at all.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Looked at again under the lock: another process may have been quicker.
    let done = match look(&change)? {
        Found::Nothing => 0,
        Found::Version(version) => version,
        Found::Newer(_) | Found::Foreign => return Ok(()),
    };
    for step in MIGRATIONS.iter().skip(done) {
        change.execute_batch(step)?;
    }
    change.pragma_update(None, "application_id", APPLICATION_ID)?;
    change.pragma_update(None, "user_version", i64::try_from(VERSION).expect("a few steps"))?;
    change.commit()
}

/// What SQLite finds wrong with the file, at most `faults_max` lines and why it stopped, if it did. Reads
/// all of it.
pub(super) fn faults(connection: &Connection, faults_max: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let asked = connection.prepare(&format!("PRAGMA integrity_check({faults_max})")).and_then(
        |mut statement| {
            let mut lines = statement.query([])?;
            while let Some(line) = lines.next()? {
                faults.push(line.get(0)?);
            }
            Ok(())
        },
    );
    faults.retain(|line| line != "ok");
    faults.extend(asked.err().map(|error| error.to_string()));
    faults
}
