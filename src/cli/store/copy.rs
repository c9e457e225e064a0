//! `doorward store copy`: from one store into another, whichever they are. What a copy is stands in
//! `store/copy.rs`.

use std::{path::PathBuf, rc::Rc};

use clap::Args;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{
    cli::{
        exit::{Failure, Outcome},
        output::{Format, Messages, ReportOutput, insist, print},
        progress,
        settings::{OpenStore, SettingsArguments, waiting_runtime},
    },
    clock::Clock,
    store::{
        Access, ClientFilter,
        copy::{self, Comparison, Copied, CopyError, Sum, Twin},
    },
};

/// Copy all clients of a store into another, between data folders and databases, and compare both
#[derive(Args, Debug)]
#[command(
    after_help = "A copy that was interrupted goes on when it is run again with --into-existing: what is \
there already is recognised. Nothing in the target is changed or deleted; a client that is there with another \
record is named, and the exit code is 3. At the end both stores are read, and compared by their number and by \
the SHA-256 of the records.

Servers may run on both. Clients that were registered in the source meanwhile are counted and not waited for: run \
it again, and for the last time when no server runs on the source. A client that was deleted from the source \
after it had been copied stays in the target.

A data folder is made when there is none; in a database `doorward migrate up` makes the tables. The password of \
a database is best kept in postgres.password, as a server's is.

Examples:
  doorward store copy --from /var/lib/doorward --to postgres://doorward@db1:5432/doorward
  doorward store copy --from postgres://doorward@db1:5432/doorward --to /var/lib/doorward"
)]
pub(in crate::cli) struct CopyArguments {
    /// Where the clients are: a data folder, or a database as postgres://…
    #[arg(long, value_name = "STORE")]
    from: PathBuf,
    /// Where they shall be: a data folder, or a database as postgres://…
    #[arg(long, value_name = "STORE")]
    to: PathBuf,
    /// Copy into a store that holds clients already, such as an interrupted copy leaves
    #[arg(long)]
    into_existing: bool,
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    settings: SettingsArguments,
}

impl CopyArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let runtime = Rc::new(waiting_runtime()?);
        let from = self.settings.load_at(self.from)?;
        let to = self.settings.load_at(self.to)?;
        let from = OpenStore::open(from, Access::Read, &runtime)?;
        let to = OpenStore::open(to, Access::Import, &runtime)?;
        if !self.into_existing {
            refuse_clients(&to)?;
        }
        let (copied, found) = Pair { from: &from, to: &to, runtime: &runtime }.copy(messages)?;
        to.close()?;
        from.close()?;
        print(match self.output.output {
            Format::Table => in_words(&copied, &found),
            Format::Json | Format::Jsonl => as_json(&copied, &found).to_string(),
        })?;
        if found.later > 0 {
            insist(format_args!(
                "Clients were registered in the source meanwhile: run it again with --into-existing, and \
                 for the last time when no server runs on the source."
            ));
        }
        Ok(Outcome::from_verdict(found.is_good()))
    }
}

fn refuse_clients(to: &OpenStore) -> Result<(), Failure> {
    let first = to.wait(to.handle.clients(&ClientFilter::default(), None, 1))?;
    if first.is_empty() {
        return Ok(());
    }
    Err(Failure::because(format!(
        "{} holds clients already; with --into-existing they stay, and a copy that was interrupted goes on",
        to.name()
    )))
}

/// Two open stores on one runtime.
struct Pair<'store> {
    from: &'store OpenStore,
    to: &'store OpenStore,
    runtime: &'store Runtime,
}

impl Pair<'_> {
    fn copy(&self, messages: Messages) -> Result<(Copied, Comparison), Failure> {
        let began = Clock::System.now();
        let (from, to) = (&*self.from.handle, &*self.to.handle);
        // Counting goes through all of them, which is worth it for somebody who sees it.
        let total = if progress::is_seen(messages) {
            Some(self.from.wait(from.count_clients())?)
        } else {
            None
        };

        let bar = progress::of_clients(total, messages);
        let copied = self.wait(copy::copy(from, to, &mut |clients| bar.inc(clients as u64)))?;
        bar.finish_and_clear();

        let bar = progress::of_clients(total, messages);
        let mut watch = |client, twin| {
            bar.inc(1);
            let is = match twin {
                Twin::Same | Twin::Later => return,
                Twin::Differs => "is in the target with another record, which stays as it is",
                Twin::Missing => "is not in the target",
            };
            bar.suspend(|| insist(format_args!("client {client} {is}")));
        };
        let found = self.wait(copy::compare(from, to, began, &mut watch))?;
        bar.finish_and_clear();
        Ok((copied, found))
    }

    fn wait<T>(&self, until: impl Future<Output = Result<T, CopyError>>) -> Result<T, Failure> {
        let stopped = format!(
            "the copy from {} to {} stopped and goes on when it is run again with --into-existing",
            self.from.name(),
            self.to.name()
        );
        self.runtime.block_on(until).map_err(Failure::of(stopped))
    }
}

fn in_words(copied: &Copied, found: &Comparison) -> String {
    let sum = |sum: &Sum| format!("{} (SHA-256: {})", sum.clients, sum.sha256);
    let Comparison { source, target, differing, missing, later, others } = found;
    let verdict = if found.is_good() {
        "The target has what the source has."
    } else {
        "The target does not have what the source has."
    };
    format!(
        "Copied: {}. There already: {}.\nSource: {}.\nTarget: {}.\nDiffering: {differing}. Missing: {missing}. \
         Registered meanwhile: {later}. In the target alone: {others}.\n{verdict}",
        copied.kept,
        copied.already_there,
        sum(source),
        sum(target),
    )
}

fn as_json(copied: &Copied, found: &Comparison) -> Value {
    let sum = |sum: &Sum| json!({ "clients": sum.clients, "sha256": sum.sha256 });
    json!({
        "good": found.is_good(),
        "copied": copied.kept,
        "already_there": copied.already_there,
        "source": sum(&found.source),
        "target": sum(&found.target),
        "differing": found.differing,
        "missing": found.missing,
        "registered_meanwhile": found.later,
        "in_target_alone": found.others,
    })
}
