//! Room on the disk for revocations and deletions, which must work when the disk is full.
//!
//! A file beside the database takes up the room. When SQLite finds the disk full, the writer empties that file and
//! makes the deletions that wait. Until the file has its length again, every other change is refused without being
//! tried: otherwise, registrations would take the room at once.

use std::{
    fs::File,
    io::{self, Seek as _, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use crate::private_file;

/// The file in the data folder.
const FILE: &str = "doorward.reserve";

/// How much room there is: for a few hundred changes, and for what is left in the log to be moved.
const BYTES: u64 = 4 << 20;

/// How seldom a full disk is tried again.
const TRIED_EVERY: Duration = Duration::from_secs(1);

/// The room, and who may take it.
pub(super) struct Reserve {
    /// `None` where the file cannot be used: then a full disk refuses deletions as well.
    file: Option<File>,
    /// Whether this process fills the file. A command only empties that of the server.
    fills: bool,
    tried_at: Option<Instant>,
}

impl Reserve {
    /// The reserve of a data folder, filled by a server if there is room.
    pub(super) fn open(folder: &Path, fills: bool) -> Self {
        let path = folder.join(FILE);
        let opened = if fills {
            private_file::open_or_create(&path)
        } else {
            File::options().write(true).open(&path)
        };
        let file = match opened {
            Ok(file) => Some(file),
            Err(error) => {
                if fills {
                    tracing::warn!(%error, "there is no reserve on the disk");
                }
                None
            }
        };
        let mut reserve = Self { file, fills, tried_at: None };
        reserve.is_held();
        reserve
    }

    /// Whether changes that take room may be tried. Fills the file again when there is room.
    pub(super) fn is_held(&mut self) -> bool {
        let Some(file) = self.file.as_ref().filter(|_| self.fills) else { return true };
        if file.metadata().is_ok_and(|metadata| metadata.len() == BYTES) {
            return true;
        }
        if self.tried_at.is_some_and(|tried_at| tried_at.elapsed() < TRIED_EVERY) {
            return false;
        }
        self.tried_at = Some(Instant::now());
        let Err(error) = fill(file) else { return true };
        if let Err(error) = file.set_len(0) {
            tracing::warn!(%error, "there is no reserve on the disk");
        }
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return false;
        }
        tracing::warn!(%error, "there is no reserve on the disk");
        self.file = None;
        true
    }

    /// Gives the room to the deletions that follow.
    pub(super) fn release(&self) {
        let Some(file) = &self.file else { return };
        if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            return;
        }
        tracing::warn!("the disk is full: only deletions are stored");
        if let Err(error) = file.set_len(0) {
            tracing::warn!(%error, "there is no reserve on the disk");
        }
    }
}

/// Writes all of it: a file of holes takes up no room.
fn fill(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    io::copy(&mut io::Read::take(io::repeat(0xA5), BYTES), &mut file)?;
    file.flush()?;
    file.sync_all()
}
