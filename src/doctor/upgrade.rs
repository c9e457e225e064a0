//! What a start of this release changes for a store that an earlier one wrote.

use std::{fs, path::Path};

use rustix::fs::statvfs;

use super::{Examined, Finding, Look, store::split};
use crate::{
    config::StoreLocation,
    store::{
        self, OpenError,
        embedded::{FILES, OpenError as Embedded},
        postgres::{self, Standing},
    },
};

/// The tables of the data folder, or of the database.
pub(super) fn tables(examined: &Examined<'_>) -> Vec<Finding> {
    match &examined.config.store {
        StoreLocation::Folder(folder) => of_folder(examined, folder),
        StoreLocation::Postgres(url) => {
            let found = examined.wait(postgres::look(url, &examined.config.postgres));
            let look = Look::at("tables", url);
            vec![match found {
                Ok((found, _)) => of_database(found, look),
                Err(error) => told(look, &error.to_string()),
            }]
        }
    }
}

fn of_folder(examined: &Examined<'_>, folder: &Path) -> Vec<Finding> {
    let look = Look::at("tables", &folder.display());
    let opened = examined.wait(store::open(examined.config, store::Access::Read));
    match opened.map(|store| examined.wait(store.close())) {
        Ok(_) => vec![look.ok("they are those of this release: nothing changes")],
        Err(OpenError::Embedded(Embedded::NoStore { .. })) => {
            vec![look.ok("there is no store yet: the first start creates it")]
        }
        Err(OpenError::Embedded(Embedded::Older { found, needed, .. })) => {
            let what = format!(
                "the first start brings them from version {found} to {needed} in one transaction; \
                 after that, earlier releases reject the store"
            );
            let advice = "back up with `doorward store backup` of the installed release, and stop its server";
            vec![look.warning(what, advice), room(folder)]
        }
        Err(error) => vec![told(look, &error.to_string())],
    }
}

/// A backup needs as much space as the database, and so may the steps.
fn room(folder: &Path) -> Finding {
    let look = Look::at("disk", &folder.display());
    let bytes = |name: &&str| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    let needed: u64 = 2 * FILES.iter().map(bytes).sum::<u64>();
    match statvfs(folder) {
        Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) >= needed => look
            .ok(format!("a backup and the upgrade need up to {} MiB, which are free", mib(needed))),
        Ok(_) => look.warning(
            format!("a backup and the upgrade may need {} MiB, which are not free", mib(needed)),
            "free some space, or back up to another disk",
        ),
        Err(error) => look.problem(error.to_string(), "check the disk"),
    }
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn of_database(found: Standing, look: Look) -> Finding {
    let (version, needed) = (found.version(), postgres::VERSION);
    match found {
        Standing::Current => look.ok("they are those of this release: nothing changes"),
        Standing::Nothing => {
            look.warning("there are none yet", "run `doorward migrate up` before the first start")
        }
        Standing::Older(_) if found.can_follow() => look.warning(
            format!(
                "they are of version {version}, and this release needs {needed}; servers of the installed release \
                 continue on the new tables"
            ),
            "run `doorward migrate up` of this release, then replace the servers one by one",
        ),
        Standing::Older(_) => look.warning(
            format!(
                "they are of version {version}, and this release needs {needed}; servers of the installed release \
                 can't work on the new tables"
            ),
            "back up, stop all servers, and run `doorward migrate up` of this release",
        ),
        Standing::NewerAndCompatible(_) => look.ok(format!(
            "they are of version {version}, from a later release, and this one works on them"
        )),
        Standing::Newer(_) => look.problem(
            format!("they are of version {version}, from a later release that this one can't follow"),
            "run the release that migrated them, or a later one",
        ),
    }
}

/// An error that ends with what to do.
fn told(look: Look, text: &str) -> Finding {
    let (what, advice) = split(text);
    look.problem(what, advice)
}
