//! `doorward client export`: JSON Lines, one client a line, oldest first. A file is there whole or not
//! at all.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process,
};

use clap::Args;

use super::{FilterArguments, line};
use crate::cli::{
    exit::{Failure, Outcome},
    output::{Messages, Results},
    records::{Listed as _, Pages},
    settings::{OpenStore, StoreArguments},
};
use crate::{
    private_file,
    store::{Access, ClientFilter, ClientRecord},
};

/// Write clients as JSON Lines, to keep or to import elsewhere
#[derive(Args, Debug)]
#[command(
    after_help = "A line is a JSON object with the members client_id, client_id_issued_at (seconds, \
with milliseconds as decimals), profile, source, flags and metadata.

Examples:
  doorward client export clients.jsonl
  doorward client export | gzip > clients.jsonl.gz
  doorward client export | ssh new-host doorward client import -"
)]
pub(in crate::cli) struct ExportArguments {
    /// Where to write, a file that is not there yet; without one, standard output
    file: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    store: StoreArguments,
}

impl ExportArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let filter = self.filter.into_filter();
        let number = match self.file.filter(|file| file != Path::new("-")) {
            None => {
                let store = self.store.open(Access::Read)?;
                let mut results = Results::open();
                let number = write(&store, filter, messages, |line| results.line(line))?;
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
                let store = self.store.open(Access::Read)?;
                let whole = PartialFile::create(path)?;
                write_file(&store, filter, messages, whole)?
            }
        };
        let noun = if number == 1 { "client" } else { "clients" };
        messages.say(format_args!("Exported {number} {noun}."));
        Ok(Outcome::Done)
    }
}

/// Hands every client to `put`, a line at a time, and counts them.
fn write(
    store: &OpenStore,
    filter: ClientFilter,
    messages: Messages,
    mut put: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let bar = ClientRecord::progress(store, &filter, messages)?;
    let mut number = 0;
    for client in Pages::<ClientRecord>::new(store, filter, None, None) {
        put(&line::print(&client?)?)?;
        number += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(number)
}

fn write_file(
    store: &OpenStore,
    filter: ClientFilter,
    messages: Messages,
    mut whole: PartialFile,
) -> Result<u64, Failure> {
    let mut file = BufWriter::with_capacity(64 * 1024, &whole.file);
    let cannot_write = |partial: &Path| format!("cannot write {}", partial.display());
    let number = write(store, filter, messages, |line| {
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
