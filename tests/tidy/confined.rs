//! What is at home in a few places, such as HTTP, SQL, and the environment, and stays there.

use std::collections::BTreeSet;

use crate::{
    none,
    source::{holds_path, is_at, sources, split_paths},
};

/// Something that is at home in a few places.
struct Confined {
    /// Beginnings of paths in code.
    what: &'static [&'static str],
    /// Files, or folders with a slash.
    to: &'static [&'static str],
}

const CONFINED: &[Confined] = &[
    // HTTP is a detail of what speaks it. `server/management.rs` is a listener's answers; of
    // `registration/` the endpoint speaks it, and `error.rs` chooses the status of an error.
    Confined {
        what: &["http", "http_body", "http_body_util", "hyper", "hyper_util"],
        to: &[
            "src/fuzz.rs",
            "src/http/",
            "src/authorization/",
            // The operator API of another server.
            "src/cli/remote/",
            "src/discovery.rs",
            "src/doctor/guard_questions.rs",
            "src/doctor/guards.rs",
            "src/doctor/operators.rs",
            "src/guard/",
            "src/operator_api/",
            "src/pages/",
            "src/provider/",
            "src/refusal.rs",
            "src/registration/endpoint.rs",
            "src/registration/error.rs",
            "src/registration/initial_access.rs",
            "src/registration/management.rs",
            "src/server/",
            "src/sign_in/",
            "src/token/",
            "src/traces.rs",
            "src/traces/",
            "src/webhook/",
        ],
    },
    // Sockets are opened in one place. Two outbound ones lead elsewhere: to the Redis in which nodes count
    // together, opened where the limits are kept, and to the database, by its driver. A third leads to the upstreams
    // of guarded resources, which the operator names. Whatever else is
    // fetched goes out through `http/fetch.rs`, which asks `internet.rs` for addresses and trust. `doctor/`
    // asks whose a certificate is.
    Confined {
        what: &["tokio::net", "tokio_rustls"],
        to: &["src/guard/proxy/upstream.rs", "src/http/rate_limit/link.rs", "src/server/"],
    },
    Confined {
        what: &["rustls"],
        to: &[
            "src/cli/remote/refusal.rs",
            "src/doctor/",
            "src/http/fetch.rs",
            "src/internet.rs",
            "src/server/",
            "src/store/postgres/",
        ],
    },
    Confined { what: &["redis"], to: &["src/http/rate_limit/link.rs"] },
    Confined { what: &["rustls_native_certs"], to: &["src/internet.rs", "src/store/postgres/"] },
    // Nothing else sends requests. The command line is no server: it calls the server that its user names.
    Confined {
        what: &["reqwest"],
        to: &["src/cli/remote/", "src/http/fetch.rs", "src/http/fetch/"],
    },
    Confined {
        what: &["rustix"],
        to: &[
            "src/cli/audit/follow.rs",
            "src/cli/author.rs",
            "src/doctor/",
            "src/server/descriptors.rs",
            "src/server/management.rs",
        ],
    },
    // A URL of a database is read where settings are.
    Confined {
        what: &["deadpool_postgres", "tokio_postgres", "tokio_postgres_rustls"],
        to: &["src/config/location.rs", "src/store/postgres/"],
    },
    Confined { what: &["rusqlite"], to: &["src/store/embedded/"] },
    // Each derive of these is a promise to somebody: the names of `client/` are fixed by RFCs, those of
    // the answers by the contract, those of the commands by what scripts read. `json.rs` writes what it
    // has read.
    Confined {
        what: &["serde"],
        to: &[
            "src/metadata_policy/error.rs",
            "src/ceiling.rs",
            "src/cli/",
            "src/client/",
            "src/error_code.rs",
            "src/event_json.rs",
            "src/guard/",
            "src/http/answer.rs",
            "src/identified_client.rs",
            "src/json.rs",
            "src/store/family_record.rs",
            "src/stored_identity.rs",
            "src/token/access_token.rs",
            "src/token/introspection.rs",
        ],
    },
    Confined { what: &["toml"], to: &["src/config/"] },
    Confined { what: &["clap", "comfy_table", "indicatif"], to: &["src/cli/"] },
    // Settings come from one place. `main.rs` hands over the words of the command line, and `version.rs`
    // says what it was built for.
    Confined {
        what: &["std::env", "env"],
        to: &["src/cli/version.rs", "src/config/source.rs", "src/main.rs"],
    },
    Confined { what: &["tracing_subscriber"], to: &["src/config/", "src/log/"] },
];

#[test]
fn what_is_at_home_in_one_place_stays_there() {
    let mut faults = Vec::new();
    for Confined { what, to } in CONFINED {
        let mut used = BTreeSet::new();
        for source in sources().iter().filter(|source| !source.is_test) {
            let (_, rest) = split_paths(&source.code_with_crate_paths());
            if !what.iter().any(|path| holds_path(&rest, path)) {
                continue;
            }
            match to.iter().find(|home| is_at(&source.path, home)) {
                Some(home) => drop(used.insert(*home)),
                None => faults.push(format!("{} names one of {what:?}", source.path)),
            }
        }
        let idle = to.iter().filter(|home| !used.contains(*home));
        faults.extend(idle.map(|home| format!("{home} names none of {what:?}: take it off")));
    }
    none(&faults);
}
