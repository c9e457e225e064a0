//! The data folder and the database in it, or the database that many servers share and its tables.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statvfs};

use super::{Examined, Finding, Look};
use crate::{
    config::StoreLocation,
    http::request_event::chain,
    store::{
        self, OpenError,
        embedded::OpenError as Embedded,
        postgres::{self, OpenError as Postgres, Standing},
    },
};

/// What a log takes at least, with room to move it: with less, registrations will soon be answered 503.
const FREE_BYTES_MIN: u64 = 128 << 20;
/// Enough for a backup of a store of some size.
const FREE_BYTES_WANTED: u64 = 1 << 30;

/// May a server write there, may others read there, and is there room? A database has no folder here.
pub(super) fn folder(examined: &Examined<'_>) -> Vec<Finding> {
    let StoreLocation::Folder(folder) = &examined.config.store else { return Vec::new() };
    let look = || Look::at("data folder", &folder.display());
    let is_there = match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => {
            let advice = "name a folder, by --data or the setting store";
            return vec![look().problem("it is no folder", advice)];
        }
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return vec![look().problem(error.to_string(), RIGHTS)],
    };
    let existing = existing(folder);
    let rights = match access(&existing, Access::WRITE_OK | Access::EXEC_OK) {
        Err(error) => {
            let what = format!("nothing can be written into {}: {error}", existing.display());
            look().problem(what, RIGHTS)
        }
        Ok(()) if is_there => privacy(folder, look()),
        Ok(()) => look().ok("it is not there yet: a server makes it"),
    };
    vec![rights, room(&existing, Look::at("disk", &existing.display()))]
}

/// What a group and others may do.
const OTHERS: u32 = 0o077;

const RIGHTS: &str = "run this as the user of the server, and let that user write there";

/// The part of a path that is there.
fn existing(folder: &Path) -> PathBuf {
    let named = folder.ancestors().find(|part| part.exists());
    match named {
        Some(part) if !part.as_os_str().is_empty() => part.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn privacy(folder: &Path, look: Look) -> Finding {
    match fs::metadata(folder).map(|found| found.permissions().mode() & 0o777) {
        Ok(mode) if mode & OTHERS == 0 => look.ok("it can be written, and by its owner alone"),
        Ok(mode) => {
            let advice = format!("chmod 700 {}", folder.display());
            look.warning(format!("others may look into it (mode {mode:04o})"), advice)
        }
        Err(error) => look.problem(error.to_string(), RIGHTS),
    }
}

fn room(existing: &Path, look: Look) -> Finding {
    let free = match statvfs(existing) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return look.problem(error.to_string(), "look after the disk"),
    };
    let what = format!("{} MiB are free", free >> 20);
    let advice = "make room: for the database, for a log of 64 MiB and more, and for backups";
    match free {
        FREE_BYTES_WANTED.. => look.ok(what),
        FREE_BYTES_MIN.. => look.warning(what, advice),
        _ => look.problem(what, advice),
    }
}

/// Can the database be read, and is it of this release?
pub(super) fn database(examined: &Examined<'_>) -> Vec<Finding> {
    let config = examined.config;
    let look = Look::at("store", &config.store);
    let opened = examined.wait(store::open(config, store::Access::Read));
    let closed = opened.map(|store| examined.wait(store.close()));
    vec![match closed {
        Ok(Ok(())) => look.ok("it can be read, and its tables suit this release"),
        Ok(Err(error)) => look.problem(chain(&error), "run `doorward store check`"),
        Err(OpenError::Embedded(Embedded::NoStore { .. })) => {
            look.ok("there is no store yet: a server makes it")
        }
        // `tables` has it to say.
        Err(OpenError::Postgres(Postgres::Unmigrated { .. } | Postgres::Newer { .. })) => {
            return Vec::new();
        }
        Err(error) => {
            let text = error.to_string();
            let (what, advice) = split(&text);
            match error {
                OpenError::Embedded(Embedded::Older { .. }) => look.warning(what, advice),
                _ => look.problem(what, advice),
            }
        }
    }]
}

/// Do the tables of a database suit this release? Those of a data folder are its server's affair.
pub(super) fn tables(examined: &Examined<'_>) -> Vec<Finding> {
    let StoreLocation::Postgres(url) = &examined.config.store else { return Vec::new() };
    let settings = &examined.config.postgres;
    // What keeps it from being looked at, `database` has said.
    let Ok((found, verdict)) = examined.wait(postgres::look(url, settings)) else {
        return Vec::new();
    };
    let version = found.version();
    let look = Look::at("tables", url);
    vec![match (found, verdict) {
        (Standing::Nothing | Standing::Older(_), _) if settings.migrate_at_start => look.warning(
            format!(
                "they are of version {version}: a server brings them up to date when it starts"
            ),
            "run `doorward migrate up` beforehand, so that a start takes no longer than usual",
        ),
        (_, Err(error)) => {
            let text = error.to_string();
            let (what, advice) = split(&text);
            look.problem(what, advice)
        }
        (Standing::NewerAndCompatible(_), Ok(())) => look.ok(format!(
            "they are of version {version}, made by a later release, which lets this one go on"
        )),
        (_, Ok(())) => look.ok(format!("they are of version {version}, which this release needs")),
    }]
}

/// What an error of opening says ends with what to do.
pub(super) fn split(text: &str) -> (&str, &str) {
    text.rsplit_once("; ").unwrap_or((text, "see the manual"))
}
