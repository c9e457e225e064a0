//! The pure part of a registration, from the bytes of the body to the bytes of the answer, so often that
//! `bench/counts` can tell what one costs: see there. It is an example and thus part of no release.
//!
//! `pure TIMES` registers each body of `bodies.jsonl` so often.

mod bodies;

use std::{error::Error, hint::black_box};

use doorward::{
    app::App,
    bench,
    clock::{Clock, Timestamp},
    config::{self, Sources},
    entropy::Entropy,
    store::{self, Access},
};

fn main() -> Result<(), Box<dyn Error>> {
    let times = std::env::args().nth(1).ok_or("usage: pure TIMES")?.parse::<u32>()?;
    let config = config::load(Sources { dev: true, ..Sources::default() })?;
    let clock = Clock::held_at(Timestamp::from_millis(1_767_225_600_000)); // 2026-01-01T00:00:00Z
    let folder = tempfile::tempdir()?;
    let store = store::open_folder(folder.path(), &config.embedded, Access::Serve)?;
    let app = App::new(config, store, clock, Entropy::System);
    let mut bodies = Vec::new();
    for template in bodies::Template::all() {
        let mut body = Vec::with_capacity(template.length());
        template.write(b"counts00001", &mut body);
        bodies.push(body);
    }
    for _ in 0..times {
        for body in &bodies {
            black_box(bench::registration(&app, black_box(body)).ok_or("a body was refused")?);
        }
    }
    Ok(())
}
