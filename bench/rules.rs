//! What admission rules cost a registration: the time of one evaluation, over the bodies of `bodies.jsonl`.
//!
//! `rules [COUNT…]` evaluates so many rules, of every kind, none of which decides; 0, 1, and 1000 unless told otherwise.
#![expect(clippy::print_stdout, reason = "it is a command, and this is its result")]

mod bodies;

use std::{error::Error, hint::black_box, net::Ipv4Addr, time::Instant};

use doorward::{
    admission::{Candidate, Door, Effect, Rule, Rules},
    client::ClientMetadata,
};

/// How often every body is evaluated.
const TIMES: u32 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let counts: Vec<usize> =
        std::env::args().skip(1).map(|it| it.parse()).collect::<Result<_, _>>()?;
    let mut clients = Vec::new();
    for template in bodies::Template::all() {
        let mut body = Vec::with_capacity(template.length());
        template.write(b"counts00001", &mut body);
        clients.push(serde_json::from_slice::<ClientMetadata>(&body)?);
    }
    for count in if counts.is_empty() { vec![0, 1, 1_000] } else { counts } {
        let rules = (0..count).map(rule).collect::<Result<Vec<_>, _>>()?;
        let rules = Rules::new(rules, Effect::Allow);
        let start = Instant::now();
        for _ in 0..TIMES {
            for metadata in &clients {
                let candidate = Candidate {
                    door: Door::Rfc7591,
                    metadata: black_box(metadata),
                    document_host: None,
                    source: Some(Ipv4Addr::new(203, 0, 113, 9).into()),
                    initial_access_token: None,
                    is_imitation: false,
                };
                if black_box(rules.evaluate(&candidate)).decided_by.is_some() {
                    return Err("a rule decided".into());
                }
            }
        }
        let evaluations = u128::from(TIMES) * clients.len() as u128;
        println!("{count} rules: {} ns a client", start.elapsed().as_nanos() / evaluations);
    }
    Ok(())
}

/// A rule that no body matches.
fn rule(number: usize) -> Result<Rule, String> {
    let condition = match number % 8 {
        0 => format!(r#""any_destination":["*.tunnel{number}.example","host{number}.example"]"#),
        1 => format!(r#""all_destinations":["scheme:app{number}","host{number}.example"]"#),
        2 => format!(r#""name":"Imitator {number}x""#),
        3 => format!(r#""name_contains":"imitator{number}""#),
        4 => format!(r#""family":"imitator {number}x@loopback""#),
        5 => format!(r#""software_id":"software-{number}""#),
        6 => format!(r#""document_host":"*.host{number}.example""#),
        _ => format!(r#""source":"10.{}.{}.0/{}""#, number % 256, number / 256, 24),
    };
    let rule = format!(r#"{{"id":"rule-{number}","effect":"reject","reason":"no",{condition}}}"#);
    Rule::from_json(rule.as_bytes()).map_err(|faults| faults[0].to_string())
}
