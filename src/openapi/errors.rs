//! `docs/connect/errors.md`, made from the refusals of the endpoints.

use std::{env, fmt::Write as _, fs};

use crate::{
    authorization::refusals as authorization,
    client::violations,
    config::{self, Config, LookAlikes, RegistrationAccess, Sources},
    error_code::ErrorCode,
    guard::{self, Guarded},
    metadata_policy::Profile,
    operator_api,
    refusal::Told,
    registration::refusals as registration,
    sign_in,
    token::refusals as token,
};

const TOP: &str = "\
# Errors

<!-- Made from the refusals of the endpoints by `UPDATE_DOCS=1 cargo test`. Do not edit. -->

Every error that a client or a person can get, what it means, and what to do. Programs decide by the status and by
`error`; the text is for developers and may change.

Endpoints answer in JSON with `error` and `error_description` (RFC 6749 §5.2); below `/api/v2`, with `errors`. Each answer
has an `x-request-id`, by which the operator finds it in the log. With 429 and 503, `Retry-After` says when to try again,
in seconds. A server has the errors of the features that it uses.

";

/// The settings of a server that has every error.
fn everything() -> Config {
    let mut config = Config::default();
    config.client_documents.enabled = true;
    config.registration.access = RegistrationAccess::Token;
    config.registration.look_alikes = LookAlikes::Reject;
    config
}

/// A row of a table: the status, and the cells.
type Row = (u16, [String; 3]);

fn row(told: &Told) -> Row {
    let code = told.refusal.code.map_or("–".to_owned(), |it| format!("`{}`", it.as_str()));
    (told.refusal.status.as_u16(), [code, told.text.clone(), told.fix.to_string()])
}

/// A table of refusals, each once, by status.
fn section(page: &mut String, heading: &str, about: &str, mut refusals: Vec<Row>) {
    refusals.sort_by_key(|(status, _)| *status);
    write!(
        page,
        "## {heading}\n\n{about}\n\n| Status | Error | Text | What to do |\n|---|---|---|---|\n"
    )
    .unwrap();
    let mut rows: Vec<String> = Vec::new();
    for (status, cells) in &refusals {
        let row = format!("| {status} | {} |\n", cells.join(" | "));
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    writeln!(page, "{}", rows.concat()).unwrap();
}

/// What a guarded resource answers.
fn of_guard() -> Vec<Row> {
    let resources = r#"[{ uri = "https://mcp.example.com/mcp", guard = { id = "tools" } }]"#;
    let provider = r#"[{ id = "a", name = "A", issuer = "https://a.example", client_id = "c" }]"#;
    let flags = vec![
        ("server.issuer", "https://door.example".to_owned()),
        ("server.tls_terminated_in_front", "true".to_owned()),
        ("sign_in.providers", provider.to_owned()),
        ("authorization.resources", resources.to_owned()),
    ];
    let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
    let guarded = Guarded::of(&config.authorization.resources[0], &config).unwrap();
    let row = |(told, fix): (guard::Told, &str)| {
        (told.status, [format!("`{}`", told.code), told.description, fix.to_owned()])
    };
    guard::refusals(&guarded).into_iter().map(row).collect()
}

fn page() -> String {
    let config = everything();
    let mut page = TOP.to_owned();
    let mut add = |heading: &str, about: &str, refusals: Vec<Told>| {
        section(&mut page, heading, about, refusals.iter().map(row).collect());
    };
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
    add(
        "Sign-in",
        "Pages for the person at `/oauth2/sign-in`, at the return from a provider, and at `/oauth2/sign-out`, with a \
         reference, which is the request id.",
        sign_in::refusals(),
    );
    add(
        "Operator API",
        "Below `/api/v2`, in `errors` (JSON:API); 401, 408, 413, 429, and 5xx as a list of texts.",
        operator_api::refusals(),
    );
    section(
        &mut page,
        "Protected servers",
        "The built-in proxy sends them, and so does forward-auth where the proxy in front passes them on. MCP clients get a \
         JSON-RPC error with the same text, and 200 where a rule denies. 401 and 403 `insufficient_scope` have a \
         [challenge](../protect/step-up.md).",
        of_guard(),
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
