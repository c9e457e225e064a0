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
    clock::{Clock, Timestamp},
    store::{
        Access, ClientRecord, ConsentRecord, DocumentClientRecord, EventRecord, FamilyRecord,
        GrantRecord, InitialAccessTokenRecord, KeyRecord, Mark, OperatorTokenRecord, RuleRecord,
        SessionRecord,
        copy::{self, Comparison, Copied, CopyError, Kind, Sum, Twin},
    },
};

/// Copy everything that a server needs from one store into another, and compare both
#[derive(Args, Debug)]
#[command(
    after_help = "Copied are clients, consents, grants with their codes and refresh tokens, sessions, operator tokens, \
admission rules, initial access tokens, and the signing keys, sealed as they are. So no one has to register, sign in, or consent again, and what was \
signed can still be verified; but only where the servers of the target have the secret of those of the source \
(token.keys_secret; a data folder has its own in keys.secret). Left out is what has expired, and sign-ins that \
are on their way at a provider, which are begun again.

A copy that was interrupted goes on when it is run again with --into-existing: what is there already is \
recognised, and what the source has in a later state is brought to it. Nothing in the target is deleted, and no \
client changed; what is there otherwise is named, and the exit code is 3. At the end of each kind both stores are \
read, and compared by their number and by the SHA-256 of the records.

Servers may run on both while clients are copied (--clients-only). What was registered or changed in the source \
meanwhile is counted and not waited for: run it again, and for the last time, without --clients-only, when no \
server runs on the source. What was deleted or revoked in the source after it had been copied stays in the \
target: hence copy grants once, at the end.

A data folder is made when there is none; in a database `doorward migrate up` makes the tables. The password of \
a database is best kept in postgres.password, as a server's is.

Examples:
  doorward store copy --from /var/lib/doorward --to postgres://doorward@db1:5432/doorward
  doorward store copy --from postgres://doorward@db1:5432/doorward --to /var/lib/doorward"
)]
pub(in crate::cli) struct CopyArguments {
    /// What to copy from: a data folder, or a database as postgres://…
    #[arg(long, value_name = "STORE")]
    from: PathBuf,
    /// What to copy into: a data folder, or a database as postgres://…
    #[arg(long, value_name = "STORE")]
    to: PathBuf,
    /// Copy into a store that is not empty, such as an interrupted copy leaves
    #[arg(long)]
    into_existing: bool,
    /// Copy clients alone, ahead of the rest and while servers run
    #[arg(long)]
    clients_only: bool,
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
        let pair =
            Pair { from: &from, to: &to, runtime: &runtime, began: Clock::System.now(), messages };
        if !self.into_existing {
            pair.refuse_any()?;
        }
        let parts = pair.copy(self.clients_only)?;
        to.close()?;
        from.close()?;

        let is_good = parts.iter().all(|part| part.found.is_good());
        print(match self.output.output {
            Format::Table => in_words(&parts, is_good),
            Format::Json | Format::Jsonl => as_json(&parts, is_good).to_string(),
        })?;
        if parts.iter().any(|part| part.found.later > 0) {
            insist(format_args!(
                "The source has changed meanwhile: run it again with --into-existing, and for the last time \
                 when no server runs on the source."
            ));
        }
        Ok(Outcome::from_verdict(is_good))
    }
}

/// Two open stores on one runtime.
struct Pair<'store> {
    from: &'store OpenStore,
    to: &'store OpenStore,
    runtime: &'store Runtime,
    began: Timestamp,
    messages: Messages,
}

/// What became of one kind of record.
struct Part {
    plural: &'static str,
    copied: Copied,
    found: Comparison,
}

impl Pair<'_> {
    fn refuse_any(&self) -> Result<(), Failure> {
        self.refuse::<ClientRecord>()?;
        self.refuse::<DocumentClientRecord>()?;
        self.refuse::<FamilyRecord>()?;
        self.refuse::<ConsentRecord>()?;
        self.refuse::<GrantRecord>()?;
        self.refuse::<SessionRecord>()?;
        self.refuse::<KeyRecord>()?;
        self.refuse::<RuleRecord>()?;
        self.refuse::<InitialAccessTokenRecord>()?;
        self.refuse::<OperatorTokenRecord>()?;
        self.refuse::<EventRecord>()
    }

    fn refuse<K: Kind>(&self) -> Result<(), Failure> {
        if !self.to.wait(copy::has_any::<K>(&self.to.handle))? {
            return Ok(());
        }
        Err(Failure::because(format!(
            "{} holds {} already; with --into-existing they stay, and a copy that was interrupted goes on",
            self.to.name(),
            K::PLURAL
        )))
    }

    fn copy(&self, clients_only: bool) -> Result<Vec<Part>, Failure> {
        let from = &self.from.handle;
        // Counting goes through all of them, which is worth it for somebody who sees it.
        let clients = if progress::is_seen(self.messages) {
            Some(self.from.wait(from.count_clients())?)
        } else {
            None
        };
        self.to.wait(self.to.handle.put_mark(Mark::ClientsImported, self.began))?;
        let mut parts = vec![self.copy_kind::<ClientRecord>(clients)?];
        if !clients_only {
            parts.push(self.copy_kind::<DocumentClientRecord>(None)?);
            parts.push(self.copy_kind::<FamilyRecord>(None)?);
            parts.push(self.copy_kind::<ConsentRecord>(None)?);
            parts.push(self.copy_kind::<GrantRecord>(None)?);
            parts.push(self.copy_kind::<SessionRecord>(None)?);
            parts.push(self.copy_kind::<KeyRecord>(None)?);
            parts.push(self.copy_kind::<RuleRecord>(None)?);
            parts.push(self.copy_kind::<InitialAccessTokenRecord>(None)?);
            parts.push(self.copy_kind::<OperatorTokenRecord>(None)?);
            parts.push(self.copy_kind::<EventRecord>(None)?);
        }
        Ok(parts)
    }

    fn copy_kind<K: Kind>(&self, total: Option<u64>) -> Result<Part, Failure> {
        let (from, to) = (&self.from.handle, &self.to.handle);
        let bar = progress::of_records(K::PLURAL, total, self.messages);
        let mut hand_over = |records| bar.inc(records as u64);
        let copied = self.wait(copy::copy::<K>(from, to, self.began, &mut hand_over))?;
        bar.finish_and_clear();

        let bar = progress::of_records(K::PLURAL, total, self.messages);
        let mut watch = |record: &K, twin| {
            bar.inc(1);
            let is = match twin {
                Twin::Same | Twin::Later => return,
                Twin::Differs => "is in the target with another record, which stays as it is",
                Twin::Missing => "is not in the target",
            };
            bar.suspend(|| insist(format_args!("{} {is}", record.name())));
        };
        let found = self.wait(copy::compare(from, to, self.began, &mut watch))?;
        bar.finish_and_clear();
        Ok(Part { plural: K::PLURAL, copied, found })
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

fn in_words(parts: &[Part], is_good: bool) -> String {
    let sum = |sum: &Sum| format!("{} (SHA-256: {})", sum.records, sum.sha256);
    let part = |Part { plural, copied, found }: &Part| {
        let Comparison { source, target, differing, missing, later, others } = found;
        format!(
            "{plural}: copied {}, there already {}; differing {differing}, missing {missing}, changed \
             meanwhile {later}, in the target alone {others}\n  source {}\n  target {}\n",
            copied.kept,
            copied.already_there,
            sum(source),
            sum(target),
        )
    };
    let has = if is_good { "has" } else { "does not have" };
    format!("{}The target {has} what the source has.", parts.iter().map(part).collect::<String>())
}

fn as_json(parts: &[Part], is_good: bool) -> Value {
    let sum = |sum: &Sum| json!({ "records": sum.records, "sha256": sum.sha256 });
    let mut report = json!({ "good": is_good });
    for Part { plural, copied, found } in parts {
        report[plural.replace(' ', "_")] = json!({
            "copied": copied.kept,
            "already_there": copied.already_there,
            "source": sum(&found.source),
            "target": sum(&found.target),
            "differing": found.differing,
            "missing": found.missing,
            "changed_meanwhile": found.later,
            "in_target_alone": found.others,
        });
    }
    report
}
