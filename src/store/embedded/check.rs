//! Looks at a whole store: does SQLite find its file sound, and does every record load?

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    OpenError, clients,
    open::{DATABASE, LOG, look},
    schema,
};
use crate::store::{ClientRecord, StoreError};

/// How many faults are listed; one is enough to act.
const FAULTS_MAX: usize = 20;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// The database.
    pub file: PathBuf,
    /// The version of its tables.
    pub version: usize,
    /// How many clients were read.
    pub clients: u64,
    /// The size of the database, in bytes.
    pub database_bytes: u64,
    /// The size of the log beside it, in bytes.
    pub log_bytes: u64,
    /// What SQLite finds wrong with the file, and which records do not load: the first twenty of each.
    pub faults: Vec<String>,
}

impl CheckReport {
    /// What to do about the faults, if there are any.
    pub fn advice(&self) -> Option<&'static str> {
        (!self.faults.is_empty()).then_some(
            "stop the server, keep a copy of the data folder, put the latest backup in its place, and \
             look after the disk; `doorward client export` saves what can still be read",
        )
    }
}

/// Reads the store in `folder` from end to end; a server may run on it meanwhile.
///
/// # Errors
/// [`OpenError`] when it cannot even be opened.
pub fn check(folder: &Path) -> Result<CheckReport, OpenError> {
    let connection = look(folder)?;
    let file = folder.join(DATABASE);
    let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |found| found.len());
    let mut faults = schema::faults(&connection, FAULTS_MAX);
    let (mut clients, mut unreadable) = (0, Vec::new());
    let walked = clients::walk(&connection, &mut |record| {
        clients += 1;
        if let Some(fault) = fault(record)
            && unreadable.len() < FAULTS_MAX
        {
            unreadable.push(fault);
        }
    });
    faults.append(&mut unreadable);
    faults.extend(walked.err().map(|error| format!("after {clients} clients: {error}")));
    Ok(CheckReport {
        version: schema::VERSION,
        clients,
        database_bytes: size(DATABASE),
        log_bytes: size(LOG),
        faults,
        file,
    })
}

fn fault(record: Result<ClientRecord, StoreError>) -> Option<String> {
    match record {
        Ok(client) => {
            let document = serde_json::from_str::<Map<String, Value>>(&client.metadata);
            let error = document.err()?;
            Some(format!("client {}: its metadata is no JSON object: {error}", client.client_id))
        }
        Err(StoreError::Corrupt { what, source }) => Some(format!("{what}: {source}")),
        Err(error) => Some(error.to_string()),
    }
}
