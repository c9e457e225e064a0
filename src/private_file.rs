//! Files that only their owner may read: how they are created, and how one that others can read is found and closed.
//! The mode is given when the file is created, so that neither the umask nor the mode of the folder matters.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

/// The mode of a private file.
const MODE: u32 = 0o600;

/// What a group and others may do.
const GROUP_AND_OTHERS: u32 = 0o077;

/// Creates a file; fails if it exists.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)
}

/// Opens a file for writing as it is, and creates it if it does not exist.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(path)
}

/// Who may use a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// The permission bits.
    pub(crate) mode: u32,
    /// The user who owns the file.
    pub(crate) owner: u32,
}

impl Access {
    /// Of an existing file; `None` if it does not exist or cannot be looked at.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|found| Self::from(&found))
    }

    /// Whether only the owner may use the file.
    pub(crate) const fn is_private(self) -> bool {
        self.mode & GROUP_AND_OTHERS == 0
    }
}

impl From<&fs::Metadata> for Access {
    fn from(found: &fs::Metadata) -> Self {
        Self { mode: found.permissions().mode() & 0o777, owner: found.uid() }
    }
}

/// Makes an existing file private. A file of another user stays as it is, which `doctor` reports.
pub(crate) fn tighten(path: &Path) {
    let Some(access) = Access::of(path).filter(|access| !access.is_private()) else { return };
    let (file, mode) = (path.display(), format_args!("{:04o}", access.mode));
    match fs::set_permissions(path, Permissions::from_mode(MODE)) {
        Ok(()) => {
            tracing::warn!(%file, %mode, "others could read a file of the store: its mode is 0600 now");
        }
        Err(error) => {
            tracing::warn!(%file, %mode, %error, "others can read a file of the store: run chmod 600 on it");
        }
    }
}
