//! Fills a store with realistic clients: what real ones send (`tests/corpus/`), registered at `/register`
//! and kept in large batches. The same COUNT and SEED make the same clients. `bench/fill` runs it; it is an
//! example and thus part of no release.
//!
//! `fill COUNT FOLDER [SEED]` says on standard error how far it is, and at the end one line of JSON.
//! Batches that are there already stay, so that a fill which was cut short can be run again.

mod clients;

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use doorward::{
    app::App,
    clock::{Clock, Timestamp},
    config::{self, Config, Sources},
    entropy::Entropy,
    store::{self, Access, ClientRecord, Imported},
};
use serde_json::json;

use self::clients::Templates;

/// The first client's moment, 2020-01-01T00:00:00Z. Each is two seconds after the one before, so that even
/// fifty million are older than what is registered today, and identifiers stand in the order of time.
const BEGINNING: Timestamp = Timestamp::from_millis(1_577_836_800_000);
const STEP: Duration = Duration::from_secs(2);
const CLIENTS_MAX: u64 = 50_000_000;
/// What is kept in one change.
const BATCH_CLIENTS: u64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (count, folder, seed) = match &arguments[..] {
        [count, folder] => (count.parse()?, folder, 1),
        [count, folder, seed] => (count.parse()?, folder, seed.parse()?),
        _ => return Err("usage: fill COUNT FOLDER [SEED]".into()),
    };
    if count > CLIENTS_MAX {
        return Err(format!("at most {CLIENTS_MAX} clients").into());
    }
    let config = config::load(Sources { dev: true, ..Sources::default() })?;
    let began = Instant::now();
    let kept = fill(count, Path::new(folder), seed, config)?;
    let summary = json!({
        "clients": count,
        "document_bytes": kept,
        "store_bytes": bytes_of(Path::new(folder))?,
        "seconds": began.elapsed().as_secs_f64(),
    });
    writeln!(io::stdout(), "{summary}")?;
    Ok(())
}

/// Makes the clients on one thread and keeps them on another. Returns the bytes of their documents.
fn fill(count: u64, folder: &Path, seed: u64, config: Config) -> Result<u64, Box<dyn Error>> {
    let store = store::open_folder(folder, &config.embedded, Access::Import)?;
    let clock = Clock::held_at(BEGINNING);
    let app = App::new(config, Arc::clone(&store), clock, Entropy::seeded(seed));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    // One batch waits while another is kept: two are in memory.
    let (to_keep, batches) = sync_channel(0);
    let maker = thread::spawn(move || {
        let templates = Templates::of(&app);
        let client = |number: u64| {
            app.clock.advance(STEP);
            templates.client(&app, number, format!("{number:08}").as_bytes())
        };
        let mut made = 0;
        while made < count {
            let end = count.min(made + BATCH_CLIENTS);
            if to_keep.send((made..end).map(client).collect()).is_err() {
                return;
            }
            made = end;
        }
    });
    let keep = |batch| runtime.block_on(store.import_clients(batch));
    let bytes = keep_all(count, &batches, keep)?;
    maker.join().map_err(|_| "the clients could not be made")?;
    runtime.block_on(store.close())?;
    Ok(bytes)
}

fn keep_all<E: Error + 'static>(
    count: u64,
    batches: &Receiver<Vec<ClientRecord>>,
    keep: impl Fn(Vec<ClientRecord>) -> Result<Vec<Imported>, E>,
) -> Result<u64, Box<dyn Error>> {
    let (mut kept, mut bytes) = (0, 0);
    let began = Instant::now();
    let mut said = began;
    for batch in batches {
        kept += batch.len() as u64;
        bytes += batch.iter().map(|client| client.metadata.len() as u64).sum::<u64>();
        if keep(batch)?.contains(&Imported::Differs) {
            return Err("the folder holds other clients of these identifiers".into());
        }
        if said.elapsed() > Duration::from_secs(2) || kept == count {
            said = Instant::now();
            let seconds = began.elapsed().as_secs();
            writeln!(
                io::stderr(),
                "{kept} of {count} clients, {} %, {seconds} s",
                kept * 100 / count
            )?;
        }
    }
    Ok(bytes)
}

fn bytes_of(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(folder)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}
