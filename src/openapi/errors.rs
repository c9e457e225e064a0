//! `docs/connect/errors.md`, made from the refusals of the endpoints.

use std::{env, fmt::Write as _, fs};

use crate::{
    authorization::refusals as authorization,
    client::violations,
    config::{Config, LookAlikes, RegistrationAccess},
    error_code::ErrorCode,
    metadata_policy::Profile,
    refusal::Told,
    registration::refusals as registration,
    token::refusals as token,
};

const TOP: &str = "\
# Errors

<!-- Made from the refusals of the endpoints by `UPDATE_DOCS=1 cargo test`. Do not edit. -->

Every error that a client or a person can get, what it means, and what to do. Programs decide by the status and by
`error`; the text is for developers and may change.

Endpoints answer in JSON with `error` and `error_description` (RFC 6749 §5.2); below `/api/v2`, with `errors`. Each answer
has an `x-request-id`, by which the operator finds it in the log. With 429 and 503, `Retry-After` says when to try again,
in seconds. A server has the errors of the features that it uses. [Protected servers](../protect/step-up.md) answer with
challenges.

";

/// The settings of a server that has every error.
fn everything() -> Config {
    let mut config = Config::default();
    config.client_documents.enabled = true;
    config.registration.access = RegistrationAccess::Token;
    config.registration.look_alikes = LookAlikes::Reject;
    config
}

/// A table of refusals, each once, by status.
fn section(page: &mut String, heading: &str, about: &str, mut refusals: Vec<Told>) {
    let code =
        |told: &Told| told.refusal.code.map_or("–".to_owned(), |it| format!("`{}`", it.as_str()));
    refusals.sort_by_key(|told| told.refusal.status);
    write!(
        page,
        "## {heading}\n\n{about}\n\n| Status | Error | Text | What to do |\n|---|---|---|---|\n"
    )
    .unwrap();
    let mut rows: Vec<String> = Vec::new();
    for told in &refusals {
        let status = told.refusal.status.as_u16();
        let row = format!("| {status} | {} | {} | {} |\n", code(told), told.text, told.fix);
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    writeln!(page, "{}", rows.concat()).unwrap();
}

fn page() -> String {
    let config = everything();
    let mut page = TOP.to_owned();
    let mut add =
        |heading: &str, about: &str, refusals| section(&mut page, heading, about, refusals);
    add(
        "Registration",
        "At `POST /oauth2/register` and `/register`. A 400 has every fault in [`violations`](#violations), each with the \
         `pointer` of its member, its `code`, and its `reason`.",
        registration::of_door(&Profile::RFC7591, &config),
    );
    add(
        "Registration at `/api/v2/oauth2/register`",
        "The first fault alone is answered.",
        registration::of_door(&Profile::DATADOG, &config),
    );
    add(
        "Registration management",
        "At `registration_client_uri` (RFC 7592).",
        registration::of_updating(&config),
    );
    add(
        "Authorization: answers to the client",
        "By a redirect to the redirect URI, with `state` and `iss`. A person who has not allowed the client before sees a \
         page first, and goes on by a click.",
        authorization::by_redirect(),
    );
    add(
        "Authorization: pages",
        "At `/oauth2/authorize`, where the client cannot be told. The page has a reference, which is the request id, and the \
         rule for the developer of the app.",
        authorization::of_form(&config),
    );
    add("Token", "At `POST /oauth2/token`.", token::of_token_endpoint(&config));
    add("Revocation", "At `POST /oauth2/revoke` (RFC 7009).", token::of_revocation(&config));
    add(
        "Introspection",
        "At `POST /oauth2/introspect` (RFC 7662).",
        token::of_introspection(&config),
    );
    page.push_str(
        "## Violations\n\nThe `reason` of a violation begins with the name of the member. `doorward metadata check` reads a \
         file of metadata and prints the same.\n",
    );
    for (heading, reasons) in violations::tables() {
        write!(page, "\n### {heading}\n\n| Reason | What to do |\n|---|---|\n").unwrap();
        for (reason, fix) in reasons {
            writeln!(page, "| `{reason}` | {fix} |").unwrap();
        }
    }
    page
}

#[test]
fn the_committed_page_of_errors_is_what_the_endpoints_answer() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/connect/errors.md");
    let page = page();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &page).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(committed == page, "{path} is out of date: run `UPDATE_DOCS=1 cargo test`");
}

#[test]
fn the_page_of_errors_has_every_code_with_a_remedy() {
    let page = page();
    for code in ErrorCode::ALL {
        assert!(page.contains(&format!("| `{}` |", code.as_str())), "{code:?}");
    }
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.ends_with("What to do |"))
    {
        assert!(row.ends_with(". |"), "{row}");
    }
}
