//! The secret that encrypts the signing keys of an embedded store, if the operator has configured none: a file in the
//! data folder, made at the first start, which only its owner may read.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    config::{Config, Secret, StoreLocation},
    entropy::Entropy,
    private_file::{self, Access},
};

/// The name of the file.
pub(crate) const NAME: &str = "keys.secret";

/// Why the secret cannot be used: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretFileError {
    /// The file cannot be read or made.
    #[error("{0}: the secret of the signing keys cannot be read or made")]
    Io(PathBuf, #[source] io::Error),
    /// Other users may read the file.
    #[error("{0}: the secret of the signing keys can be read by others: chmod 600 it")]
    Open(PathBuf),
    /// The file is too short for a secret.
    #[error(
        "{0}: the secret of the signing keys is shorter than 32 characters: if nothing was ever signed with it, remove it"
    )]
    Short(PathBuf),
}

/// These settings with the secret of the file, if this server needs a secret and the operator configured none. The
/// first start makes the file; the folder of the store exists already.
///
/// # Errors
/// [`SecretFileError`]: one whole line for the operator.
pub(crate) fn with_secret(
    mut config: Config,
    entropy: &Entropy,
) -> Result<Config, SecretFileError> {
    if let StoreLocation::Folder(folder) = &config.store
        && config.token.keys_secret.reveal().is_empty()
        && (config.authorizes() || config.registration.management)
    {
        config.token.keys_secret = Secret::new(&read_or_make(&folder.join(NAME), entropy)?);
    }
    Ok(config)
}

/// The existing secret of a server with these settings; `None` if there is none yet. Makes nothing.
///
/// # Errors
/// [`SecretFileError`]: one whole line for the operator.
pub(crate) fn secret_there(config: &Config) -> Result<Option<String>, SecretFileError> {
    let given = config.token.keys_secret.reveal();
    match &config.store {
        StoreLocation::Folder(folder) if given.is_empty() => read(&folder.join(NAME)),
        _ => Ok(Some(given.to_owned()).filter(|given| !given.is_empty())),
    }
}

fn read_or_make(path: &Path, entropy: &Entropy) -> Result<String, SecretFileError> {
    let failed = |error| SecretFileError::Io(path.to_owned(), error);
    match private_file::create_new(path) {
        Ok(mut file) => {
            let secret = BASE64_URL_SAFE_NO_PAD.encode(entropy.bytes::<32>());
            file.write_all(secret.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            // The file's name must be on the disk before anything that is encrypted with the secret.
            if let Some(folder) = path.parent() {
                fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
            }
            Ok(secret)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// The content of the file; `None` if it does not exist.
fn read(path: &Path) -> Result<Option<String>, SecretFileError> {
    let failed = |error| SecretFileError::Io(path.to_owned(), error);
    let mut file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let access = Access::from(&file.metadata().map_err(failed)?);
    if !access.is_private() {
        return Err(SecretFileError::Open(path.to_owned()));
    }
    let mut secret = String::new();
    file.read_to_string(&mut secret).map_err(failed)?;
    let secret = secret.trim();
    if secret.len() < 32 {
        return Err(SecretFileError::Short(path.to_owned()));
    }
    Ok(Some(secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_kept_from_others() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join(NAME);
        let entropy = Entropy::seeded(1);
        assert!(read(&path).unwrap().is_none() && !path.exists(), "who only looks makes nothing");
        let secret = read_or_make(&path, &entropy).unwrap();
        assert_eq!(read_or_make(&path, &entropy).unwrap(), secret);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read_or_make(&path, &entropy), Err(SecretFileError::Open(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(read_or_make(&path, &entropy), Err(SecretFileError::Short(_))));
    }
}
