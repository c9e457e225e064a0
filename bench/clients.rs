//! Clients as real ones register (`tests/corpus/`), each with a name of its own, admitted and issued by the server's own
//! code.

use std::sync::Arc;

use doorward::{app::App, bench, store::ClientRecord};
use serde_json::Value;

const CORPUS: &str = include_str!("../tests/corpus/registrations.jsonl");
/// Characters at the end of a client's name, in place of which others make it its own.
const PLACE: &str = "00000000";

/// The bodies of real clients that have a name, with a place in it, and are admitted.
pub(crate) struct Templates(Vec<(Vec<u8>, usize)>);

impl Templates {
    pub(crate) fn of(app: &Arc<App>) -> Self {
        let bodies = CORPUS.lines().filter_map(|line| {
            let row: Value = serde_json::from_str(line).expect("the corpus is JSON Lines");
            let is_real = row["kind"] == "client" && row["expect"] != "reject";
            let mut body = row["body"].clone();
            let name = format!("{} {PLACE}", body["client_name"].as_str().filter(|_| is_real)?);
            body["client_name"] = name.into();
            let body = body.to_string();
            let place = body.find(PLACE)?;
            bench::registration(app, body.as_bytes()).map(|_| (body.into_bytes(), place))
        });
        let templates: Vec<_> = bodies.collect();
        assert!(templates.len() > 50, "the corpus has bodies of real clients");
        Self(templates)
    }

    /// Registers the client of this number, with eight characters at the end of its name.
    pub(crate) fn client(&self, app: &App, number: u64, mark: &[u8]) -> ClientRecord {
        let index = usize::try_from(number).expect("a count of clients") % self.0.len();
        let (template, place) = &self.0[index];
        let mut body = template.clone();
        body[*place..place + PLACE.len()].copy_from_slice(mark);
        bench::registration(app, &body).expect("it was admitted with another name").0
    }
}
