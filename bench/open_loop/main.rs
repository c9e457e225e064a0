//! Requests that arrive at a fixed rate, whatever the server makes of them: an open loop. Latency counts
//! from the moment at which a request was meant to be sent, so that a stall is seen by all who would have
//! come meanwhile. For measurement alone: it is an example and thus part of no release.
//!
//! One thread. It drives loopback addresses only, and ends by itself.

mod connection;
mod latency;
mod load;
mod requests;

use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use clap::Parser;

use load::Load;
use requests::Requests;

/// So many requests have room for their latencies.
const REQUESTS_MAX: u64 = 20_000_000;

/// Sends requests at a fixed rate over loopback; prints one line of JSON
#[derive(Parser)]
struct Arguments {
    /// The server, at a loopback address
    target: SocketAddr,
    /// Requests that arrive each second
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=500_000))]
    rate: u64,
    /// For how long they arrive
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Connections, one request at a time on each; who finds none waits
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Who has waited so long for a connection goes away
    #[arg(long, default_value_t = 1_000, value_name = "MILLISECONDS")]
    patience: u64,
    /// The registration endpoint; with --ids the path in front of an identifier
    #[arg(long, default_value = "/register")]
    path: String,
    /// Three characters that no other run against this server has
    #[arg(long, default_value = "000", value_parser = three_characters)]
    run: [u8; 3],
    /// Say by X-Forwarded-For that the requests come from so many addresses in turn
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    sources: u32,
    /// Look up the clients of this file, one identifier a line, in place of registering
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    /// Write the identifier of every client that was registered, one a line
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    accepted: Option<PathBuf>,
}

fn three_characters(text: &str) -> Result<[u8; 3], &'static str> {
    text.as_bytes().try_into().map_err(|_| "three ASCII characters")
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if !arguments.target.ip().is_loopback() {
        return Err(format!("{} is no loopback address", arguments.target).into());
    }
    let total = arguments.rate * arguments.seconds;
    if total > REQUESTS_MAX {
        return Err(format!("{total} requests are more than {REQUESTS_MAX}").into());
    }
    let requests = match &arguments.ids {
        Some(file) => Requests::lookups(&arguments, &fs::read_to_string(file)?)?,
        None => Requests::registrations(&arguments),
    };
    let accepted = arguments.accepted.as_ref().map(File::create_new).transpose()?;
    let plan = load::Plan {
        target: arguments.target,
        rate: arguments.rate,
        total,
        connections: arguments.connections,
        patience: Duration::from_millis(arguments.patience),
    };
    let outcome = Load::new(plan, requests, accepted.map(BufWriter::new))?.run()?;
    writeln!(io::stdout(), "{}", outcome.into_json())?;
    Ok(())
}
