//! What is sent: registrations, each with a body of its own, or lookups of clients that are there.

#[path = "../bodies.rs"]
mod bodies;

use std::io::Write as _;

use bodies::{Template, UNIQUE_LENGTH};

use crate::Arguments;

/// Consecutive lookups are this far apart in the file, so that neighbours in the store are not read together.
const STRIDE: u64 = 7_368_787;

/// Writes one request after the other.
pub(crate) struct Requests {
    kind: Kind,
    sources: u32,
}

enum Kind {
    Registrations { templates: Vec<(Vec<u8>, Template)>, run: [u8; 3] },
    Lookups { head: Vec<u8>, tail: Vec<u8>, ids: Vec<[u8; 36]> },
}

impl Requests {
    pub(crate) fn registrations(arguments: &Arguments) -> Self {
        let Arguments { target, path, run, sources, .. } = arguments;
        let with_head = |template: Template| {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: node\r\nAccept: application/json\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n",
                template.length()
            );
            (head.into_bytes(), template)
        };
        let templates = Template::all().into_iter().map(with_head).collect();
        Self { kind: Kind::Registrations { templates, run: *run }, sources: *sources }
    }

    /// `text` has one identifier a line.
    pub(crate) fn lookups(arguments: &Arguments, text: &str) -> Result<Self, &'static str> {
        let ids: Result<Vec<[u8; 36]>, _> =
            text.lines().map(|line| line.as_bytes().try_into()).collect();
        let ids = ids.map_err(|_| "a line of --ids is no identifier")?;
        if ids.is_empty() {
            return Err("--ids names no client");
        }
        let head = format!("GET {}/", arguments.path).into_bytes();
        let tail = format!(" HTTP/1.1\r\nHost: {}\r\n", arguments.target).into_bytes();
        Ok(Self { kind: Kind::Lookups { head, tail, ids }, sources: arguments.sources })
    }

    /// Puts request `number` into `out`, whose content is replaced.
    pub(crate) fn write(&self, number: u64, out: &mut Vec<u8>) {
        out.clear();
        match &self.kind {
            Kind::Registrations { templates, run } => {
                let (head, template) = of(templates, number);
                out.extend_from_slice(head);
                self.end_head(number, out);
                template.write(&unique(*run, number), out);
            }
            Kind::Lookups { head, tail, ids } => {
                out.extend_from_slice(head);
                out.extend_from_slice(&of(ids, number.wrapping_mul(STRIDE))[..]);
                out.extend_from_slice(tail);
                self.end_head(number, out);
            }
        }
    }

    fn end_head(&self, number: u64, out: &mut Vec<u8>) {
        if self.sources > 0 {
            // From 1.0.0.0 on; that some of them exist does not matter to a header on loopback.
            let source = u32::try_from(number % u64::from(self.sources)).unwrap_or_default();
            let [a, b, c, d] = (source + (1 << 24)).to_be_bytes();
            write!(out, "X-Forwarded-For: {a}.{b}.{c}.{d}\r\n").expect("a vector takes every byte");
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn of<T>(all: &[T], number: u64) -> &T {
    let count = all.len() as u64;
    &all[usize::try_from(number % count).unwrap_or_default()]
}

fn unique([a, b, c]: [u8; 3], mut number: u64) -> [u8; UNIQUE_LENGTH] {
    let mut text = [a, b, c, b'0', b'0', b'0', b'0', b'0', b'0', b'0', b'0'];
    for place in text.iter_mut().skip(3).rev() {
        *place = b"0123456789"[usize::try_from(number % 10).unwrap_or_default()];
        number /= 10;
    }
    text
}
