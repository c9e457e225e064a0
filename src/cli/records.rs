//! Records one after the other, in the order of their identifiers, with a page of them in memory: how they are
//! asked for, shown, and forgotten a few at a time.

use std::{
    fmt,
    io::{self, IsTerminal as _},
    num::NonZeroUsize,
    sync::Arc,
    thread,
    time::Instant,
    vec,
};

use indicatif::ProgressBar;
use tokio::task::JoinSet;

use super::{
    backend::{Backend, BackendRef},
    exit::{Failure, Outcome},
    output::{
        self, Format, Messages, Results, insist, is_confirmed, needs_a_terminal, table,
        visible_json,
    },
    progress,
    remote::Collection,
    settings::OpenStore,
};
use crate::store::{Deleted, Store, StoreError};

/// How many records are asked for at once, unless fewer are wanted.
const PAGE_MAX: usize = 500;

/// A table is laid out as a whole, so it has an end even when nobody asked for one.
const TABLE_MAX: NonZeroUsize = NonZeroUsize::new(100).expect("100 is not 0");

/// How many are forgotten at once: one transaction of the store, for which a server on it waits.
const AT_ONCE: usize = 64;

/// A kind of record that is listed.
pub(super) trait Listed: Sized {
    /// Names a record; they are listed in its order.
    type Id: Clone + fmt::Display + Send + 'static;
    type Filter: Clone;
    /// What one of them is called.
    const NAME: &'static str;
    const HEADER: &'static [&'static str];
    /// How the operator API lists them, if it does.
    const API: Option<Collection<Self>> = None;

    /// As the method of the store that lists them.
    async fn page(
        store: &Store,
        filter: &Self::Filter,
        after: Option<Self::Id>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError>;

    /// How far a command is that goes through all of them.
    fn progress(
        _: &OpenStore,
        _: &Self::Filter,
        messages: Messages,
    ) -> Result<ProgressBar, Failure> {
        Ok(progress::of_records(&format!("{}s", Self::NAME), None, messages))
    }

    fn id(&self) -> Self::Id;

    /// Whether a record of the operator API passes what its list does not filter by.
    fn is_listed(&self, _: &Self::Filter) -> bool {
        true
    }

    /// Where the operator API goes on after a record.
    fn cursor(id: &Self::Id) -> String {
        id.to_string()
    }

    /// As one line of JSON, without its line break.
    fn line(&self) -> Result<String, Failure>;

    /// As a row below [`Self::HEADER`].
    fn row(&self) -> Vec<String>;
}

/// A kind of record that a command deletes.
pub(super) trait Forgotten: Listed {
    /// The name of that command.
    const FORGET: &'static str;

    fn forget(
        store: Arc<Store>,
        id: Self::Id,
    ) -> impl Future<Output = Result<Deleted, StoreError>> + Send + 'static;
}

/// In the order of identifiers. Ends after the first failure.
pub(super) struct Pages<'backend, T: Listed> {
    backend: BackendRef<'backend>,
    filter: T::Filter,
    after: Option<T::Id>,
    /// Where the operator API says that the next page begins; the page before may have been empty.
    cursor: Option<String>,
    page: vec::IntoIter<T>,
    page_max: usize,
    is_at_end: bool,
}

impl<'backend, T: Listed> Pages<'backend, T> {
    /// The records behind `after`; `expected` is how many will be taken, when that is known.
    pub(super) fn new(
        backend: impl Into<BackendRef<'backend>>,
        filter: T::Filter,
        after: Option<T::Id>,
        expected: Option<usize>,
    ) -> Self {
        let page_max = expected.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
        Self {
            backend: backend.into(),
            filter,
            after,
            cursor: None,
            page: Vec::new().into_iter(),
            page_max,
            is_at_end: false,
        }
    }

    fn turn(&mut self) -> Result<(), Failure> {
        let page = match self.backend {
            BackendRef::Store(store) => {
                let (filter, after) = (&self.filter, self.after.clone());
                let page = store.wait(T::page(&store.handle, filter, after, self.page_max))?;
                self.is_at_end = page.is_empty();
                page
            }
            BackendRef::Server(server) => {
                let after = self.cursor.take().or_else(|| self.after.as_ref().map(T::cursor));
                let page = server.page::<T>(&self.filter, after, self.page_max)?;
                self.is_at_end = page.after.is_none();
                self.cursor = page.after;
                let mut records = page.records;
                records.retain(|record| record.is_listed(&self.filter));
                records
            }
        };
        self.after = page.last().map(T::id).or(self.after.take());
        self.page = page.into_iter();
        Ok(())
    }
}

impl<T: Listed> Iterator for Pages<'_, T> {
    type Item = Result<T, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.page.next() {
                return Some(Ok(record));
            }
            if self.is_at_end {
                return None;
            }
            if let Err(failure) = self.turn() {
                self.is_at_end = true;
                return Some(Err(failure));
            }
        }
    }
}

/// Which part of a list is shown, and how.
pub(super) struct Part<I> {
    pub(super) format: Format,
    /// At most so many; of a table no more than a hundred unless more are asked for.
    pub(super) limit: Option<NonZeroUsize>,
    /// Behind this one.
    pub(super) after: Option<I>,
}

impl<I> Part<I> {
    fn limit(&self) -> Option<usize> {
        let limit = match self.format {
            Format::Table => self.limit.or(Some(TABLE_MAX)),
            Format::Json | Format::Jsonl => self.limit,
        };
        limit.map(NonZeroUsize::get)
    }
}

/// Shows a part of the records that pass a filter, and says how to go on behind it.
pub(super) fn list<'backend, T: Listed>(
    backend: impl Into<BackendRef<'backend>>,
    filter: T::Filter,
    part: Part<T::Id>,
    messages: Messages,
) -> Result<Outcome, Failure> {
    let backend = backend.into();
    let limit = part.limit();
    let bar = if io::stdout().is_terminal() {
        ProgressBar::hidden() // It would stand between the lines.
    } else if limit.is_some() || part.after.is_some() {
        progress::of_records(&format!("{}s", T::NAME), None, messages)
    } else {
        progress::<T>(backend, &filter, messages)?
    };
    // One more than shown tells whether there is more.
    let expected = limit.map(|limit| limit.saturating_add(1));
    let mut records = Pages::<T>::new(backend, filter, part.after, expected).fuse();

    let shown = records.by_ref().take(limit.unwrap_or(usize::MAX)).inspect(|_| bar.inc(1));
    let last = match part.format {
        Format::Table => print_table(shown)?,
        Format::Json => print_array(shown)?,
        Format::Jsonl => print_lines(shown)?,
    };
    let next = records.next().transpose()?;
    bar.finish_and_clear();
    match (last, next) {
        (Some(last), Some(_)) => {
            messages.say(format_args!("There are more: go on with --after {last}"));
        }
        (None, _) => messages.say(format_args!("There is no such {}.", T::NAME)),
        (Some(_), None) => {}
    }
    Ok(Outcome::Done)
}

/// How far a command is that goes through all records.
pub(super) fn progress<T: Listed>(
    backend: BackendRef<'_>,
    filter: &T::Filter,
    messages: Messages,
) -> Result<ProgressBar, Failure> {
    match backend {
        BackendRef::Store(store) => T::progress(store, filter, messages),
        BackendRef::Server(_) => Ok(progress::of_records(&format!("{}s", T::NAME), None, messages)),
    }
}

/// The last record that was printed, if there was one.
type Printed<T> = Result<Option<<T as Listed>::Id>, Failure>;

fn print_lines<T: Listed>(records: impl Iterator<Item = Result<T, Failure>>) -> Printed<T> {
    let mut results = Results::open();
    let mut last = None;
    for record in records {
        let record = record?;
        results.line(visible_json(&record.line()?))?;
        last = Some(record.id());
    }
    results.finish()?;
    Ok(last)
}

fn print_array<T: Listed>(records: impl Iterator<Item = Result<T, Failure>>) -> Printed<T> {
    let mut results = Results::open();
    let mut last = None;
    for record in records {
        let record = record?;
        results.bytes(if last.is_none() { b"[\n" } else { b",\n" })?;
        results.bytes(visible_json(&record.line()?).as_bytes())?;
        last = Some(record.id());
    }
    results.line(if last.is_none() { "[]" } else { "\n]" })?;
    results.finish()?;
    Ok(last)
}

fn print_table<T: Listed>(records: impl Iterator<Item = Result<T, Failure>>) -> Printed<T> {
    let records: Vec<T> = records.collect::<Result<_, _>>()?;
    let Some(last) = records.last() else {
        return Ok(None);
    };
    let rows: Vec<Vec<String>> = records.iter().map(Listed::row).collect();
    let rows = rows.iter().map(|row| row.iter().map(String::as_str).collect());
    let mut results = Results::open();
    results.line(table(T::HEADER, rows))?;
    results.finish()?;
    Ok(Some(last.id()))
}

/// What a command forgets.
pub(super) struct Doomed<T: Listed> {
    /// The records of these identifiers; those that pass the filter when there are none.
    pub(super) named: Vec<T::Id>,
    pub(super) filter: T::Filter,
    /// Delete without asking.
    pub(super) is_sure: bool,
    /// Say what would be deleted, and delete nothing.
    pub(super) is_rehearsal: bool,
}

/// Forgets records, once somebody has said yes.
pub(super) fn forget<T: Forgotten>(
    open: impl FnOnce() -> Result<Backend, Failure>,
    doomed: Doomed<T>,
    messages: Messages,
) -> Result<Outcome, Failure> {
    let Doomed { named, filter, is_sure, is_rehearsal } = doomed;
    let verb = T::FORGET.to_ascii_lowercase();
    needs_a_terminal(is_sure || is_rehearsal, &verb)?;
    let backend = open()?;
    let whom = if is_sure && !is_rehearsal {
        String::new()
    } else {
        let number = number::<T>(&backend, &named, &filter, messages)?;
        output::number(number as u64, T::NAME, &format!("{}s", T::NAME))
    };
    if is_rehearsal {
        messages.say(format_args!("Would {verb} {whom}."));
        backend.close()?;
        return Ok(Outcome::Done);
    }
    if !is_sure && !is_confirmed(&format!("{} {whom} for good?", T::FORGET)) {
        insist(format_args!("Nothing was {verb}d."));
        return Ok(Outcome::No);
    }
    let outcome = if named.is_empty() {
        forget_all::<T>(&backend, filter, messages)?;
        Outcome::Done
    } else {
        Outcome::from_verdict(forget_named::<T>(&backend, named, messages)?)
    };
    backend.close()?;
    Ok(outcome)
}

/// How many records are named, or pass the filter.
fn number<T: Listed>(
    backend: &Backend,
    named: &[T::Id],
    filter: &T::Filter,
    messages: Messages,
) -> Result<usize, Failure> {
    if !named.is_empty() {
        return Ok(named.len());
    }
    let bar = progress::of_records(&format!("{}s", T::NAME), None, messages);
    let mut records = Pages::<T>::new(backend, filter.clone(), None, None);
    let counted = records.try_fold(0, |number, record| {
        bar.inc(1);
        record.map(|_| number + 1)
    });
    bar.finish_and_clear();
    counted
}

/// Whether all of them were there.
fn forget_named<T: Forgotten>(
    backend: &Backend,
    ids: Vec<T::Id>,
    messages: Messages,
) -> Result<bool, Failure> {
    let mut is_complete = true;
    for id in ids {
        let forgotten = match backend {
            Backend::Store(store) => {
                store.wait(T::forget(Arc::clone(&store.handle), id.clone()))?
            }
            Backend::Server(server) => server.delete::<T>(&id)?,
        };
        match forgotten {
            Deleted::Forgotten => messages.say(format_args!("{}d {id}.", T::FORGET)),
            Deleted::NotThere => {
                insist(format_args!("There is no {} {id}.", T::NAME));
                is_complete = false;
            }
        }
    }
    Ok(is_complete)
}

fn forget_all<T: Forgotten>(
    backend: &Backend,
    filter: T::Filter,
    messages: Messages,
) -> Result<(), Failure> {
    let bar = progress::<T>(backend.into(), &filter, messages)?;
    let mut records = Pages::<T>::new(backend, filter, None, None);
    loop {
        let some: Vec<T::Id> = records
            .by_ref()
            .take(AT_ONCE)
            .map(|record| record.map(|record| record.id()))
            .collect::<Result<_, _>>()?;
        if some.is_empty() {
            break;
        }
        let began = Instant::now();
        match backend {
            Backend::Store(store) => {
                bar.inc(store.wait(forget_together::<T>(&store.handle, some))?);
            }
            Backend::Server(server) => {
                for id in some {
                    bar.inc(u64::from(server.delete::<T>(&id)? == Deleted::Forgotten));
                }
            }
        }
        // Others have the disk for at least as long as this had it.
        thread::sleep(began.elapsed());
    }
    bar.finish_and_clear();
    let forgotten = output::number(bar.position(), T::NAME, &format!("{}s", T::NAME));
    messages.say(format_args!("{}d {forgotten}.", T::FORGET));
    Ok(())
}

/// Asks for all of them before it waits for one, so that the store makes few changes of them; returns how many
/// were there.
async fn forget_together<T: Forgotten>(
    store: &Arc<Store>,
    ids: Vec<T::Id>,
) -> Result<u64, StoreError> {
    let mut calls = JoinSet::new();
    for id in ids {
        calls.spawn(T::forget(Arc::clone(store), id));
    }
    let mut forgotten = 0;
    for outcome in calls.join_all().await {
        forgotten += u64::from(outcome? == Deleted::Forgotten);
    }
    Ok(forgotten)
}
