//! Export commands: JSON Lines, one record a line, oldest first. A file appears complete or not at all.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process,
};

use super::{
    backend::{Backend, BackendArguments},
    exit::{Failure, Outcome},
    output::{self, Messages, Results},
    records::{self, Listed, Pages},
};
use crate::{private_file, store::Access};

/// Writes the records that pass a filter to a new file, or to standard output without one.
pub(super) fn export<T: Listed>(
    backend: BackendArguments,
    filter: T::Filter,
    file: Option<PathBuf>,
    messages: Messages,
) -> Result<Outcome, Failure> {
    let number = match file.filter(|file| file != Path::new("-")) {
        None => {
            let backend = backend.open(Access::Read)?;
            let mut results = Results::open();
            let number = write::<T>(&backend, filter, messages, |line| results.line(line))?;
            results.finish()?;
            number
        }
        Some(path) => {
            if path.exists() {
                return Err(Failure::because(format!(
                    "{} exists already: name a new file or remove this one",
                    path.display()
                )));
            }
            let backend = backend.open(Access::Read)?;
            let whole = PartialFile::create(path)?;
            write_file::<T>(&backend, filter, messages, whole)?
        }
    };
    let exported = output::number(number, T::NAME, &format!("{}s", T::NAME));
    messages.say(format_args!("Exported {exported}."));
    Ok(Outcome::Done)
}

/// Hands every record to `put`, a line at a time, and counts them.
fn write<T: Listed>(
    backend: &Backend,
    filter: T::Filter,
    messages: Messages,
    mut put: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let bar = records::progress::<T>(backend.into(), &filter, messages)?;
    let mut number = 0;
    for record in Pages::<T>::new(backend, filter, None, None) {
        put(&record?.line()?)?;
        number += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(number)
}

fn write_file<T: Listed>(
    backend: &Backend,
    filter: T::Filter,
    messages: Messages,
    mut whole: PartialFile,
) -> Result<u64, Failure> {
    let mut file = BufWriter::with_capacity(64 * 1024, &whole.file);
    let cannot_write = |partial: &Path| format!("cannot write {}", partial.display());
    let number = write::<T>(backend, filter, messages, |line| {
        writeln!(file, "{line}").map_err(Failure::of(cannot_write(&whole.partial)))
    })?;
    file.flush()
        .and_then(|()| whole.file.sync_all())
        .map_err(Failure::of(cannot_write(&whole.partial)))?;
    drop(file);
    whole.rename()?;
    Ok(number)
}

/// A file under another name until it is whole; gone when it never was.
struct PartialFile {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    is_whole: bool,
}

impl PartialFile {
    fn create(path: PathBuf) -> Result<Self, Failure> {
        let mut partial = path.clone().into_os_string();
        partial.push(format!(".{}.partial", process::id()));
        let partial = PathBuf::from(partial);
        let file = private_file::create_new(&partial)
            .map_err(Failure::of(format!("cannot create {}", partial.display())))?;
        Ok(Self { path, partial, file, is_whole: false })
    }

    fn rename(&mut self) -> Result<(), Failure> {
        fs::rename(&self.partial, &self.path)
            .map_err(Failure::of(format!("cannot create {}", self.path.display())))?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.is_whole {
            // What ends here has its own failure to tell.
            drop(fs::remove_file(&self.partial));
        }
    }
}
