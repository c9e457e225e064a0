//! The table in `docs/run/metrics.md`, made from what a server serves.

use std::{collections::BTreeMap, env, fs};

use super::*;
use crate::{
    admission::{Conditions, Effect, Rule, RuleId, Rules, Terms, Word as _},
    clock::Clock,
    config,
    entropy::Entropy,
    internet::Internet,
};

/// Labels whose values come from the settings or the build.
const OPEN_LABELS: [&str; 6] = ["provider", "resource", "route", "rule", "version", "webhook"];

const TOP: &str = "\
# Metrics

<!-- Made from src/server/metrics.rs by `UPDATE_DOCS=1 cargo test`. Do not edit. -->

The management listener serves these metrics at `/metrics`, in the text format of Prometheus. Every series exists from the
start, at zero, except those of admission rules, sign-in providers, guarded resources, webhooks, and PostgreSQL, which
depend on the settings. No label has a value that a caller chose. `packaging/observability/` has alert rules and dashboards.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
";

/// A metric as `/metrics` describes it.
struct Family {
    name: String,
    kind: String,
    help: String,
    /// The values of each label, in the order of the page.
    labels: BTreeMap<String, Vec<String>>,
}

impl Family {
    fn row(&self) -> String {
        let labels: Vec<String> =
            self.labels.iter().map(|(name, values)| label(name, values)).collect();
        format!("| `{}` | {} | {} | {} |\n", self.name, self.kind, labels.join("; "), self.help)
    }
}

fn label(name: &str, values: &[String]) -> String {
    if OPEN_LABELS.contains(&name) {
        return format!("`{name}`");
    }
    let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    format!("`{name}`: {}", values.join(", "))
}

/// The metrics of a page, in its order.
fn families(page: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            families.push(Family {
                name: name.to_owned(),
                kind: String::new(),
                help: help.to_owned(),
                labels: BTreeMap::new(),
            });
            continue;
        }
        let family = families.last_mut().expect("a sample follows its head");
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            family.kind = kind.rsplit(' ').next().unwrap().to_owned();
            continue;
        }
        assert!(line.starts_with(&family.name), "{line} stands below {}", family.name);
        let Some((_, labels)) = line.split_once('{') else { continue };
        let (labels, _) = labels.split_once('}').unwrap();
        for (name, value) in labels.split(',').map(|label| label.split_once('=').unwrap()) {
            let (values, value) =
                (family.labels.entry(name.to_owned()).or_default(), value.trim_matches('"'));
            if name != "le" && !values.iter().any(|known| known == value) {
                values.push(value.to_owned());
            }
        }
        family.labels.remove("le");
    }
    families
}

fn rule(mode: Mode) -> Rule {
    Rule {
        id: RuleId::parse("games").unwrap(),
        note: None,
        conditions: Conditions::default(),
        effect: Effect::Allow,
        terms: Terms::default(),
        mode,
    }
}

fn webhooks() -> Webhooks {
    let webhook = config::Webhook {
        name: "audit".to_owned(),
        url: "https://hooks.example.com/".parse().unwrap(),
        secret_file: "/etc/doorward/webhook.secret".into(),
        actions: Vec::new(),
        allow_private_networks: false,
    };
    Webhooks::new(&[webhook], 0, &Internet::System, Clock::System, Entropy::System)
}

/// The page of a server that uses everything there is.
fn whole_page() -> String {
    let rules = Rules::new([Mode::Enforce, Mode::Observe].map(rule).into(), Effect::Allow);
    let metrics = ServerMetrics::new(
        Arc::default(),
        Arc::default(),
        Arc::new(AppMetrics::new(["acme"].into_iter())),
        Arc::new(LiveRules::new(rules)),
        Arc::new(webhooks()),
    );
    metrics.guards.set(vec![("tools".to_owned(), Arc::default())]).unwrap();
    let queue = |name| QueueFigures { name, length: 0, capacity: 1 };
    let store = StoreFigures {
        metrics: Some(&StoreMetrics::default()),
        queues: ["changes", "clients", "exchanges", "grants", "lookups", "registrations"]
            .map(queue)
            .into(),
        free_bytes: Some(0),
        database: Some(DatabaseFigures::default()),
    };
    metrics.page(Timestamp::from_millis(0), &store)
}

/// Other systems serve one metric less.
#[cfg(target_os = "linux")]
#[test]
fn the_committed_table_of_metrics_is_what_the_server_serves() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/run/metrics.md");
    let rows: String = families(&whole_page()).iter().map(Family::row).collect();
    let reference = format!("{TOP}{rows}");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &reference).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(committed == reference, "{path} is out of date: run `UPDATE_DOCS=1 cargo test`");
}
